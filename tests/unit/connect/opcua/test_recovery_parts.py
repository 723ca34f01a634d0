"""What is remembered, what counts as seen, and what is a hole."""

import zlib

import anyio
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.connect import Point, Recorder
from weft.connect.opcua import Address, Config
from weft.connect.opcua.holes import Holes
from weft.connect.opcua.items import _queue_size
from weft.connect.opcua.memory import Facts, Item, digest, owner, pack, unpack
from weft.connect.opcua.seen import NEVER, Seen
from weft.model import Batch, Flag, ValueType

NUMBER = st.integers(0, 2**32 - 1)
ITEMS = st.lists(st.builds(Item, st.integers(0, 2**31 - 1), NUMBER, NUMBER, NUMBER, NUMBER), max_size=50)
CONFIG = Config(endpoint="opc.tcp://mill", security="none")
NOW = 1_790_000_000_000_000_000


@given(ITEMS)
def test_items_are_remembered_as_they_are(items):
    assert unpack(pack(items)) == items


def test_100_000_items_fit_into_what_a_line_remembers():
    items = [Item(i, i + 1, i + 112, hash(str(i)) & 0xFFFFFFFF, 144) for i in range(100_000)]
    facts = Facts(items=pack(items))
    assert facts.items
    assert len(msgspec.msgpack.encode(facts.document())) < 2**20


@pytest.mark.parametrize("packed", [b"x", zlib.compress(b"123"), pack([Item(1, 2, 3, 4, 5)])[:-3]])
def test_what_is_damaged_is_refused(packed):
    with pytest.raises(ValueError, match=r"item|header|Error"):
        unpack(packed)


def test_facts_of_another_configuration_are_not_used():
    facts = Facts(whose=owner(CONFIG), token=b"\1", subscription=7)
    assert Facts.of(facts.document(), CONFIG) == facts
    other = Config(endpoint="opc.tcp://mill", security="none", user="somebody")
    assert Facts.of(facts.document(), other) == Facts(whose=owner(other))
    assert Facts.of({"token": 5}, CONFIG) == Facts(whose=owner(CONFIG))
    assert Facts.of({}, CONFIG).subscription == 0


def test_another_address_is_another_item():
    def point(**more):
        return Point(1, "p", Address(node="i=1", **more))

    assert len({digest(point()), digest(point(queue_size=5)), digest(point(deadband=1.0))}) == 3
    assert digest(point()) == digest(Point(2, "q", Address(node="i=1")))


@pytest.mark.parametrize(
    ("budget", "sampling", "size"),
    [(60, 0.5, 144), (60, 0.02, 3600), (60, 0.0, 7200), (600, 0.0, 10_000), (0, 1, 100)],
)
def test_queues_fit_the_outage_budget(budget, sampling, size):
    assert _queue_size(Config(endpoint="opc.tcp://mill", outage_budget=budget), sampling) == size


def batch(*rows):
    return Batch.of([(s, t, 1.0, ValueType.DOUBLE, 0, flags) for s, t, flags in rows], received=NOW)


def test_a_time_in_the_far_future_is_not_seen():
    seen = Seen()
    seen.note(batch((0, NOW, 0), (1, NOW + 10**15, 0), (900, 5, 0)))
    assert [seen.at(s) for s in (0, 1, 900, 5000)] == [NOW, NEVER, 5, NEVER]
    seen.learn({0: 1, 1: 7, 2: NOW + 10**15}, NOW)
    assert seen.of(np.array([0, 1, 2, 9999], np.int32)).tolist() == [NOW, 7, NEVER, NEVER]
    assert seen.newest() == NOW


class NoHistory:
    """A server without any."""

    async def able(self, points):
        return set()

    async def fill(self, holes):
        assert not holes
        for batch in ():
            yield batch, []


async def look(seen, rows):
    link = Recorder([Point(i, f"p/{i}", Address(node=f"i={i + 1}")) for i in range(4)])
    holes = Holes(link, seen, NoHistory(), lambda: None)
    left = await holes.before(batch(*rows))
    holes.flush()
    return [(row.signal, row.time) for row in left], [
        (first, last, [p.handle for p in points]) for first, last, _, points in link.gaps
    ]


@pytest.mark.anyio
async def test_the_same_sample_again_is_no_gap_and_no_second_sample():
    seen = Seen()
    seen.learn({0: 100, 1: 100}, NOW)
    assert await look(seen, [(0, 100, Flag.FIRST), (1, 130, Flag.FIRST), (2, 50, Flag.FIRST)]) == (
        [(1, 130), (2, 50)],
        [(100, 130, [1])],
    )


@pytest.mark.anyio
async def test_an_overflow_begins_at_the_sample_before_it_in_the_same_message():
    seen = Seen()
    seen.learn({0: 100}, NOW)
    rows = [(0, 110, 0), (0, 200, Flag.OVERFLOW), (0, 210, 0)]
    assert await look(seen, rows) == ([(0, 110), (0, 200), (0, 210)], [(110, 200, [0])])


@pytest.mark.anyio
async def test_gaps_wait_for_company():
    seen = Seen()
    seen.learn({0: 100, 1: 100}, NOW)
    link = Recorder([Point(i, f"p/{i}", Address(node=f"i={i + 1}")) for i in range(2)])
    holes = Holes(link, seen, NoHistory(), lambda: None)
    holes._written = anyio.current_time()
    await holes.before(batch((0, 130, Flag.FIRST)))
    await holes.before(batch((1, 140, Flag.FIRST)))
    assert not link.gaps
    holes.flush()
    assert [(first, last, len(points)) for first, last, _, points in link.gaps] == [(100, 140, 2)]
