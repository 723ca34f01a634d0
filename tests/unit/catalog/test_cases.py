"""Folders full of mistakes, and every finding they must give: file, line, words."""

from __future__ import annotations

import pathlib

import pytest

from weft import catalog

CASES = pathlib.Path(__file__).parent / "cases"


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir() if path.is_dir()))
def test_every_mistake_is_named_with_its_place(case):
    folder = CASES / case
    expected = (folder / "expected.txt").read_text(encoding="utf-8").splitlines()
    loaded = catalog.check(folder, environ={})
    assert [str(finding) for finding in loaded.findings] == expected
    assert (loaded.plant is None) == bool(loaded.findings.errors)
