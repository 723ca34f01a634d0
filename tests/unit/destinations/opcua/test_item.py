"""Which samples a client is told of."""

import pytest

from weft.destinations.opcua.codes import Refused, code
from weft.destinations.opcua.item import DISABLED, REPORTING, SAMPLING, Item, Wanted
from weft.destinations.opcua.ranges import cut, parse
from weft.destinations.opcua.values import OVERFLOW, Sample
from weft.ua import writer
from weft.ua.variant import Reader


class Sub:
    def __init__(self):
        self.ready, self.held, self.polled = {}, set(), set()


def sample(value, status=0, source=0):
    return Sample(writer.variant(11, float(value)), status, source, 0, float(value))


def item(sampling=0.0, queue=3, discard_oldest=True, trigger=1, deadband=0.0, mode=REPORTING):
    wanted = Wanted(7, sampling, queue, discard_oldest, trigger, deadband)
    return Item(1, Sub(), wanted, 3, mode, None, lambda: sample(99))


def told(one):
    """(value, status) of everything that waits."""
    found = []
    while one.queue:
        notification = one.notification()
        assert notification[:4] == b"\7\0\0\0"
        value = Reader(notification[4:]).data_value()
        found.append((value["value"], value.get("status", 0)))
    return found


def test_only_changes_are_told():
    one = item(queue=10)
    for at, value in enumerate((1, 1, 2, 2, 1)):
        one.offer(sample(value, source=at), at)
    assert told(one) == [(1, 0), (2, 0), (1, 0)]


def test_a_status_is_a_change_and_with_its_trigger_also_a_time():
    one, two, three = item(queue=10), item(queue=10, trigger=0), item(queue=10, trigger=2)
    for each in (one, two, three):
        for at, (value, status) in enumerate(((1, 0), (1, 5), (2, 5), (2, 5))):
            each.offer(sample(value, status, source=at), at)
    assert told(one) == [(1, 0), (1, 5), (2, 5)]
    assert told(two) == [(1, 0), (1, 5)]
    assert told(three) == [(1, 0), (1, 5), (2, 5), (2, 5)]


def test_a_deadband_counts_from_what_was_told_last():
    one = item(queue=10, deadband=1.0)
    for at, value in enumerate((0, 0.6, 1.0, 1.1, 1.9, 2.2)):
        one.offer(sample(value), at)
    assert told(one) == [(0, 0), (1.1, 0), (2.2, 0)]


@pytest.mark.parametrize(
    ("oldest", "expected"),
    [(True, [(3, OVERFLOW), (4, 0), (5, 0)]), (False, [(1, 0), (2, 0), (5, OVERFLOW)])],
)
def test_a_full_queue_says_so(oldest, expected):
    one = item(discard_oldest=oldest)
    for at in range(1, 6):
        one.offer(sample(at), at)
    assert told(one) == expected


def test_a_queue_of_one_holds_the_newest_without_the_bit():
    one = item(queue=1)
    for at in range(1, 6):
        one.offer(sample(at), at)
    assert told(one) == [(5, 0)]


def test_between_two_samplings_only_the_newest_counts():
    one = item(sampling=1.0, queue=10)
    for at, value in ((0.0, 1), (0.2, 2), (0.4, 3), (1.1, 4)):
        one.offer(sample(value), at)
    assert told(one) == [(1, 0), (3, 0)]
    assert one in one.subscription.held
    one.release(1.5)
    assert told(one) == []
    one.release(2.2)
    assert told(one) == [(4, 0)]
    assert not one.subscription.held


def test_a_source_as_fast_as_the_sampling_loses_nothing_though_it_is_not_quite_punctual():
    one = item(sampling=0.1, queue=1000)
    for i in range(200):
        one.offer(sample(i), i * 0.1 + (0.03 if i % 3 else -0.03))
    one.release(1000.0)
    assert [value for value, _ in told(one)] == list(range(200))


def test_a_pause_gives_no_right_to_a_burst():
    one = item(sampling=1.0, queue=1000)
    for i in range(100):
        one.offer(sample(i), 50.0 + i * 0.01)
    assert len(told(one)) <= 2


def test_modes():
    one = item(mode=SAMPLING)
    one.offer(sample(1), 0)
    assert not one.subscription.ready
    one.set_mode(REPORTING, 1)
    assert one in one.subscription.ready
    one.set_mode(DISABLED, 2)
    one.offer(sample(2), 3)
    assert (told(one), one.subscription.ready) == ([], {})
    one.set_mode(REPORTING, 4)
    assert told(one) == [(99, 0)]  # what is now


def test_index_ranges():
    matrix = [[1, 2, 3], [4, 5, 6]]
    assert cut(matrix, parse("1,0:1")) == [[4, 5]]
    assert cut([1, 2, 3], parse("1:9")) == [2, 3]
    assert cut("Fräse", parse("1:2")) == "rä"
    for text, status in (
        ("1:1", code.BadIndexRangeInvalid),
        ("-1", code.BadIndexRangeInvalid),
        ("a", code.BadIndexRangeInvalid),
    ):
        with pytest.raises(Refused) as caught:
            parse(text)
        assert caught.value.status == status
    with pytest.raises(Refused) as caught:
        cut([1], parse("5"))
    assert caught.value.status == code.BadIndexRangeNoData
    with pytest.raises(Refused):
        cut(5, parse("0"))
