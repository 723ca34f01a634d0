"""Sessions: made, activated, found again by their token after a lost connection, ended (OPC 10000-4, 5.6)."""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.serialization import Encoding

from weft.destinations.opcua.codes import Refused, code
from weft.destinations.opcua.identity import Gate, Proof, User, verify

if TYPE_CHECKING:
    from weft.destinations.opcua.connection import Connection
    from weft.destinations.opcua.publishing import PublishRequest, Subscription

__all__ = ["Session", "Sessions"]

_NONCE: Final = 32
_SHORTEST: Final = 5.0
_LONGEST: Final = 600.0
_MOST_CONTINUATIONS: Final = 20
_MOST_OBITUARIES: Final = 100


class Session:
    """``connection`` is None while it waits for its client to come back. ``continuations`` are the rests of
    answers to Browse, by their point; ``requests`` the Publish requests to be answered, ``obituaries`` the last
    notifications of subscriptions that ended without the client."""

    def __init__(self, connection: Connection, timeout: float) -> None:
        self.id = f"ns=1;g={_guid()}"
        self.token = f"ns=1;s={secrets.token_urlsafe(32)}"
        self.nonce = secrets.token_bytes(_NONCE)
        self.connection: Connection | None = connection
        self.certificate = connection.channel.certificate
        self.user: User | None = None
        self.timeout = timeout
        self.touched = time.monotonic()
        self.subscriptions: dict[int, Subscription] = {}
        self.continuations: dict[bytes, Any] = {}
        self.requests: deque[PublishRequest] = deque()
        self.obituaries: deque[tuple[int, bytes]] = deque(maxlen=_MOST_OBITUARIES)

    @property
    def active(self) -> bool:
        return self.user is not None

    @property
    def writes(self) -> bool:
        return self.user is not None and self.user.write

    def touch(self) -> None:
        self.touched = time.monotonic()

    def keep(self, rest: Any) -> bytes:
        """A continuation point for ``rest``; the oldest of too many is given up."""
        point = secrets.token_bytes(8)
        while len(self.continuations) >= _MOST_CONTINUATIONS:
            self.continuations.pop(next(iter(self.continuations)))
        self.continuations[point] = rest
        return point


class Sessions:
    """``certificate`` is the server's own, DER."""

    def __init__(self, gate: Gate, certificate: bytes, most: int, login_timeout: float) -> None:
        self._gate = gate
        self._certificate = certificate
        self._most = most
        self._login_timeout = login_timeout
        self._by_token: dict[str, Session] = {}

    def __len__(self) -> int:
        return len(self._by_token)

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._by_token.values()))

    def create(self, connection: Connection, requested: float) -> Session:
        """``requested`` timeout in ms. Raises Refused."""
        if len(self._by_token) >= self._most:
            raise Refused(code.BadTooManySessions, f"{self._most} sessions")
        timeout = min(max(requested / 1000, _SHORTEST), _LONGEST) if requested > 0 else _LONGEST
        session = Session(connection, timeout)
        self._by_token[session.token] = session
        return session

    def find(self, token: str, connection: Connection) -> Session:
        """The activated session of a request. Raises Refused: a token alone is not enough, it must come over the
        session's own channel."""
        session = self._by_token.get(token)
        if session is None:
            raise Refused(code.BadSessionIdInvalid)
        if session.connection is not connection:
            raise Refused(code.BadSecureChannelIdInvalid, "another channel's session")
        if not session.active:
            raise Refused(code.BadSessionNotActivated)
        return session

    def activate(self, token: str, connection: Connection, parameters: Any) -> Session:
        """Also for another user, and over another channel of the same application. Raises Refused."""
        session = self._by_token.get(token)
        if session is None:
            raise Refused(code.BadSessionIdInvalid)
        channel = connection.channel
        if session.certificate != channel.certificate:
            raise Refused(code.BadSecurityChecksFailed, "the session belongs to another application")
        if not session.active and session.connection is not connection:
            raise Refused(code.BadSecureChannelIdInvalid, "first activated on its own channel")
        if channel.certificate is not None:
            verify(channel.certificate, parameters.ClientSignature, self._certificate + session.nonce)
        proof = Proof(session.nonce, self._certificate, connection.address)
        user = self._gate.enter(parameters.UserIdentityToken, parameters.UserTokenSignature, channel, proof)
        if session.connection is not connection:
            if channel.certificate is None and session.user != user:
                raise Refused(code.BadIdentityTokenRejected, "another user than before")
            self._move(session, connection)
        session.user = user
        session.nonce = secrets.token_bytes(_NONCE)
        session.touch()
        return session

    def end(self, session: Session) -> None:
        """With all that it has: subscriptions never outlive their session here."""
        self._by_token.pop(session.token, None)
        for subscription in list(session.subscriptions.values()):
            subscription.end()
        if session.connection is not None:
            session.connection.session = None
            session.connection = None

    def leave(self, session: Session) -> None:
        """Its connection is lost; with subscriptions it waits for its client to come back."""
        session.connection = None
        session.requests.clear()
        if not session.active or not session.subscriptions:
            self.end(session)

    def sweep(self, now: float) -> None:
        """Ends those that were not used for too long."""
        for session in self:
            limit = session.timeout if session.active else self._login_timeout
            if now - session.touched > limit:
                self.end(session)

    @staticmethod
    def _move(session: Session, connection: Connection) -> None:
        if session.connection is not None:
            session.connection.session = None
            session.requests.clear()
        session.connection = connection


def certificate_der(session: Session) -> bytes:
    return b"" if session.certificate is None else session.certificate.public_bytes(Encoding.DER)


def _guid() -> str:
    text = secrets.token_hex(16)
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
