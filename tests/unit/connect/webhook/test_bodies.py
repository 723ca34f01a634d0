"""Bodies, secrets and what a connection may say."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.connect.webhook import Config
from weft.connect.webhook.bodies import MOST, UnknownForm, payloads_of
from weft.runtime import Invalid


@given(
    st.binary(max_size=300),
    st.sampled_from(["application/json", "text/csv", "application/jsonl", "text/plain"]),
)
def test_any_body_is_read_or_refused(body, form):
    try:
        payloads = payloads_of(body, form)
    except Invalid as refused:
        assert refused.message
    else:
        for payload in payloads:
            payload.at(("a",))


def test_an_entry_of_an_array_is_a_document():
    assert [payload.at(()) for payload in payloads_of(b'[{"a":1},2]', "")] == [{"a": 1}, 2]
    assert payloads_of(b"plain", "text/plain")[0].whole(None)[0] == "plain"
    assert payloads_of(b'"x"', "application/vnd.a+json")[0].whole(None)[0] == "x"


def test_too_many_documents_are_refused():
    with pytest.raises(Invalid, match="at most 10,000"):
        payloads_of(b"[" + b"1," * MOST + b"1]", "application/json")


def test_other_content_types_are_refused():
    with pytest.raises(UnknownForm):
        payloads_of(b"", "application/xml")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "neither a port"),
        ({"port": 80, "host": "0.0.0.0"}, "needs a token"),
        ({"port": 80, "token": "abc"}, "write env:NAME"),
        ({"port": 80, "secret": "abc"}, "write env:NAME"),
        ({"poll": {"a": {"url": "http://x", "token": "abc"}}}, "write env:NAME"),
        ({"poll": {"a": {"url": "ftp://x"}}}, "match"),
        ({"port": 80, "max_body": 2 << 20}, "<="),
    ],
)
def test_what_a_connection_may_not_say(settings, says):
    with pytest.raises(msgspec.ValidationError, match=says):
        msgspec.convert(settings, Config)


def test_what_it_may():
    msgspec.convert({"port": 80, "host": "0.0.0.0", "token": "env:T"}, Config)
    msgspec.convert({"port": 0, "host": "localhost"}, Config)
