"""Curves: every sample where there is room, lowest and highest where not, nothing bridged that was not there."""

import itertools

import numpy as np
import pytest

from weft.console import series, trend
from weft.console.testing import PaperHistory
from weft.history import Store
from weft.model import Batch, Signal, ValueType, quality
from weft.runtime import Invalid, NotFound, Retry

pytestmark = pytest.mark.anyio

S = 1_000_000_000
T = 1_800_000_000 * S


SEQUENCE = itertools.count(1)


@pytest.fixture(params=["paper", "store"])
def history(request, tmp_path):
    """One test body, two histories: of paper and of Parquet."""
    if request.param == "paper":
        yield PaperHistory()
        return
    store = Store(tmp_path / "history")
    yield store
    store.close()


def signal(**parts):
    return Signal(handle=1, path="e/s/a/x", connection="c", address=None, **parts)


def give(history, *samples, type=ValueType.DOUBLE):
    rows = [(1, T + round(at * S), value, type if value is not None else ValueType.NULL,
             quality.GOOD if value is not None else quality.BAD_NO_COMMUNICATION) for at, value in samples]  # fmt: skip
    history.append(Batch.of(rows), next(SEQUENCE))


async def drawn(history, one, start=0, end=100, pixels=100, now=1000):
    got = await series.curve(history, one, T + start * S, T + end * S, pixels, T + now * S)
    return got.kind, [(round(t - T / S, 3), v) for t, v in zip(got.time, got.value, strict=True)]


async def test_raw_keeps_every_sample_and_breaks_at_bad_ones(history):
    give(history, (1, 1.0), (2, None), (3, 3.0), (4, float("nan")))
    assert await drawn(history, signal()) == ("raw", [(1, 1.0), (2, None), (3, 3.0), (4, None)])


async def test_integers_and_text(history):
    give(history, (1, 1), (2, -12), type=ValueType.INT32)
    assert (await drawn(history, signal()))[1] == [(1, 1.0), (2, -12.0)]
    other = PaperHistory()
    give(other, (1, "a"), type=ValueType.STRING)
    assert (await drawn(other, signal()))[1] == [(1, None)]


async def test_silence_longer_than_promised_is_a_gap(history):
    give(history, (1, 1.0), (5, 2.0), (30, 3.0))
    _, points = await drawn(history, signal(silence=5.0))
    assert points == [(1, 1.0), (5, 2.0), (11, None), (30, 3.0)]
    _, points = await drawn(history, signal())
    assert points == [(1, 1.0), (5, 2.0), (30, 3.0)]


async def test_too_many_samples_become_lowest_and_highest(history):
    give(history, *((i / 100, float(i % 7)) for i in range(10_000)))
    kind, points = await drawn(history, signal())
    assert kind == "summary"
    assert len(points) == 200
    assert {v for _, v in points} == {0.0, 6.0}
    times = [t for t, _ in points]
    assert times == sorted(times)


async def test_a_summary_breaks_where_samples_were_bad(history):
    give(history, *((i / 100, None if 3000 <= i < 3100 else 1.0) for i in range(10_000)))
    _, points = await drawn(history, signal())
    assert any(v is None for t, v in points if 29 <= t <= 32)
    assert all(v == 1.0 for t, v in points if t < 29 or t > 32)


async def test_a_step_holds_until_now(history):
    give(history, (10, 1), type=ValueType.INT32)
    assert (await drawn(history, signal(step=True)))[1] == [(10, 1.0), (100, 1.0)]
    assert (await drawn(history, signal(step=True), now=50))[1] == [(10, 1.0), (50, 1.0)]
    assert (await drawn(history, signal()))[1] == [(10, 1.0)]


async def test_a_value_from_before_holds_over_the_whole_range(history):
    give(history, (-500, 4.0))
    assert (await drawn(history, signal()))[1] == [(0, 4.0), (100, 4.0)]
    assert (await drawn(history, signal(silence=1.0)))[1] == [], "it promised to speak and did not"


async def test_what_is_newer_than_the_range_says_nothing_about_it(history):
    give(history, (10, 1), (500, 2), type=ValueType.INT32)
    assert (await drawn(history, signal(step=True)))[1] == [(10, 1.0)]
    assert (await drawn(history, signal(step=True), start=600, end=700))[1] == [(600, 2.0), (700, 2.0)]
    assert (await drawn(history, signal(step=True), start=200, end=300))[1] == []


async def test_a_bad_present_value_holds_nothing(history):
    give(history, (10, None))
    assert (await drawn(history, signal(step=True)))[1] == [(10, None)]
    assert (await drawn(history, signal(step=True), start=20))[1] == []


async def test_no_samples_at_all(history):
    assert await drawn(history, signal()) == ("raw", [])


async def test_sparks(history):
    rows = [(h, T + i * S, v, ValueType.DOUBLE) for i in range(900) for h, v in ((1, 5.0), (2, i * 1.0))]
    history.append(Batch.of(rows), next(SEQUENCE))
    two = Signal(handle=2, path="b", connection="c", address=None, step=True)
    three = Signal(handle=3, path="c", connection="c", address=None)
    paths = await series.sparks(history, [signal(), two, three], T + 900 * S)
    assert set(paths) == {1, 2}
    assert {p.split()[1] for p in paths[1][1:].split("L")} == {"10.0"}, "a constant is a line in the middle"
    assert "H" in paths[2]
    ys = [float(part) for part in paths[2].replace("H", "V").split("V")[2::2]]
    assert ys == sorted(ys, reverse=True), "rising values rise"
    assert all(np.isfinite(ys))


async def test_a_history_that_cannot_answer_costs_only_the_sparks(history, monkeypatch):
    async def busy(*_):
        raise Retry("Busy.")

    monkeypatch.setattr(history, "summary", busy)
    assert await series.sparks(history, [signal()], T) == {}


# --- the page's address -----------------------------------------------------------------------------------


def test_span_from_the_address():
    assert trend.span(T, "", "", "").range == "15m"
    between = trend.span(T, "1h", "", "")
    assert (between.end - between.start) // S == 3600
    fixed = trend.span(T, "1h", "2026-11-21T04:00:00Z", "2026-11-21T05:00:00+01:00".replace("05", "06"))
    assert fixed.query == {"start": "2026-11-21T04:00:00.000Z", "end": "2026-11-21T05:00:00.000Z"}


@pytest.mark.parametrize(
    ("range", "start", "end"),
    [("2y", "", ""), ("", "yesterday", "today"), ("", "2026-11-21T04:00:00Z", ""),
     ("", "2026-11-21T04:00:00Z", "2026-11-21T03:00:00Z"), ("", "2026-11-21T04:00:00Z", "2026-11-21T04:00:00Z"),
     ("", "9999-01-01T00:00:00Z", "9999-01-02T00:00:00Z"), ("", "2026-13-01T00:00:00Z", "2026-12-02T00:00:00Z")],
)  # fmt: skip
def test_impossible_spans_are_refused(range, start, end):
    with pytest.raises(Invalid):
        trend.span(T, range, start, end)


def test_chosen_signals():
    from weft.console.testing import paper_plant

    plant = paper_plant()
    paths = list(plant.signals)
    assert [s.path for s in trend.chosen(plant, [paths[1], paths[0], paths[1]])] == [paths[1], paths[0]]
    with pytest.raises(NotFound):
        trend.chosen(plant, ["a/b"])
    with pytest.raises(Invalid, match="at most 8"):
        trend.chosen(plant, paths[:9])
