"""Who vouches for a certificate, and who may not."""

from datetime import UTC, datetime, timedelta

import authority
import pytest
from cryptography.hazmat.primitives import serialization

from weft.ua import chain

HOST = {"host": "127.0.0.1"}


@pytest.fixture(scope="module")
def root():
    return authority.Issuer("root")


@pytest.fixture(scope="module")
def sub(root):
    return authority.Issuer("sub", root)


@pytest.fixture(scope="module")
def leaf(sub):
    return sub.server()[0]


@pytest.fixture
def folder(tmp_path, root):
    (tmp_path / "root.der").write_bytes(authority.der(root.certificate))
    (tmp_path / "notes.txt").write_text("not a certificate")
    return tmp_path


def test_a_chain_is_split(root, sub, leaf):
    shown = authority.der(leaf, sub.certificate, root.certificate)
    assert chain.split(shown) == [authority.der(one) for one in (leaf, sub.certificate, root.certificate)]


def test_the_chain_that_the_server_sends_leads_to_a_trusted_issuer(folder, sub, leaf):
    chain.judge(authority.der(leaf, sub.certificate), folder, **HOST)
    chain.judge(authority.der(leaf, sub.certificate), folder, uri="urn:peer:node")


def test_an_issuer_in_the_middle_may_be_trusted_alone(tmp_path, sub, leaf):
    (tmp_path / "sub.pem").write_bytes(authority.pem(sub.certificate))
    chain.judge(authority.der(leaf), tmp_path, **HOST)


def test_without_its_issuer_it_is_nobody(folder, leaf):
    with pytest.raises(chain.Untrusted, match="no trusted issuer"):
        chain.judge(authority.der(leaf), folder, **HOST)


def test_a_rogue_of_the_same_name(folder):
    rogue = authority.Issuer("root")
    with pytest.raises(chain.Untrusted, match="no trusted issuer"):
        chain.judge(authority.der(rogue.server()[0], rogue.certificate), folder, **HOST)


def test_who_is_no_authority_signs_nothing(folder, root):
    plain = authority.Issuer("plain", root, authority=False)
    with pytest.raises(chain.Untrusted, match="no trusted issuer"):
        chain.judge(authority.der(plain.server()[0], plain.certificate), folder, **HOST)


def test_another_host_and_another_application(folder, root):
    shown = authority.der(root.server(addresses=("192.0.2.1",))[0])
    with pytest.raises(chain.Untrusted, match="host 127.0.0.1"):
        chain.judge(shown, folder, **HOST)
    chain.judge(shown, folder, host="LOCALHOST")
    with pytest.raises(chain.Untrusted, match="urn:other"):
        chain.judge(shown, folder, uri="urn:other")


def test_dates(folder, sub, leaf):
    later = datetime.now(UTC) + timedelta(days=400)
    with pytest.raises(chain.Untrusted, match="is valid from"):
        chain.judge(authority.der(leaf, sub.certificate), folder, now=later, **HOST)


@pytest.mark.parametrize("form", ["DER", "PEM"])
def test_revoked(folder, root, sub, leaf, form):
    encoding = getattr(serialization.Encoding, form)
    (folder / "sub.crl").write_bytes(sub.revoke(leaf).public_bytes(encoding))
    with pytest.raises(chain.Revoked):
        chain.judge(authority.der(leaf, sub.certificate), folder, **HOST)
    (folder / "sub.crl").write_bytes(root.revoke(sub.certificate).public_bytes(encoding))
    with pytest.raises(chain.Revoked):
        chain.judge(authority.der(leaf, sub.certificate), folder, **HOST)


def test_a_list_that_somebody_else_has_signed_revokes_nothing(folder, sub, leaf):
    rogue = authority.Issuer("sub")
    (folder / "sub.crl").write_bytes(rogue.revoke(leaf).public_bytes(serialization.Encoding.DER))
    chain.judge(authority.der(leaf, sub.certificate), folder, **HOST)


@pytest.mark.parametrize("shown", [b"", b"\x30", b"\x30\x84\xff\xff\xff\xff", b"\x30\x80", b"\0" * 100])
def test_what_is_no_certificate(folder, shown):
    with pytest.raises(chain.Untrusted):
        chain.judge(shown, folder, **HOST)
