"""The folder of a nats-server of one's own: credentials, configuration, log, store. All for one user only."""

from __future__ import annotations

import fcntl
import os
import random
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from weft.bus.gate import Gate, inbox_of
from weft.bus.session import Address
from weft.runtime import Conflict, NotFound

__all__ = ["MAX_PAYLOAD", "Login", "ServerFolder"]

MAX_PAYLOAD: Final = 8 << 20
MAX_MEMORY: Final = 1 << 30

# Below the ports that systems give to outgoing connections (Linux 32768, others 49152): a client that dials a
# dead port of that range again and again is, once in a while, given the same port and connected to itself.
PORTS: Final = range(20_000, 30_000)

_LOOPBACK: Final = "127.0.0.1"
_ACCOUNT: Final = "WEFT"
# Devices speak under their own topics; what Weft publishes and how it keeps it is not theirs.
# Answers are nobody's but theirs who asked: a device that heard them would see every sample that is read, and could
# forge the acknowledgement of one that is not stored.
_INNER: Final = ["$JS.>", "$SYS.>", "weft.>", "cmd.v1.>", "uns.v1.>", "events.v1.>", "_INBOX.>"]


def _not_for_devices(gate: Gate | None) -> dict[str, Any]:
    inner = [*_INNER, *(f"{inbox_of(edge.name)}.>" for edge in (gate.edges if gate else ()))]
    return {"publish": {"deny": inner}, "subscribe": {"deny": inner}}


class Login(msgspec.Struct, kw_only=True):
    """What ``login.json`` holds."""

    user: str = "weft"
    password: str = msgspec.field(default_factory=lambda: secrets.token_urlsafe(32))
    device_user: str = "device"
    device_password: str = msgspec.field(default_factory=lambda: secrets.token_urlsafe(32))
    port: int = 0
    mqtt_port: int = 0

    def __repr__(self) -> str:
        return f"<Login of {self.user}>"


class ServerFolder:
    def __init__(
        self,
        path: Path,
        *,
        port: int,
        mqtt_port: int | None,
        max_store: int,
        gate: Gate | None = None,
    ) -> None:
        self._gate = gate
        self.path = path.absolute()
        self.config = self.path / "server.conf"
        self.log = self.path / "server.log"
        self.errors = self.path / "server.err"
        self._port = port
        self._mqtt_port = mqtt_port
        self._max_store = max_store
        self._settled = False

    @property
    def login(self) -> Login:
        """Raises NotFound when no server has been here."""
        try:
            return msgspec.json.decode((self.path / "login.json").read_bytes(), type=Login)
        except FileNotFoundError as error:
            raise NotFound(f"There is no bus in {self.path}.", remedy="Start Weft there first.") from error

    @property
    def address(self) -> Address:
        login = self.login
        host = self._gate.near if self._gate else _LOOPBACK
        return Address(
            url=f"nats://{host}:{login.port}", user=login.user, password=login.password, synced=True
        )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """The folder for this process alone. Raises Conflict."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o700)
        with _private(self.path / "lock").open("r+") as file:
            try:
                # The kernel lets go of it when the process ends, however it ends.
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Conflict(
                    f"Another Weft runs its bus in {self.path}.", remedy="Stop it, or use another folder."
                ) from error
            yield

    def prepare(self) -> None:
        """Writes the configuration. Ports are chosen once in a life: clients dial them again after a crash."""
        try:
            login = self.login
        except NotFound:
            login = Login()
        if not self._settled:
            login.port = self._gate.port if self._gate else self._port or _free(login.port)
            if self._mqtt_port is not None:
                login.mqtt_port = self._mqtt_port or _free(login.mqtt_port, login.port)
            self._settled = True
            _write(self.path / "login.json", msgspec.json.encode(login))
        _write(self.config, msgspec.json.format(msgspec.json.encode(self._settings(login)), indent=1))
        _private(self.log)
        (self.path / "store").mkdir(mode=0o700, exist_ok=True)

    def last_words(self) -> str:
        """Why the server ended, as far as it said so."""
        for path in (self.errors, self.log):
            if path.is_file():
                lines = path.read_text(errors="replace")[-4_000:].splitlines()
                bad = [line for line in lines if "[FTL]" in line or "[ERR]" in line or path is self.errors]
                if bad:
                    return bad[-1][-300:].strip()
        return "it gave no reason"

    def _settings(self, login: Login) -> dict[str, Any]:
        users: list[dict[str, Any]] = [
            {"user": login.user, "password": login.password, "allowed_connection_types": ["STANDARD"]}
        ]
        settings: dict[str, Any] = {
            "listen": f"{self._gate.host if self._gate else _LOOPBACK}:{login.port}",
            "server_name": "weft",
            "log_file": str(self.log),
            "logfile_size_limit": 4 << 20,
            "logfile_max_num": 3,
            "max_payload": MAX_PAYLOAD,
            "jetstream": {
                "store_dir": str(self.path / "store"),
                "sync_interval": "always",
                "max_file_store": self._max_store,
                "max_memory_store": MAX_MEMORY,
            },
            "accounts": {_ACCOUNT: {"jetstream": "enabled", "users": users}},
        }
        if self._gate is not None:
            settings |= self._gate.settings()
            users.extend(self._gate.users())
        if self._mqtt_port is not None:
            settings["mqtt"] = {"listen": f"{_LOOPBACK}:{login.mqtt_port}"}
            users.append(
                {
                    "user": login.device_user,
                    "password": login.device_password,
                    "allowed_connection_types": ["MQTT"],
                    "permissions": _not_for_devices(self._gate),
                }
            )
        return settings


def _private(path: Path) -> Path:
    """The file, there, and for this user only."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    path.chmod(0o600)
    return path


def _write(path: Path, data: bytes) -> None:
    """All or nothing, and never readable by others."""
    new = _private(path.with_suffix(".new"))
    with new.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def _free(wanted: int, *taken: int) -> int:
    """The wanted port when it is free, else any."""
    for port in (wanted, *random.sample(PORTS, 100)):
        if port and port not in taken:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((_LOOPBACK, port))
                except OSError:
                    continue
                return port
    raise Conflict("There is no free port between 20000 and 30000.")
