"""Weft's own OPC UA application certificate.

``<folder>/own/`` holds ``certificate.der`` and ``key.pem`` (for this user only), made on first use.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from weft.runtime import NeedsHuman

__all__ = ["Identity", "fingerprint", "own_identity"]

_YEARS: Final = 5
_making = threading.Lock()


class Identity(NamedTuple):
    uri: str
    certificate: x509.Certificate
    key: rsa.RSAPrivateKey


def own_identity(folder: Path, *, role: str = "", addresses: Sequence[str] = ()) -> Identity:
    """The application certificate, made if absent or expired; the key stays. ``role`` tells applications of one
    machine apart; ``addresses`` are names and IP addresses under which a server is reached: one that lacks any
    is made anew. Blocks for a tenth of a second then. Raises NeedsHuman when the folder cannot be used."""
    own = folder / "own"
    names = _names(role, addresses)
    try:
        with _making:
            own.mkdir(mode=0o700, parents=True, exist_ok=True)
            key = _key(own / "key.pem")
            certificate = _certificate(own / "certificate.der", key, names)
    except (OSError, ValueError, TypeError) as error:
        raise NeedsHuman(
            f"Weft's own OPC UA certificate in {own} cannot be used: {error}.",
            remedy="Make the folder writable for this user; damaged files there may be deleted.",
        ) from error
    uri = _said(certificate).get_values_for_type(x509.UniformResourceIdentifier)[0]
    return Identity(uri, certificate, key)


def fingerprint(der: bytes) -> str:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(der)
    return digest.finalize().hex(":")


def _key(path: Path) -> rsa.RSAPrivateKey:
    if not path.exists():
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        draft = path.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(pem)
        with contextlib.suppress(FileExistsError):  # another process was first: its key counts
            os.link(draft, path)
        draft.unlink()
    loaded = serialization.load_pem_private_key(path.read_bytes(), None)
    if not isinstance(loaded, rsa.RSAPrivateKey):
        raise TypeError(f"{path.name} is not an RSA key")
    return loaded


def _names(role: str, addresses: Sequence[str]) -> list[x509.GeneralName]:
    """The ApplicationUri comes first: some stacks look at the first name only."""
    host = socket.gethostname()
    names: list[x509.GeneralName] = [
        x509.UniformResourceIdentifier(f"urn:{host}:weft:{role}" if role else f"urn:{host}:weft"),
        x509.DNSName(host),
    ]
    for address in addresses:
        try:
            number = ipaddress.ip_address(address)
        except ValueError:
            names.append(x509.DNSName(address))
        else:
            if not number.is_unspecified:
                names.append(x509.IPAddress(number))
    return list(dict.fromkeys(names))


def _said(certificate: x509.Certificate) -> x509.SubjectAlternativeName:
    return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value


def _certificate(path: Path, key: rsa.RSAPrivateKey, names: list[x509.GeneralName]) -> x509.Certificate:
    if path.exists():
        certificate = x509.load_der_x509_certificate(path.read_bytes())
        valid = certificate.not_valid_after_utc > datetime.now(UTC)
        reached = all(name in list(_said(certificate)) for name in names[2:])
        if certificate.public_key() == key.public_key() and valid and reached:
            return certificate
    certificate = _issue(key, names)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_bytes(certificate.public_bytes(serialization.Encoding.DER))
    draft.replace(path)
    return certificate


def _issue(key: rsa.RSAPrivateKey, names: list[x509.GeneralName]) -> x509.Certificate:
    """Self-signed, with what OPC 10000-6, 6.2.2 asks for."""
    host = socket.gethostname()
    name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, "Weft"), x509.NameAttribute(NameOID.DOMAIN_COMPONENT, host)]
    )
    public = key.public_key()
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    now = datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=True,
        data_encipherment=True,
        key_agreement=False,
        key_cert_sign=True,  # its own issuer
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    purposes = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    return (
        x509.CertificateBuilder(name, name, public, x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks on the shop floor differ
        .not_valid_after(now + timedelta(days=365 * _YEARS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
        )
        .sign(key, hashes.SHA256())
    )
