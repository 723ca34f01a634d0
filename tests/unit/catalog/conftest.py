"""A connector that exists only here, so that the catalog is tested without any protocol."""

from __future__ import annotations

import pathlib
from typing import ClassVar, Literal

import msgspec
import pytest

from weft.runtime import Invalid, NotFound, plugins


class FakeConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    endpoint: str
    interval: float = 1.0
    security: Literal["none", "sign"] = "sign"
    password: str = ""


class FakeAddress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    node: str
    register: int = 0


class Fake:
    """A destination, too."""

    Config: ClassVar[type[msgspec.Struct]] = FakeConfig
    Address: ClassVar[type[msgspec.Struct]] = FakeAddress

    async def run(self, feed):
        raise NotImplementedError


class Lenient:
    """Somebody else's connector, whose Structs forbid nothing."""

    class Config(msgspec.Struct):
        host: str = ""

    class Address(msgspec.Struct):
        key: str = ""


KNOWN = {"fake": Fake, "lenient": Lenient, "broken": None, "odd": object}


@pytest.fixture(autouse=True)
def connectors(monkeypatch):
    def load(group, name):
        if name not in KNOWN:
            raise NotFound(f"There is no connector {name!r}.")
        if KNOWN[name] is None:
            raise Invalid(
                "The plug-in 'broken' cannot be imported: no module.", remedy="Is its extra installed?"
            )
        return KNOWN[name]

    monkeypatch.setattr(plugins, "load", load)
    monkeypatch.setattr(plugins, "names", lambda group: sorted(KNOWN))


def write(folder: pathlib.Path, files: dict[str, str]) -> pathlib.Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


HEADER = '[plant]\nname = "Test"\nenterprise = "weft"\nsite = "hall"\n'
LINE = '[fake]\nendpoint = "tcp://127.0.0.1:1"\n'


@pytest.fixture
def plant(tmp_path):
    """Writes files into a plant's folder that has a header and a connection "line"."""

    def make(files: dict[str, str] | None = None, *, folder: pathlib.Path | None = None) -> pathlib.Path:
        basis = {"plant.toml": HEADER, "connections/line.toml": LINE}
        return write(folder or tmp_path / "plant", {**basis, **(files or {})})

    return make
