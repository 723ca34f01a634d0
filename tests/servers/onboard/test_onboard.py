"""From an address to live, named, unit-carrying signals: what a person types, and what then is in the folder."""

import time

import anyio
import pytest
from click.testing import CliRunner

from weft import catalog, demo
from weft.catalog import skeleton
from weft.cli import app
from weft.cli.onboard import chosen
from weft.onboard.proposals import Proposal

pytestmark = pytest.mark.anyio


@pytest.fixture
def plant(tmp_path):
    folder = tmp_path / "plant"
    skeleton.write(folder)
    return folder


def weft(*words, typed=None):
    return CliRunner().invoke(app, list(map(str, words)), input=typed, catch_exceptions=False)


async def test_a_machine_nothing_typed_but_its_address(tmp_path, plant):
    async with demo.Field(tmp_path / "field", processes=("mill",)) as field:
        address = f"127.0.0.1:{field.ports.mill}"
        started = time.monotonic()
        for _ in range(20):  # the mill's server is still starting
            done = await anyio.to_thread.run_sync(lambda: weft("onboard", address, "--plant", plant, "--yes"))
            if done.exit_code == 0:
                break
        taken = time.monotonic() - started
        again = await anyio.to_thread.run_sync(lambda: weft("onboard", address, "--plant", plant, "--yes"))
        dry = await anyio.to_thread.run_sync(
            lambda: weft("onboard", address, "--plant", plant, "--yes", "--dry-run", "--asset", "hall/other")
        )
    assert done.exit_code == 0, done.output
    assert taken < 60
    loaded = catalog.check(plant)
    assert loaded.findings.errors == []
    signals = {path.rpartition("/")[2]: signal for path, signal in loaded.plant.signals.items()}
    assert signals["spindle-load"].unit == "%"
    assert signals["spindle-temperature"].unit == "Cel"
    assert signals["state"].states[6] == "Execute"
    assert not any(str(signal.address.node).startswith("i=") for signal in signals.values())
    assert "0 new" in again.output
    assert "Would be written" in dry.output
    assert catalog.check(plant).plant == loaded.plant


async def test_where_nobody_answers(plant):
    done = await anyio.to_thread.run_sync(
        lambda: weft_failing("onboard", "127.0.0.1:1", "--plant", plant, "--yes")
    )
    assert done.exit_code == 1
    assert list((plant / "signals").glob("127*")) == []


def weft_failing(*words):
    from weft.runtime import WeftError

    done = CliRunner().invoke(app, list(map(str, words)))
    assert isinstance(done.exception, (WeftError, BaseExceptionGroup))
    return done


def proposals():
    return [
        Proposal(
            asset="mill", name=name, connection="c", address={"node": name}, accept=name != "blob", reason=""
        )
        for name in ("load", "speed", "blob", "temperature")
    ]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("a", ["load", "speed", "blob", "temperature"]),
        ("n", []),
        ("1-2", ["load", "speed"]),
        ("4, 1", ["load", "temperature"]),
        ("3", ["blob"]),
        ("*e*", ["speed", "temperature"]),
    ],
)
async def test_what_an_answer_means(answer, expected):
    assert [one.name for one in chosen(proposals(), answer)] == expected


@pytest.mark.parametrize("answer", ["0", "5", "2-1", "nothing*"])
async def test_answers_that_mean_nothing(answer):
    with pytest.raises(ValueError, match="there are|fits none"):
        chosen(proposals(), answer)
