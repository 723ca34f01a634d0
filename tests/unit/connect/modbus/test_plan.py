"""Laws of the planner."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from weft.connect.modbus import Config
from weft.connect.modbus.plan import CLOCK, Span, halves, plan

TABLES = ("holding", "input", "coil", "discrete")


@st.composite
def spans(draw, widest=4, minimum=0):
    found = []
    for point in range(draw(st.integers(minimum, 40))):
        table = draw(st.sampled_from(TABLES))
        start = draw(st.integers(0, 400))
        wide = 1 if table in ("coil", "discrete") else draw(st.integers(1, widest))
        found.append(Span(draw(st.integers(1, 2)), table, start, start + wide, point))
    return found


def config(**more):
    return Config(host="device", **more)


limits = st.builds(
    config, max_registers=st.integers(4, 125), max_bits=st.integers(1, 200), gap=st.integers(0, 20)
)


@given(spans(), limits)
def test_every_span_is_covered_once_and_no_limit_is_passed(wanted, config):
    blocks = plan(wanted, config)
    assert sorted(span for block in blocks for span in block.spans) == sorted(wanted)
    for block in blocks:
        limit = config.max_bits if block.table in ("coil", "discrete") else config.max_registers
        assert 1 <= block.count <= limit
        for span in block.spans:
            assert (span.unit, span.table) == (block.unit, block.table)
            assert block.start <= span.start < span.end <= block.start + block.count


@given(spans(), limits)
def test_no_block_bridges_more_than_the_gap(wanted, config):
    for block in plan(wanted, config):
        gap = config.gap * 16 if block.table in ("coil", "discrete") else config.gap
        end = block.spans[0].end
        for span in block.spans[1:]:
            assert span.start - end <= gap
            end = max(end, span.end)


@given(spans(), limits)
def test_neighbouring_blocks_could_not_have_been_one(wanted, config):
    blocks = plan(wanted, config)
    for a, b in itertools.pairwise(blocks):
        if (a.unit, a.table) != (b.unit, b.table):
            continue
        bits = a.table in ("coil", "discrete")
        too_far = b.start - (a.start + a.count) > (config.gap * 16 if bits else config.gap)
        first = b.spans[0]
        limit = config.max_bits if bits else config.max_registers
        assert too_far or max(a.start + a.count, first.end) - a.start > limit


@given(spans(minimum=1), limits, st.data())
def test_walls_begin_blocks_and_holes_are_never_bridged(wanted, config, data):
    wall = data.draw(st.sampled_from(wanted))
    hole = Span(1, "holding", *sorted(data.draw(st.tuples(st.integers(0, 200), st.integers(201, 404)))), 99)
    blocks = plan(wanted, config, [hole], frozenset({wall}))
    assert sum(wall == block.spans[0] for block in blocks) == 1
    for block in blocks:
        if (block.unit, block.table) != (1, "holding"):
            continue
        end = block.spans[0].end
        for span in block.spans[1:]:
            assert not (hole.start < span.start and end < hole.end)
            end = max(end, span.end)


@given(spans(minimum=2), limits)
def test_halves_are_the_block(wanted, config):
    for block in plan(wanted, config):
        if len(block.spans) > 1:
            left, right = halves(block)
            assert left.spans + right.spans == block.spans
            assert left.spans
            assert right.spans


def test_the_clock_draws_its_table_into_one_request_when_all_fits():
    clock = Span(1, "holding", 0, 4, CLOCK)
    near, far = Span(1, "holding", 60, 61, 0), Span(1, "holding", 122, 124, 1)
    assert [block.count for block in plan([clock, near, far], config(gap=0))] == [124]
    beyond = Span(1, "holding", 125, 127, 1)
    assert [block.count for block in plan([clock, near, beyond], config(gap=0))] == [4, 1, 2]
