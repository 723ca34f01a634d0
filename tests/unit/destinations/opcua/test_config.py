"""What a plant may say of its server."""

import msgspec
import pytest

from weft.destinations.opcua import Config
from weft.destinations.opcua.destination import OpcUaServer

USERS = {"mes": {"password": "env:X"}}


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({}, "nobody could log in"),
        ({"users": {"mes": {}}}, "a password or a certificate"),
        ({"users": USERS, "port": 70000}, "port"),
        ({"users": USERS, "policies": []}, "no policy"),
        ({"users": USERS, "policies": ["Basic128Rsa15"]}, "Basic128Rsa15"),
        ({"users": USERS, "namespace": "plant"}, "not a URI"),
        ({"users": USERS, "max_memory_mb": 10}, "max_memory_mb"),
        ({"users": USERS, "hots": "0.0.0.0"}, "hots"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_name(settings, word):
    with pytest.raises(msgspec.ValidationError, match=word):
        msgspec.convert(settings, Config)


def test_closed_unless_it_is_said():
    config = msgspec.convert({"users": USERS}, Config)
    assert (config.host, config.insecure, config.anonymous) == ("127.0.0.1", False, False)
    assert not config.users["mes"].write
    assert config.require_revocation_list
    assert OpcUaServer(config).port == 0


def test_a_password_is_in_no_message():
    config = msgspec.convert({"users": {"mes": {"password": "hunter2"}}}, Config)
    assert "hunter2" not in repr(config)
