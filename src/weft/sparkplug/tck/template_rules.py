"""Statements about data sets and templates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from weft.sparkplug.payload import DataSet, Metric, Parameter, Template
from weft.sparkplug.tck.metric_rules import BASIC_TYPES, where_is
from weft.sparkplug.tck.rule import Looks, Rules
from weft.sparkplug.tck.view import BIRTHS, DATA, Sent, View
from weft.sparkplug.topic import Verb

__all__ = ["RULES"]

RULES: Final = Rules()

# --- data sets -------------------------------------------------------------------------------------------------


def _tables(view: View) -> Iterator[tuple[str, DataSet]]:
    for sent, metric in view.metrics(*Verb):
        if metric.field == 17:
            yield where_is(sent, metric), metric.value


@RULES("payloads-dataset-column-size")
def _columns(view: View) -> Looks:
    yield from ((t.num_of_columns == len(t.columns), where) for where, t in _tables(view))


@RULES("payloads-dataset-column-num-headers payloads-dataset-types-num")
def _headers(view: View) -> Looks:
    yield from ((len(t.columns) == len(t.types), where) for where, t in _tables(view))


@RULES("payloads-dataset-types-def payloads-dataset-parameter-type-req")
def _has_types(view: View) -> Looks:
    yield from ((bool(t.types) or not t.columns, where) for where, t in _tables(view))


@RULES("payloads-dataset-types-type payloads-dataset-types-value")
def _table_types(view: View) -> Looks:
    for where, table in _tables(view):
        yield from ((kind in BASIC_TYPES, where) for kind in table.types)


@RULES("payloads-template-dataset-value")
def _cells(view: View) -> Looks:
    for where, table in _tables(view):
        yield all(len(row) == len(table.types) and all(c.field for c in row) for row in table.rows), where


# --- templates -------------------------------------------------------------------------------------------------


def _templates(view: View, *verbs: Verb) -> Iterator[tuple[Sent, Metric, Template]]:
    for sent, metric in view.metrics(*(verbs or tuple(Verb))):
        if metric.field == 18:
            yield sent, metric, metric.value


def _defined(view: View) -> dict[tuple[tuple[str, str], str], Template]:
    return {
        (sent.node, metric.name or ""): template
        for sent, metric, template in _templates(view, Verb.NBIRTH)
        if template.is_definition
    }


def _instances(view: View, *verbs: Verb) -> Iterator[tuple[str, Template, Template | None]]:
    """Instances and the definitions they name."""
    defined = _defined(view)
    for sent, metric, template in _templates(view, *verbs):
        if not template.is_definition:
            yield where_is(sent, metric), template, defined.get((sent.node, template.template_ref or ""))


@RULES("payloads-template-is-definition")
def _says(view: View) -> Looks:
    yield from ((t.is_definition is not None, where_is(s, m)) for s, m, t in _templates(view))


@RULES(
    "payloads-template-definition-is-definition payloads-template-is-definition-definition",
    "payloads-template-definition-ref payloads-template-ref-definition",
)
def _definition(view: View) -> Looks:
    """What has no reference is a definition and says so; what says so has no reference."""
    for sent, metric, template in _templates(view):
        if template.is_definition or template.template_ref is None:
            yield bool(template.is_definition) and template.template_ref is None, where_is(sent, metric)


@RULES("payloads-template-definition-nbirth-only")
def _definitions_in_births(view: View) -> Looks:
    for sent, metric, template in _templates(view):
        if template.is_definition:
            yield sent.verb is Verb.NBIRTH, where_is(sent, metric)


@RULES(
    "payloads-template-instance-is-definition payloads-template-is-definition-instance",
    "payloads-template-instance-ref payloads-template-ref-instance",
)
def _instance(view: View) -> Looks:
    for sent, metric, template in _templates(view):
        if template.template_ref is not None or template.is_definition is False:
            yield template.is_definition is False and bool(template.template_ref), where_is(sent, metric)


@RULES("payloads-template-definition-nbirth topics-nbirth-templates")
def _has_definition(view: View) -> Looks:
    yield from ((definition is not None, where) for where, _, definition in _instances(view))


@RULES("payloads-template-definition-members payloads-template-instance-members")
def _only_members(view: View) -> Looks:
    for where, template, definition in _instances(view):
        if definition is not None:
            yield {m.name for m in template.metrics} <= {m.name for m in definition.metrics}, where


@RULES("payloads-template-instance-members-birth")
def _all_members(view: View) -> Looks:
    for where, template, definition in _instances(view, *BIRTHS):
        if definition is not None:
            yield {m.name for m in template.metrics} == {m.name for m in definition.metrics}, where


@RULES("payloads-template-instance-members-data")
def _some_members(view: View) -> Looks:
    for where, template, definition in _instances(view, *DATA):
        if definition is not None:
            yield {m.name for m in template.metrics} <= {m.name for m in definition.metrics}, where


@RULES("payloads-template-definition-parameters payloads-template-instance-parameters")
def _only_parameters(view: View) -> Looks:
    for where, template, definition in _instances(view):
        if definition is not None and template.parameters:
            yield {p.name for p in template.parameters} <= {p.name for p in definition.parameters}, where


@RULES("payloads-template-version")
def _versions(view: View) -> Looks:
    yield from ((True, where_is(s, m)) for s, m, t in _templates(view) if t.version is not None)


def _parameters(view: View, *verbs: Verb) -> Iterator[tuple[str, Parameter]]:
    for sent, metric, template in _templates(view, *verbs):
        yield from ((where_is(sent, metric), parameter) for parameter in template.parameters)


@RULES("payloads-template-definition-parameters-default")
def _defaults(view: View) -> Looks:
    for sent, metric, template in _templates(view):
        if template.is_definition:
            yield from ((True, where_is(sent, metric)) for p in template.parameters if p.field)


@RULES("payloads-template-parameter-name-required payloads-template-parameter-name-type")
def _parameter_names(view: View) -> Looks:
    yield from ((parameter.name is not None, where) for where, parameter in _parameters(view))


@RULES("payloads-template-parameter-value-type payloads-template-parameter-type-value")
def _parameter_types(view: View) -> Looks:
    for where, parameter in _parameters(view):
        if parameter.type is not None:
            yield parameter.type in BASIC_TYPES, where


@RULES("payloads-template-parameter-type-req")
def _parameter_typed(view: View) -> Looks:
    yield from ((parameter.type is not None, where) for where, parameter in _parameters(view, *BIRTHS))


@RULES("payloads-template-parameter-value")
def _parameter_values(view: View) -> Looks:
    yield from (
        (3 <= p.field <= 8, where) for where, p in _parameters(view) if p.field or p.value is not None
    )
