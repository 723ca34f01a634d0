"""Which servers' certificates are trusted.

``<folder>/trusted/<host>_<port>.der`` is the certificate that this server must show; an unknown one is laid
into ``rejected/`` under the same name, to be moved by a person.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from weft.connect.opcua.config import Config
from weft.runtime import NeedsHuman
from weft.ua.certificate import fingerprint

__all__ = ["pinned", "trust"]

_MAX_CERTIFICATE: Final = 64 * 1024


def pinned(config: Config) -> bytes | None:
    """The certificate (DER) that the folder says the server must show. Raises NeedsHuman."""
    if not config.server_certificate:
        trusted = _pin(config, "trusted")
        return trusted.read_bytes() if trusted.is_file() else None
    path = Path(config.server_certificate).expanduser()
    try:
        raw = path.read_bytes()
        pem = raw.lstrip().startswith(b"-----")
        known = x509.load_pem_x509_certificate(raw) if pem else x509.load_der_x509_certificate(raw)
    except (OSError, ValueError) as error:
        raise NeedsHuman(
            f"The server certificate {path} cannot be read: {error}.",
            remedy="`server_certificate` must name a DER or PEM file.",
        ) from error
    return known.public_bytes(serialization.Encoding.DER)


def trust(config: Config, shown: bytes) -> None:
    """Compares the certificate that the server shows with the pinned one. Raises NeedsHuman."""
    known = pinned(config)
    if known == shown:
        return
    if known is None and config.trust_on_first_use:
        _write(_pin(config, "trusted"), shown)
        return
    if config.server_certificate:
        raise NeedsHuman(
            f"{config.endpoint} shows another certificate than {config.server_certificate} "
            f"(SHA-256 {fingerprint(shown)}).",
            remedy="If the server was given a new one, put it there.",
        )
    rejected, trusted = _pin(config, "rejected"), _pin(config, "trusted")
    _write(rejected, shown)
    what = "an unknown certificate" if known is None else "another certificate than the trusted one"
    raise NeedsHuman(
        f"{config.endpoint} shows {what} ({_subject(shown)}, SHA-256 {fingerprint(shown)}).",
        remedy=f"Compare the fingerprint at the server; if it is the same: mv '{rejected}' '{trusted}'",
    )


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
