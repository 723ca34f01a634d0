"""Quality cards: what each connector has shown by test, written by the tests themselves.

A test says what it shows with ``@pytest.mark.card("modbus", "reconnect")``. A run with ``--write-cards`` writes
``src/weft/connect/<connector>/quality.toml``: a rule is passed when all of its tests of that run passed, and is
struck out when one failed. Rules that do not apply to a protocol stand in the card by hand, as ``exempt`` with a
reason, and stay; a rule whose tests did not run, or were skipped, keeps what it had. The page
``docs/reference/connectors.md`` is written from all cards.
"""

from __future__ import annotations

import json
import pathlib
import tomllib
from collections import defaultdict
from typing import Any

import pytest

RULES = {
    "reads": "Values arrive exactly as the other side has them",
    "types": "The original type is kept",
    "source_time": "The source's own time is kept; where there is none, the flag says so",
    "bad_signal": "One bad signal never fails its neighbours",
    "bad_input": "Malformed input is refused with a clear reason, and the rest goes on",
    "reconnect": "Comes back by itself after the other side was killed",
    "line_quality": "A lost line gives its signals bad quality",
    "update_without_reconnect": "Follows another list of signals without reconnecting",
    "outside_peer": "Tested against software of others",
    "browse": "Lists what the other side offers",
}
ROOT = pathlib.Path(__file__).parents[1]
CONNECTORS = ROOT / "src" / "weft" / "connect"
SHARED = {"payload"}  # what several connectors read with
REFERENCE_PAGE = ROOT / "docs" / "reference" / "connectors.md"

Card = dict[str, dict[str, Any]]


def read_card(path: pathlib.Path) -> Card:
    """Rules of a card by name; none when there is no card yet."""
    if not path.is_file():
        return {}
    rules: Card = tomllib.loads(path.read_text(encoding="utf-8"))
    return rules


def card_text(connector: str, card: Card) -> str:
    """The card as it is written: rules in the list's order, tests sorted, nothing that differs by machine."""
    lines = [f"# What the connector {connector} has shown by test. Written by: pytest --write-cards"]
    for rule in RULES:
        entry = card.get(rule)
        if entry is None:
            continue
        lines += ["", f"[{rule}]", f'status = "{entry["status"]}"']
        if entry["status"] == "exempt":
            lines.append(f"reason = {json.dumps(entry['reason'], ensure_ascii=False)}")
        else:
            tests = [f'    "{test}",' for test in sorted(entry["tests"])]
            lines += ["tests = [", *tests, "]"]
    return "\n".join(lines) + "\n"


def folders() -> list[str]:
    """The connectors of this repository: folders with code."""
    return sorted(
        path.parent.name for path in CONNECTORS.glob("*/__init__.py") if path.parent.name not in SHARED
    )


def reference_text() -> str:
    """The page that compares the connectors, from their cards."""
    names = folders()
    cards = {name: read_card(CONNECTORS / name / "quality.toml") for name in names}
    heads = [f"[{name}](../../src/weft/connect/{name}/README.md)" for name in names]
    lines = [
        "# Connectors",
        "",
        "What each connector has shown by test, from the quality cards in their folders. Written by",
        "`pytest --write-cards`; change the tests, not this page. How to add one:",
        "[write a connector](../how-to/write-a-connector.md).",
        "",
        f"| rule | {' | '.join(heads)} |",
        f"|---|{'---|' * len(names)}",
    ]
    reasons: list[str] = []
    for rule, meaning in RULES.items():
        cells = []
        for name in names:
            entry = cards[name].get(rule, {"status": "not shown"})
            cells.append({"passed": "yes", "exempt": "does not apply"}.get(entry["status"], "not shown"))
            if entry["status"] == "exempt":
                reasons.append(f"- {name}, {rule}: {entry['reason']}")
        lines.append(f"| `{rule}`: {meaning[0].lower()}{meaning[1:]} | {' | '.join(cells)} |")
    if reasons:
        lines += ["", "## What does not apply, and why", "", *reasons]
    return "\n".join(lines) + "\n"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-cards", action="store_true", help="write the connectors' quality cards")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "card(connector, rule): what this test shows on a quality card")
    if config.getoption("--write-cards"):
        config.pluginmanager.register(CardWriter(), "card-writer")


class CardWriter:
    """Gathers the marked tests of a run and what became of them."""

    def __init__(self) -> None:
        self._rules: dict[str, set[tuple[str, str]]] = defaultdict(set)
        self._files: set[str] = set()
        self._outcomes: dict[str, set[str]] = defaultdict(set)

    @pytest.hookimpl(tryfirst=True)  # before -k and -m leave some out
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            self._files.add(file_of(item.nodeid))
            for mark in item.iter_markers("card"):
                connector, rule = mark.args
                if rule not in RULES:
                    raise pytest.UsageError(
                        f"{item.nodeid}: no rule {rule!r} on a card; rules: {', '.join(RULES)}"
                    )
                self._rules[plain(item.nodeid)].add((connector, rule))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._outcomes[plain(report.nodeid)].add(report.outcome)

    def pytest_sessionfinish(self) -> None:
        found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for test, pairs in self._rules.items():
            for connector, rule in pairs:
                if test in self._outcomes:
                    found[connector][rule].append(test)
        for connector, rules in found.items():
            self._write(connector, rules)
        REFERENCE_PAGE.write_text(reference_text(), encoding="utf-8")

    def _write(self, connector: str, rules: dict[str, list[str]]) -> None:
        path = CONNECTORS / connector / "quality.toml"
        card = read_card(path)
        for rule, tests in rules.items():
            outcomes = {outcome for test in tests for outcome in self._outcomes[test]}
            if outcomes == {"passed"}:
                kept = [
                    test for test in card.get(rule, {}).get("tests", []) if self._still(test, connector, rule)
                ]
                card[rule] = {"status": "passed", "tests": {*tests, *kept}}
            elif "failed" in outcomes:
                card.pop(rule, None)
        path.write_text(card_text(connector, card), encoding="utf-8")

    def _still(self, test: str, connector: str, rule: str) -> bool:
        """Whether a test that the card names is there as far as this run has seen."""
        return file_of(test) not in self._files or (connector, rule) in self._rules.get(test, ())


def file_of(nodeid: str) -> str:
    return nodeid.partition("::")[0]


def plain(nodeid: str) -> str:
    """A test's id without its parameters."""
    return nodeid.partition("[")[0]
