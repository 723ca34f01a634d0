"""What a plant may say of its server."""

import pathlib
import tomllib

import msgspec
import pytest

from weft.destinations import opcua
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


def test_the_sample_is_sound_and_every_setting_is_described():
    folder = pathlib.Path(opcua.__file__).parent
    sample = tomllib.loads((folder / "sample.toml").read_text(encoding="utf-8"))
    msgspec.convert(sample["opcua"], Config)
    described = (folder / "README.md").read_text(encoding="utf-8")
    assert [name for name in Config.__struct_fields__ if f"`{name}`" not in described] == []
