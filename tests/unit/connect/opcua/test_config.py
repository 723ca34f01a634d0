"""What a plant's folder may say about a connection, and what it is told when it may not."""

import msgspec
import pytest

from weft.connect.opcua import Address, Config
from weft.runtime import NeedsHuman
from weft.ua import nodes


def test_defaults_are_secure():
    config = msgspec.convert({"endpoint": "opc.tcp://mill"}, Config)
    assert (config.security, config.policy) == ("SignAndEncrypt", "Basic256Sha256")
    assert (config.host, config.port) == ("mill", 4840)
    assert not config.trust_on_first_use


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"endpoint": "http://mill"}, "opc.tcp://host:4840"),
        ({"endpoint": "opc.tcp://u:p@mill"}, "user"),
        ({"security": "None"}, "security"),
        ({"publishing_interval": 0}, "publishing_interval"),
        ({"publish_requests": 0}, "publish_requests"),
        ({"queue_size": 0}, "queue_size"),
        ({"timeout": -1}, "timeout"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_mistakes_are_named(changes, says):
    with pytest.raises(msgspec.ValidationError, match=says):
        msgspec.convert({"endpoint": "opc.tcp://mill", **changes}, Config)


def test_the_password_shows_nowhere(tmp_path):
    config = Config(endpoint="opc.tcp://mill", user="u", password="geheim")
    assert "geheim" not in f"{config!r} {config}"
    assert config.secret() == "geheim"
    with pytest.raises(NeedsHuman, match="nowhere"):
        Config(endpoint="opc.tcp://mill", password=f"file:{tmp_path}/nowhere").secret()


@pytest.mark.parametrize(
    "text",
    [
        "i=2258",
        "ns=2;s=Mill.Load",
        "ns=3;s=a;b=c",
        "nsu=urn:mill;i=5",
        "ns=1;g=09087e75-8e5e-499b-954f-f2a9603db28a",
        "b=AAE=",
    ],
)
def test_nodes(text):
    assert Address(node=text).node == text


@pytest.mark.parametrize(
    "text", ["", "Mill.Load", "ns=2;x=1", "i=4294967296", "i=x", "ns=70000;i=1", "g=1", "b=*", "ns=1;s="]
)
def test_no_nodes(text):
    with pytest.raises(msgspec.ValidationError, match="node|number|GUID|base64|namespace"):
        msgspec.convert({"node": text}, Address)


def test_a_namespace_by_its_uri():
    node = nodes.parse("nsu=urn:a%3Bb;s=x")
    assert node.index_in(["http://opcfoundation.org/UA/", "urn:a;b"]) == 1
    with pytest.raises(LookupError, match="urn:a;b"):
        node.index_in(["http://opcfoundation.org/UA/"])
