"""The plant arranged for the page, and the sentence on top."""

import msgspec
import pytest

from weft.bus.api import Promise, StreamState
from weft.catalog.api import Plant
from weft.connect import LineState, Status
from weft.console import condition, view
from weft.console.testing import ROOT, paper_plant
from weft.console.view import PlantView, worst
from weft.console.words import Mark
from weft.model import Asset, Level, Signal
from weft.runtime import NotFound, Service, State


def test_tree_follows_the_plant():
    seen = PlantView.of(paper_plant())
    assert [(a.name, a.depth, a.below) for a in seen.tree] == [
        ("machining", 0, 10), ("line1", 1, 10), ("mill", 2, 7), ("washer", 2, 3), ("packing", 0, 3), ("line2", 1, 3),
        ("packer", 2, 3), ("energy", 0, 4), ("main-meter", 1, 2), ("compressor", 1, 2),
    ]  # fmt: skip
    assert [a.name for a in seen.shown] == ["mill", "washer", "packer", "main-meter", "compressor"]
    assert seen.site == ROOT
    assert seen.hidden == 0
    assert len(seen.handles) == len(set(seen.handles)) == 17


def test_choosing_an_asset_shows_it_and_what_is_below():
    assert [a.name for a in PlantView.of(paper_plant(), f"{ROOT}/energy").shown] == [
        "main-meter",
        "compressor",
    ]
    assert [a.name for a in PlantView.of(paper_plant(), f"{ROOT}/energy/compressor").shown] == ["compressor"]
    with pytest.raises(NotFound):
        PlantView.of(paper_plant(), f"{ROOT}/ener")


def test_keys_are_unique_and_links_survive_odd_names():
    path = "e/s/a&b=c d/ä?#%"
    assets = {p: Asset(path=p, level=level) for p, level in [("e", Level.ENTERPRISE), ("e/s", Level.SITE),
              ("e/s/a&b=c d", Level.AREA), (path, Level.LINE)]}  # fmt: skip
    signal = Signal(handle=1, path=f"{path}/x y", connection="c", address=None)
    seen = PlantView.of(Plant(name="p", assets=assets, signals={signal.path: signal}))
    assert len({a.key for a in seen.tree}) == len(seen.tree)
    assert seen.shown[0].link == "/?asset=e%2Fs%2Fa%26b%3Dc+d%2F%C3%A4%3F%23%25"


def test_an_empty_plant_and_one_with_a_signal_at_the_site():
    assert PlantView.of(Plant(name="p")).shown == ()
    assets = {"e": Asset(path="e", level=Level.ENTERPRISE), "e/s": Asset(path="e/s", level=Level.SITE)}
    signal = Signal(handle=1, path="e/s/power", connection="c", address=None, silence=10.0)
    seen = PlantView.of(Plant(name="p", assets=assets, signals={signal.path: signal}))
    assert [(a.name, a.depth) for a in seen.shown] == [("s", 0)]
    assert seen.shown[0].signals[0].limit == 22_000


def test_a_large_plant_is_shown_in_part():
    assets = {f"e/s/a{i}": Asset(path=f"e/s/a{i}", level=Level.AREA) for i in range(50)}
    signals = {
        f"e/s/a{i}/x{j}": Signal(handle=100 * i + j, path=f"e/s/a{i}/x{j}", connection="c", address=None)
        for i in range(50)
        for j in range(100)
    }
    seen = PlantView.of(Plant(name="p", assets=assets, signals=signals))
    assert len(seen.handles) == view.MOST_ROWS
    assert seen.hidden == 5_000 - view.MOST_ROWS
    assert len(seen.tree) == 50


def test_worst_mark():
    marks = {1: Mark.OK, 2: Mark.HIGH, 3: Mark.BAD, 4: Mark.UNCERTAIN}
    assert worst([], marks) is Mark.OK
    assert worst([1], marks) is Mark.OK
    assert worst([1, 9], marks) is Mark.NONE
    assert worst([1, 2, 9], marks) is Mark.HIGH
    assert worst([2, 4], marks) is Mark.UNCERTAIN
    assert worst([1, 2, 3, 4], marks) is Mark.BAD


def line(state, **parts):
    return Status(name=parts.pop("name", "mill"), state=state, **parts)


@pytest.mark.parametrize(
    ("lines", "mark", "text"),
    [
        ([], Mark.NONE, "no connections"),
        ([line(LineState.UP)], Mark.OK, "1 connection up"),
        ([line(LineState.UP)] * 3, Mark.OK, "all 3 connections up"),
        ([line(LineState.UP), line(LineState.DOWN, name="a")], Mark.BAD, "1 of 2 connections down: a"),
        ([line(LineState.NEEDS_HUMAN, name="a")], Mark.BAD, "1 of 1 connections down: a"),
        ([line(LineState.CONNECTING, name="a"), line(LineState.UP)], Mark.UNCERTAIN,
         "1 of 2 connections up; look at a"),
        ([line(LineState.DOWN, name=str(i)) for i in range(6)], Mark.BAD,
         "6 of 6 connections down: 0, 1, 2 and 3 more"),
        ([line(LineState.UP, refused={"a/b": "unknown"})], Mark.UNCERTAIN, "0 of 1 connections up; look at mill"),
    ],
)  # fmt: skip
def test_summary_names_what_does_not_work(lines, mark, text):
    seen = condition.summary(condition.line_views(paper_plant(), lines), [])
    assert (seen.mark, seen.text) == (mark, text)


def test_summary_puts_crashed_services_first():
    service = Service("history", None)
    service.state = State.WAITING
    seen = condition.summary(condition.line_views(paper_plant(), [line(LineState.DOWN)]), [service])
    assert seen.text == "restarting: history"


def test_every_state_has_words():
    for state in LineState:
        (seen,) = condition.line_views(paper_plant(), [line(state, reason="why")])
        assert seen.state
        assert seen.protocol == "opcua"
    services = []
    for state in State:
        service = Service(str(state), None)
        service.state = state
        services.append(service)
    assert len({s.state for s in condition.service_views(services)}) == len(State)
    stream = StreamState(name="S", promise=Promise.POWER, messages=12_345, bytes=2_048, first=1, last=2)
    assert condition.stream_views([stream])[0].promise == "survives power"


def test_views_are_plain_data():
    msgspec.json.encode(PlantView.of(paper_plant()).tree)
