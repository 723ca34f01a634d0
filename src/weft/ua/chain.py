"""Certificates signed by an authority (OPC 10000-4, 6.1.3; RFC 5280): judged by the issuers and revocation lists in a
folder. A list counts only when its issuer's signature on it is true."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

__all__ = ["Revoked", "Untrusted", "judge", "split"]

LONGEST: Final = 6  # certificates in a chain
MOST_FILES: Final = 200
LARGEST_FILE: Final = 4 * 1024 * 1024


class Untrusted(ValueError):
    """No trusted issuer vouches for the certificate."""


class Revoked(Untrusted):
    """Its issuer has taken it back."""


def split(chain: bytes) -> list[bytes]:
    """The DER certificates that stand one behind the other; what is no certificate is one piece."""
    found: list[bytes] = []
    while chain and len(found) < LONGEST:
        size = _length(chain)
        found.append(chain[:size])
        chain = chain[size:]
    return found


def judge(shown: bytes, folder: Path, *, host: str = "", uri: str = "", now: datetime | None = None) -> None:
    """``shown`` is a certificate and, behind it, those of its issuers; ``folder`` holds the trusted issuers and
    their lists, DER or PEM. With ``uri`` the certificate must name this application, else with ``host`` this host.
    Raises Untrusted or Revoked."""
    now = now or datetime.now(UTC)
    try:
        own, *above = [x509.load_der_x509_certificate(der) for der in split(shown)]
    except ValueError as error:
        raise Untrusted("the certificate cannot be read") from error
    trusted, lists = _folder(folder)
    _check_name(own, host, uri)
    below = own
    for _ in range(LONGEST):
        _check_dates(below, now)
        issuer = _issuer(below, [*trusted, *above])
        _check_revoked(below, issuer, lists)
        if issuer in trusted:
            _check_dates(issuer, now)
            return
        below = issuer
    raise Untrusted(f"a chain of more than {LONGEST} certificates")


def _length(der: bytes) -> int:
    """Of the first DER element, as its header says (X.690, 8.1.3)."""
    if len(der) < 2 or der[0] != 0x30:
        return len(der)
    if der[1] < 0x80:
        return 2 + der[1]
    n = der[1] & 0x7F
    return 2 + n + int.from_bytes(der[2 : 2 + n], "big")


def _folder(folder: Path) -> tuple[list[x509.Certificate], list[x509.CertificateRevocationList]]:
    trusted, lists = [], []
    for path in sorted(folder.rglob("*"))[:MOST_FILES]:
        if not path.is_file() or path.stat().st_size > LARGEST_FILE:
            continue
        raw = path.read_bytes()
        pem = raw.lstrip().startswith(b"-----")
        try:
            if path.suffix == ".crl" or b"BEGIN X509 CRL" in raw[:200]:
                lists.append(x509.load_pem_x509_crl(raw) if pem else x509.load_der_x509_crl(raw))
            elif path.suffix in {".der", ".pem", ".crt", ".cer"}:
                trusted += (
                    x509.load_pem_x509_certificates(raw) if pem else [x509.load_der_x509_certificate(raw)]
                )
        except ValueError as error:
            raise Untrusted(f"{path} cannot be read: {error}") from error
    return trusted, lists


def _check_name(own: x509.Certificate, host: str, uri: str) -> None:
    try:
        names = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError) as error:
        raise Untrusted("the certificate names neither host nor application") from error
    if uri:
        if uri not in names.get_values_for_type(x509.UniformResourceIdentifier):
            raise Untrusted(f"the certificate is not that of {uri}")
    elif host:
        hosts = {name.lower() for name in names.get_values_for_type(x509.DNSName)}
        addresses = set(names.get_values_for_type(x509.IPAddress))
        if host.lower() not in hosts and _address(host) not in addresses:
            raise Untrusted(f"the certificate is not that of the host {host}")


def _address(host: str) -> object:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _check_dates(one: x509.Certificate, now: datetime) -> None:
    if not one.not_valid_before_utc <= now <= one.not_valid_after_utc:
        until = one.not_valid_after_utc.date()
        raise Untrusted(f"{_name(one)} is valid from {one.not_valid_before_utc.date()} to {until} only")


def _issuer(below: x509.Certificate, above: Sequence[x509.Certificate]) -> x509.Certificate:
    for one in above:
        if one == below or one.subject != below.issuer or not _may_sign(one):
            continue
        try:
            below.verify_directly_issued_by(one)
        except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
            continue
        return one
    raise Untrusted(f"no trusted issuer vouches for {_name(below)}")


def _may_sign(one: x509.Certificate) -> bool:
    """An authority, whose key may sign certificates (RFC 5280, 4.2.1.3 and 4.2.1.9)."""
    try:
        authority = one.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        usage = one.extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    return authority and usage.key_cert_sign


def _check_revoked(
    below: x509.Certificate, issuer: x509.Certificate, lists: Sequence[x509.CertificateRevocationList]
) -> None:
    for one in lists:
        key = issuer.public_key()
        if one.issuer != issuer.subject or not one.is_signature_valid(key):  # type: ignore[arg-type]  # a CA's key signs
            continue
        if one.get_revoked_certificate_by_serial_number(below.serial_number) is not None:
            raise Revoked(_name(below))


def _name(one: x509.Certificate) -> str:
    return one.subject.rfc4514_string()[:120]
