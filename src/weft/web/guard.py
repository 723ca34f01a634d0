"""The gate in front of every route: host, sizes, time, origin, identity, and the headers of every answer."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import anyio
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from weft.web.access import Access
from weft.web.problems import Problem, Problems

__all__ = ["CONTENT_SECURITY_POLICY", "PUBLIC", "Guard"]

# Open to everybody who reaches the port: the way in, its looks, and the sign of life.
PUBLIC: Final = ("/enter", "/healthz", "/static/", "/favicon.ico")

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)

MAX_HEADERS: Final = 100
MAX_HEADER_BYTES: Final = 16_384
MAX_TARGET_BYTES: Final = 8_192
BODY_SECONDS: Final = 30.0
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard:
    """Lets through what may come in. ``hosts`` are the names that this instance answers to (a page of another
    name that resolves to this machine is how DNS rebinding works); empty accepts any."""

    def __init__(self, app: ASGIApp, *, access: Access, problems: Problems, hosts: Collection[str]) -> None:
        self._app = app
        self._access = access
        self._problems = problems
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.WEBSOCKET:  # nothing of ours speaks it: a door less to watch
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
            return
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        send = _with_headers(send)
        problem = self._refusal(scope, headers)
        if problem is None:
            await self._app(scope, _in_time(receive), send)
        else:
            await self._answer(problem, scope["path"], headers, send)

    def _refusal(self, scope: Any, headers: Mapping[str, str]) -> Problem | None:
        return _oversize(scope) or self._wrong_host(headers) or self._stranger(scope, headers)

    def _wrong_host(self, headers: Mapping[str, str]) -> Problem | None:
        host = urlsplit(f"//{headers.get('host', '')}").hostname if _is_host(headers) else None
        if not self._hosts or host in self._hosts:
            return None
        return Problem(
            title="Not the name of this Weft",
            status=421,
            detail="Weft was reached under a name that it does not answer to.",
            remedy=f"Open it as {' or '.join(sorted(self._hosts))}, or add the name to [web] hosts.",
        )

    def _stranger(self, scope: Any, headers: Mapping[str, str]) -> Problem | None:
        path = scope["path"]
        if any(path == name or (name.endswith("/") and path.startswith(name)) for name in PUBLIC):
            return None
        identity = self._access.identify(headers)
        if identity is None:
            return Problem(
                title="Weft does not know this browser yet",
                status=401,
                type="urn:weft:problem:unknown",
                detail="Weft lets in browsers that were opened with a one-time link, and programs with its token.",
                remedy="Type `weft link` in a terminal on the machine that runs Weft and open the link it prints.",
            )
        if identity.via == "session" and scope["method"] not in _SAFE and not _same_origin(headers):
            return Problem(title="Sent from another site", status=403, type="urn:weft:problem:denied")
        scope.setdefault("state", {})["identity"] = identity
        return None

    async def _answer(self, problem: Problem, path: str, headers: Mapping[str, str], send: Send) -> None:
        body, media_type = self._problems.body(problem, path=path, accept=headers.get("accept", ""))
        charset = "; charset=utf-8" if media_type.startswith("text/") else ""
        fields = [
            (b"content-type", f"{media_type}{charset}".encode()),
            (b"content-length", str(len(body)).encode()),
        ]
        if problem.status == 401:
            fields.append((b"www-authenticate", b'Bearer realm="weft"'))
        await send({"type": "http.response.start", "status": problem.status, "headers": fields})
        await send({"type": "http.response.body", "body": body, "more_body": False})


def _oversize(scope: Any) -> Problem | None:
    if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > MAX_TARGET_BYTES:
        return Problem(title="The address is too long", status=414)
    size = sum(len(name) + len(value) for name, value in scope["headers"])
    if size > MAX_HEADER_BYTES or len(scope["headers"]) > MAX_HEADERS:
        return Problem(title="The headers are too large", status=431)
    return None


def _is_host(headers: Mapping[str, str]) -> bool:
    try:
        urlsplit(f"//{headers.get('host', '')}")
    except ValueError:
        return False
    return True


def _same_origin(headers: Mapping[str, str]) -> bool:
    """What the browser says about who made it send this; without a word the answer is no."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = headers.get("origin", "")
    return bool(origin) and origin.partition("://")[2] == headers.get("host")


def _in_time(receive: Receive) -> Receive:
    """The whole body must be here within BODY_SECONDS; a sender that dribbles is cut off with 408."""
    deadline = anyio.current_time() + BODY_SECONDS
    complete = False

    async def limited() -> Any:
        nonlocal complete
        if complete:
            return await receive()
        message: Any = None
        with anyio.CancelScope(deadline=deadline):
            message = await receive()
        if message is None:
            raise HTTPException(status_code=408, detail="The body did not arrive in time.")
        complete = not message.get("more_body", False)
        return message

    return limited


def _with_headers(send: Send) -> Send:
    async def dressed(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message["headers"]}
            fields = [*message["headers"], *_HEADERS]
            if b"cache-control" not in present:
                fields.append((b"cache-control", b"no-store"))
            message = {**message, "headers": fields}
        await send(message)

    return dressed
