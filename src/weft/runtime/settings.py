"""Settings: the tables of plant.toml beside ``[plant]``, any key of them overridable by the environment.

``WEFT_WEB__PORT=8443`` goes before ``port`` in ``[web]``. What Weft itself writes lies in the state folder,
``.weft`` inside the plant's folder unless ``WEFT_STATE`` names another.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import msgspec

from weft.runtime.errors import Invalid, NeedsHuman

__all__ = [
    "TABLES",
    "BusSettings",
    "CommandSettings",
    "EdgeSettings",
    "HistorySettings",
    "Override",
    "Web",
    "overrides",
    "read",
    "state_dir",
]


Seconds = Annotated[float, msgspec.Meta(gt=0)]


class Web(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the pages and the API listen; loopback unless said otherwise. Port 0 takes any free one. ``hosts``:
    the names that browsers may use for it; none is any name, but on loopback only its own."""

    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8080
    hosts: tuple[str, ...] = ()


class EdgeLogin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An edge that may come. ``password`` is ``env:NAME`` or ``file:path``; ``home`` the path below which its
    signals lie, the site when empty; ``pair`` the redundant pair that it belongs to."""

    password: Annotated[str, msgspec.Meta(pattern="^(env|file):")]
    home: str = ""
    pair: str = ""


class BusSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``url``: an existing nats-server; empty starts one of our own. ``credentials``: file
    of credentials (JWT and key) for it. ``store``: folder of the own server's streams; empty is the state folder.
    ``listen``: ``host:port`` where ``edges`` on other machines may come, with ``certificate`` and ``key`` (files)."""

    url: str = ""
    credentials: str = ""
    store: str = ""
    listen: str = ""
    certificate: str = ""
    key: str = ""
    edges: dict[str, EdgeLogin] = {}


class HistorySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The live tail is written as a segment after ``seal_rows`` samples or ``seal_seconds`` seconds.
    ``folder``: where segments lie; empty is the state folder."""

    seal_rows: Annotated[int, msgspec.Meta(ge=1)] = 500_000
    seal_seconds: Seconds = 60.0
    folder: str = ""


class EdgeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Samples gather for at most ``flush_seconds`` to be published together; at most ``queue_rows`` of them, and
    ``queue_bytes`` bytes, wait for the bus. ``drift_seconds``: a clock that is further off than that is told as an event. ``name``:
    which of several Wefts that share the plant's folder this is; it runs the connections and destinations whose
    ``edge`` says so. ``pair``: the redundant pair it belongs to; of a pair one runs what has its name. ``hub``: where
    samples and events are forwarded to, signed in as ``name`` with ``password`` (``env:NAME`` or ``file:path``);
    ``ca``: file of the authority that signed the hub's certificate."""

    flush_seconds: Seconds = 0.05
    queue_rows: Annotated[int, msgspec.Meta(ge=1)] = 1_000_000
    queue_bytes: Annotated[int, msgspec.Meta(ge=1)] = 268_435_456
    drift_seconds: Seconds = 5.0
    name: str = ""
    pair: str = ""
    hub: str = ""
    password: Annotated[str, msgspec.Meta(pattern="^((env|file):.*)?$")] = ""
    ca: str = ""


class CommandSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``doors``: through which commands may come at all. A guard rail relies on values no older than
    ``fresh_seconds``; a connector has ``deadline`` seconds to write, and the field ``readback_seconds`` to show it.
    One actor may command ``per_minute`` times."""

    doors: tuple[str, ...] = ("cli", "http", "logic")
    fresh_seconds: Seconds = 10.0
    deadline: Seconds = 5.0
    readback_seconds: Seconds = 2.0
    per_minute: Annotated[int, msgspec.Meta(ge=1)] = 120


TABLES: Final[dict[str, type[msgspec.Struct]]] = {
    "web": Web,
    "bus": BusSettings,
    "history": HistorySettings,
    "edge": EdgeSettings,
    "commands": CommandSettings,
}

_PREFIX: Final = "WEFT_"


class Override(NamedTuple):
    """One key that the environment sets."""

    variable: str
    table: str
    key: str
    text: str

    def value(self) -> Any:
        """The text as the key's type wants it: numbers and booleans plain, lists in TOML's form.
        Raises Invalid with the nearest name."""
        struct = TABLES.get(self.table)
        if struct is None:
            raise Invalid(f"There are no settings {self.table!r}.", remedy=_near(self.table, TABLES))
        fields = {field.encode_name: field.type for field in msgspec.structs.fields(struct)}
        if self.key not in fields:
            raise Invalid(f"{self.key!r} is not a key of [{self.table}].", remedy=_near(self.key, fields))
        try:
            return msgspec.convert(_plain(self.text), fields[self.key], strict=False)
        except msgspec.ValidationError as error:
            raise Invalid(f"{self.text!r} does not fit {self.table}.{self.key}: {error}.") from error


def overrides(environ: Mapping[str, str] | None = None) -> list[Override]:
    """Every ``WEFT_<TABLE>__<KEY>`` of the environment, sorted by name."""
    found = []
    for variable, text in sorted((os.environ if environ is None else environ).items()):
        table, double, key = variable.removeprefix(_PREFIX).partition("__")
        if variable.startswith(_PREFIX) and double:
            found.append(Override(variable, table.lower(), key.lower(), text))
    return found


def read(
    tables: Mapping[str, Mapping[str, Any]] | None = None, environ: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """All settings by table name, each as its Struct: defaults, then ``tables``, then the environment.
    Raises Invalid for the first mistake; the catalog's loader reports all of them with their lines."""
    merged: dict[str, dict[str, Any]] = {name: dict((tables or {}).get(name, {})) for name in TABLES}
    for override in overrides(environ):
        value = override.value()
        merged[override.table][override.key] = value
    try:
        return {name: msgspec.convert(merged[name], struct) for name, struct in TABLES.items()}
    except msgspec.ValidationError as error:
        raise Invalid(f"The settings are wrong: {error}.") from error


def state_dir(plant_folder: Path, environ: Mapping[str, str] | None = None) -> Path:
    """The folder for what Weft writes (streams, history, handles, keys), made when absent, readable by its
    owner alone and kept out of git. Raises NeedsHuman when it cannot be made."""
    named = (os.environ if environ is None else environ).get("WEFT_STATE", "")
    state = Path(named) if named else plant_folder / ".weft"
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        state.chmod(0o700)  # mkdir's mode is cut by the umask and an old folder may be open to others
        ignore = state / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise NeedsHuman(
            f"The state folder {state} cannot be made: {error.strerror}.",
            remedy="Make it writable, or name another folder in WEFT_STATE.",
        ) from error
    return state


def _plain(text: str) -> Any:
    if not text.lstrip().startswith(("[", "{")):
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (RecursionError, ValueError):  # no TOML, or more of it than Python reads
        return text


def _near(name: str, known: Mapping[str, Any]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}."
