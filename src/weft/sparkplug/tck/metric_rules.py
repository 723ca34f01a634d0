"""Statements about metrics: names, aliases, datatypes, values, properties, data sets, templates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from weft.sparkplug.datatype import DataType
from weft.sparkplug.payload import Metric, PropertySet, PropertyValue
from weft.sparkplug.tck.rule import Looks, Rules
from weft.sparkplug.tck.view import BDSEQ, BIRTHS, COMMANDS, DATA, REBIRTH, Sent, View, nested
from weft.sparkplug.topic import Verb

__all__ = ["BASIC_TYPES", "RULES", "where_is"]

RULES: Final = Rules()

_METRIC_TYPES: Final = {*range(1, 20), *range(22, 35)}
BASIC_TYPES: Final = set(range(1, 16))
_PROPERTY_TYPES: Final = {*BASIC_TYPES, DataType.PROPERTYSET, DataType.PROPERTYSETLIST}


def where_is(sent: Sent, metric: Metric) -> str:
    return f"{sent}: {metric.name if metric.name is not None else metric.alias}"


def each(view: View, verbs: tuple[Verb, ...], fine: Callable[[Metric], bool]) -> Looks:
    for sent, metric in view.metrics(*verbs):
        yield fine(metric), where_is(sent, metric)


def top(view: View, *verbs: Verb) -> Iterator[tuple[Sent, Metric]]:
    """Metrics that are not members of templates."""
    for sent in view.of(*verbs):
        yield from ((sent, metric) for metric in sent.metrics)


def _has_value(metric: Metric) -> bool:
    return bool(metric.is_null) != bool(metric.field)


@RULES("topics-nbirth-metrics")
def _node_birth(view: View) -> Looks:
    yield from ((_complete(m), where_is(s, m)) for s, m in top(view, Verb.NBIRTH))


@RULES("topics-dbirth-metrics")
def _device_birth(view: View) -> Looks:
    yield from ((_complete(m), where_is(s, m)) for s, m in top(view, Verb.DBIRTH))


def _complete(metric: Metric) -> bool:
    return metric.name is not None and metric.datatype is not None and _has_value(metric)


@RULES("operational-behavior-data-publish-nbirth-values")
def _node_values(view: View) -> Looks:
    yield from ((_has_value(m), where_is(s, m)) for s, m in top(view, Verb.NBIRTH))


@RULES("operational-behavior-data-publish-dbirth-values")
def _device_values(view: View) -> Looks:
    yield from ((_has_value(m), where_is(s, m)) for s, m in top(view, Verb.DBIRTH))


@RULES("operational-behavior-data-publish-nbirth-order")
def _node_order(view: View) -> Looks:
    yield from _order(view, Verb.NBIRTH, Verb.NDATA)


@RULES("operational-behavior-data-publish-dbirth-order")
def _device_order(view: View) -> Looks:
    yield from _order(view, Verb.DBIRTH, Verb.DDATA)


def _order(view: View, *verbs: Verb) -> Looks:
    for sent in view.of(*verbs):
        times = [m.timestamp for m in sent.metrics if not m.is_historical and m.timestamp is not None]
        yield times == sorted(times), str(sent)


@RULES("payloads-name-requirement")
def _named(view: View) -> Looks:
    yield from (
        (m.name is not None or m.alias is not None, where_is(s, m))
        for s, m in top(view, *BIRTHS, *DATA, *COMMANDS)
    )


@RULES("payloads-alias-birth-requirement")
def _both(view: View) -> Looks:
    """Where a node uses aliases. The metrics of the session itself have none (5.11)."""
    aliasing = {s.node for s, m in top(view, *BIRTHS) if m.alias is not None}
    for sent, metric in top(view, *BIRTHS):
        if sent.node in aliasing and metric.name not in (BDSEQ, REBIRTH):
            yield metric.name is not None and metric.alias is not None, where_is(sent, metric)


@RULES("payloads-alias-data-cmd-requirement")
def _alias_only(view: View) -> Looks:
    """Metrics that were born with an alias go by it alone."""
    aliased = {
        (s.node, s.topic.device if s.topic else "", m.name)
        for s, m in top(view, *BIRTHS)
        if m.alias is not None
    }
    for sent, metric in top(view, *DATA, *COMMANDS):
        device = sent.topic.device if sent.topic else ""
        if metric.alias is not None or (sent.node, device, metric.name) in aliased:
            yield metric.name is None, where_is(sent, metric)


@RULES("payloads-alias-uniqueness")
def _unique_aliases(view: View) -> Looks:
    owners: dict[tuple[tuple[str, str], int], tuple[str, str | None]] = {}
    for sent, metric in top(view, *BIRTHS):
        if metric.alias is not None and sent.topic is not None:
            if sent.verb is Verb.NBIRTH and metric is sent.metrics[0]:
                owners = {key: owner for key, owner in owners.items() if key[0] != sent.node}
            owner = (sent.topic.device, metric.name)
            yield owners.setdefault((sent.node, metric.alias), owner) == owner, where_is(sent, metric)


@RULES("case-sensitivity-metric-names")
def _names_differ(view: View) -> Looks:
    for sent in view.of(*BIRTHS):
        seen: dict[str, str] = {}
        for metric in sent.metrics:
            if metric.name is not None:
                yield (
                    seen.setdefault(metric.name.casefold(), metric.name) == metric.name,
                    where_is(sent, metric),
                )


@RULES("payloads-name-birth-data-requirement")
def _metric_times(view: View) -> Looks:
    yield from ((m.timestamp is not None, where_is(s, m)) for s, m in top(view, *BIRTHS, *DATA))


@RULES("payloads-name-cmd-requirement")
def _command_times(view: View) -> Looks:
    yield from ((True, "") for _ in top(view, *COMMANDS))


@RULES("payloads-metric-datatype-req")
def _typed(view: View) -> Looks:
    yield from each(view, BIRTHS, lambda metric: metric.datatype is not None)


@RULES("payloads-metric-datatype-value-type payloads-metric-datatype-value")
def _known_type(view: View) -> Looks:
    for sent, metric in view.metrics(*Verb):
        if metric.datatype is not None:
            yield metric.datatype in _METRIC_TYPES, where_is(sent, metric)


@RULES("payloads-metric-datatype-not-req")
def _untyped(view: View) -> Looks:
    yield from ((m.datatype is None, where_is(s, m)) for s, m in top(view, *DATA, *COMMANDS))


# --- properties ------------------------------------------------------------------------------------------------


def _sets(view: View, *verbs: Verb) -> Iterator[tuple[str, PropertySet]]:
    for sent, metric in view.metrics(*(verbs or tuple(Verb))):
        if metric.properties is not None:
            yield from ((where_is(sent, metric), one) for one in _within(metric.properties))


def _within(properties: PropertySet) -> Iterator[PropertySet]:
    yield properties
    for value in properties.values:
        inner = [value.value] if value.field == 9 else value.value if value.field == 10 else []
        for one in inner:
            yield from _within(one)


@RULES("payloads-propertyset-keys-array-size payloads-propertyset-values-array-size")
def _pairs(view: View) -> Looks:
    yield from ((len(p.keys) == len(p.values), where) for where, p in _sets(view))


@RULES("payloads-metric-propertyvalue-type-type payloads-metric-propertyvalue-type-value")
def _property_types(view: View) -> Looks:
    for where, properties in _sets(view):
        for value in properties.values:
            if value.type is not None:
                yield value.type in _PROPERTY_TYPES, where


@RULES("payloads-metric-propertyvalue-type-req")
def _property_typed(view: View) -> Looks:
    for where, properties in _sets(view, *BIRTHS):
        yield from ((value.type is not None, where) for value in properties.values)


def _qualities(view: View) -> Iterator[tuple[str, PropertyValue]]:
    for where, properties in _sets(view):
        found = properties.get("Quality")
        if found is not None:
            yield where, found


@RULES("payloads-propertyset-quality-value-type")
def _quality_type(view: View) -> Looks:
    yield from ((value.type == DataType.INT32, where) for where, value in _qualities(view))


@RULES("payloads-propertyset-quality-value-value")
def _quality_value(view: View) -> Looks:
    yield from ((v.field == 3 and v.value in (0, 192, 500), where) for where, v in _qualities(view))


# --- what a node has told it will ever tell --------------------------------------------------------------------


@RULES("topics-nbirth-metric-reqs operational-behavior-data-publish-nbirth")
def _all_of_node(view: View) -> Looks:
    yield from _foretold(view, Verb.NDATA)


@RULES("topics-dbirth-metric-reqs operational-behavior-data-publish-dbirth")
def _all_of_device(view: View) -> Looks:
    yield from _foretold(view, Verb.DDATA)


def _foretold(view: View, verb: Verb) -> Looks:
    for life in view.lives:
        born: dict[str, set[object]] = {}
        for sent in life.sent:
            device = sent.topic.device if sent.topic else ""
            if sent.verb in BIRTHS:
                metrics = [one for metric in sent.metrics for one in nested(metric)]
                born[device] = {*(m.name for m in metrics), *(m.alias for m in metrics)}
            elif sent.verb is verb and device in born:
                for metric in sent.metrics:
                    name = metric.alias if metric.name is None else metric.name
                    yield name in born[device], where_is(sent, metric)
