"""Talking to the running instance as this machine's user."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Collection
from pathlib import Path
from typing import Any

import click

from weft.app import state_of
from weft.runtime import Conflict, Denied, Invalid, NotFound, Retry
from weft.web import Access

__all__ = ["ask", "call", "link"]

TIMEOUT = 60.0
# Never by way of a proxy that the environment names: the token is for this machine.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_KINDS = {401: Denied, 403: Denied, 404: NotFound, 409: Conflict, 503: Retry}


def link(plant: Path) -> None:
    state = state_of(plant)
    call(state, "GET", "/api/v1/status")  # a link to nobody helps nobody
    click.echo(Access(state).new_link())


def call(state: Path, method: str, path: str, body: Any = None) -> Any:
    """The JSON answer of the running instance. Raises NotFound when none runs; Invalid, Denied, Conflict or
    Retry with what it said."""
    return ask(state, method, path, body)


def ask(state: Path, method: str, path: str, body: Any = None, *, answers: Collection[int] = ()) -> Any:
    """The same; the statuses of ``answers`` are answers, too."""
    if not (state / "access").is_dir():
        raise NotFound("Weft does not run on this plant.", remedy="Start it with `weft up`.")
    access = Access(state)
    request = urllib.request.Request(  # noqa: S310  # the address is our own instance's
        access.address + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {access.token}", "Content-Type": "application/json"},
    )
    try:
        with _DIRECT.open(request, timeout=TIMEOUT) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code in answers and error.headers.get_content_type() == "application/json":
            return json.load(error)
        raise _problem(error) from error
    except (OSError, ValueError) as error:  # ValueError: what answers there speaks no HTTP or no JSON
        raise _silence(error) from error


def _silence(error: Exception) -> Exception:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, TimeoutError):
        return Retry(f"Weft gave no answer within {TIMEOUT:g} s.", remedy="Ask for less, or try again later.")
    return NotFound("Weft does not answer on this plant.", remedy="Is it running? `weft up`.")


def _problem(error: urllib.error.HTTPError) -> Exception:
    try:
        problem = json.load(error)
    except ValueError:
        problem = {}
    detail = str(problem.get("detail") or problem.get("title") or error)
    return _KINDS.get(error.code, Invalid)(detail, remedy=str(problem.get("remedy") or ""))
