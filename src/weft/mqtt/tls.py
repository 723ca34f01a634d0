"""TLS and the errors of connecting, in words for people."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from weft.mqtt.broker import Broker
from weft.runtime import NeedsHuman, Retry

__all__ = ["connect_errors", "context"]


def context(config: Broker) -> ssl.SSLContext | None:
    """The settings of an encrypted connection; None for a plain one. Raises NeedsHuman for a certificate file
    that cannot be read."""
    if not config.secure:
        return None
    try:
        settings = ssl.create_default_context(cafile=config.ca or None)
        if config.certificate:
            settings.load_cert_chain(config.certificate, config.key or None)
    except (OSError, ssl.SSLError) as error:
        raise NeedsHuman(
            f"The certificates of this connection cannot be read: {error}.",
            remedy="Check ca, certificate and key.",
        ) from error
    return settings


@contextmanager
def connect_errors(where: str, timeout: float) -> Iterator[None]:
    """Turns what connecting raises into Retry or NeedsHuman."""
    try:
        yield
    except TimeoutError as error:
        raise Retry(f"{where} did not answer within {timeout:g} s.") from error
    except ssl.SSLCertVerificationError as error:
        raise NeedsHuman(
            f"The certificate of the broker at {where} is not trusted: {error.verify_message}.",
            remedy="Set ca to the file of the authority that signed it.",
        ) from error
    except OSError as error:
        raise Retry(
            f"No broker answers at {where}: {error.strerror or error}.",
            remedy="Check host, port, tls and that the broker runs.",
        ) from error
