"""HTTP to an agent: documents, streams of documents, and their faults in words."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote

import httpx

from weft.connect.mtconnect.address import Config
from weft.connect.mtconnect.document import refusal_of
from weft.connect.mtconnect.multipart import LARGEST, Parts, boundary_of
from weft.runtime import Invalid, NeedsHuman, Retry, xml
from weft.runtime.secret import resolve
from weft.runtime.xml import Element, local

__all__ = ["Client"]

_HEADERS: Final = {"Accept": "text/xml, application/xml", "Accept-Encoding": "identity", "User-Agent": "weft"}
_PATIENCE: Final = 2.5  # heartbeats without a sign of life


class Client:
    """One agent, asked over HTTP. Enter it before use."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._base = config.url.rstrip("/") + (f"/{quote(config.device, safe='')}" if config.device else "")
        auth = None
        if config.user:
            auth = httpx.BasicAuth(resolve(config.user, "user name"), resolve(config.password, "password"))
        self._http = httpx.AsyncClient(
            headers=_HEADERS, auth=auth, verify=_trust(config), timeout=config.timeout, trust_env=False
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._http.__aexit__()

    async def get(
        self, path: str, query: Mapping[str, Any] | None = None, *, of_device: bool = True
    ) -> Element:
        """One document. Raises Retry, NeedsHuman, or Refusal for what the agent itself refuses."""
        with self._faults():
            async with self._http.stream(
                "GET", self._url(path, of_device=of_device), params=query
            ) as response:
                return self._document(await _whole(response), response.status_code)

    async def stream(self, path: str, query: Mapping[str, Any]) -> AsyncGenerator[tuple[Element, bool], None]:
        """The documents of an endless answer, and whether it is one: an agent that cannot stream gives a single
        document. Raises like :meth:`get`; Retry after two and a half heartbeats of silence."""
        timeout = httpx.Timeout(self._config.timeout, read=_PATIENCE * self._config.heartbeat)
        with self._faults():
            async with self._http.stream("GET", self._url(path), params=query, timeout=timeout) as response:
                boundary = boundary_of(response.headers.get("content-type", ""))
                if not boundary or response.status_code != httpx.codes.OK:
                    yield self._document(await _whole(response), response.status_code), False
                    return
                parts = Parts(boundary)
                async for data in response.aiter_bytes():
                    for part in parts.feed(data):
                        yield self._part(part), True
        raise Retry(f"The agent at {self._config.url} ended its stream.")

    def _url(self, path: str, *, of_device: bool = True) -> str:
        return f"{self._base if of_device else self._config.url.rstrip('/')}/{path}"

    def _document(self, data: bytes, status: int) -> Element:
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise NeedsHuman(
                f"The agent at {self._config.url} does not let us in (HTTP {status}).",
                remedy="Check user and password of the connection.",
            )
        try:
            root = xml.parse(data.strip(), "the agent's answer", most=LARGEST)
        except Invalid as error:
            if status >= httpx.codes.INTERNAL_SERVER_ERROR:
                raise Retry(f"The agent at {self._config.url} answers HTTP {status}.") from error
            raise NeedsHuman(
                f"What answers at {self._config.url} (HTTP {status}) is not understood: {error}",
                remedy="Is it an MTConnect agent? Its address alone, without /probe, belongs into url.",
            ) from error
        refusal = refusal_of(root)
        if refusal is not None:
            raise refusal
        if not local(root.tag).startswith("MTConnect"):
            raise NeedsHuman(
                f"What answers at {self._config.url} is no MTConnect agent: its document is a {local(root.tag)}.",
                remedy="Check url.",
            )
        return root

    def _part(self, data: bytes) -> Element:
        """A document amid a stream: what is broken here was sent by an agent, and the line is tried again."""
        try:
            return self._document(data, httpx.codes.OK)
        except NeedsHuman as error:
            raise Retry(error.message) from error

    @contextmanager
    def _faults(self) -> Iterator[None]:
        where = self._config.url
        try:
            yield
        except httpx.TimeoutException as error:
            raise Retry(f"The agent at {where} is silent.", remedy="Is it switched off?") from error
        except httpx.TransportError as error:
            if isinstance(error.__cause__, ssl.SSLCertVerificationError) or "CERTIFICATE" in str(error):
                raise NeedsHuman(
                    f"The certificate of the agent at {where} is not trusted.",
                    remedy="Set ca to the file of the authority that signed it.",
                ) from error
            raise Retry(
                f"No agent answers at {where}: {error or type(error).__name__}.",
                remedy="Check url and that the agent runs.",
            ) from error
        except Invalid as error:
            raise Retry(f"The agent at {where} sends what cannot be read: {error}") from error


def _trust(config: Config) -> ssl.SSLContext:
    if config.url.startswith("http://"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # nobody is trusted, and nothing is loaded
    try:
        return _authorities(config.ca, Path(config.ca).stat().st_mtime_ns if config.ca else 0)
    except (OSError, ssl.SSLError) as error:
        raise NeedsHuman(f"The authority file {config.ca} cannot be read.", remedy="Check ca.") from error


@lru_cache(maxsize=16)
def _authorities(file: str, _changed: int) -> ssl.SSLContext:
    """Loaded once: it takes 15 ms, and at each of many attempts to connect OpenSSL's memory grew by 20 KiB."""
    return ssl.create_default_context(cafile=file) if file else httpx.create_ssl_context(trust_env=False)


async def _whole(response: httpx.Response) -> bytes:
    """Raises Invalid above 64 MiB."""
    data = bytearray()
    async for some in response.aiter_bytes():
        data += some
        if len(data) > LARGEST:
            raise Invalid(f"an answer above {LARGEST:,} bytes.")
    return bytes(data)
