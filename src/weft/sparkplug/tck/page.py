"""The table of all statements, as a page of the reference."""

from __future__ import annotations

from weft.sparkplug.tck.beyond import BEYOND
from weft.sparkplug.tck.report import RULES, known_ids

__all__ = ["page"]

_HEAD = """# Sparkplug: what the checker checks

`weft sparkplug check` judges a recorded session by the normative statements of Sparkplug 3.0. {rules} of its {all}
statements have a rule; {beyond} cannot be decided from messages, each with its reason. A statement whose occasion did
not come up is "not seen". Those about connections (wills, subscriptions, good-byes) need a recording of connections,
not of a subscriber alone. This page is written from the code.

| statement | how |
|---|---|
"""


def page() -> str:
    names = known_ids()
    head = _HEAD.format(rules=len(RULES), all=len(names), beyond=len(BEYOND))
    rows = [
        f"| `{name}` | {'checked' if name in RULES else 'not checkable: ' + BEYOND[name]} |" for name in names
    ]
    return head + "\n".join(rows) + "\n"
