"""Who may come in, first form: whoever can read the state folder, and browsers that such a person let in.

There is no password. A person with a shell on this machine gets a link that works once and for 30 minutes; it
becomes a session of that browser. Programs of the same user present the token that lies in the folder. Keys of
links and sessions are kept as SHA-256 only. Users and rights come with the security context; it replaces this
class behind ``identify``.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Final

import msgspec

from weft.runtime import Clock, Denied, NotFound, SystemClock

__all__ = ["Access", "Identity"]

SECOND: Final = 1_000_000_000
LINK_LIFE: Final = 30 * 60 * SECOND
SESSION_IDLE: Final = 24 * 3600 * SECOND
SESSION_LIFE: Final = 7 * 24 * 3600 * SECOND
TOUCH_EVERY: Final = 60 * SECOND

_KEY: Final = re.compile(r"[A-Za-z0-9_-]{20,64}")
_TOKEN: Final = re.compile(r"weft_[A-Za-z0-9_-]{43}")


class Identity(msgspec.Struct, frozen=True):
    """Who asks: ``via`` is ``session`` (a browser) or ``token`` (a program of this machine's user)."""

    name: str
    via: str


class Access:
    """Links, sessions and the local token, all in ``folder`` (made with mode 0700). Several processes may
    open the same folder: the command line makes links for the running instance."""

    def __init__(self, folder: Path, *, clock: Clock | None = None) -> None:
        self._clock: Clock = clock or SystemClock()
        self._folder = folder / "access"
        self._running: int | None = None
        for part in (self._folder, self._links, self._sessions):
            part.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Cookies know no ports: two instances on one host must not overwrite each other's.
        name = hashlib.sha256(str(self._folder.resolve()).encode()).hexdigest()[:8]
        self.cookie = f"weft-{name}"
        if not _TOKEN.fullmatch(_read(self._folder / "token").strip()):
            self._write("token", f"weft_{secrets.token_urlsafe(32)}")

    # --- for the command line and the composition root ------------------------------------------------------

    @property
    def address(self) -> str:
        """Where the running instance answers, as ``http://127.0.0.1:8080``. Raises NotFound, also when one that
        was killed left its address behind: whoever listens there by now must not be shown the token."""
        address = _read(self._folder / "address")
        if not address or not self._is_running():
            raise NotFound("Weft does not run on this plant.", remedy="Start it with `weft up`.")
        return address

    @property
    def token(self) -> str:
        """The bearer token for programs of this machine's user. Raises NotFound when it was taken away or is
        damaged: an empty file must not make an empty token the right one."""
        token = _read(self._folder / "token").strip()
        if not _TOKEN.fullmatch(token):
            raise NotFound("The local token is gone.", remedy="Restart Weft: it makes a new one.")
        return token

    def serving(self, address: str) -> None:
        """Weft answers at ``address`` from now on, as long as this process lives."""
        if self._running is None:
            self._running = os.open(self._folder / "running", os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._running, fcntl.LOCK_SH)  # the kernel lets go of it, however the process ends
        self._write("address", address)

    def stopped(self) -> None:
        (self._folder / "address").unlink(missing_ok=True)
        if self._running is not None:
            os.close(self._running)
            self._running = None

    def new_link(self) -> str:
        """A link that lets one browser in, once and within 30 minutes. Raises NotFound when nothing runs."""
        address = self.address
        key = secrets.token_urlsafe(16)
        self._write(f"links/{_hash(key)}", str(self._clock.now() + LINK_LIFE))
        return f"{address}/enter?key={key}"

    # --- for the web ----------------------------------------------------------------------------------------

    def enter(self, key: str) -> str:
        """Uses a link's key up and returns the secret of a new session. Raises Denied."""
        self._prune()
        place = self._links / _hash(key)
        try:
            expires = int(place.read_text())
            place.unlink()  # of two who try at once, one fails here
        except (FileNotFoundError, ValueError):
            expires = 0
        if not _KEY.fullmatch(key) or self._clock.now() > expires:
            raise Denied(
                "This link was used before, is older than 30 minutes or was never given out.",
                remedy="Type `weft link` in a terminal on the machine that runs Weft for a new one.",
            )
        secret = secrets.token_urlsafe(32)
        now = self._clock.now()
        self._write(f"sessions/{_hash(secret)}", f"{now} {now}")
        return secret

    def leave(self, headers: Mapping[str, str]) -> None:
        """Ends the session of this browser."""
        secret = self._cookie_of(headers)
        if secret:
            (self._sessions / _hash(secret)).unlink(missing_ok=True)

    def identify(self, headers: Mapping[str, str]) -> Identity | None:
        """Who sends these headers (names in lower case)."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return Identity("local", "token") if self._is_token(given.strip()) else None
        secret = self._cookie_of(headers)
        return Identity("browser", "session") if secret and self._is_session(secret) else None

    # --- inside ---------------------------------------------------------------------------------------------

    @property
    def _links(self) -> Path:
        return self._folder / "links"

    @property
    def _sessions(self) -> Path:
        return self._folder / "sessions"

    def _is_running(self) -> bool:
        try:
            file = os.open(self._folder / "running", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        return False

    def _is_token(self, given: str) -> bool:
        try:
            return hmac.compare_digest(self.token.encode(), given.encode())
        except NotFound:
            return False

    def _is_session(self, secret: str) -> bool:
        place = self._sessions / _hash(secret)
        now = self._clock.now()
        times = _times(place)
        if times is None:
            return False
        begun, seen = times
        if now - begun > SESSION_LIFE or now - seen > SESSION_IDLE:
            place.unlink(missing_ok=True)
            return False
        if now - seen > TOUCH_EVERY:
            self._write(f"sessions/{place.name}", f"{begun} {now}")
        return True

    def _cookie_of(self, headers: Mapping[str, str]) -> str:
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return ""
        return morsel.value if morsel and _KEY.fullmatch(morsel.value) else ""

    def _prune(self) -> None:
        now = self._clock.now()
        for place in list(self._links.iterdir()):
            text = _read(place)
            if text.isdecimal() and int(text) < now:
                place.unlink(missing_ok=True)
        for place in list(self._sessions.iterdir()):
            times = _times(place)
            if times is not None and (now - times[0] > SESSION_LIFE or now - times[1] > SESSION_IDLE):
                place.unlink(missing_ok=True)

    def _write(self, name: str, text: str) -> None:
        """In one step, so that another process never reads half of it, and neither does a start after a power
        cut."""
        place = self._folder / name
        fresh = self._folder / f"new-{secrets.token_hex(8)}"
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(handle)
        fresh.replace(place)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _read(place: Path) -> str:
    try:
        return place.read_text()
    except FileNotFoundError:
        return ""


def _times(place: Path) -> tuple[int, int] | None:
    """When a session began and was last seen, ns UTC."""
    begun, _, seen = _read(place).partition(" ")
    return (int(begun), int(seen)) if begun.isdecimal() and seen.isdecimal() else None
