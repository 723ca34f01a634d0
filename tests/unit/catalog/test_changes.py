"""Differences: nothing between equals, everything named once, and what must reconnect told from what must not."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft import catalog
from weft.catalog import Connection, Plant, diff
from weft.model import Asset, Level, Limits, Signal, ValueType
from weft.runtime.settings import Web


class Config(msgspec.Struct, frozen=True):
    host: str = "h"
    password: str = ""
    url: str = ""


class Address(msgspec.Struct, frozen=True):
    key: str = "k"


def signal(path="weft/hall/a/x", handle=1, **fields):
    return Signal(**{"handle": handle, "path": path, "connection": "line", "address": Address(), **fields})


def plant(*signals, config=Config(), **fields):
    known = {"line": Connection(name="line", protocol="fake", config=config, home="weft/hall/a")}
    assets = {path: Asset(path=path, level=Level.AREA) for path in ("weft", "weft/hall", "weft/hall/a")}
    return Plant(
        **{
            "name": "P",
            "signals": {s.path: s for s in signals},
            "connections": known,
            "assets": assets,
            **fields,
        }
    )


def test_no_difference():
    changes = diff(plant(signal()), plant(signal()))
    assert not changes
    assert changes.lines() == ()


@pytest.mark.parametrize(
    ("change", "points"),
    [
        ({"address": Address("other")}, ("line",)),
        ({"type": ValueType.INT32}, ("line",)),
        ({"handle": 2}, ("line",)),
        ({"unit": "bar"}, ()),
        ({"limits": Limits(high=5)}, ()),
        ({"deadband": 1.0}, ()),
        ({"description": "d"}, ()),
    ],
)
def test_a_connector_is_only_told_of_what_it_reads(change, points):
    changes = diff(plant(signal()), plant(signal(**change)))
    assert changes.points_changed == points
    assert changes.signals_changed == ("weft/hall/a/x",)
    assert changes.connections_changed == ()


def test_another_configuration_reconnects_and_hides_secrets():
    old = Config(password="one", url="mqtt://me:pass@h")
    new = Config(host="i", password="two", url="mqtt://me:word@h")
    changes = diff(plant(signal(), config=old), plant(signal(), config=new))
    assert changes.connections_changed == ("line",)
    assert changes.points_changed == ()
    text = "\n".join(changes.lines())
    assert text == "~ connection line reconnects: host: h → i"
    only = diff(plant(config=old), plant(config=msgspec.structs.replace(old, password="two")))
    assert only.lines() == ("~ connection line reconnects: a secret changed",)


def test_what_people_read():
    old = plant(
        signal(unit="%", limits=Limits(high=90)), signal("weft/hall/a/gone", 2), settings={"web": Web()}
    )
    new = plant(
        signal(unit="1", limits=Limits(high=95), type=ValueType.DOUBLE),
        signal("weft/hall/a/new", 3),
        name="Q",
        settings={"web": Web(port=1)},
    )
    assert diff(old, new).lines() == (
        "~ plant name: P → Q",
        "~ [web] port: 8080 → 1 (from the next start)",
        "~ connection line goes on, reading other points (2 signals → 2 signals)",
        "+ signal weft/hall/a/new",
        "- signal weft/hall/a/gone",
        "~ signal weft/hall/a/x type: none → Double; unit: % → 1; limits.high: 90 → 95",
    )


def test_connections_come_and_go():
    other = {"other": Connection(name="other", protocol="fake", config=Config())}
    changes = diff(plant(signal()), plant(signal(connection="other"), connections=other))
    assert (changes.connections_added, changes.connections_removed) == (("other",), ("line",))
    assert changes.lines()[:2] == (
        "+ connection other (fake, 1 signal)",
        "- connection line (fake, 1 signal)",
    )


def test_better_words_need_no_reconnecting():
    old = plant(signal())
    line = msgspec.structs.replace(old.connections["line"], description="better", owner="me")
    changes = diff(old, msgspec.structs.replace(old, connections={"line": line}))
    assert changes.connections_described == ("line",)
    assert changes.lines() == ("~ connection line description: none → better; owner: none → me",)


def test_long_lists_are_cut():
    changes = diff(plant(), plant(*(signal(f"weft/hall/a/s{i}", i) for i in range(1, 101))))
    lines = [line for line in changes.lines() if "signal" in line and line.startswith("+")]
    assert len(lines) == 12
    assert lines[-1] == "+ 89 more signals"
    assert len(changes.signals_added) == 100


SIGNALS = st.dictionaries(
    st.sampled_from([f"weft/hall/a/{name}" for name in "abcdef"]),
    st.tuples(
        st.integers(1, 3),
        st.sampled_from(["", "bar"]),
        st.sampled_from(["line", "two"]),
        st.sampled_from("kq"),
    ),
)


@st.composite
def plants(draw):
    made = [
        signal(path, handle, unit=unit, connection=line, address=Address(key))
        for path, (handle, unit, line, key) in draw(SIGNALS).items()
    ]
    hosts = draw(st.dictionaries(st.sampled_from(["line", "two"]), st.sampled_from("hi")))
    lines = {
        name: Connection(name=name, protocol="fake", config=Config(host)) for name, host in hosts.items()
    }
    return plant(*made, connections=lines)


@given(plants())
def test_a_plant_equals_itself(one):
    assert not diff(one, one)


@given(plants(), plants())
def test_applying_what_differs_gives_the_new_plant(old, new):
    changes = diff(old, new)
    for kind in ("signals", "connections"):
        before, after = getattr(old, kind), getattr(new, kind)
        kept = {name: before[name] for name in before if name not in getattr(changes, f"{kind}_removed")}
        fresh = [*getattr(changes, f"{kind}_added"), *getattr(changes, f"{kind}_changed")]
        if kind == "connections":
            assert not set(changes.connections_changed) & set(changes.points_changed)
        assert {**kept, **{name: after[name] for name in fresh}} == after
    unchanged = [name for name in new.connections if name in old.connections]
    for name in unchanged:
        if name not in (*changes.connections_changed, *changes.points_changed):
            assert [s.address for s in old.signals_of(name)] == [s.address for s in new.signals_of(name)]


@given(plants(), plants())
def test_back_is_the_opposite(old, new):
    there, back = diff(old, new), diff(new, old)
    assert set(there.signals_added) == set(back.signals_removed)
    assert set(there.connections_added) == set(back.connections_removed)
    assert set(there.signals_changed) == set(back.signals_changed)
    assert set(there.points_changed) == set(back.points_changed)


def test_the_real_thing(plant_folder_pair):
    old, new = plant_folder_pair
    changes = catalog.diff(old, new)
    assert changes.points_changed == ("line",)
    assert changes.lines() == (
        "~ connection line goes on, reading other points (1 signal → 2 signals)",
        "+ asset weft/hall/b",
        "+ signal weft/hall/b/y",
    )


@pytest.fixture
def plant_folder_pair(request):
    make = request.getfixturevalue("plant")
    first = '["a".signals.x]\nconnection = "line"\naddress = { node = "n" }\n'
    path = make({"assets/a.toml": first})
    old = catalog.load(path, environ={}).plant
    make({"assets/b.toml": first.replace('"a".signals.x', '"b".signals.y')}, folder=path)
    return old, catalog.load(path, environ={}).plant


def outlet(**fields):
    return catalog.Destination(**{"name": "uns", "protocol": "fake", "config": Config(), **fields})


def test_destinations_that_begin_anew_are_told_from_those_that_go_on():
    before = plant(destinations={name: outlet(name=name) for name in ("a", "b", "c", "d", "e")})
    after = plant(
        destinations={
            "a": outlet(name="a"),
            "b": outlet(name="b", config=Config(host="other", password="new")),
            "c": outlet(name="c", signals=("weft/hall/a/x",)),
            "d": outlet(name="d", owner="maria"),
            "f": outlet(name="f", batch_rows=7),
        }
    )
    changes = diff(before, after)
    assert changes.destinations_added == ("f",)
    assert changes.destinations_removed == ("e",)
    assert changes.destinations_changed == ("b",)
    assert changes.destinations_signals == ("c",)
    assert changes.destinations_described == ("d",)
    assert changes.lines() == (
        "+ destination f (fake, 0 signals)",
        "- destination e (fake, 0 signals)",
        "~ destination b begins anew: host: h → other; password: none → (secret)",
        "~ destination c goes on, sending other signals (0 signals → 1 signal)",
        "~ destination d owner: none → maria",
    )
    paced = diff(plant(destinations={"a": outlet()}), plant(destinations={"a": outlet(backlog_rate=1.0)}))
    assert paced.lines() == ("~ destination a begins anew: backlog_rate: 50000 → 1",)
    assert not diff(after, after)
