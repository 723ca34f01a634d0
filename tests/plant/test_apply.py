"""A plant's folder changes while it runs: only what differs is touched, and everything else goes on."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest
from plant.houses import FOR_EVER, all_up, living, until
from servers.connect.shdr.replay import Adapter, serving
from structlog.testing import capture_logs

from weft import demo
from weft.app import House
from weft.cli.verify import compare
from weft.history.columns import from_table
from weft.model import Flag
from weft.runtime import Invalid

pytestmark = pytest.mark.anyio

LINE = "weft/model-factory/production/line-1"
GONE = f"{LINE}/mill/spindle-load"
SCALED = f"{LINE}/mill/spindle-speed"
LATHE = """
["production/line-1/lathe"]
connection = "lathe"
["production/line-1/lathe".signals.x]
address = { key = "Xpos", category = "sample" }
"""


class Folder:
    """A plant's folder under somebody's hands."""

    def __init__(self, path):
        self.path = path

    def text(self, name):
        return (self.path / name).read_text(encoding="utf-8")

    def save(self, name, text):
        (self.path / name).write_text(text, encoding="utf-8")

    def replace(self, name, old, new):
        assert old in self.text(name), (name, old)
        self.save(name, self.text(name).replace(old, new, 1))

    def cut(self, name, table):
        """Takes a table out; returns the file as it was."""
        whole = self.text(name)
        part = re.search(rf"^\[{re.escape(table)}\]\n(?:(?!\[).*\n?)*", whole, flags=re.M)
        self.save(name, whole.replace(part[0], ""))
        return whole


def disturbed(told):
    """Connections that were anything but up, as the log tells it."""
    return {
        entry["connection"] for entry in told if entry["event"] == "connection" and entry["state"] != "up"
    }


async def rows(house, path):
    found = from_table(await house.history.raw([house.plant().signals[path].handle], -FOR_EVER, FOR_EVER))
    return [row for row in found if not row.flags & Flag.SYNTHETIC]


async def newest(house, path):
    kept = await rows(house, path)
    return kept[-1].time if kept else 0


async def flows(house, *paths):
    """Waits until each of these has a newer value than now."""
    before = {path: await newest(house, path) for path in paths}

    async def more():
        return all([await newest(house, path) > before[path] for path in paths])

    await until(more, 20)


async def complete(house, truth, besides=()):
    """Everything that the factory has shown up to now is in history, except of some signals."""
    shown = {path: rows for path, rows in _last_shown(truth).items() if path not in besides}

    async def arrived():
        verdict = await compare(house.plant(), house.history, truth)
        late = [m for m in verdict.missing if m[0] not in besides and m[1] <= shown[m[0]]]
        return verdict if not late else None

    verdict = await until(arrived, 15, every=0.5)
    # The factory goes on: what it has shown since may be in history before it is in what was read of the truth.
    seen = [w for w in (*verdict.wrong, *verdict.extra) if w[0] not in besides and w[1] <= shown[w[0]]]
    assert seen == []


def _last_shown(truth):
    last = {}
    for row in demo.truth.read(truth):
        path = f"weft/model-factory/{row.signal}"
        last[path] = max(last.get(path, 0), row.time)
    return last


class Factory(NamedTuple):
    """The model factory with Weft on it, and what was logged since the last step began."""

    house: House
    folder: Folder
    truth: Path
    told: list


async def test_changes_touch_only_what_differs_and_nothing_else_has_a_gap(tmp_path):
    truth = tmp_path / "truth"
    async with demo.Field(tmp_path / "field", truth=truth, pace="read", hold=True) as field:
        demo.plant.write(tmp_path / "plant", field.ports)
        async with living(tmp_path / "plant") as house:
            await until(lambda: all_up(house), 30)
            field.release()
            for step in (_a_signal_goes_and_comes, _words, _another_address, _a_new_machine, _scale, _broken):
                with capture_logs() as told:
                    await step(Factory(house, Folder(tmp_path / "plant"), truth, told))
            await complete(house, truth, besides={GONE, SCALED})
            missing = {m[0] for m in (await compare(house.plant(), house.history, truth)).missing}
            assert GONE in missing, "the removed signal was read on"


async def _a_signal_goes_and_comes(factory):
    """The OPC UA session goes on, and so do its other signals."""
    house, folder, _, told = factory
    await flows(house, GONE, SCALED)
    whole = folder.cut("types/mill.toml", "signals.spindle-load")
    await until(lambda: GONE not in house.plant().signals, 10)
    await flows(house, SCALED)
    folder.save("types/mill.toml", whole)
    await until(lambda: GONE in house.plant().signals, 10)
    await flows(house, GONE, SCALED)
    assert disturbed(told) == set()


async def _words(factory):
    """A description and limits concern nobody in the field."""
    house, folder, _, told = factory
    folder.replace("types/mill.toml", "CNC mill with", "A CNC mill with")
    folder.replace("types/mill.toml", "maximum = ", "maximum = 9")
    await until(lambda: house.plant().types["mill"].description.startswith("A CNC"), 10)
    assert disturbed(told) == set()
    applied = next(entry for entry in told if entry["event"] == "plant applied")
    assert applied["changes"] >= 2


async def _another_address(factory):
    """That machine reconnects, the others do not."""
    house, folder, _, told = factory
    folder.replace("connections/washer.toml", '"127.0.0.1"', '"localhost"')
    await until(lambda: house.plant().connections["washer"].config.host == "localhost", 10)
    await until(lambda: all_up(house), 20)
    await flows(house, f"{LINE}/washer/bath-temperature")
    assert disturbed(told) == {"washer"}


async def _a_new_machine(factory):
    house, folder, _, told = factory
    adapter = Adapter(b"2026-01-01T00:00:00Z|Xpos|1.5\n")
    async with serving(adapter):
        folder.save("assets/lathe.toml", LATHE)
        folder.save("connections/lathe.toml", f'[shdr]\nhost = "127.0.0.1"\nport = {adapter.port}\n')

        async def there():
            path = f"{LINE}/lathe/x"
            return path in house.plant().signals and [row.value for row in await rows(house, path)] == [1.5]

        await until(there, 15)
        for name in ("assets/lathe.toml", "connections/lathe.toml"):
            (folder.path / name).unlink()
        await until(lambda: len(house.lines()) == 4, 10)
    await flows(house, SCALED)
    assert disturbed(told) == {"lathe"}
    assert not [service.name for service in house.services() if "lathe" in service.name]


async def _scale(factory):
    """Another scale holds from the next value on, once and for all."""
    house, folder, truth, told = factory
    await flows(house, SCALED)
    folder.replace(
        "types/mill.toml", "[signals.spindle-speed]\n", "[signals.spindle-speed]\nscale = 1000.0\n"
    )
    await until(lambda: house.plant().signals[SCALED].scale == 1000.0, 10)
    await flows(house, SCALED)
    await flows(house, SCALED)
    shown = demo.truth.read(truth)
    true = {row.time: row.value for row in shown if row.signal.endswith("mill/spindle-speed")}
    factors = [round(row.value / true[row.time]) for row in await rows(house, SCALED) if true[row.time]]
    assert factors == sorted(factors)
    assert set(factors) == {1, 1000}
    assert disturbed(told) == set()


async def _broken(factory):
    """A file with a mistake changes nothing, and is named with its line."""
    house, folder, _, told = factory
    before = house.plant()
    whole = folder.text("types/packing.toml")
    number = 1 + whole.splitlines().index("[signals.speed]") + 1
    folder.replace("types/packing.toml", "[signals.speed]\n", "[signals.speed]\nunti = 5\n")
    await until(lambda: [entry for entry in told if "mistakes" in entry["event"]], 10)
    reason = next(entry["reason"] for entry in told if "mistakes" in entry["event"])
    assert f"types/packing.toml:{number}:" in reason
    assert "'unit'" in reason
    with pytest.raises(Invalid, match=rf"types/packing\.toml:{number}:"):
        await house.apply()
    assert house.plant() is before
    await flows(house, f"{LINE}/packing/speed", GONE)
    folder.save("types/packing.toml", whole)
    assert await house.apply() == []
    assert disturbed(told) == set()
