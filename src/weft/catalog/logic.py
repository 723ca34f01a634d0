"""Files of logic/: rules that the gateway carries out by itself. The file's name is the rule's name."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from weft.catalog.findings import Report
from weft.catalog.folder import Document, Folder, bad_name
from weft.catalog.forms import RuleForm
from weft.catalog.formulas import Formula, Formulas
from weft.catalog.shape import convert
from weft.model import Signal
from weft.model.expression import BadExpression, parse
from weft.model.logic import Rule

__all__ = ["read_rules"]

TABLES = ("set", "else", "safe")


def read_rules(
    folder: Folder, signals: Mapping[str, Signal], formulas: Formulas, site: str
) -> dict[str, Rule]:
    """Every sound rule by name; whatever is wrong is a finding."""
    rules: dict[str, Rule] = {}
    places: dict[str, Document] = {}
    for document in folder.documents("logic"):
        form, problems = convert(document.data, RuleForm, "a rule")
        document.report(folder.findings, problems)
        if reason := bad_name(document.stem):
            folder.findings.error((document.file, 0), f"The rule's name {document.stem!r} {reason}.")
        if form is not None:
            _check(form, document, folder.findings)
            rules[document.stem] = _rule(document, form, signals, formulas, site, folder.findings)
            places[document.stem] = document
    _warn_of_circles(rules, places, folder.findings)
    return rules


def _check(form: RuleForm, document: Document, findings: Report) -> None:
    for key, value in (("for", form.hold), ("every", form.every), ("watchdog", form.watchdog)):
        if not 0 <= value < math.inf:
            message = f"{key!r} of {value:g} s is impossible."
            findings.error(document.place(key), message, "0 is the same as leaving it out.")
    if form.per_minute < 1:
        findings.error(document.place("per_minute"), "'per_minute' is at least 1.")
    if not (form.set or form.otherwise):
        findings.error(document.place(), "The rule does nothing.", 'Add set = { "path" = "value" }.')
    if form.safe and not form.watchdog:
        findings.error(document.place("safe"), "'safe' is never written.", "Add watchdog = seconds.")
    if form.watchdog and not form.safe:
        findings.error(document.place("watchdog"), "'watchdog' has nothing to write.", "Add safe = { … }.")


def _rule(
    document: Document,
    form: RuleForm,
    signals: Mapping[str, Signal],
    formulas: Formulas,
    site: str,
    findings: Report,
) -> Rule:
    def resolved(text: str, *key: str) -> str:
        return formulas.resolved(Formula(text, document.place(*key), site)) if text else ""

    def actions(table: str, said: Mapping[str, str | int | float | bool]) -> dict[str, str]:
        found = {}
        for target, value in said.items():
            path = formulas.path(target, site) or target
            _check_target(path, target, document, table, signals, findings)
            text = str(value).lower() if isinstance(value, bool) else str(value)
            found[path] = resolved(text, table, target)
        return found

    return Rule(
        name=document.stem,
        when=resolved(form.when, "when"),
        until=resolved(form.until, "until"),
        hold=form.hold,
        set=actions("set", form.set),
        otherwise=actions("else", form.otherwise),
        every=form.every,
        watchdog=form.watchdog,
        safe=actions("safe", form.safe),
        per_minute=form.per_minute,
        description=form.description,
        enabled=form.enabled,
    )


def _check_target(
    path: str,
    said: str,
    document: Document,
    table: str,
    signals: Mapping[str, Signal],
    findings: Report,
) -> None:
    place = document.place(table, said)
    signal = signals.get(path)
    if signal is None:
        findings.error(place, f"There is no signal {said!r} to write.", "Paths begin below the site.")
    elif signal.write is None or not signal.write.logic:
        remedy = "Add write = { logic = true } to the signal."
        findings.error(place, f"Local logic must not write {said!r}.", remedy)


def _warn_of_circles(rules: Mapping[str, Rule], places: Mapping[str, Document], findings: Report) -> None:
    """A rule that reads what it writes, itself or by way of other rules, can swing for ever."""
    reads = {name: set(_inputs(rule)) for name, rule in rules.items()}
    writes = {name: {*rule.set, *rule.otherwise, *rule.safe} for name, rule in rules.items()}
    after = {name: [other for other in rules if writes[name] & reads[other]] for name in rules}
    for name in rules:
        seen: set[str] = set()
        todo = list(after[name])
        while todo and name not in seen:
            step = todo.pop()
            if step not in seen:
                seen.add(step)
                todo += after[step]
        if name in seen:
            message = f"The rule {name!r} writes what it reads, itself or by way of other rules."
            findings.warn(places[name].place("set"), message, "It is halted when it swings too often.")


def _inputs(rule: Rule) -> Iterator[str]:
    for text in (rule.when, rule.until):
        try:
            yield from parse(text).signals if text else ()
        except BadExpression:
            continue
