"""The history over HTTP: snapshot, raw, summary and SQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

import anyio.to_thread
import msgspec
from litestar import Request, Response, Router, get, post
from litestar.params import JSONBody, QueryParameter

from weft.catalog.api import Plant
from weft.history import forms
from weft.history.api import History
from weft.history.ask import duration, moment, selected
from weft.model import Signal, instant
from weft.runtime import Clock, Invalid, SystemClock

__all__ = ["SqlQuestion", "router"]

Signals = Annotated[
    list[str], QueryParameter(name="signal", description="Path or pattern (`**/mill/*`); may be repeated.")
]
Moment = Annotated[str, QueryParameter(description="RFC 3339, `now`, or before now: `-1h`.")]
Interval = Annotated[str, QueryParameter(description="`10s`, `1m`, `1h`; aligned to `start`.")]
Limit = Annotated[int, QueryParameter(ge=1, description="Rows at most; more is an error.")]
Ask = Request[Any, Any, Any]

MOST_JSON: Final = 100_000
MOST_ARROW: Final = 2_000_000


class SqlQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One SELECT over the views ``sample`` and ``signal``."""

    query: str
    limit: int = 10_000


def router(history: History, plant: Callable[[], Plant], clock: Clock | None = None) -> Router:
    """Routes under ``/api/v1``. JSON, or an Arrow stream for ``Accept: application/vnd.apache.arrow.stream``."""
    time: Clock = clock or SystemClock()

    @get("/snapshot")
    async def snapshot(request: Ask, signals: Signals) -> Response[Any]:
        """The newest sample of each signal, by source time."""
        asked = selected(plant(), signals)
        known = {signal.handle: signal for signal in asked}
        batch = history.snapshot(list(known))
        if _arrow(request):
            return _stream(forms.arrow(forms.with_paths(batch, known)))
        return _json({"now": instant.text(time.now()), "samples": forms.snapshot_json(batch, known)})

    @get("/raw")
    async def raw(
        request: Ask, signals: Signals, start: Moment = "-1h", end: Moment = "now", limit: Limit = MOST_JSON
    ) -> Response[Any]:
        """Samples as they came, from `start` up to but without `end`."""
        asked, first, last = selected(plant(), signals), moment(start, time.now()), moment(end, time.now())
        table = await history.raw(_handles(asked), first, last, most=_limit(request, limit))
        if _arrow(request):
            return await _streamed(table, asked)
        found = await anyio.to_thread.run_sync(forms.raw_json, table, asked)
        return _json({"start": instant.text(first), "end": instant.text(last), "signals": found})

    @get("/summary")
    async def summary(
        request: Ask, signals: Signals, interval: Interval, start: Moment = "-1h", end: Moment = "now"
    ) -> Response[Any]:
        """Count, good, minimum, maximum and average of each interval (`1m`) that has samples."""
        asked, first, last = selected(plant(), signals), moment(start, time.now()), moment(end, time.now())
        length = duration(interval)
        table = await history.summary(_handles(asked), first, last, length)
        if _arrow(request):
            return await _streamed(table, asked)
        if len(table) > MOST_JSON:
            raise Invalid(
                f"The answer has {len(table)} rows, JSON up to {MOST_JSON}.",
                remedy="Ask for longer intervals, or for an Arrow stream.",
            )
        found = await anyio.to_thread.run_sync(forms.summary_json, table, asked)
        return _json(
            {"start": instant.text(first), "end": instant.text(last), "interval": length, "signals": found}
        )

    @post("/sql", status_code=200)
    async def sql(request: Ask, data: JSONBody[SqlQuestion]) -> Response[Any]:
        """Answers one SELECT over the views `sample` and `signal`."""
        table = await history.sql(data.query, most=_limit(request, data.limit))
        if _arrow(request):
            return _stream(forms.arrow(table))
        return _json(await anyio.to_thread.run_sync(forms.sql_json, table))

    return Router("/api/v1", route_handlers=[snapshot, raw, summary, sql], tags=["history"])


async def _streamed(table: Any, signals: list[Signal]) -> Response[Any]:
    known = {signal.handle: signal for signal in signals}
    return _stream(await anyio.to_thread.run_sync(lambda: forms.arrow(forms.with_paths(table, known))))


def _handles(signals: list[Signal]) -> list[int]:
    return [signal.handle for signal in signals]


def _arrow(request: Ask) -> bool:
    return forms.ARROW in request.headers.get("accept", "")


def _limit(request: Ask, limit: int) -> int:
    most = MOST_ARROW if _arrow(request) else MOST_JSON
    if not 1 <= limit <= most:
        raise Invalid(f"A limit of {limit} rows is not between 1 and {most}.")
    return limit


def _json(body: Any) -> Response[Any]:
    # Encoded here: the framework's own encoder would walk through it twice.
    return Response(msgspec.json.encode(body), media_type="application/json")


def _stream(body: bytes) -> Response[Any]:
    return Response(body, media_type=forms.ARROW)
