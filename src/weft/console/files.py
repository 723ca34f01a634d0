"""The files that pages load, under names that change with their content, so that browsers may keep them."""

from __future__ import annotations

import gzip
import hashlib
import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

import msgspec

from weft.runtime import NotFound

__all__ = ["Files"]

MEDIA_TYPES: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}


class File(msgspec.Struct, frozen=True):
    body: bytes
    packed: bytes  # gzip
    media_type: str


class Files:
    """Everything in ``static`` and, when the package was built with npm at hand, ``static/built``."""

    def __init__(self) -> None:
        self._files: dict[str, File] = {}
        self._names: dict[str, str] = {}
        folder = files("weft.console") / "static"
        for place in (folder, folder / "built"):
            if place.is_dir():
                for entry in place.iterdir():
                    self._add(entry)

    def has(self, name: str) -> bool:
        return name in self._names

    def url(self, name: str) -> str:
        """``weft.css`` -> ``/static/weft-5f2c….css``. Raises NotFound."""
        if name not in self._names:
            raise NotFound(f"The package has no file {name!r}.")
        return f"/static/{self._names[name]}"

    def get(self, name: str) -> File:
        """By the name of :meth:`url`. Raises NotFound."""
        file = self._files.get(name)
        if file is None:
            raise NotFound("There is no such file.", remedy="Reload the page: Weft was updated.")
        return file

    def _add(self, entry: Traversable) -> None:
        stem, dot, ending = entry.name.rpartition(".")
        media_type = MEDIA_TYPES.get(dot + ending)
        if media_type is None or not entry.is_file():
            return
        body = entry.read_bytes()
        if ending == "css":
            body = _squeezed(body.decode()).encode()
        hashed = f"{stem}-{hashlib.sha256(body).hexdigest()[:12]}.{ending}"
        self._names[entry.name] = hashed
        self._files[hashed] = File(body, gzip.compress(body, 9, mtime=0), media_type)


def _squeezed(css: str) -> str:
    """Without comments and what only people need. A space before a colon stays: it is a selector's."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    return (
        re.sub(r"\s*([{};,])\s*", r"\1", re.sub(r"\s+", " ", css))
        .replace(": ", ":")
        .replace(";}", "}")
        .strip()
    )
