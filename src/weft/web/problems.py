"""Errors as the web sees them: problem+json (RFC 9457) for programs, a page of the same look for people."""

from __future__ import annotations

import html
import traceback
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, TypeAlias

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from weft.runtime import (
    Conflict,
    Denied,
    Invalid,
    NeedsHuman,
    NotFound,
    Retry,
    WeftError,
    describe,
    get_logger,
)

__all__ = ["Page", "Problem", "Problems", "problem_of"]

log = get_logger(__name__)

MEDIA_TYPE: Final = "application/problem+json"

_KINDS: Final[dict[type[WeftError], tuple[int, str, str]]] = {
    Invalid: (400, "invalid", "The request cannot work as it is"),
    Denied: (403, "denied", "Not allowed"),
    NotFound: (404, "not-found", "No such thing"),
    Conflict: (409, "conflict", "It collides with the present state"),
    Retry: (503, "retry", "Not possible right now"),
    NeedsHuman: (503, "needs-human", "A person must act first"),
}


class Fault(msgspec.Struct, frozen=True):
    """One wrong part of a request."""

    name: str
    message: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 9457, section 3.1, with two members of our own: ``remedy`` says what to do next, ``errors`` names
    the wrong parts of a request."""

    title: str
    status: int
    type: str = "about:blank"
    detail: str = ""
    remedy: str = ""
    errors: tuple[Fault, ...] = ()


Page: TypeAlias = Callable[[Problem], str]


def problem_of(error: Exception) -> Problem:
    """What to tell about an error. Anything not raised on purpose is a 500 that gives nothing away."""
    if isinstance(error, WeftError):
        return _of_weft(error)
    if isinstance(error, ValidationException):
        return Problem(
            title="The request cannot work as it is",
            status=400,
            type="urn:weft:problem:invalid",
            detail=error.detail,
            errors=tuple(_faults(error.extra)),
        )
    if isinstance(error, HTTPException):
        return Problem(title=phrase(error.status_code), status=error.status_code, detail=error.detail)
    # The JSON decoder lets these two through: they are the sender's fault, not ours.
    if isinstance(error, (RecursionError, UnicodeDecodeError)):
        return Problem(
            title="The request cannot be read",
            status=400,
            detail="The body is nested too deeply or not UTF-8.",
        )
    return Problem(
        title="A fault inside Weft",
        status=500,
        detail="The request failed because of a fault in Weft itself; the rest goes on.",
        remedy="The log of Weft says more.",
    )


def phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _of_weft(error: WeftError) -> Problem:
    for kind in type(error).__mro__:
        if kind in _KINDS:
            status, name, title = _KINDS[kind]
            return Problem(
                title=title,
                status=status,
                type=f"urn:weft:problem:{name}",
                detail=error.message,
                remedy=error.remedy,
            )
    return Problem(title="It did not work", status=500, detail=error.message, remedy=error.remedy)


def _faults(extra: Any) -> list[Fault]:
    rows = extra if isinstance(extra, list) else []
    return [
        Fault(name=str(row.get("key", "")), message=str(row.get("message", "")))
        for row in rows
        if isinstance(row, Mapping)
    ]


def plain_page(problem: Problem) -> str:
    """A page without any look, for when no console is there."""
    text = "".join(f"<p>{html.escape(part)}</p>" for part in (problem.detail, problem.remedy) if part)
    title = html.escape(f"{problem.status} {problem.title}")
    return f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><h1>{title}</h1>{text}"


class Problems:
    """Answers errors in the form that the caller reads: browsers get ``page``, everybody else JSON."""

    def __init__(self, page: Page = plain_page) -> None:
        self._page = page

    def body(self, problem: Problem, *, path: str, accept: str) -> tuple[bytes, str]:
        """The body and its media type."""
        if "text/html" in accept and not path.startswith("/api/"):
            return self._page(problem).encode(), "text/html"
        return msgspec.json.encode(problem), MEDIA_TYPE

    def handle(self, request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        """Litestar's exception handler."""
        problem = problem_of(error)
        if problem.status >= 500 and not isinstance(error, (WeftError, HTTPException)):
            # No locals and no headers in the log: they hold the caller's session.
            place = traceback.extract_tb(error.__traceback__)[-1:]
            log.error(
                "request failed",
                method=request.method,
                path=request.url.path,
                failure=describe(error),
                place=", ".join(f"{frame.filename}:{frame.lineno}" for frame in place),
            )
        body, media_type = self.body(problem, path=request.url.path, accept=request.headers.get("accept", ""))
        headers = dict(getattr(error, "headers", None) or {})
        if isinstance(error, Retry):
            headers.setdefault("Retry-After", "1")
        return Response(body, status_code=problem.status, media_type=media_type, headers=headers)
