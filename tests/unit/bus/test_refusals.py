"""What the server's refusals mean for the caller."""

import pytest

from weft.bus.jetstream import ApiError, meaning
from weft.bus.session import Address
from weft.bus.stored import _Place
from weft.runtime import Conflict, Invalid, NeedsHuman, NotFound, Retry


@pytest.mark.parametrize(
    ("code", "err_code", "kind"),
    [
        (400, 10176, Retry),  # an incomplete batch
        (429, 10210, Retry),  # too many open batches
        (400, 10158, Retry),  # the same id is being stored
        (503, 10008, Retry),
        (500, 10047, NeedsHuman),  # no room for the stream
        (400, 10065, Conflict),  # subjects overlap
        (500, 10052, Conflict),  # a setting cannot change
        (404, 10059, NotFound),
        (400, 10054, Invalid),  # a message is too large for the stream
    ],
)
def test_meaning(code, err_code, kind):
    error = meaning(ApiError(code, err_code, "why"), "it")
    assert type(error) is kind
    assert "why" in str(error)


def test_place_of_a_message():
    assert _Place.of("$JS.ACK.samples.weft-1.1.42.7.1795232718629519966.3") == (42, 7, 1795232718629519966)
    with_domain = "$JS.ACK.hub.A1B2.samples.weft-1.1.42.7.1795232718629519966.3.xyz"
    assert _Place.of(with_domain) == (42, 7, 1795232718629519966)


def test_an_address_keeps_its_secret():
    for address in (
        Address(url="nats://u:hush@h:1", password="hush"),
        Address(url="nats://h:1", password="hush"),
    ):
        assert "hush" not in repr(address)
        assert "h:1" in repr(address)
