"""Statements about the order of messages: sequence numbers, births before data, bdSeq, rebirths, commands."""

from __future__ import annotations

from itertools import pairwise, takewhile
from typing import Final

from weft.sparkplug.datatype import DataType
from weft.sparkplug.payload import Metric
from weft.sparkplug.tck.rule import Looks, Rules
from weft.sparkplug.tck.view import BDSEQ, BIRTHS, COMMANDS, DATA, OF_NODE, REBIRTH, Life, Sent, View
from weft.sparkplug.topic import Verb
from weft.sparkplug.value import natural

__all__ = ["RULES"]

RULES: Final = Rules()


def _counted(view: View, *verbs: Verb) -> Looks:
    """Each message of the verbs has the number after that of the message before, whatever that was."""
    for life in view.lives:
        before: int | None = None
        for sent in life.sent:
            if sent.payload is None or sent.verb is Verb.NDEATH:
                continue
            seq = sent.payload.seq
            if sent.verb in verbs and sent.verb is not Verb.NBIRTH and before is not None:
                yield seq == (before + 1) % 256, f"{sent} after {before}"
            before = seq if seq is not None else before


@RULES("topics-ndata-seq-num payloads-ndata-seq-inc")
def _ndata(view: View) -> Looks:
    yield from _counted(view, Verb.NDATA)


@RULES("topics-ddata-seq-num payloads-ddata-seq-inc")
def _ddata(view: View) -> Looks:
    yield from _counted(view, Verb.DDATA)


@RULES("topics-dbirth-seq payloads-dbirth-seq-inc message-flow-device-birth-publish-dbirth-payload-seq")
def _dbirth(view: View) -> Looks:
    yield from _counted(view, Verb.DBIRTH)


@RULES("topics-ddeath-seq-num payloads-ddeath-seq-inc")
def _ddeath(view: View) -> Looks:
    yield from _counted(view, Verb.DDEATH)


@RULES("payloads-sequence-num-incrementing")
def _all(view: View) -> Looks:
    yield from _counted(view, *OF_NODE)


def _begins(life: Life) -> bool:
    """Whether the recording has the life from its first message: a subscriber may have come later."""
    return any(sent.verb is Verb.NBIRTH for sent in life.sent)


@RULES("message-flow-device-birth-publish-nbirth-wait")
def _node_first(view: View) -> Looks:
    for life in view.lives:
        seen = False
        for sent in life.sent:
            seen |= sent.verb is Verb.NBIRTH
            if sent.verb is Verb.DBIRTH and _begins(life):
                yield seen, str(sent)


@RULES("message-flow-device-birth-publish-dbirth-match-edge-node-topic")
def _same_node(view: View) -> Looks:
    born = {sent.node for sent in view.of(Verb.NBIRTH)}
    if born:
        yield from ((sent.node in born, str(sent)) for sent in view.of(Verb.DBIRTH))


@RULES("principles-birth-certificates-order")
def _birth_first(view: View) -> Looks:
    for connection in view.connections:
        spoken = [s for s in connection.sent if s.topic is not None or s.state is not None]
        if spoken and (connection in view.edges or connection in view.hosts):
            first = spoken[0]
            # A node that waits for its host in vain has nothing but a death to tell.
            fine = first.verb in (Verb.NBIRTH, Verb.NDEATH) or (
                first.state is not None and first.state.online
            )
            yield fine, f"{connection.connect.client}: {first.entry.topic}"
    if not view.wide:
        for life in view.lives:
            if _begins(life):
                yield life.sent[0].verb is Verb.NBIRTH, str(life.sent[0])


def _after_births(view: View, verb: Verb) -> Looks:
    """Data only of who was born, after the births."""
    for life in view.lives:
        born: set[str] = set()
        if not _begins(life):
            continue
        for sent in life.sent:
            device = sent.topic.device if sent.topic else ""
            if sent.verb in BIRTHS:
                born.add(device)
            elif sent.verb is verb:
                yield {"", device} <= born, str(sent)


@RULES("payloads-ndata-order")
def _ndata_order(view: View) -> Looks:
    yield from _after_births(view, Verb.NDATA)


@RULES("payloads-ddata-order")
def _ddata_order(view: View) -> Looks:
    yield from _after_births(view, Verb.DDATA)


@RULES("payloads-dbirth-order")
def _births_together(view: View) -> Looks:
    """A device's first birth of a life comes before any data. (One that is attached later has to be born later,
    5.5: it is a failure only when it had data before.)"""
    for life in view.lives:
        born: set[object] = set()
        for sent in life.sent if _begins(life) else []:
            if sent.verb is Verb.DBIRTH:
                born.add(sent.topic)
            elif sent.verb is Verb.DDATA:
                yield _birth_of(sent) in born, str(sent)


def _birth_of(sent: Sent) -> object:
    return sent.topic._replace(verb=Verb.DBIRTH) if sent.topic else None


@RULES("topic-structure-namespace-unique-device-id")
def _unique_devices(view: View) -> Looks:
    """Within a life two births of a device are of one device when they agree on a metric."""
    for life in view.lives:
        names: dict[str, set[str | None]] = {}
        for sent in life.sent:
            if sent.verb is Verb.DBIRTH and sent.topic is not None:
                mine = {metric.name for metric in sent.metrics}
                before = names.setdefault(sent.topic.device, mine)
                yield before is mine or not before or not mine or bool(before & mine), str(sent)


@RULES("topic-structure-namespace-duplicate-device-id-across-edge-node")
def _shared_devices(view: View) -> Looks:
    nodes: dict[str, set[tuple[str, str]]] = {}
    for sent in view.of(Verb.DBIRTH):
        nodes.setdefault(sent.topic.device if sent.topic else "", set()).add(sent.node)
    yield from ((True, device) for device, who in nodes.items() if len(who) > 1)


@RULES(
    "topic-structure-namespace-unique-edge-node-descriptor intro-edge-node-id-uniqueness",
    "payloads-nbirth-edge-node-descriptor",
)
def _unique_nodes(view: View) -> Looks:
    """No two clients speak for one node while both are connected."""
    for node in sorted({life.node for life in view.lives}) if view.wide else []:
        open_by: set[str] = set()
        fine = True
        for entry in view.entries:
            owns = [c for c in view.edges if c.connect.client == entry.client and c.will.node == node]
            if not owns:
                continue
            if entry.kind == "connect":
                open_by.add(entry.client)
                fine &= len(open_by) < 2
            elif entry.kind in ("disconnect", "lost"):
                open_by.discard(entry.client)
        yield fine, "/".join(node)


# --- bdSeq -----------------------------------------------------------------------------------------------------


def _bdseq(sent: Sent) -> Metric | None:
    return sent.payload.named(BDSEQ) if sent.payload else None


@RULES("topics-nbirth-bdseq-included payloads-nbirth-bdseq")
def _has_bdseq(view: View) -> Looks:
    yield from ((_bdseq(sent) is not None, str(sent)) for sent in view.of(Verb.NBIRTH))


@RULES("payloads-ndeath-bdseq")
def _death_matches(view: View) -> Looks:
    for life in view.lives:
        births = [sent.number(BDSEQ) for sent in life.sent if sent.verb is Verb.NBIRTH]
        for sent in life.sent:
            if sent.verb is Verb.NDEATH and births:
                yield sent.number(BDSEQ) == births[-1], str(sent)


# --- rebirth and commands --------------------------------------------------------------------------------------


def _control(sent: Sent) -> Metric | None:
    return sent.payload.named(REBIRTH) if sent.payload else None


@RULES("operational-behavior-data-commands-rebirth-name")
def _rebirth_name(view: View) -> Looks:
    yield from ((_control(sent) is not None, str(sent)) for sent in view.of(Verb.NBIRTH))


@RULES("topics-nbirth-rebirth-metric payloads-nbirth-rebirth-req")
def _rebirth_metric(view: View) -> Looks:
    for sent in view.of(Verb.NBIRTH):
        control = _control(sent)
        fine = control is not None and control.datatype == DataType.BOOLEAN and control.value is False
        yield fine, str(sent)


@RULES("operational-behavior-data-commands-rebirth-datatype")
def _rebirth_type(view: View) -> Looks:
    for sent in view.of(Verb.NBIRTH):
        if (control := _control(sent)) is not None:
            yield control.datatype == DataType.BOOLEAN, str(sent)


@RULES("operational-behavior-data-commands-rebirth-value")
def _rebirth_value(view: View) -> Looks:
    for sent in view.of(Verb.NBIRTH):
        if (control := _control(sent)) is not None:
            yield control.value is False, str(sent)


@RULES("operational-behavior-data-commands-rebirth-name-aliases")
def _rebirth_alias(view: View) -> Looks:
    for sent in view.of(Verb.NBIRTH):
        if (control := _control(sent)) is not None:
            yield control.alias is None, str(sent)


def _requests(view: View) -> list[Sent]:
    return [sent for sent in view.of(*COMMANDS) if _control(sent) is not None]


@RULES(
    "operational-behavior-data-commands-ncmd-rebirth-verb operational-behavior-data-commands-ncmd-rebirth-name"
)
def _request_verb(view: View) -> Looks:
    yield from ((sent.verb is Verb.NCMD, str(sent)) for sent in _requests(view))


@RULES("operational-behavior-data-commands-ncmd-rebirth-value")
def _request_value(view: View) -> Looks:
    for sent in _requests(view):
        control = _control(sent)
        yield control is not None and control.value is True, str(sent)


def _answers(view: View) -> list[tuple[Sent, list[Sent]]]:
    """Each request that a living node got, and what the node sent after it."""
    found = []
    for request in _requests(view):
        if request.verb is not Verb.NCMD:
            continue
        at = next(i for i, sent in enumerate(view.sent) if sent is request)
        before = [s for s in view.sent[:at] if s.node == request.node and s.verb in OF_NODE]
        later = [s for s in view.sent[at + 1 :] if s.node == request.node and s.verb in OF_NODE]
        after = list(takewhile(lambda sent: sent.verb is not Verb.NDEATH, later))
        if before and before[-1].verb is not Verb.NDEATH and after:
            found.append((request, after))
    return found


_IN_FLIGHT: Final = 1_000_000_000  # ns: what was sent before the request reached the node


@RULES("operational-behavior-data-commands-rebirth-action-1")
def _stops(view: View) -> Looks:
    for request, after in _answers(view):
        late = [s for s in after if s.entry.time > request.entry.time + _IN_FLIGHT]
        if any(s.verb is Verb.NBIRTH for s in after) or late:
            first = next((s for s in late if s.verb in (*DATA, Verb.NBIRTH)), None)
            early = any(s.verb is Verb.NBIRTH for s in after if s not in late)
            yield early or (first is not None and first.verb is Verb.NBIRTH), str(request)


@RULES("operational-behavior-data-commands-rebirth-action-2")
def _births_follow(view: View) -> Looks:
    """All devices that were alive are born again before data of them."""
    for request, after in _answers(view):
        births = [i for i, sent in enumerate(after) if sent.verb is Verb.NBIRTH]
        if not births:
            if after[-1].entry.time > request.entry.time + _IN_FLIGHT:
                yield False, str(request)
            continue
        born: set[str] = set()
        fine = True
        for sent in after[births[0] :]:
            device = sent.topic.device if sent.topic else ""
            if sent.verb is Verb.DBIRTH:
                born.add(device)
            elif sent.verb is Verb.DDATA:
                fine &= device in born
        yield fine, str(request)


@RULES("operational-behavior-data-commands-rebirth-action-3")
def _same_bdseq(view: View) -> Looks:
    for life in view.lives:
        births = [sent for sent in life.sent if sent.verb is Verb.NBIRTH]
        for before, sent in pairwise(births):
            yield sent.number(BDSEQ) == before.number(BDSEQ), str(sent)


@RULES("operational-behavior-data-commands-ncmd-verb")
def _ncmd_verb(view: View) -> Looks:
    yield from ((not (sent.topic and sent.topic.device), str(sent)) for sent in view.of(Verb.NCMD))


@RULES("operational-behavior-data-commands-dcmd-verb")
def _dcmd_verb(view: View) -> Looks:
    yield from ((bool(sent.topic and sent.topic.device), str(sent)) for sent in view.of(Verb.DCMD))


def _targets(view: View, verb: Verb, birth: Verb) -> list[tuple[Sent, Metric, Metric | None]]:
    """Metrics of commands, and what they were born as where the birth is in the recording."""
    born: dict[tuple[tuple[str, str], str], dict[object, Metric]] = {}
    found = []
    for sent in view.sent:
        device = sent.topic.device if sent.topic else ""
        if sent.verb is birth:
            by_name: dict[object, Metric] = {metric.name: metric for metric in sent.metrics}
            born[sent.node, device] = by_name | {m.alias: m for m in sent.metrics if m.alias is not None}
        elif sent.verb is verb and (sent.node, device) in born:
            for metric in sent.metrics:
                name = metric.alias if metric.name is None else metric.name
                found.append((sent, metric, born[sent.node, device].get(name)))
    return found


def _known(view: View, verb: Verb, birth: Verb) -> Looks:
    yield from ((target is not None, str(sent)) for sent, _, target in _targets(view, verb, birth))


def _compatible(view: View, verb: Verb, birth: Verb) -> Looks:
    for sent, metric, target in _targets(view, verb, birth):
        if target is not None:
            yield bool(metric.field) and not natural(metric, target.datatype or 0)[2], str(sent)


@RULES("operational-behavior-data-commands-ncmd-metric-name")
def _ncmd_name(view: View) -> Looks:
    yield from _known(view, Verb.NCMD, Verb.NBIRTH)


@RULES("operational-behavior-data-commands-dcmd-metric-name")
def _dcmd_name(view: View) -> Looks:
    yield from _known(view, Verb.DCMD, Verb.DBIRTH)


@RULES("operational-behavior-data-commands-ncmd-metric-value")
def _ncmd_value(view: View) -> Looks:
    yield from _compatible(view, Verb.NCMD, Verb.NBIRTH)


@RULES("operational-behavior-data-commands-dcmd-metric-value")
def _dcmd_value(view: View) -> Looks:
    yield from _compatible(view, Verb.DCMD, Verb.DBIRTH)
