"""Watching: what counts as a part of the plant, and one answer per saving."""

from __future__ import annotations

import pathlib

import anyio
import pytest

from weft import catalog
from weft.catalog.settled import counts
from weft.runtime import Retry


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("plant.toml", True), ("assets/a.toml", True), ("signals/deep/m.csv", True), ("types/t.toml", True),
        ("assets", True), ("assets/renamed-folder", True), ("README.md", False), ("other/a.toml", False),
        (".weft/handles.tsv", False), (".git/index", False), ("assets/.a.toml.swp", False), ("assets/a.toml~", False),
        ("assets/#a.toml#", False), ("assets/4913", False), ("assets/backup~", False), ("assets/.git/x.toml", False),
        ("assets/a.toml.tmp", False), ("types/a.toml___jb_tmp___", False), (".", False), ("a.toml", False),
    ],
)  # fmt: skip
def test_what_counts(path, wanted):
    assert counts(pathlib.Path(path)) is wanted


class Follower:
    """Collects what a watch tells."""

    def __init__(self):
        self.rounds = []
        self._news = anyio.Event()

    async def run(self, folder):
        async for names in catalog.watch(folder, settle=0.05):
            self.rounds.append(names)
            self._news.set()
            self._news = anyio.Event()

    @property
    def seen(self):
        return {name for names in self.rounds for name in names}

    async def until(self, name):
        while name not in self.seen:
            await self._news.wait()


@pytest.mark.anyio
async def test_saving_is_told_and_what_surrounds_it_is_not(plant):
    folder = plant({"assets/a.toml": "", "connections/sub/b.toml": ""})
    follower = Follower()
    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(follower.run, folder)
            await saved(folder, "assets/a.toml", follower)
            (folder / "assets" / ".a.toml.swp").write_text("x")
            (folder / "README.md").write_text("x")
            await saved(folder, "connections/sub/b.toml", follower)
            (folder / "plant.toml").rename(folder / "other.toml")
            await follower.until("plant.toml")
            group.cancel_scope.cancel()
    assert follower.seen == {"assets/a.toml", "connections/sub/b.toml", "plant.toml"}


async def saved(folder, name, follower):
    """Saves until it is told: the first watch may not have looked at the folder yet."""
    number = 0
    while name not in follower.seen:
        number += 1
        (folder / name).write_text(f"# {number}\n")
        with anyio.move_on_after(2):
            await follower.until(name)


@pytest.mark.anyio
async def test_folders_that_come_later_are_followed(plant):
    folder = plant()
    follower = Follower()
    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(follower.run, folder)
            await saved(folder, "plant.toml", follower)
            (folder / "assets" / "hall").mkdir(parents=True)
            (folder / "assets" / "hall" / "a.toml").write_text("")  # perhaps before the folder is watched
            await follower.until("assets/hall/a.toml")
            (folder / "assets" / "hall" / "b.toml").write_text("")
            await follower.until("assets/hall/b.toml")
            (folder / "assets" / "hall" / "a.toml").unlink()
            (folder / "assets" / "hall" / "c.toml").write_text("")
            await follower.until("assets/hall/c.toml")
            group.cancel_scope.cancel()


@pytest.mark.anyio
async def test_what_weft_writes_does_not_keep_the_folder_busy(plant):
    """Writing in .weft goes on all the time; a saved file is told all the same, long before LONGEST."""
    folder = plant({"assets/a.toml": ""})
    (folder / ".weft" / "bus").mkdir(parents=True)
    follower = Follower()

    async def noise():
        number = 0
        while True:
            number += 1
            (folder / ".weft" / "bus" / f"{number % 50}.blk").write_text(str(number))
            await anyio.sleep(0.005)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(follower.run, folder)
            group.start_soon(noise)
            await saved(folder, "assets/a.toml", follower)
            group.cancel_scope.cancel()
    assert follower.seen == {"assets/a.toml"}


@pytest.mark.anyio
async def test_a_folder_that_is_away_is_tried_again(tmp_path):
    with pytest.raises(Retry, match="away"):
        await anext(catalog.watch(tmp_path / "nope"))
