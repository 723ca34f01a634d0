"""Watching: what counts as a part of the plant, and one answer per saving."""

from __future__ import annotations

import pathlib

import anyio
import pytest

from weft import catalog
from weft.catalog.settled import counts


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


@pytest.mark.anyio
async def test_saving_is_told_once_it_has_settled(plant):
    folder = plant({"assets/a.toml": ""})
    seen: list[str] = []
    news = anyio.Event()

    async def follow():
        async for names in catalog.watch(folder, settle=0.05):
            seen.extend(names)
            if "assets/a.toml" in names:
                news.set()

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(follow)
            number = 0
            while not news.is_set():  # the watch may not stand yet: what is saved before is not told
                number += 1
                (folder / "assets" / "a.toml").write_text(f"# {number}\n")
                (folder / "assets" / ".a.toml.swp").write_text(f"{number}\n")
                (folder / "README.md").write_text(f"{number}\n")
                with anyio.move_on_after(0.5):
                    await news.wait()
            group.cancel_scope.cancel()
    assert set(seen) == {"assets/a.toml"}
