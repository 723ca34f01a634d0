"""Rows of a browse as proposals."""

from hypothesis import given
from hypothesis import strategies as st

from weft.connect import Found
from weft.model import Limits, ValueType
from weft.model.naming import safe_name
from weft.onboard.proposals import propose


def found(name, folder="Objects/Mill", **more):
    more = {"type": ValueType.DOUBLE, "address": {"node": f"{folder}/{name}"}} | more
    return Found(name=name, folder=folder, **more)


def test_names_units_types_and_samples():
    [load, speed] = propose(
        [
            found(
                "FeedOverride",
                "Objects/Mill/Spindle1",
                unit="%",
                value=99.123456789,
                limits=Limits(low=0, high=150),
            ),
            found(
                "Drehzahl [1/min]", "Objects/Mill", unit="rpm", value=3, type=ValueType.INT32, writable=True
            ),
        ],
        "machining/mill",
        "mill",
    )
    assert (load.path, load.type, load.unit) == ("machining/mill/spindle1-feed-override", "Double", "%")
    assert (load.sample, load.quality, load.accept) == ("99.1235", "Good", True)
    assert load.limits == Limits(low=0, high=150)
    assert (speed.name, speed.unit, speed.writable) == ("drehzahl-1-min", "{rev}/min", True)
    assert speed.row().address == {"node": "Objects/Mill/Drehzahl [1/min]"}


def test_what_is_not_proposed_to_be_taken_says_why():
    proposals = propose(
        [
            found("A", type=None),
            found("B", type=ValueType.EXTENSIONOBJECT),
            found("C", status=0x80340000),
            found("D", status=0x808C0000),
            found("E", kind="object"),
            found("F", kind="method"),
        ],
        "a",
        "c",
    )
    assert [(one.name, one.accept) for one in proposals] == [
        ("a", False),
        ("b", False),
        ("c", False),
        ("d", True),
    ]
    assert all(bool(one.reason) != one.accept for one in proposals)
    assert proposals[3].quality == "BadSensorFailure"


def test_paths_are_never_given_twice():
    rows = [found("Load", f"Mill/{i}") for i in "ab"] + [found("load", "Mill/a", address={"node": "x"})]
    names = [one.name for one in propose(rows, "line/mill", "c", taken={"line/mill/b-load", "other/a-load"})]
    assert names == ["a-load", "b-load-2", "a-load-2"]
    assert len(propose([rows[0], rows[0]], "a", "c")) == 1


def test_arrays_texts_doubtful_units_and_values_outside_their_limits():
    rows = [
        found("List", rank=1, value=[1.0]),
        found(
            "Text", type=ValueType.STRING, unit="bar", limits=Limits(low=1), states={1: "a"}, value="x" * 500
        ),
        found("Odd", unit="furlongs per fortnight"),
        found("Hot", limits=Limits(low=0, high=10), value=11.5),
        found("Mad", limits=Limits(low=5, high=1)),
    ]
    array, text, odd, hot, mad = propose(rows, "a", "c")
    assert array.type == ""
    assert (text.unit, text.limits, text.states, len(text.sample)) == ("", Limits(), {}, 80)
    assert (odd.unit, len(odd.doubts)) == ("", 1)
    assert "outside" in hot.doubts[0]
    assert mad.limits == Limits()


NAMES = st.text(max_size=10)


@given(st.lists(st.tuples(NAMES, NAMES), max_size=20))
def test_any_names_become_safe_ones(pairs):
    rows = [found(name, folder, address={"node": str(at)}) for at, (name, folder) in enumerate(pairs)]
    names = [one.name for one in propose(rows, "a", "c")]
    assert len(set(names)) == len(names) == len(rows)
    assert all(name and not set(name) & set("/+#.*> \0") and name == name.strip() for name in names)


def test_safe_names():
    assert safe_name("MachineTool", "PartsProducedInLifetime") == "machine-tool-parts-produced-in-lifetime"
    assert safe_name("OPCUAServer") == "opcua-server"
    assert safe_name("Größe", "µ-Wert") == "größe-µ-wert"
    assert safe_name("...", "") == "signal"
