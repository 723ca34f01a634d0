"""The listener: takes posts, answers when their samples are stored, and says what is wrong with the others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import anyio
import msgspec

from weft.connect.webhook.address import Config
from weft.connect.webhook.bodies import UnknownForm, payloads_of
from weft.connect.webhook.desk import Desk
from weft.connect.webhook.guard import Guard
from weft.runtime import Denied, Invalid

__all__ = ["Door"]

Send = Callable[[Any], Awaitable[None]]
Receive = Callable[[], Awaitable[Any]]

AT_ONCE: Final = 64  # requests that are read or wait for storage
HIGH_PRESSURE: Final = 0.9
_json = msgspec.json.Encoder().encode


class Refused(Exception):
    """An answer other than 202."""

    def __init__(self, status: HTTPStatus, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers


class Door:
    """An ASGI application over a desk."""

    def __init__(self, config: Config, desk: Desk) -> None:
        self._config = config
        self._desk = desk
        self._guard = Guard(config)
        self._inside = 0

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        self._inside += 1
        try:
            count = await self._post(scope["method"], scope["path"], headers, receive)
        except Refused as refused:
            problem = {
                "type": "about:blank",
                "title": refused.status.phrase,
                "status": refused.status.value,
                "detail": refused.detail,
            }
            more = {name.replace("_", "-"): value for name, value in refused.headers.items()}
            await _answer(send, refused.status, "application/problem+json", problem, more)
        else:
            await _answer(send, HTTPStatus.ACCEPTED, "application/json", {"samples": count}, {})
        finally:
            self._inside -= 1

    async def _post(self, method: str, path: str, headers: Mapping[str, str], receive: Receive) -> int:
        """How many samples were stored."""
        if self._inside > AT_ONCE:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "Too many requests at once.", Retry_After="1")
        try:
            self._guard.check_token(headers)
            if not self._desk.knows(path):
                raise Refused(HTTPStatus.NOT_FOUND, f"No signal reads {path[:200]!r}.")
            if method not in ("POST", "PUT"):
                raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, f"{method} is not served.", Allow="POST, PUT")
            body = await self._body(headers, receive)
            self._guard.check_signature(headers, body)
            if self._desk.link.pressure > HIGH_PRESSURE:
                raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "Samples wait to be stored.", Retry_After="1")
            payloads = payloads_of(body, headers.get("content-type", ""))
        except Denied as denied:
            raise Refused(HTTPStatus.UNAUTHORIZED, str(denied), WWW_Authenticate="Bearer") from denied
        except UnknownForm as unknown:
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, str(unknown)) from unknown
        except Invalid as invalid:
            raise Refused(HTTPStatus.BAD_REQUEST, str(invalid)) from invalid
        return await self._stored(path, payloads)

    async def _stored(self, path: str, payloads: Any) -> int:
        count, stored = self._desk.take(path, payloads)
        with anyio.move_on_after(self._config.timeout):
            await stored.wait()
            return count
        raise Refused(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The samples are not stored yet. Send them again: with a time of their own they count once.",
            Retry_After="5",
        )

    async def _body(self, headers: Mapping[str, str], receive: Receive) -> bytes:
        most = self._config.max_body
        announced = headers.get("content-length", "")
        too_large = Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"At most {most:,} bytes are read.")
        if announced.isdecimal() and int(announced[:18]) > most:
            raise too_large
        body = bytearray()
        with anyio.move_on_after(self._config.timeout):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refused(HTTPStatus.BAD_REQUEST, "The body ended early.")
                body += message.get("body", b"")
                if len(body) > most:
                    raise too_large
                if not message.get("more_body"):
                    return bytes(body)
        raise Refused(HTTPStatus.REQUEST_TIMEOUT, "The body did not come in time.")


async def _answer(send: Send, status: HTTPStatus, form: str, body: Any, headers: Mapping[str, str]) -> None:
    data = _json(body)
    pairs = {"content-type": form, "content-length": str(len(data)), **headers}
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs.items()]
    await send({"type": "http.response.start", "status": status.value, "headers": encoded})
    await send({"type": "http.response.body", "body": data})
