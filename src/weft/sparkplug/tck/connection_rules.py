"""Statements about connections of edge nodes: wills, clean sessions, subscriptions, good-byes, waiting for a primary
host. They need a recording of connections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from weft.sparkplug.datatype import DataType
from weft.sparkplug.state import HostState
from weft.sparkplug.tck.rule import Looks, Rules
from weft.sparkplug.tck.view import BDSEQ, BIRTHS, DATA, Connection, Sent, View
from weft.sparkplug.topic import NAMESPACE, Verb, parse_topic, state_host, state_topic

__all__ = ["RULES", "covers_topic", "end_of", "names"]

RULES: Final = Rules()

DISCONNECT_WITH_WILL: Final = 0x04
_AT_ONCE: Final = 300_000_000  # ns within which who leaves because of a message has left


def names(connections: Iterable[Connection]) -> Iterator[tuple[Connection, str]]:
    return ((connection, connection.connect.client) for connection in connections)


# --- edge nodes ------------------------------------------------------------------------------------------------


@RULES("principles-persistence-clean-session-311")
def _edge_clean(view: View) -> Looks:
    yield from ((c.connect.clean, name) for c, name in names(view.edges) if c.connect.version < 5)


@RULES("principles-persistence-clean-session-50")
def _edge_clean_5(view: View) -> Looks:
    yield from (
        (c.connect.clean and not c.connect.expiry, name)
        for c, name in names(view.edges)
        if c.connect.version == 5
    )


@RULES("message-flow-edge-node-birth-publish-will-message payloads-ndeath-will-message")
def _edge_will(view: View) -> Looks:
    yield from ((bool(c.connect.topic), name) for c, name in names(view.edges))


@RULES("message-flow-edge-node-birth-publish-will-message-topic")
def _edge_will_topic(view: View) -> Looks:
    for connection, name in names(view.edges):
        if connection.connect.topic:
            nodes = {s.node for s in connection.sent if s.verb in (*BIRTHS, *DATA)}
            will = connection.will
            yield will.verb is Verb.NDEATH and nodes <= {will.node}, f"{name}: {connection.connect.topic}"


@RULES("message-flow-edge-node-birth-publish-will-message-payload")
def _edge_will_payload(view: View) -> Looks:
    yield from ((c.will.payload is not None, name) for c, name in names(view.edges) if c.connect.topic)


@RULES("message-flow-edge-node-birth-publish-will-message-qos payloads-ndeath-will-message-qos")
def _edge_will_qos(view: View) -> Looks:
    yield from ((c.connect.qos == 1, name) for c, name in names(view.edges) if c.connect.topic)


@RULES("message-flow-edge-node-birth-publish-will-message-will-retained payloads-ndeath-will-message-retain")
def _edge_will_retain(view: View) -> Looks:
    yield from ((not c.connect.retain, name) for c, name in names(view.edges) if c.connect.topic)


def _in_turn(view: View) -> Iterator[tuple[Connection | None, Connection]]:
    """Connections of one node, each with the one before."""
    before: dict[tuple[str, str], Connection] = {}
    for connection in view.edges:
        if connection.will.verb is Verb.NDEATH:
            yield before.get(connection.will.node), connection
            before[connection.will.node] = connection


@RULES("message-flow-edge-node-birth-publish-will-message-payload-bdSeq")
def _will_bdseq(view: View) -> Looks:
    for before, connection in _in_turn(view):
        metric = connection.will.payload.named(BDSEQ) if connection.will.payload else None
        typed = metric is not None and metric.datatype == DataType.INT64
        yield typed and _one_more(before, connection), connection.connect.client


@RULES("topics-nbirth-bdseq-increment")
def _bdseq_counts(view: View) -> Looks:
    for before, connection in _in_turn(view):
        if before is not None:
            yield _one_more(before, connection), connection.connect.client


def _one_more(before: Connection | None, connection: Connection) -> bool:
    if before is None:
        return True
    last, now = before.will.number(BDSEQ), connection.will.number(BDSEQ)
    return last is not None and now == (last + 1) % 256


def _births(view: View) -> Iterator[tuple[Connection, Sent]]:
    for connection in view.edges:
        yield from ((connection, sent) for sent in connection.sent if sent.verb is Verb.NBIRTH)


@RULES("topics-nbirth-bdseq-matching payloads-nbirth-bdseq-repeat")
def _birthcovers_topic(view: View) -> Looks:
    for connection, sent in _births(view):
        yield sent.number(BDSEQ) == connection.will.number(BDSEQ), str(sent)


@RULES("message-flow-edge-node-birth-publish-nbirth-payload-bdSeq")
def _birth_bdseq(view: View) -> Looks:
    for connection, sent in _births(view):
        metric = sent.payload.named(BDSEQ) if sent.payload else None
        fine = metric is not None and metric.datatype == DataType.INT64
        yield fine and sent.number(BDSEQ) == connection.will.number(BDSEQ), str(sent)


@RULES("message-flow-edge-node-birth-publish-connect")
def _connected(view: View) -> Looks:
    connected: set[str] = set()
    for entry in view.entries if view.wide else []:
        if entry.kind == "connect":
            connected.add(entry.client)
        elif entry.kind in ("disconnect", "lost"):
            connected.discard(entry.client)
        elif entry.kind == "publish" and entry.client:
            topic = parse_topic(entry.topic)
            if topic is not None and topic.verb in BIRTHS:
                yield entry.client in connected, entry.topic


@RULES("message-flow-edge-node-ncmd-subscribe")
def _listens(view: View) -> Looks:
    for connection, name in names(view.edges):
        if any(sent.verb is Verb.NBIRTH for sent in connection.sent):
            group, node = connection.will.node
            yield _covers(connection, f"{NAMESPACE}/{group}/NCMD/{node}"), name


@RULES("message-flow-device-dcmd-subscribe")
def _devices_listen(view: View) -> Looks:
    for connection, name in names(view.edges):
        for sent in connection.sent:
            if sent.verb is Verb.DBIRTH and sent.topic is not None and _writable(sent):
                yield (
                    _covers(connection, str(sent.topic._replace(verb=Verb.DCMD))),
                    f"{name}: {sent.topic.device}",
                )


def _writable(sent: Sent) -> bool:
    """Whether the device says that something of it can be written."""
    told = [metric.properties.get("readOnly") for metric in sent.metrics if metric.properties is not None]
    return any(value is not None and value.value is False for value in told)


def _covers(connection: Connection, topic: str) -> bool:
    return any(qos == 1 and covers_topic(name, topic) for name, qos in connection.subscriptions())


def covers_topic(name: str, topic: str) -> bool:
    wanted, levels = name.split("/"), topic.split("/")
    for i, part in enumerate(wanted):
        if part == "#":
            return True
        if i >= len(levels) or part not in ("+", levels[i]):
            return False
    return len(wanted) == len(levels)


@RULES(
    "operational-behavior-edge-node-intentional-disconnect-ndeath payloads-ndeath-will-message-publisher",
    "payloads-ndeath-will-message-publisher-disconnect-mqtt311",
)
def _says_good_bye(view: View) -> Looks:
    for connection, name in names(view.edges):
        if connection.ending == "disconnect" and connection.connect.version < 5:
            last = [sent for sent in connection.sent if sent.topic is not None]
            yield bool(last) and last[-1].verb is Verb.NDEATH, name


@RULES("payloads-ndeath-will-message-publisher-disconnect-mqtt50")
def _says_good_bye_5(view: View) -> Looks:
    for connection, name in names(view.edges):
        if connection.ending == "disconnect" and connection.connect.version == 5:
            yield connection.entries[-1].reason == DISCONNECT_WITH_WILL, name


@RULES("operational-behavior-edge-node-intentional-disconnect-packet")
def _may_disconnect(view: View) -> Looks:
    yield from ((True, name) for c, name in names(view.edges) if c.ending == "disconnect")


# --- edge nodes that wait for a primary host -------------------------------------------------------------------


def _waiting(view: View) -> Iterator[tuple[Connection, str]]:
    """Nodes that subscribe to the STATE of one host: that is theirs."""
    for connection in view.edges:
        hosts = {state_host(name) for name, _ in connection.subscriptions()} - {"", "+", "#"}
        if len(hosts) == 1:
            yield connection, hosts.pop()


def _states(view: View, host: str) -> list[tuple[int, HostState]]:
    """What the host told, and when; the broker's word for it included."""
    told = [(s.entry.time, s.state) for s in view.states if state_host(s.entry.topic) == host and s.state]
    for connection in view.hosts:
        will = connection.will.state
        if state_host(connection.connect.topic) == host and will and connection.ending == "lost":
            told.append((connection.entries[-1].time, will))
    return sorted(told, key=lambda pair: pair[0])


@RULES(
    "message-flow-edge-node-birth-publish-phid-wait message-flow-edge-node-birth-publish-phid-wait-id",
    "message-flow-edge-node-birth-publish-phid-wait-online operational-behavior-edge-node-birth-sequence-wait",
)
def _waits(view: View) -> Looks:
    """No birth before the host was online for the first time in the recording, or was said to be offline only."""
    for connection, host in _waiting(view):
        births = [s.entry.time for s in connection.sent if s.verb is Verb.NBIRTH]
        online = [time for time, state in _states(view, host) if state.online]
        if births:
            yield bool(online) and online[0] < births[0], connection.connect.client


@RULES("message-flow-edge-node-birth-publish-phid-wait-timestamp")
def _waits_for_newest(view: View) -> Looks:
    for connection, host in _waiting(view):
        births = [s.entry.time for s in connection.sent if s.verb is Verb.NBIRTH]
        if births:
            before = [state for time, state in _states(view, host) if time < births[0]]
            newest = max(before, key=lambda state: (state.timestamp, state.online), default=None)
            yield newest is not None and newest.online, connection.connect.client


@RULES(
    "message-flow-edge-node-birth-publish-phid-offline operational-behavior-edge-node-termination-host-offline",
    "operational-behavior-primary-application-state-with-multiple-servers-walk",
)
def _leaves(view: View) -> Looks:
    for connection, host in _waiting(view):
        births = [s.entry.time for s in connection.sent if s.verb is Verb.NBIRTH]
        for time, state in _offline(_states(view, host), valid=True):
            if births and births[0] < time < end_of(connection, view):
                yield bool(connection.ending), connection.connect.client
                break
            if births and births[0] < time and state is not None:
                yield True, connection.connect.client
                break


@RULES("operational-behavior-edge-node-termination-host-offline-timestamp")
def _stays(view: View) -> Looks:
    for connection, host in _waiting(view):
        for time, _ in _offline(_states(view, host), valid=False):
            if connection.connect.time < time < end_of(connection, view):
                went = connection.ending and connection.entries[-1].time - time < _AT_ONCE
                yield not went, connection.connect.client


@RULES("operational-behavior-edge-node-termination-host-offline-reconnect")
def _comes_again(view: View) -> Looks:
    for connection, host in _waiting(view):
        end = connection.entries[-1].time if connection.ending else None
        if end is not None and any(t < end for t, _ in _offline(_states(view, host), valid=True)):
            later = [c for c in view.edges if c.will.node == connection.will.node and c.connect.time >= end]
            if later:
                yield True, connection.connect.client


def _offline(states: list[tuple[int, HostState]], *, valid: bool) -> Iterator[tuple[int, HostState]]:
    """Words of being offline; ``valid`` ones are not older than the last word of being online."""
    online = None
    for time, state in states:
        if state.online:
            online = state.timestamp
        elif online is not None and (state.timestamp >= online) == valid:
            yield time, state


def end_of(connection: Connection, view: View) -> int:
    return connection.entries[-1].time if connection.ending else view.entries[-1].time


@RULES("operational-behavior-primary-application-state-with-multiple-servers-state-subs")
def _hears_host(view: View) -> Looks:
    for connection, host in _waiting(view):
        yield _covers(connection, state_topic(host)), connection.connect.client
