"""Talking to the running instance as this machine's user."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from weft.runtime import Denied, Invalid, NotFound, Retry
from weft.web import Access

__all__ = ["call"]

TIMEOUT = 60.0


def call(state: Path, method: str, path: str, body: Any = None) -> Any:
    """The JSON answer of the running instance. Raises NotFound when none runs, Invalid or Retry with what it
    said."""
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
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310  # as above
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise _problem(error) from error
    except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
        raise NotFound("Weft does not answer on this plant.", remedy="Is it running? `weft up`.") from error


def _problem(error: urllib.error.HTTPError) -> Exception:
    try:
        problem = json.load(error)
    except ValueError:
        problem = {}
    detail = str(problem.get("detail") or problem.get("title") or error)
    kind = {401: Denied, 403: Denied, 404: NotFound, 503: Retry}.get(error.code, Invalid)
    return kind(detail, remedy=str(problem.get("remedy") or ""))
