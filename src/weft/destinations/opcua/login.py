"""Discovery and the services that make and end sessions (OPC 10000-4, 5.4 and 5.6)."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from weft.destinations.opcua.channel import NO_SECURITY
from weft.destinations.opcua.codes import Refused, code
from weft.destinations.opcua.connection import Connection
from weft.destinations.opcua.identity import Gate, token_policies
from weft.destinations.opcua.request import Request
from weft.destinations.opcua.session import Session, Sessions
from weft.destinations.opcua.trust import leaf_of
from weft.runtime import get_logger
from weft.ua.certificate import Identity
from weft.ua.stack import ua

__all__ = ["Login"]

log = get_logger(__name__)

_TRANSPORT: Final = "http://opcfoundation.org/UA-Profile/Transport/uatcp-uasc-uabinary"
_LONGEST_NONCE: Final = 128
_SHORTEST_NONCE: Final = 32


class Login:
    """``offers`` are (policy URI, mode, level) of each endpoint."""

    def __init__(
        self,
        identity: Identity,
        gate: Gate,
        sessions: Sessions,
        name: str,
        offers: list[tuple[str, Any, int]],
        host: str,
    ) -> None:
        self.url = ""
        self._identity = identity
        self._der = identity.certificate.public_bytes(Encoding.DER)
        self._gate = gate
        self._sessions = sessions
        self._name = name
        self._offers = offers
        self._host = host

    def listens(self, port: int) -> None:
        host = f"[{self._host}]" if ":" in self._host else self._host
        self.url = f"opc.tcp://{host}:{port}"

    def get_endpoints(self, request: Request) -> None:
        wanted = request.read(ua.GetEndpointsParameters)
        request.answer(ua.GetEndpointsResponse(Endpoints=self._endpoints(self._reached(wanted.EndpointUrl))))

    def find_servers(self, request: Request) -> None:
        wanted = request.read(ua.FindServersParameters)
        mine = not wanted.ServerUris or self._identity.uri in wanted.ServerUris
        servers = [self._application(self._reached(wanted.EndpointUrl))] if mine else []
        request.answer(ua.FindServersResponse(Servers=servers))

    def create(self, request: Request) -> None:
        connection, wanted = request.connection, request.read(ua.CreateSessionParameters)
        channel = connection.channel
        if connection.session is not None:
            raise Refused(code.BadTooManySessions, "one session on each channel")
        if not channel.secure and not any(uri == NO_SECURITY for uri, _, _ in self._offers):
            raise Refused(code.BadSecurityPolicyRejected, "without security there is discovery only")
        if channel.certificate is not None:
            _check_application(channel.certificate, wanted)
        session = self._sessions.create(connection, float(wanted.RequestedSessionTimeout or 0))
        connection.session = session
        result = self._result(connection, session, wanted)
        request.answer(ua.CreateSessionResponse(Parameters=result))

    def activate(self, request: Request) -> None:
        wanted = request.read(ua.ActivateSessionParameters)
        connection = request.connection
        if connection.session is not None and connection.session.token != request.token:
            raise Refused(code.BadSessionIdInvalid, "one session on each channel")
        try:
            session = self._sessions.activate(request.token, connection, wanted)
        except Refused as refused:
            log.warning("login refused", peer=connection.address, why=str(refused))
            raise
        connection.session = session
        connection.channel.widen()
        log.info("login", peer=connection.address, user=session.user.actor if session.user else "")
        request.answer(
            ua.ActivateSessionResponse(Parameters=ua.ActivateSessionResult(ServerNonce=session.nonce))
        )

    def close(self, request: Request) -> None:
        """Its subscriptions go, too, whatever the client says: nobody could reach them any more."""
        session = request.connection.session
        if session is None or session.token != request.token:
            raise Refused(code.BadSessionIdInvalid)
        self._sessions.end(session)
        request.answer(ua.CloseSessionResponse())

    def _result(self, connection: Connection, session: Session, wanted: Any) -> Any:
        result = ua.CreateSessionResult()
        result.SessionId = ua.NodeId.from_string(session.id)
        result.AuthenticationToken = ua.NodeId.from_string(session.token)
        result.RevisedSessionTimeout = session.timeout * 1000
        result.ServerNonce = session.nonce
        result.ServerCertificate = self._der
        result.ServerEndpoints = self._endpoints(self._reached(wanted.EndpointUrl))
        if connection.channel.secure:
            policy = connection.channel.policy
            data = (wanted.ClientCertificate or b"") + (wanted.ClientNonce or b"")
            result.ServerSignature.Signature = policy.asymmetric_cryptography.signature(data)
            result.ServerSignature.Algorithm = policy.AsymmetricSignatureURI
        return result

    def _endpoints(self, url: str) -> list[Any]:
        return [
            ua.EndpointDescription(
                EndpointUrl=url,
                Server=self._application(url),
                ServerCertificate=self._der,
                SecurityMode=mode,
                SecurityPolicyUri=uri,
                UserIdentityTokens=token_policies(self._gate, uri),
                TransportProfileUri=_TRANSPORT,
                SecurityLevel=level,
            )
            for uri, mode, level in self._offers
        ]

    def _application(self, url: str) -> Any:
        return ua.ApplicationDescription(
            ApplicationUri=self._identity.uri,
            ProductUri="urn:weft",
            ApplicationName=ua.LocalizedText(self._name),
            ApplicationType=ua.ApplicationType.Server,
            DiscoveryUrls=[url],
        )

    def _reached(self, asked: str | None) -> str:
        """The address under which the client sees this server: it may stand behind a router."""
        try:
            url = urlsplit(asked or "")
            if url.scheme == "opc.tcp" and url.hostname and len(asked or "") < 300:
                return f"opc.tcp://{url.netloc}"
        except ValueError:
            pass  # then our own
        return self.url


def _check_application(certificate: x509.Certificate, wanted: Any) -> None:
    """The certificate in the request is the channel's, and the application the one it names. Raises Refused."""
    own = certificate.public_bytes(Encoding.DER)
    if not wanted.ClientCertificate or leaf_of(wanted.ClientCertificate)[0] != own:
        raise Refused(code.BadSecurityChecksFailed, "another certificate than the channel's")
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    except x509.ExtensionNotFound:
        uris = []
    if wanted.ClientDescription.ApplicationUri not in uris:
        raise Refused(
            code.BadCertificateUriInvalid, f"the certificate is for {', '.join(uris)[:100] or 'nobody'}"
        )
    if not _SHORTEST_NONCE <= len(wanted.ClientNonce or b"") <= _LONGEST_NONCE:
        raise Refused(code.BadNonceInvalid)
