"""The short form of `make fuzz`: every decoder on what once broke it, and on what random changes make of real inputs."""

import pathlib

import pytest
from fuzz.target import TARGETS, judged, load
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

KEPT = pathlib.Path(__file__).parents[1] / "fuzz" / "kept"
SLOW = frozenset({"plant-toml"})  # reads a whole folder


@pytest.fixture(scope="module", params=TARGETS)
def decoder(request):
    target = load(request.param)
    return request.param, target, target.seeds()


def test_real_inputs_and_what_broke_it_once(decoder):
    name, target, seeds = decoder
    assert seeds
    for seed in seeds:
        judged(target, seed)
    folder = KEPT / name
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        judged(target, path.read_bytes())


@st.composite
def changes(draw):
    """What is done to an input: (where of 1, how many bytes go, what comes)."""
    place = draw(st.floats(0, 1))
    return place, draw(st.integers(0, 8)), draw(st.binary(max_size=8))


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_changed_inputs(decoder, data):
    name, target, seeds = decoder
    changed = data.draw(st.sampled_from(seeds))
    for place, gone, come in data.draw(st.lists(changes(), min_size=1, max_size=1 if name in SLOW else 4)):
        at = int(place * len(changed))
        changed = changed[:at] + come + changed[at + gone :]
    judged(target, changed)


def test_a_broken_law_is_noticed(monkeypatch):
    """The judge is awake: a decoder that falls over is not passed over."""
    target = load("wire")

    def broken(data):
        raise ZeroDivisionError

    monkeypatch.setattr("fuzz.plant.decode", broken)
    with pytest.raises(ZeroDivisionError):
        judged(target, target.seeds()[0])


def test_what_is_kept_belongs_to_a_decoder():
    assert {folder.name for folder in KEPT.iterdir()} <= set(TARGETS)
