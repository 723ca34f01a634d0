"""Destinations on the plant page: what waits and what is not sent is plain to see."""

from weft.connect import LineState
from weft.console import condition
from weft.console.testing import PaperHouse
from weft.console.words import Mark
from weft.destinations import Status


def view(**more):
    house = PaperHouse()
    status = Status(name="head office", **{"state": LineState.UP} | more)
    (shown,) = condition.destination_views(house.described, [status])
    return shown


def test_one_that_takes_what_is_sent():
    shown = view(samples=12_000, detail="17 signals")
    assert (shown.mark, shown.state, shown.reason, shown.waiting) == (Mark.OK, "connected", "17 signals", "")
    assert shown.samples == "12\N{NARROW NO-BREAK SPACE}000"


def test_a_backlog_is_a_matter_of_its_age():
    assert view(waiting_samples=500, behind=0.2).mark is Mark.OK
    late = view(waiting_samples=500, behind=90.0)
    assert late.mark is Mark.UNCERTAIN
    assert late.waiting.startswith("about 500, the oldest ")


def test_one_that_is_away_is_bad_with_or_without_a_backlog():
    away = view(state=LineState.DOWN, reason="No broker answers.", waiting_samples=500, behind=90.0)
    assert (away.mark, away.reason) == (Mark.BAD, "No broker answers.")


def test_what_was_lost_is_said():
    assert "3 messages lost" in view(lost=3, detail="17 signals").reason


def test_the_sentence_on_top_names_it():
    house = PaperHouse()
    lines = condition.line_views(house.described, house.lines())
    away = view(state=LineState.DOWN)
    assert condition.summary(lines, house.services(), [away]).text == "nothing is sent on to head office"
    assert condition.summary(lines, house.services(), [view()]).mark is Mark.OK
