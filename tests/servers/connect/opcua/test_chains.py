"""Servers whose certificate an authority has signed, and users who log in by certificate."""

import anyio
import pytest
from authority import Issuer, der, key_pem, pem
from cryptography.hazmat.primitives import serialization

from weft.connect import Recorder
from weft.connect.opcua import OpcUa
from weft.runtime import NeedsHuman

pytestmark = pytest.mark.anyio

SPACE = "nsu=urn:node:plant;s="


@pytest.fixture(scope="module")
def root():
    return Issuer("root")


@pytest.fixture(scope="module")
def sub(root):
    return Issuer("sub", root)


@pytest.fixture
def node_with(make_node_peer, tmp_path):
    """A node-opcua server that shows these certificates."""

    async def start(key, *shown):
        (tmp_path / "chain.pem").write_bytes(pem(*shown))
        (tmp_path / "key.pem").write_bytes(key_pem(key))
        options = ("--certificate", tmp_path / "chain.pem", "--key", tmp_path / "key.pem")
        return await anyio.to_thread.run_sync(lambda: make_node_peer(*options))

    return start


def trusting(kit, node, pki, *issuers):
    (pki / "issuers").mkdir(parents=True)
    for i, issuer in enumerate(issuers):
        (pki / "issuers" / f"{i}.der").write_bytes(der(issuer.certificate))
    return kit.config(node.url, security="SignAndEncrypt", certificates=str(pki))


async def test_a_chain_with_its_root_trusted_needs_no_pin(node_with, kit, tmp_path, root, sub):
    certificate, key = sub.server(days=10)
    node = await node_with(key, certificate, sub.certificate)
    config = trusting(kit, node, tmp_path / "pki", root)
    async with kit.connected(config, kit.points("Int32", space=SPACE)) as (_, link):
        await link.until(lambda: bool(link.rows))
    assert "the server's certificate expires in 9 days" in link.details[0]
    assert not (tmp_path / "pki" / "trusted").exists()
    (tmp_path / "pki" / "issuers" / "sub.crl").write_bytes(
        sub.revoke(certificate).public_bytes(serialization.Encoding.DER)
    )
    with anyio.fail_after(20), pytest.raises(NeedsHuman, match="its issuer has revoked"):
        await OpcUa(config).run(Recorder([]))


async def test_a_chain_of_somebody_else_is_refused_with_the_reason(node_with, kit, tmp_path, sub):
    certificate, key = sub.server()
    node = await node_with(key, certificate, sub.certificate)
    config = trusting(kit, node, tmp_path / "pki", Issuer("another"))
    with anyio.fail_after(20), pytest.raises(NeedsHuman, match="unknown certificate.*no trusted issuer"):
        await OpcUa(config).run(Recorder([]))


async def test_a_user_logs_in_by_certificate(make_peer, kit, tmp_path, root):
    certificate, key = root.server("urn:person")
    (tmp_path / "person.der").write_bytes(der(certificate))
    (tmp_path / "person.pem").write_bytes(key_pem(key))
    (tmp_path / "peer").mkdir()
    peer = make_peer(folder=str(tmp_path / "peer"), person=str(tmp_path / "person.der"))
    secure = {"security": "SignAndEncrypt", "certificates": str(tmp_path / "pki"), "trust_on_first_use": True}
    login = {"user_certificate": str(tmp_path / "person.der"), "user_key": str(tmp_path / "person.pem")}
    async with kit.connected(kit.config(peer.url, **secure, **login), kit.points("load")) as (_, link):
        await link.until(lambda: bool(link.rows))
    other, other_key = root.server("urn:other")
    (tmp_path / "other.der").write_bytes(der(other))
    (tmp_path / "other.pem").write_bytes(key_pem(other_key))
    login = {"user_certificate": str(tmp_path / "other.der"), "user_key": str(tmp_path / "other.pem")}
    with anyio.fail_after(20), pytest.raises(NeedsHuman, match="refused the user"):
        await OpcUa(kit.config(peer.url, **secure, **login)).run(Recorder([]))
    login["user_key"] = str(tmp_path / "missing.pem")
    with anyio.fail_after(20), pytest.raises(NeedsHuman, match="cannot be read"):
        await OpcUa(kit.config(peer.url, **secure, **login)).run(Recorder([]))
