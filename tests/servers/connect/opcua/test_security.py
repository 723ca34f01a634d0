"""Encrypted sessions, who trusts whom, and who logs in."""

import anyio
import pytest
from cryptography import x509

from weft.connect import Recorder
from weft.connect.opcua import OpcUa
from weft.runtime import NeedsHuman

pytestmark = pytest.mark.anyio


async def refused(config, match):
    with anyio.fail_after(20), pytest.raises(NeedsHuman, match=match) as caught:
        await OpcUa(config).run(Recorder([]))
    return caught.value


@pytest.mark.parametrize(
    ("security", "policy"),
    [
        ("SignAndEncrypt", "Basic256Sha256"),
        ("SignAndEncrypt", "Aes256Sha256RsaPss"),
        ("Sign", "Basic256Sha256"),
    ],
)
async def test_encrypted_session_with_a_certificate_of_its_own(peer, kit, tmp_path, security, policy):
    config = kit.config(
        peer.url, security=security, policy=policy, certificates=str(tmp_path), trust_on_first_use=True
    )
    async with kit.running(config, kit.points("load", "String")) as link:
        await link.until(lambda: len(link.rows) >= 2)
    assert (tmp_path / "own" / "key.pem").stat().st_mode & 0o777 == 0o600
    own = x509.load_der_x509_certificate((tmp_path / "own" / "certificate.der").read_bytes())
    names = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert isinstance(names[0], x509.UniformResourceIdentifier)
    assert len(list((tmp_path / "trusted").iterdir())) == 1


async def test_unknown_server_needs_a_person_who_moves_its_certificate(peer, kit, tmp_path):
    config = kit.config(peer.url, security="SignAndEncrypt", certificates=str(tmp_path))
    error = await refused(config, "unknown certificate")
    assert "SHA-256" in error.message
    [shown] = (tmp_path / "rejected").iterdir()
    assert f"mv '{shown}'" in error.remedy
    (tmp_path / "trusted").mkdir()
    shown.rename(tmp_path / "trusted" / shown.name)
    async with kit.running(config, kit.points("load")) as link:
        await link.until(lambda: bool(link.rows))


async def test_another_certificate_than_the_trusted_one_is_refused_even_on_first_use(
    peer, make_peer, kit, tmp_path
):
    config = kit.config(
        peer.url, security="SignAndEncrypt", certificates=str(tmp_path / "pki"), trust_on_first_use=True
    )
    async with kit.running(config, kit.points("load")) as link:
        await link.until(lambda: bool(link.rows))
    [trusted] = (tmp_path / "pki" / "trusted").iterdir()
    (tmp_path / "other").mkdir()
    other = make_peer(folder=str(tmp_path / "other"))
    trusted.rename(trusted.with_name(f"127.0.0.1_{other.options['port']}.der"))
    moved = kit.config(
        other.url, security="SignAndEncrypt", certificates=str(tmp_path / "pki"), trust_on_first_use=True
    )
    await refused(moved, "another certificate than the trusted one")
    given = kit.config(
        other.url,
        security="SignAndEncrypt",
        certificates=str(tmp_path / "pki"),
        server_certificate=str(tmp_path / "other" / "server.der"),
    )
    async with kit.running(given, kit.points("load")) as link:
        await link.until(lambda: bool(link.rows))


async def test_user_and_password(make_peer, kit, tmp_path, monkeypatch):
    (tmp_path / "peer").mkdir()
    peer = make_peer(folder=str(tmp_path / "peer"), users={"weft": "geheim"})
    pki = {"security": "SignAndEncrypt", "certificates": str(tmp_path / "pki"), "trust_on_first_use": True}
    secret = tmp_path / "password"
    secret.write_text("geheim\n")
    monkeypatch.setenv("PEER_PASSWORD", "geheim")
    for password in ("env:PEER_PASSWORD", f"file:{secret}", "geheim"):
        config = kit.config(peer.url, user="weft", password=password, **pki)
        assert "geheim" not in repr(config)
        async with kit.running(config, kit.points("load")) as link:
            await link.until(lambda: bool(link.rows))  # awaited within the round
    await refused(kit.config(peer.url, user="weft", password="falsch", **pki), "refused the user")
    await refused(kit.config(peer.url, user="weft", password="env:NOT_SET_HERE", **pki), "NOT_SET_HERE")


async def test_security_that_is_not_offered(peer, kit, tmp_path):
    policy = "Aes128Sha256RsaOaep"
    config = kit.config(peer.url, security="SignAndEncrypt", policy=policy, certificates=str(tmp_path))
    await refused(config, "does not offer the security")


async def test_a_password_is_not_sent_in_clear(make_peer, kit):
    peer = make_peer(users={"weft": "geheim"})
    await refused(kit.config(peer.url, user="weft", password="geheim"), "readable for everybody")
    config = kit.config(peer.url, user="weft", password="geheim", password_in_clear=True)
    async with kit.running(config, kit.points("load")) as link:
        await link.until(lambda: bool(link.rows))
