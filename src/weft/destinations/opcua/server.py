"""The server put together: address space, sessions, subscriptions, and which service answers which request."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import anyio
from asyncua.crypto import security_policies
from cryptography.hazmat.primitives.serialization import Encoding

from weft.destinations.opcua.attributes import MOST_NODES, Attributes
from weft.destinations.opcua.channel import NO_SECURITY, Rules
from weft.destinations.opcua.codes import Refused, code
from weft.destinations.opcua.config import Config
from weft.destinations.opcua.desk import Desk
from weft.destinations.opcua.identity import Gate
from weft.destinations.opcua.listener import Listener
from weft.destinations.opcua.login import Login
from weft.destinations.opcua.methods import Methods
from weft.destinations.opcua.monitoring import Monitoring
from weft.destinations.opcua.pipe import Login as Account
from weft.destinations.opcua.pipe import Rejected, Wish
from weft.destinations.opcua.portions import Portions
from weft.destinations.opcua.request import Request
from weft.destinations.opcua.session import Sessions
from weft.destinations.opcua.space import Space
from weft.destinations.opcua.trust import Trust
from weft.destinations.opcua.values import Values
from weft.destinations.opcua.view import View
from weft.destinations.opcua.watch import Watch
from weft.ua import guard
from weft.ua.certificate import fingerprint, own_identity
from weft.ua.stack import ua

__all__ = ["Server"]

_policies: Final[Any] = security_policies  # untyped
_LEVELS: Final = {"Basic256Sha256": 0, "Aes128Sha256RsaOaep": 5, "Aes256Sha256RsaPss": 10}
_MODES: Final = {"Sign": 50, "SignAndEncrypt": 70}


_Service = tuple[Callable[[Request], None], bool]


class Server:
    """``folder`` holds certificates; ``tell`` sends wishes of clients to the house."""

    def __init__(
        self, config: Config, accounts: list[Account], folder: Path, tell: Callable[[Wish | Rejected], None]
    ) -> None:
        guard.install()
        identity = own_identity(folder, role="server", addresses=(config.host, *config.addresses))
        der = identity.certificate.public_bytes(Encoding.DER)
        trust = Trust(
            folder,
            require_revocation_list=config.require_revocation_list,
            rejected=lambda what: tell(Rejected(what)),
        )
        self.fingerprint = fingerprint(der)
        self.values = Values()
        self.watch = Watch(self.values, config.max_subscriptions, config.max_monitored_items)
        self.space = Space(self.values, (identity.uri, config.namespace), self.watch.gone)
        self.desk = Desk(tell, config.write_timeout)
        gate = Gate(accounts, identity.key, anonymous=config.anonymous)
        self.sessions = Sessions(gate, der, config.max_sessions, config.login_timeout)
        offers = _offers(config)
        self._login = Login(identity, gate, self.sessions, config.name, offers, config.host)
        policies = [_factory(uri, mode, identity) for uri, mode, _ in offers if uri != NO_SECURITY]
        rules = Rules(policies, trust, config.max_message_mb << 20, _Identifiers())
        self.listener = Listener(config, rules, self.sessions, self._dispatch)
        self._services = self._table()
        _describe(self.space, config)

    async def open(self) -> int:
        """The port at which it listens from now on. Raises NeedsHuman."""
        await self.listener.open()
        self._login.listens(self.listener.port)
        return self.listener.port

    async def run(self) -> None:
        """Serves until cancelled, once it is open."""
        async with anyio.create_task_group() as group:
            group.start_soon(self.listener.run)
            group.start_soon(self.listener.sweep)
            group.start_soon(self.watch.run)

    def _dispatch(self, request: Request) -> None:
        service = self._services.get(request.kind)
        if service is None:
            raise Refused(code.BadServiceUnsupported, request.kind)
        act, needs_session = service
        if needs_session:
            request.session = self.sessions.find(request.token, request.connection)
            request.session.touch()
        act(request)

    def _table(self) -> dict[str, _Service]:
        portions = Portions()
        attributes = Attributes(self.space, self.desk, portions)
        view, login = View(self.space, portions), self._login
        monitoring = Monitoring(self.space, attributes, self.watch)
        free: dict[str, Callable[[Request], None]] = {
            "GetEndpoints": login.get_endpoints,
            "FindServers": login.find_servers,
            "CreateSession": login.create,
            "ActivateSession": login.activate,
            "CloseSession": login.close,
        }
        bound: dict[str, Callable[[Request], None]] = {
            "Read": attributes.read,
            "Write": attributes.write,
            "Call": Methods(self.space, self.desk).call,
            "Browse": view.browse,
            "BrowseNext": view.browse_next,
            "TranslateBrowsePathsToNodeIds": view.translate,
            "RegisterNodes": view.register,
            "UnregisterNodes": view.unregister,
            "CreateSubscription": monitoring.create_subscription,
            "ModifySubscription": monitoring.modify_subscription,
            "DeleteSubscriptions": monitoring.delete_subscriptions,
            "SetPublishingMode": monitoring.set_publishing_mode,
            "TransferSubscriptions": monitoring.transfer,
            "Publish": monitoring.publish,
            "Republish": monitoring.republish,
            "CreateMonitoredItems": monitoring.create_items,
            "ModifyMonitoredItems": monitoring.modify_items,
            "DeleteMonitoredItems": monitoring.delete_items,
            "SetMonitoringMode": monitoring.set_monitoring_mode,
        }
        table: dict[str, _Service] = {_kind(name): (act, False) for name, act in free.items()}
        return table | {_kind(name): (act, True) for name, act in bound.items()}


class _Identifiers:
    """Channel ids that nobody guesses from the one before."""

    def __init__(self) -> None:
        self._next = itertools.count(1 + secrets.randbelow(1 << 30), 1 + secrets.randbelow(1 << 10))

    def get_new_channel_id(self) -> int:
        return 1 + next(self._next) % 0xFFFFFFFE


def _kind(service: str) -> str:
    return f"i={int(getattr(ua.ObjectIds, f'{service}Request_Encoding_DefaultBinary'))}"


def _offers(config: Config) -> list[tuple[str, Any, int]]:
    """Policy URI, mode and level of each endpoint, the strongest first."""
    found = [
        (
            str(getattr(security_policies, f"SecurityPolicy{policy}").URI),
            ua.MessageSecurityMode[mode],
            _MODES[mode] + _LEVELS[policy],
        )
        for policy in config.policies
        for mode in config.modes
    ]
    found.sort(key=lambda offer: -offer[2])
    if config.insecure:
        found.append((NO_SECURITY, ua.MessageSecurityMode.None_, 0))
    return found


def _factory(uri: str, mode: Any, identity: Any) -> Any:
    name = uri.rpartition("#")[2].replace("_", "")
    policy = getattr(security_policies, f"SecurityPolicy{name}")
    return _policies.SecurityPolicyFactory(policy, mode, identity.certificate, identity.key)


def _describe(space: Space, config: Config) -> None:
    """What the standard's Server object says of this server (OPC 10000-5, 6.3)."""
    begun = datetime.now(UTC)
    ids = ua.ObjectIds
    build = ua.BuildInfo("urn:weft", "Weft", config.name, "", "", begun)

    def status() -> Any:
        return ua.ServerStatusDataType(begun, datetime.now(UTC), ua.ServerState.Running, build, 0)

    space.compute(ids.Server_ServerStatus, status)
    space.compute(ids.Server_ServerStatus_CurrentTime, lambda: datetime.now(UTC))
    space.set(ids.Server_ServerStatus_StartTime, begun, "DateTime")
    space.set(ids.Server_ServerStatus_State, int(ua.ServerState.Running), "Int32")
    space.set(ids.Server_ServerStatus_BuildInfo, build, "ExtensionObject")
    for name, value in (
        ("ProductUri", "urn:weft"),
        ("ManufacturerName", "Weft"),
        ("ProductName", config.name),
    ):
        space.set(getattr(ids, f"Server_ServerStatus_BuildInfo_{name}"), value, "String")
    space.set(ids.Server_ServiceLevel, 255, "Byte")
    limits = "Server_ServerCapabilities_OperationLimits_MaxNodesPer"
    for name in ("Read", "Browse", "RegisterNodes", "TranslateBrowsePathsToNodeIds"):
        space.set(getattr(ids, limits + name), MOST_NODES, "UInt32")
    space.set(getattr(ids, limits + "Write"), 1000, "UInt32")
    space.set(getattr(ids, limits + "MethodCall"), 100, "UInt32")
    space.set(ids.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall, MOST_NODES, "UInt32")
    space.set(ids.Server_ServerCapabilities_MaxBrowseContinuationPoints, 20, "UInt16")
    space.set(ids.Server_ServerCapabilities_MinSupportedSampleRate, 0.0, "Double")
