"""Handles: for ever the same, durable before use, through torn writes, renames and several processes."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.catalog import Handles
from weft.catalog.handles import NAME
from weft.runtime import NeedsHuman

PATHS = st.lists(st.text("abc/ü é", min_size=1, max_size=4), max_size=8, unique=True)


def test_new_paths_get_new_numbers_and_keep_them(tmp_path):
    handles = Handles(tmp_path)
    assert handles.assign(["a", "b"]) == {"a": 1, "b": 2}
    assert handles.assign(["c", "a"]) == {"c": 3, "a": 1}
    assert Handles(tmp_path).assign(["b", "d"]) == {"b": 2, "d": 4}
    assert handles.path(4) is None  # another reader of the file, until it next has something to add
    assert handles.assign(["e"]) == {"e": 5}
    assert handles.path(4) == "d"
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


def test_a_renamed_signal_keeps_its_number_and_the_old_path_is_free(tmp_path):
    handles = Handles(tmp_path)
    handles.assign(["old", "other"])
    assert handles.assign(["new"], {"new": "old"}) == {"new": 1}
    assert Handles(tmp_path).assign(["new"], {"new": "old"}) == {"new": 1}  # `was` may stay in the file
    again = Handles(tmp_path)
    assert again.assign(["old"]) == {"old": 3}
    assert (again.get("new"), again.path(1), again.get("nobody")) == (1, "new", None)
    assert Handles(tmp_path).assign(["new", "old"]) == {"new": 1, "old": 3}


def test_what_was_never_there_is_simply_new(tmp_path):
    assert Handles(tmp_path).assign(["a"], {"a": "never"}) == {"a": 1}


@given(st.integers(0, 40), st.binary(max_size=6).filter(lambda data: b"\n" not in data))
@settings(max_examples=60)
def test_a_torn_end_costs_only_what_nobody_was_told(tmp_path_factory, cut, rubbish):
    state = tmp_path_factory.mktemp("state")
    Handles(state).assign(["alpha", "beta", "gamma"])
    file = state / NAME
    data = file.read_bytes()[:cut]
    whole = data[: data.rfind(b"\n") + 1]
    file.write_bytes(whole + (data[len(whole) :] + rubbish))
    again = Handles(state)
    kept = dict(zip(["alpha", "beta", "gamma"], [1, 2, 3], strict=True))
    kept = dict(list(kept.items())[: whole.count(b"\n")])
    assert len(again) == len(kept)
    numbers = again.assign([*kept, "new"])
    assert numbers == {**kept, "new": len(kept) + 1}
    assert Handles(state).assign(numbers) == numbers


@pytest.mark.parametrize(
    "damage", [b"x\ta\n", b"1\n", b"0\ta\n", b"1\ta\n2\ta\n", b"\xff\ta\n", b"9999999999\ta\n"]
)
def test_damage_in_the_middle_is_for_a_person(tmp_path, damage):
    (tmp_path / NAME).write_bytes(damage + b"7\tz\n")
    with pytest.raises(NeedsHuman, match="damaged"):
        Handles(tmp_path)


def test_a_disk_that_refuses_promises_nothing(tmp_path, monkeypatch):
    handles = Handles(tmp_path)
    handles.assign(["a"])

    def full(file, data, at):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(NeedsHuman, match="No space left"):
            handles.assign(["b", "c"])
    assert handles.get("b") is None
    assert handles.assign(["c"]) == {"c": 2}


def test_an_fsync_comes_before_the_answer(tmp_path, monkeypatch):
    handles = Handles(tmp_path)
    calls = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (calls.append((tmp_path / NAME).read_bytes()), real(file)))
    handles.assign(["a", "b"])
    assert calls == [b"1\ta\n2\tb\n"]
    handles.assign(["b", "a"])
    assert len(calls) == 1


def test_a_path_with_a_tab_is_refused_and_nothing_is_numbered(tmp_path):
    handles = Handles(tmp_path)
    with pytest.raises(ValueError, match="tabs"):
        handles.assign(["a", "b\tc"])
    assert handles.assign(["d"]) == {"d": 1}


@given(st.lists(PATHS, max_size=6))
@settings(max_examples=50)
def test_laws(tmp_path_factory, rounds):
    """Whoever asks, in whatever order: one number per path, no number twice."""
    state = tmp_path_factory.mktemp("state")
    readers = [Handles(state), Handles(state)]
    seen = {}
    for turn, paths in enumerate(rounds):
        given_ = readers[turn % 2].assign(paths)
        assert list(given_) == paths
        for path, handle in given_.items():
            assert seen.setdefault(path, handle) == handle
    assert len(set(seen.values())) == len(seen)
    assert Handles(state).assign(seen) == seen
