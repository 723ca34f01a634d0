"""Statements about host applications: their STATE, will, subscriptions and good-bye. STATE messages alone are also
judged as a subscriber hears them."""

from __future__ import annotations

from typing import Final

import msgspec

from weft.sparkplug.tck.connection_rules import covers_topic, end_of, names
from weft.sparkplug.tck.recording import Entry
from weft.sparkplug.tck.rule import Looks, Rules
from weft.sparkplug.tck.view import Sent, View
from weft.sparkplug.topic import NAMESPACE, state_host

__all__ = ["RULES"]

RULES: Final = Rules()

_NEAR: Final = 60_000  # ms between a told time and that of the recording


def _is_state(payload: bytes, *, online: bool) -> bool:
    try:
        found = msgspec.json.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    if not isinstance(found, dict):
        return False
    stamp = found.get("timestamp")
    return found.get("online") is online and isinstance(stamp, int) and not isinstance(stamp, bool)


def _told(view: View, *, online: bool) -> list[Sent]:
    """STATE messages that say so; what cannot be read counts as a birth."""
    return [s for s in view.states if (s.state.online if s.state else True) is online]


@RULES(
    "host-topic-phid-birth-qos operational-behavior-host-application-connect-birth-qos",
)
def _birth_qos(view: View) -> Looks:
    yield from ((s.entry.qos == 1, s.entry.topic) for s in _told(view, online=True))


@RULES(
    "host-topic-phid-birth-retain operational-behavior-host-application-connect-birth-retained",
)
def _birth_retain(view: View) -> Looks:
    for sent in _told(view, online=True):
        if sent.entry.retain is not None:
            yield sent.entry.retain, sent.entry.topic


@RULES(
    "host-topic-phid-birth-topic operational-behavior-host-application-connect-birth-topic",
    "host-topic-phid-death-topic operational-behavior-host-application-death-topic",
)
def _state_topics(view: View) -> Looks:
    """Every STATE message has the topic of one host."""
    for sent in view.sent:
        parts = sent.entry.topic.split("/")
        if parts[0] == "STATE" or parts[1:2] == ["STATE"]:
            yield bool(state_host(sent.entry.topic)), sent.entry.topic


@RULES("host-topic-phid-birth-payload")
def _birth_payload(view: View) -> Looks:
    yield from ((_is_state(s.entry.payload, online=True), s.entry.topic) for s in _told(view, online=True))


@RULES("operational-behavior-host-application-death-payload host-topic-phid-death-payload")
def _death_payload(view: View) -> Looks:
    yield from ((_is_state(s.entry.payload, online=False), s.entry.topic) for s in _told(view, online=False))
    yield from ((_is_state(c.connect.payload, online=False), name) for c, name in names(view.hosts))


@RULES("host-topic-phid-death-qos operational-behavior-host-application-death-qos")
def _death_qos(view: View) -> Looks:
    yield from ((s.entry.qos == 1, s.entry.topic) for s in _told(view, online=False))


@RULES("host-topic-phid-death-retain operational-behavior-host-application-death-retained")
def _death_retain(view: View) -> Looks:
    for sent in _told(view, online=False):
        if sent.entry.retain is not None:
            yield sent.entry.retain, sent.entry.topic


@RULES(
    "components-ph-state conformance-primary-host intro-sparkplug-host-state host-topic-phid-birth-required",
    "message-flow-phid-sparkplug-state-publish payloads-state-birth",
    "operational-behavior-host-application-connect-birth",
)
def _host_appears(view: View) -> Looks:
    """Each host's connection told that it is there, at QoS 1 and retained."""
    for connection, name in names(view.hosts):
        births = [s for s in connection.sent if s.entry.topic == connection.connect.topic and s.state]
        first = births[0] if births else None
        yield (
            first is not None and first.state is not None and first.state.online and first.entry.qos == 1,
            name,
        )


@RULES(
    "host-topic-phid-birth-message",
    "operational-behavior-primary-application-state-with-multiple-servers-state",
)
def _state_first(view: View) -> Looks:
    for connection, name in names(view.hosts):
        if connection.sent:
            yield connection.sent[0].entry.topic == connection.connect.topic, name


@RULES(
    "host-topic-phid-birth-payload-timestamp message-flow-phid-sparkplug-state-publish-payload",
    "message-flow-phid-sparkplug-state-publish-payload-timestamp payloads-state-birth-payload",
    "operational-behavior-host-application-connect-birth-payload",
)
def _one_timestamp(view: View) -> Looks:
    for connection, name in names(view.hosts):
        will = connection.will.state
        for sent in connection.sent:
            if sent.entry.topic == connection.connect.topic and sent.state and sent.state.online:
                yield will is not None and sent.state.timestamp == will.timestamp, name


@RULES(
    "host-topic-phid-death-required operational-behavior-host-application-connect-will",
    "operational-behavior-host-application-connect-will-topic payloads-state-will-message",
)
def _host_will(view: View) -> Looks:
    """Who publishes a STATE of its own has the will for it."""
    for connection, name in names(view.connections):
        own = {s.entry.topic for s in connection.sent if s.state is not None and s.state.online}
        if own:
            yield own == {connection.connect.topic}, name


@RULES("operational-behavior-host-application-connect-will-qos payloads-state-will-message-qos")
def _host_will_qos(view: View) -> Looks:
    yield from ((c.connect.qos == 1, name) for c, name in names(view.hosts))


@RULES("operational-behavior-host-application-connect-will-retained payloads-state-will-message-retain")
def _host_will_retain(view: View) -> Looks:
    yield from ((bool(c.connect.retain), name) for c, name in names(view.hosts))


@RULES("operational-behavior-host-application-connect-will-payload payloads-state-will-message-payload")
def _host_will_payload(view: View) -> Looks:
    yield from ((_is_state(c.connect.payload, online=False), name) for c, name in names(view.hosts))


@RULES("host-topic-phid-death-payload-timestamp-connect")
def _will_is_now(view: View) -> Looks:
    for connection, name in names(view.hosts):
        state = connection.will.state
        yield state is not None and _near(state.timestamp, connection.connect), name


def _near(stamp: int, entry: Entry) -> bool:
    return abs(stamp - entry.time // 1_000_000) <= _NEAR


@RULES("message-flow-phid-sparkplug-clean-session-311")
def _host_clean(view: View) -> Looks:
    yield from ((c.connect.clean, name) for c, name in names(view.hosts) if c.connect.version < 5)


@RULES("message-flow-phid-sparkplug-clean-session-50")
def _host_clean_5(view: View) -> Looks:
    yield from (
        (c.connect.clean and not c.connect.expiry, name)
        for c, name in names(view.hosts)
        if c.connect.version == 5
    )


@RULES(
    "host-topic-phid-birth-sub-required message-flow-phid-sparkplug-subscription payloads-state-subscribe",
)
def _host_listens(view: View) -> Looks:
    """Before the first STATE: to its own STATE and to nodes."""
    for connection, name in names(view.hosts):
        before = []
        for entry in connection.entries:
            if entry.kind == "publish":
                break
            before += [filter_ for filter_ in entry.filters if entry.kind == "subscribe"]
        own = any(covers_topic(filter_, connection.connect.topic) for filter_ in before)
        nodes = any(filter_.startswith(f"{NAMESPACE}/") and not state_host(filter_) for filter_ in before)
        yield own and nodes, name


@RULES("message-flow-hid-sparkplug-state-message-delivered")
def _insists(view: View) -> Looks:
    """Somebody else says that a connected host is offline: it says that it is not."""
    for connection, name in names(view.hosts):
        for sent in view.states:
            foreign = sent.entry.client != connection.connect.client and sent.state and not sent.state.online
            inside = connection.connect.time < sent.entry.time < end_of(connection, view)
            if foreign and inside and sent.entry.topic == connection.connect.topic:
                after = [s for s in connection.sent if s.entry.time >= sent.entry.time and s.state]
                yield bool(after) and bool(after[0].state and after[0].state.online), name


@RULES(
    "operational-behavior-host-application-termination",
    "host-topic-phid-death-payload-timestamp-disconnect-clean",
)
def _host_good_bye(view: View) -> Looks:
    for connection, name in names(view.hosts):
        if connection.ending == "disconnect":
            last = [s for s in connection.sent if s.state is not None]
            fine = bool(last) and last[-1].state is not None and not last[-1].state.online
            yield (
                fine and last[-1].state is not None and _near(last[-1].state.timestamp, last[-1].entry),
                name,
            )


@RULES("operational-behavior-host-application-disconnect-intentional")
def _host_may_disconnect(view: View) -> Looks:
    yield from ((True, name) for c, name in names(view.hosts) if c.ending == "disconnect")


@RULES("operational-behavior-host-application-host-id")
def _unique_hosts(view: View) -> Looks:
    """No two clients are one host at one time."""
    for i, (connection, name) in enumerate(names(view.hosts)):
        others = [
            other
            for other in view.hosts[:i]
            if other.connect.topic == connection.connect.topic and end_of(other, view) > connection.connect.time
            and other.connect.client != connection.connect.client
        ]  # fmt: skip
        yield not others, name
