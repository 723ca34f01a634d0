"""The recorded lathe, through a socket: all of it, once, exactly."""

import json
from collections import defaultdict

import anyio
import msgspec
import pytest
from servers.connect.shdr import okuma
from servers.connect.shdr.replay import Adapter, serving

from weft.connect.api import Point
from weft.connect.shdr import Address, Config, Shdr
from weft.connect.testing import Recorder
from weft.model import ARRAY, Flag, ValueType, concat, quality

pytestmark = pytest.mark.anyio


def points_of(items):
    return [
        Point(
            handle,
            okuma.signal_path(item),
            msgspec.convert({"key": item.key, "category": item.category, "part": item.part}, Address),
        )
        for handle, item in enumerate(items)
    ]


async def record(reference, items):
    link = Recorder(points_of(items))
    adapter = Adapter(okuma.log_path(reference).read_bytes() + b"|end-of-log|reached\n")
    link.points = (*link.points, Point(len(items), "end", Address(key="end-of-log")))
    async with serving(adapter), anyio.create_task_group() as group:
        group.start_soon(Shdr(Config(host="127.0.0.1", port=adapter.port)).run, link)
        await link.until(lambda: bool(link.batches) and link.batches[-1].signal[-1] == len(items), 30)
        group.cancel_scope.cancel()
    rows = concat(link.batches)
    return rows.take(rows.signal != len(items))


def by_signal(batch):
    rows = defaultdict(list)
    for row in batch:
        rows[row.signal].append(row)
    return rows


def plain(item, row):
    """A delivered value in the form in which the independent parser has it."""
    if item.category != "condition" or row.value is None:
        return row.value
    filled = json.loads(row.value)
    return tuple(filled.get(name, "") for name in okuma.CONDITION_NAMES)


@pytest.mark.card("shdr", "reads")
@pytest.mark.card("shdr", "types")
@pytest.mark.card("shdr", "source_time")
async def test_every_observation_of_the_lathe_arrives_once_with_its_value_and_time(reference):
    expected = okuma.expected(reference)
    batch = await record(reference, expected)

    delivered = by_signal(batch)
    for handle, (item, samples) in enumerate(expected.items()):
        rows = delivered[handle]
        assert [(row.time, plain(item, row)) for row in rows] == [(s.time, s.value) for s in samples], item
        bad = [row.status == quality.BAD_NO_COMMUNICATION for row in rows]
        assert bad == [sample.bad for sample in samples], item
        types = {row.type for row in rows if row.value is not None}
        numeric = {ValueType.DOUBLE, ValueType.DOUBLE | ARRAY}
        assert types <= (numeric if item.category == "sample" else {ValueType.STRING}), item
    assert not (batch.flags & Flag.RECEIVE_TIME).any()
    assert (batch.flags & Flag.FIRST).astype(bool).sum() == len(expected)


async def test_the_two_counts_of_the_log_come_from_the_same_delivered_samples(reference):
    """25,503 over 88 items (the data items of Devices.xml) and 25,857 over 94 (pairs between pipes)."""
    published = json.loads((okuma.log_path(reference).parent / "expected-counts.json").read_text())
    expected = okuma.expected(reference)
    items = list(expected)
    batch = await record(reference, items)
    delivered = {item: int((batch.signal == handle).sum()) for handle, item in enumerate(items)}

    observed = {item.key: n for item, n in delivered.items() if item.category != "asset"}
    modelled = {key: n for key, n in observed.items() if key in okuma.categories(reference)}
    assert (sum(modelled.values()), len(modelled)) == (25_503, 88)
    assert modelled == published["per_key"]
    assert {key: n for key, n in observed.items() if key not in modelled} == {"ApplicationInstallDate": 4}
    assert int((batch.status == quality.BAD_NO_COMMUNICATION).sum()) == published["unavailable"] == 48

    bodies = sum(n for item, n in delivered.items() if item.category == "asset" and not item.part)
    removals = sum(n for item, n in delivered.items() if item.part == "removed")
    conditions = sum(n for item, n in delivered.items() if item.category == "condition")
    assert (bodies, removals, conditions) == (118, 34, 40)
    assert len(batch) == 25_507 + 118 + 34 == 25_659

    # A condition is three pairs between pipes, an asset's head two, anything else one.
    pairs = len(batch) + 2 * conditions + bodies
    total, firsts = okuma.pipe_pairs(reference)
    assert pairs == total == 25_857
    assert len(firsts) == 94
    assert set(firsts) - set(observed) == {
        "", "CuttingTool", "@ASSET@", "@REMOVE_ASSET@", "@REMOVE_ALL_ASSETS@",
    }  # fmt: skip


async def test_what_history_keeps_of_the_log(reference):
    """History is keyed by (signal, time): only assets sent again unchanged fall together."""
    items = list(okuma.expected(reference))
    batch = await record(reference, items)
    kept = batch.last_wins()

    assets = [handle for handle, item in enumerate(items) if item.category == "asset" and not item.part]
    delivered = by_signal(batch)
    for handle, item in enumerate(items):
        rows = delivered[handle]
        if handle in assets:
            by_time = {}
            for row in rows:
                assert by_time.setdefault(row.time, row.value) == row.value, item
        else:
            assert len({row.time for row in rows}) == len(rows), item
    assert (len(batch), len(kept)) == (25_659, 25_612)
