"""The folder that ``weft init`` makes: a plant that checks clean, with a comment beside every key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from weft.runtime import Conflict, NeedsHuman

__all__ = ["write"]

RENAMED: Final = {"gitignore": ".gitignore"}  # under its own name it would hide files of Weft's source


def write(
    folder: Path,
    *,
    name: str = "My plant",
    enterprise: str = "enterprise",
    site: str = "site",
    timezone: str | None = None,
) -> list[str]:
    """Makes ``folder`` and the files of a plant in it; returns their relative names. ``timezone`` None takes
    this computer's. Raises Conflict when one of the files is there (none is written then), NeedsHuman when
    the folder cannot be written."""
    words = {"name": name, "enterprise": enterprise, "site": site, "timezone": timezone or _zone()}
    texts = {file: _filled(text, words, quoted=file.endswith(".toml")) for file, text in _starter()}
    present = [file for file in texts if (folder / file).exists()]
    if present:
        raise Conflict(
            f"{folder} already holds {', '.join(present[:3])}{' and more' if len(present) > 3 else ''}; "
            "nothing was written.",
            remedy="Choose an empty folder.",
        )
    try:
        for file, text in texts.items():
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise NeedsHuman(
            f"{folder} cannot be written: {error.strerror}.", remedy="Choose another folder."
        ) from error
    return list(texts)


def _starter() -> Iterator[tuple[str, str]]:
    yield from _below(files("weft.catalog") / "starter", "")


def _below(folder: Traversable, above: str) -> Iterator[tuple[str, str]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _below(entry, f"{above}{entry.name}/")
        elif not entry.name.endswith((".py", ".pyc")):
            yield above + RENAMED.get(entry.name, entry.name), entry.read_text(encoding="utf-8")


def _filled(text: str, words: dict[str, str], *, quoted: bool) -> str:
    for key, word in words.items():
        # JSON's escapes are those of a TOML text.
        text = text.replace(f"{{{{{key}}}}}", json.dumps(word, ensure_ascii=False)[1:-1] if quoted else word)
    return text


def _zone() -> str:
    """The IANA name of this computer's time zone, UTC when it does not say."""
    try:
        target = Path("/etc/localtime").resolve().as_posix()
    except OSError:
        return "UTC"
    zone = target.partition("/zoneinfo/")[2]
    return zone if zone and not zone.startswith(("posix/", "right/")) else "UTC"
