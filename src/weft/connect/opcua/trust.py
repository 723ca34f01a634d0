"""Which servers' certificates are trusted.

``<folder>/trusted/<host>_<port>.der`` is the certificate that this server must show; an unknown one is laid
into ``rejected/`` under the same name, to be moved by a person. A certificate that one of ``<folder>/issuers`` has
signed (:mod:`weft.ua.chain`) needs no pin.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from weft.connect.opcua.config import Config
from weft.runtime import NeedsHuman
from weft.ua import chain
from weft.ua.certificate import fingerprint

__all__ = ["expiries", "pinned", "read_certificate", "trust"]

SOON: Final = 30  # days
_MAX_CERTIFICATE: Final = 64 * 1024


def pinned(config: Config) -> bytes | None:
    """The certificate (DER) that the folder says the server must show. Raises NeedsHuman."""
    if not config.server_certificate:
        trusted = _pin(config, "trusted")
        return trusted.read_bytes() if trusted.is_file() else None
    path = Path(config.server_certificate).expanduser()
    try:
        known = read_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise NeedsHuman(
            f"The server certificate {path} cannot be read: {error}.",
            remedy="`server_certificate` must name a DER or PEM file.",
        ) from error
    return known.public_bytes(serialization.Encoding.DER)


def read_certificate(raw: bytes) -> x509.Certificate:
    """Of a DER or PEM file. Raises ValueError."""
    pem = raw.lstrip().startswith(b"-----")
    return x509.load_pem_x509_certificate(raw) if pem else x509.load_der_x509_certificate(raw)


def trust(config: Config, shown: bytes) -> None:
    """Judges the certificates (DER, the server's own first, those of its issuers behind it) that the server shows.
    Blocks for files. Raises NeedsHuman."""
    own = chain.split(shown)[0] if shown else b""
    known = pinned(config)
    if own and known == own:
        return
    doubt = _doubt(config, shown)
    if doubt is None:
        return
    if known is None and config.trust_on_first_use and own:
        _write(_pin(config, "trusted"), own)
        return
    if config.server_certificate:
        raise NeedsHuman(
            f"{config.endpoint} shows another certificate than {config.server_certificate} "
            f"(SHA-256 {fingerprint(own)}).",
            remedy="If the server was given a new one, put it there.",
        )
    rejected, trusted = _pin(config, "rejected"), _pin(config, "trusted")
    _write(rejected, own)
    what = "an unknown certificate" if known is None else "another certificate than the trusted one"
    raise NeedsHuman(
        f"{config.endpoint} shows {what} ({_subject(own)}, SHA-256 {fingerprint(own)}){doubt}.",
        remedy=f"Compare the fingerprint at the server; if it is the same: mv '{rejected}' '{trusted}'",
    )


def expiries(certificates: Mapping[str, x509.Certificate]) -> list[str]:
    """In words, those that end within SOON days, or have ended."""
    now, found = datetime.now(UTC), []
    for name, one in certificates.items():
        days = (one.not_valid_after_utc - now).days
        if days < 0:
            found.append(f"{name} expired {-days} days ago")
        elif days < SOON:
            found.append(f"{name} expires in {days} days")
    return found


def _doubt(config: Config, shown: bytes) -> str | None:
    """None when a trusted issuer vouches for the certificate; else why not, for people. Raises NeedsHuman for one
    that its issuer has revoked."""
    folder = config.folder / "issuers"
    if not folder.is_dir() or config.server_certificate:
        return ""
    try:
        chain.judge(shown, folder, host=config.host, uri=config.server_uri)
    except chain.Revoked as error:
        raise NeedsHuman(
            f"{config.endpoint} shows a certificate that its issuer has revoked ({error}).",
            remedy="Do not connect; give the server a new certificate.",
        ) from error
    except chain.Untrusted as error:
        return f"; {error}"
    return None


def _pin(config: Config, which: str) -> Path:
    return config.folder / which / f"{re.sub(r'[^A-Za-z0-9.-]', '-', config.host)}_{config.port}.der"


def _write(path: Path, der: bytes) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(der[:_MAX_CERTIFICATE])
    except OSError as error:
        raise NeedsHuman(f"{path} cannot be written: {error}.", remedy="Check `certificates`.") from error


def _subject(der: bytes) -> str:
    try:
        return x509.load_der_x509_certificate(der).subject.rfc4514_string()[:120]
    except ValueError:
        return "unreadable"
