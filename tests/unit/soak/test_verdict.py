"""The counter that judges faults can find each kind of loss."""

from soak.ledger import Ledger, Said, read
from soak.recorder import Heard
from soak.verdict import Gap, Kept, Row, caught_up, judge, judge_far

from weft.model import Flag

SAID = {"c0": [Said(value, value * 10) for value in range(1, 6)]}


def kept(*values, stream=None, gaps=()):
    rows = [Row(value, value * 10, 0, 0) for value in values]
    return Kept({"c0": rows if stream is None else stream}, {"c0": rows}, list(gaps), {})


def test_all_there():
    count = judge(SAID, kept(1, 2, 3, 4, 5))["c0"]
    assert count.ok
    assert (count.said, count.again, count.told) == (5, 0, 0)


def test_missing_and_told():
    count = judge(SAID, kept(1, 5))["c0"]
    assert (count.missing, count.told, count.ok) == (3, 0, False)
    gap = Gap("mill", 20, 30, frozenset({"c0"}), "")
    count = judge(SAID, kept(1, 5, gaps=[gap]))["c0"]
    assert (count.missing, count.told, count.ok) == (1, 2, False)
    others = [Gap("press", 20, 40, frozenset(), ""), Gap("mill", 20, 40, frozenset({"c1"}), "")]
    assert judge(SAID, kept(1, 5, gaps=others))["c0"].missing == 3
    assert judge(SAID, kept(1, 5, gaps=[Gap("mill", 10, 50, frozenset(), "")]))["c0"].ok


def test_doubled_is_a_value_at_two_times_and_wrong_one_at_another():
    rows = [Row(value, value * 10, 0, 0) for value in range(1, 6)] + [Row(5, 51, 0, 0)]
    count = judge(SAID, Kept({"c0": []}, {"c0": rows}, [], {}))["c0"]
    assert (count.doubled, count.wrong, count.ok) == (1, 1, False)


def test_disorder_unless_labelled_and_again():
    late = [Row(1, 10, 0, 0), Row(3, 30, 0, 0), Row(2, 20, 0, 0), Row(4, 40, 0, 0), Row(5, 50, 0, 0)]
    assert judge(SAID, kept(1, 2, 3, 4, 5, stream=late))["c0"].disorder == 1
    late[2] = Row(2, 20, Flag.HISTORY, 0)
    assert judge(SAID, kept(1, 2, 3, 4, 5, stream=late))["c0"].ok
    twice = [*late, Row(5, 50, 0, 0)]
    count = judge(SAID, kept(1, 2, 3, 4, 5, stream=twice))["c0"]
    assert (count.again, count.ok) == (1, True)


def test_the_far_side_answers_for_what_weft_has():
    heard = {
        "c0": [Heard(1, 10, True, 0), Heard(3, 30, True, 0), Heard(2, 20, False, 0), Heard(3, 30, True, 0)]
    }
    count = judge_far(SAID, heard, kept(1, 2, 3))["c0"]
    assert (count.missing, count.disorder, count.again, count.ok) == (0, 0, 1, True)
    assert judge_far(SAID, heard, kept(1, 2, 3, 4))["c0"].missing == 1
    mixed = {"c0": [Heard(2, 20, True, 0), Heard(1, 10, True, 0)]}
    assert judge_far(SAID, mixed, kept(1, 2))["c0"].disorder == 1
    coarse = {"c0": [Heard(1, 9, True, 0)]}
    assert judge_far(SAID, coarse, kept(1))["c0"].missing == 1
    assert judge_far(SAID, {"c0": [Heard(1, 12, True, 0)]}, kept(1), unit=5)["c0"].ok


def test_caught_up_counts_what_was_said_before_the_end():
    second = 10**9
    said = {"c0": [Said(1, second), Said(2, 2 * second), Said(3, 9 * second)]}
    arrivals = {"c0": [(2, 5 * second), (1, 4 * second), (1, 8 * second), (3, 9 * second)]}
    assert caught_up(said, arrivals, 3 * second) == 2.0
    assert caught_up(said, {}, 3 * second) == 0.0


def test_a_ledger_counts_on_after_a_kill(tmp_path):
    file = tmp_path / "ledger"
    first = Ledger(file)
    first.say(("a", first.next("a"), 5), ("b", first.next("b"), 6))
    again = Ledger(file)
    assert again.next("a") == 2
    assert read(file) == {"a": [Said(1, 5)], "b": [Said(1, 6)]}
