"""A secure channel: hello, keys, chunks to messages and back (OPC 10000-6, 6.7 and 7.1). The cryptography is
asyncua's; who may open one, for how long and with how many bytes is decided here."""

from __future__ import annotations

import time
from typing import Any, Final, NamedTuple

from asyncua.common.connection import SecureConnection, TransportLimits
from asyncua.common.utils import Buffer
from asyncua.crypto import security_policies
from asyncua.ua.ua_binary import (
    header_from_binary,
    nodeid_from_binary,
    struct_from_binary,
    struct_to_binary,
    uatcp_to_binary,
)
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from weft.destinations.opcua.codes import Refused, code
from weft.destinations.opcua.trust import Trust, leaf_of
from weft.ua.guard import FAULTS
from weft.ua.stack import ua

__all__ = ["MAX_CHUNK", "NO_SECURITY", "Channel", "Message", "Rules", "goodbye"]

MAX_CHUNK: Final = 65535
_policies: Final[Any] = security_policies  # untyped
NO_SECURITY: Final = str(_policies.SecurityPolicyNone.URI)
_SMALLEST_CHUNK: Final = 8192
_BEFORE_LOGIN: Final = 256 * 1024
_LONGEST_LIFE: Final = 3_600_000  # ms
_SHORTEST_LIFE: Final = 10_000
_FAULTS: Final = (*FAULTS, InvalidSignature, OverflowError)


class Rules(NamedTuple):
    """What all channels of a server share. ``policies`` are asyncua's factories, without the one for no security."""

    policies: list[Any]
    trust: Trust
    max_message: int
    identifiers: Any


class Message(NamedTuple):
    """A request: its number on the channel and its bytes."""

    id: int
    body: bytes


class Channel:
    """``certificate`` is the client's, already judged; None without security. ``expires`` is monotonic."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._limits = TransportLimits(MAX_CHUNK, MAX_CHUNK, _BEFORE_LOGIN // _SMALLEST_CHUNK, _BEFORE_LOGIN)
        self._connection = _Connection(_policies.SecurityPolicyNone(), self._limits)
        self._connection.set_policy_factories(rules.policies)
        self._greeted = False
        self.certificate: x509.Certificate | None = None
        self.expires = float("inf")
        self.max_response = 0

    @property
    def open(self) -> bool:
        return bool(self._connection.is_open())

    @property
    def policy(self) -> Any:
        """asyncua's policy of this channel."""
        return self._connection.security_policy

    @property
    def secure(self) -> bool:
        return bool(self.policy.URI != NO_SECURITY)

    @property
    def encrypts(self) -> bool:
        return self.secure and self.policy.Mode == ua.MessageSecurityMode.SignAndEncrypt

    def widen(self) -> None:
        """After the login: larger messages."""
        self._limits.max_message_size = self._rules.max_message
        self._limits.max_chunk_count = self._rules.max_message // _SMALLEST_CHUNK

    def take(self, chunk: bytes) -> tuple[bytes, Message | None]:
        """What is to be answered at once, and the request that this chunk completes. Raises Refused; then the
        connection is to be closed."""
        try:
            header = header_from_binary(Buffer(chunk))
            body = _after(chunk, header)
            if header.MessageType == ua.MessageType.Hello:
                return self._hello(body), None
            if not self._greeted:
                raise Refused(code.BadTcpMessageTypeInvalid, "a hello comes first")
            if header.MessageType == ua.MessageType.SecureOpen:
                return self._open(header, body, chunk), None
            return b"", self._message(header, body)
        except ua.UaStatusCodeError as error:
            raise Refused(error.code, "the transport's limits") from error
        except _FAULTS as error:
            raise Refused(code.BadSecurityChecksFailed, f"{type(error).__name__}: {error}") from error

    def pack(self, id: int, response: bytes) -> bytes:
        """A response's chunks. Raises Refused when the client does not take as many bytes."""
        if self.max_response and len(response) > self.max_response:
            raise Refused(code.BadResponseTooLarge, f"{len(response)} bytes")
        return bytes(self._connection.message_to_binary(response, request_id=id))

    def _hello(self, body: Buffer) -> bytes:
        if self._greeted:
            raise Refused(code.BadTcpMessageTypeInvalid, "a second hello")
        hello = struct_from_binary(ua.Hello, body)
        if hello.ReceiveBufferSize < _SMALLEST_CHUNK or hello.SendBufferSize < _SMALLEST_CHUNK:
            raise Refused(code.BadTcpNotEnoughResources, f"chunks of at least {_SMALLEST_CHUNK} bytes")
        self._greeted = True
        self._limits.max_send_buffer = min(int(hello.ReceiveBufferSize), MAX_CHUNK)
        self.max_response = int(hello.MaxMessageSize)
        acknowledge = ua.Acknowledge(
            ReceiveBufferSize=MAX_CHUNK,
            SendBufferSize=self._limits.max_send_buffer,
            MaxMessageSize=self._rules.max_message,
            MaxChunkCount=self._rules.max_message // _SMALLEST_CHUNK,
        )
        return bytes(uatcp_to_binary(ua.MessageType.Acknowledge, acknowledge))

    def _open(self, header: Any, body: Buffer, chunk: bytes) -> bytes:
        security = struct_from_binary(ua.AsymmetricAlgorithmHeader, _after(chunk, header))
        first = not self.open
        if first:
            self._admit(security)
        message = self._connection.receive_from_header_and_body(header, body)
        if message is None:
            raise Refused(code.BadTcpMessageTypeInvalid, "an opening in pieces")
        data = message.body()
        kind = nodeid_from_binary(data)
        if kind != ua.NodeId(ua.ObjectIds.OpenSecureChannelRequest_Encoding_DefaultBinary):
            raise Refused(code.BadTcpMessageTypeInvalid, "not an opening")
        request = struct_from_binary(ua.OpenSecureChannelRequest, message.body())
        return self._opened(request, message.SequenceHeader().RequestId, security, first)

    def _opened(self, request: Any, id: int, security: Any, first: bool) -> bytes:
        parameters = request.Parameters
        if first:
            if parameters.RequestType != ua.SecurityTokenRequestType.Issue:
                raise Refused(code.BadTcpSecureChannelUnknown, "a renewal of a channel that is not open")
            self._choose(security, parameters.SecurityMode)
        elif parameters.RequestType != ua.SecurityTokenRequestType.Renew:
            raise Refused(code.BadRequestTypeInvalid, "a second channel on one connection")
        elif self.secure and parameters.SecurityMode != self.policy.Mode:
            raise Refused(code.BadSecurityModeRejected, "a renewal in another mode")
        if self.secure and len(parameters.ClientNonce or b"") < self.policy.secure_channel_nonce_length:
            raise Refused(code.BadNonceInvalid, "its nonce is too short")
        life = min(max(int(parameters.RequestedLifetime) or _LONGEST_LIFE, _SHORTEST_LIFE), _LONGEST_LIFE)
        parameters.RequestedLifetime = life
        response = ua.OpenSecureChannelResponse()
        response.Parameters = self._connection.open(parameters, self._rules.identifiers)
        response.ResponseHeader.RequestHandle = request.RequestHeader.RequestHandle
        self.expires = time.monotonic() + life * 1.25 / 1000
        return bytes(
            self._connection.message_to_binary(struct_to_binary(response), ua.MessageType.SecureOpen, id)
        )

    def _admit(self, security: Any) -> None:
        """Before a single byte is decrypted: the policy is offered and the certificate good."""
        if security.SecurityPolicyURI == NO_SECURITY:
            return
        if not any(factory.matches(security.SecurityPolicyURI) for factory in self._rules.policies):
            raise Refused(
                code.BadSecurityPolicyRejected, f"{str(security.SecurityPolicyURI)[:80]} is not offered"
            )
        self.certificate = self._rules.trust.judge(leaf_of(security.SenderCertificate or b""))

    def _choose(self, security: Any, mode: Any) -> None:
        if security.SecurityPolicyURI == NO_SECURITY:
            if mode != ua.MessageSecurityMode.None_:
                raise Refused(code.BadSecurityModeRejected, "security without a policy")
            return
        if not any(factory.matches(security.SecurityPolicyURI, mode) for factory in self._rules.policies):
            raise Refused(code.BadSecurityModeRejected, "this mode is not offered")
        self._connection.select_policy(security.SecurityPolicyURI, security.SenderCertificate, mode)

    def _message(self, header: Any, body: Buffer) -> Message | None:
        if not self.open:
            raise Refused(code.BadTcpSecureChannelUnknown, "no channel is open")
        if time.monotonic() > self.expires:
            raise Refused(code.BadSecureChannelTokenUnknown, "its keys were not renewed in time")
        if header.MessageType == ua.MessageType.SecureClose:
            raise Refused(code.Good, "goodbye")
        if header.MessageType != ua.MessageType.SecureMessage:
            raise Refused(code.BadTcpMessageTypeInvalid, "an unknown kind of message")
        message = self._connection.receive_from_header_and_body(header, body)
        if message is None:
            return None
        whole = message.body()
        return Message(int(message.SequenceHeader().RequestId), bytes(whole.read(len(whole))))


class _Connection(SecureConnection):
    """Takes the peer's own certificate out of a chain: asyncua refuses more than one."""

    def select_policy(self, uri: str, peer_certificate: bytes | None, mode: Any = None) -> None:
        alone = leaf_of(peer_certificate)[0] if peer_certificate else peer_certificate
        super().select_policy(uri, alone, mode)


def _after(chunk: bytes, header: Any) -> Buffer:
    rest = Buffer(chunk)
    rest.skip(header.header_size)
    return rest


def goodbye(status: int, reason: str) -> bytes:
    """The Error message (OPC 10000-6, 7.1.2.5)."""
    return bytes(uatcp_to_binary(ua.MessageType.Error, ua.ErrorMessage(ua.StatusCode(status), reason[:200])))
