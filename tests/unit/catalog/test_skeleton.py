"""The starter folder checks clean, as it is and filled in, and overwrites nothing."""

from __future__ import annotations

import pytest

from weft import catalog
from weft.runtime import Conflict, plugins

REAL = ("opcua", "modbus", "mqtt", "shdr")


def uncommented(text):
    """The lines of the last block that begins with a mark, without it; explanations stay comments."""
    lines = text.splitlines()
    return "\n".join(
        line.removeprefix("#").removeprefix(" ")
        if line.startswith("#") and ("=" in line or "[" in line)
        else line
        for line in lines
        if not line.startswith(("# A line", "# A signal's address", "# Assets by"))
    )


def test_it_checks_clean(tmp_path):
    folder = tmp_path / "a b" / "plant"
    files = catalog.skeleton.write(
        folder, name='Werk "Ä" \\ 1', enterprise="acme", site="nord", timezone="Asia/Tokyo"
    )
    loaded = catalog.check(folder, environ={})
    assert not loaded.findings
    assert (loaded.plant.name, loaded.plant.timezone) == ('Werk "Ä" \\ 1', "Asia/Tokyo")
    assert list(loaded.plant.assets)[:2] == ["acme", "acme/nord"]
    assert "machine" in loaded.plant.types
    assert {".gitignore", "README.md", "plant.toml"} <= set(files)
    assert {f"connections/{name}.toml" for name in REAL} <= set(files)
    assert ".weft/" in (folder / ".gitignore").read_text()
    assert "{{" not in "".join((folder / file).read_text() for file in files)


def test_this_computers_zone_is_one(tmp_path):
    catalog.skeleton.write(tmp_path)
    assert not catalog.check(tmp_path, environ={}).findings


def test_it_overwrites_nothing(tmp_path):
    catalog.skeleton.write(tmp_path)
    (tmp_path / "plant.toml").write_text("mine")
    (tmp_path / "README.md").unlink()
    with pytest.raises(Conflict, match=r"plant\.toml|assets"):
        catalog.skeleton.write(tmp_path)
    assert (tmp_path / "plant.toml").read_text() == "mine"
    assert not (tmp_path / "README.md").exists()


@pytest.fixture
def real_connectors(monkeypatch):
    """Undoes the stand-ins: the examples must fit the connectors that are shipped."""
    monkeypatch.undo()
    missing = [name for name in REAL if name not in plugins.names("weft.connectors")]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


@pytest.mark.parametrize("protocol", REAL)
def test_every_example_fits_its_connector(tmp_path, real_connectors, protocol):
    catalog.skeleton.write(tmp_path)
    file = tmp_path / "connections" / f"{protocol}.toml"
    text = file.read_text()
    address = text.rpartition("A signal's address:")[2].strip()
    file.write_text(uncommented(text))
    asset = tmp_path / "assets" / "hall.toml"
    asset.write_text(f'["hall/m".signals.x]\nconnection = "{protocol}"\n{address}\n')
    loaded = catalog.check(tmp_path, environ={})
    assert [str(finding) for finding in loaded.findings] == []
    assert list(loaded.plant.connections) == [protocol]
    assert len(loaded.plant.signals) == 1


def test_the_example_machine_comes_alive(tmp_path, real_connectors):
    catalog.skeleton.write(tmp_path)
    for file in ("connections/opcua.toml", "assets/hall.toml"):
        (tmp_path / file).write_text(uncommented((tmp_path / file).read_text()))
    loaded = catalog.check(tmp_path, environ={})
    assert [str(finding) for finding in loaded.findings] == []
    names = [signal.name for signal in loaded.plant.signals.values()]
    assert names == ["state", "temperature", "door"]
    assert (
        loaded.plant.signals["enterprise/site/hall/line1/machine1/state"].address.node == "ns=2;s=PLC_7.State"
    )
