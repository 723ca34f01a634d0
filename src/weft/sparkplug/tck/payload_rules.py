"""Statements about single messages: topic, QoS, retain, timestamp, sequence number, encoding."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from weft.sparkplug.tck.rule import Looks, Rules
from weft.sparkplug.tck.view import BIRTHS, COMMANDS, DATA, OF_NODE, Sent, View
from weft.sparkplug.topic import NAMESPACE, Verb, is_id, parse_topic

__all__ = ["RULES"]

RULES: Final = Rules()

_EARLIEST: Final = 946_684_800_000  # 2000-01-01 in ms: a count of seconds, or of local days, is far below
_AHEAD: Final = 13 * 3600 * 1000  # more than any time zone: the clock may be off, the unit may not
_NUMBERED: Final = tuple(verb for verb in OF_NODE if verb is not Verb.NDEATH)


def each(view: View, verbs: tuple[Verb, ...], fine: Callable[[Sent], bool]) -> Looks:
    for sent in view.of(*verbs):
        yield fine(sent), str(sent)


def _quiet(sent: Sent, *, qos: bool = True, retain: bool = True) -> bool:
    return not (qos and sent.entry.qos) and not (retain and sent.entry.retain)


def _timed(sent: Sent) -> bool:
    return sent.payload is not None and sent.payload.timestamp is not None


def _numbered(sent: Sent) -> bool:
    return sent.payload is not None and sent.payload.seq is not None and sent.payload.seq <= 255


def _unnumbered(sent: Sent) -> bool:
    return sent.payload is not None and sent.payload.seq is None


def _readable(sent: Sent) -> bool:
    return sent.payload is not None


def _topic_of(verb: Verb, view: View) -> Looks:
    """Every topic that has the verb in its place is well-formed."""
    for sent in view.raw:
        parts = sent.entry.topic.split("/")
        if len(parts) > 2 and parts[2] == verb:
            yield sent.topic is not None, sent.entry.topic


def _all_of(verbs: tuple[Verb, ...], fine: Callable[[Sent], bool], view: View) -> Looks:
    return each(view, verbs, fine)


def _starts_at_zero(sent: Sent) -> bool:
    return sent.payload is not None and sent.payload.seq == 0


def _add_by_verb() -> None:
    """The statements that are made of each verb in the same words."""
    for verb in Verb:
        name, only = verb.lower(), (verb,)
        RULES.add(f"topics-{name}-topic", partial(_topic_of, verb))
        if verb is not Verb.NDEATH:
            RULES.add(f"topics-{name}-mqtt", partial(_all_of, only, _quiet))
    for verb in (*_NUMBERED[:-2], *DATA, *COMMANDS):
        name, only = verb.lower(), (verb,)
        if verb is not Verb.DDEATH:
            RULES.add(f"payloads-{name}-qos", partial(_all_of, only, partial(_quiet, retain=False)))
            RULES.add(f"payloads-{name}-retain", partial(_all_of, only, partial(_quiet, qos=False)))
            RULES.add(f"topics-{name}-timestamp", partial(_all_of, only, _timed))
        RULES.add(f"payloads-{name}-timestamp", partial(_all_of, only, _timed))
        fine = _unnumbered if verb in COMMANDS else _numbered
        RULES.add(f"payloads-{name}-seq", partial(_all_of, only, fine))
    for verb, flow in zip(
        BIRTHS, ("edge-node-birth-publish-nbirth", "device-birth-publish-dbirth"), strict=True
    ):
        only, name = (verb,), f"message-flow-{flow}"
        RULES.add(f"{name}-topic", partial(_topic_of, verb))
        RULES.add(f"{name}-payload", partial(_all_of, only, _readable))
        RULES.add(f"{name}-qos", partial(_all_of, only, partial(_quiet, retain=False)))
        RULES.add(f"{name}-retained", partial(_all_of, only, partial(_quiet, qos=False)))
    for name in ("topics-ndeath-seq", "payloads-ndeath-seq"):
        RULES.add(name, partial(_all_of, (Verb.NDEATH,), _unnumbered))
    RULES.add("topics-nbirth-seq-num", partial(_all_of, (Verb.NBIRTH,), _starts_at_zero))
    for name in (
        "payloads-sequence-num-req-nbirth",
        "message-flow-edge-node-birth-publish-nbirth-payload-seq",
    ):
        RULES.add(name, partial(_all_of, (Verb.NBIRTH,), _numbered))
    RULES.add("payloads-ddeath-seq-number", partial(_all_of, (Verb.DDEATH,), _numbered))
    RULES.add("payloads-sequence-num-always-included", partial(_all_of, _NUMBERED, _numbered))


_add_by_verb()


@RULES("topic-structure topic-structure-namespace-a")
def _namespace(view: View) -> Looks:
    """Whatever looks like Sparkplug has its form; other topics are not its business."""
    for sent in view.sent:
        parts = sent.entry.topic.split("/")
        if parts[0].lower().startswith("spbv1"):
            is_state = parts[:2] == [NAMESPACE, "STATE"] and len(parts) == 3 and is_id(parts[2])
            yield sent.topic is not None or is_state, sent.entry.topic


@RULES("topic-structure-namespace-valid-group-id intro-group-id-string intro-group-id-chars")
def _group(view: View) -> Looks:
    yield from ((is_id(s.node[0]), s.entry.topic) for s in view.sent if s.topic)


@RULES("topic-structure-namespace-valid-edge-node-id intro-edge-node-id-string intro-edge-node-id-chars")
def _node(view: View) -> Looks:
    yield from ((is_id(s.node[1]), s.entry.topic) for s in view.sent if s.topic)


@RULES("topic-structure-namespace-valid-device-id intro-device-id-string intro-device-id-chars")
def _device(view: View) -> Looks:
    yield from (
        (is_id(s.topic.device), s.entry.topic) for s in view.sent if s.topic and s.topic.verb.of_device
    )


@RULES("topic-structure-namespace-device-id-associated-message-types")
def _with_device(view: View) -> Looks:
    yield from _levels(view, 5, tuple(verb for verb in Verb if verb.of_device))


@RULES("topic-structure-namespace-device-id-non-associated-message-types")
def _without_device(view: View) -> Looks:
    yield from _levels(view, 4, tuple(verb for verb in Verb if not verb.of_device))


def _levels(view: View, count: int, verbs: tuple[Verb, ...]) -> Looks:
    for sent in view.raw:
        parts = sent.entry.topic.split("/")
        if len(parts) > 2 and parts[2] in verbs:
            yield len(parts) == count, sent.entry.topic


@RULES("payloads-timestamp-in-UTC")
def _utc(view: View) -> Looks:
    """That it is UTC cannot be seen, that it is milliseconds since 1970 and no time of the future can."""
    for sent in view.sent:
        if sent.payload is not None and sent.payload.timestamp is not None:
            yield _plausible(sent.payload.timestamp, sent.entry.time), str(sent)


@RULES("payloads-metric-timestamp-in-UTC")
def _metric_utc(view: View) -> Looks:
    for sent, metric in view.metrics(*Verb):
        if metric.timestamp is not None:
            yield _plausible(metric.timestamp, sent.entry.time), f"{sent}: {metric.name or metric.alias}"


def _plausible(ms: int, time: int) -> bool:
    return _EARLIEST <= ms <= time // 1_000_000 + _AHEAD


@RULES("case-sensitivity-sparkplug-ids")
def _ids_differ(view: View) -> Looks:
    seen: dict[str, str] = {}
    for topic in sorted({s.entry.topic for s in view.sent if s.topic}):
        parsed = parse_topic(topic)
        if parsed is not None:
            name = "/".join(filter(None, (parsed.group, parsed.node, parsed.device)))
            yield seen.setdefault(name.casefold(), name) == name, name


@RULES("topics-ndeath-payload")
def _only_bdseq(view: View) -> Looks:
    yield from each(view, (Verb.NDEATH,), lambda sent: [m.name for m in sent.metrics] == ["bdSeq"])


@RULES("topics-ncmd-payload")
def _node_command(view: View) -> Looks:
    yield from each(view, (Verb.NCMD,), lambda sent: bool(sent.metrics))


@RULES("topics-dcmd-payload")
def _device_command(view: View) -> Looks:
    yield from each(view, (Verb.DCMD,), lambda sent: bool(sent.metrics))


@RULES("conformance-mqtt-aware-nbirth-mqtt-topic conformance-mqtt-aware-nbirth-mqtt-retain")
def _kept_node_birth(view: View) -> Looks:
    yield from _kept(view, Verb.NBIRTH)


@RULES("conformance-mqtt-aware-dbirth-mqtt-topic conformance-mqtt-aware-dbirth-mqtt-retain")
def _kept_device_birth(view: View) -> Looks:
    yield from _kept(view, Verb.DBIRTH)


@RULES("conformance-mqtt-aware-store")
def _kept_any(view: View) -> Looks:
    yield from _kept(view, *BIRTHS)


def _kept(view: View, *verbs: Verb) -> Looks:
    """What a broker that keeps births published of them: a birth that was sent, retained."""
    prefix = "$sparkplug/certificates/"
    for sent in view.sent:
        topic = parse_topic(sent.entry.topic.removeprefix(prefix))
        if sent.entry.topic.startswith(prefix) and topic is not None and topic.verb in verbs:
            yield sent.entry.retain is not False, sent.entry.topic
