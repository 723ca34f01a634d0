"""From a connection to proposals: what is there is looked through, with a limit, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import aclosing
from typing import Any

import msgspec

from weft.catalog import form_of
from weft.connect import Browses, Found
from weft.onboard.draft import Draft, Line
from weft.onboard.proposals import Proposal, propose
from weft.runtime import Invalid, plugins

__all__ = ["browse", "draft_of", "proposals_of"]


async def browse(
    line: Line, *, start: str, most: int, progress: Callable[[int], None] = lambda _: None
) -> list[Found]:
    """At most ``most`` of what the other side offers. Raises Invalid for a protocol that lists nothing, and as the
    connector does for what cannot be reached."""
    kind = plugins.load("weft.connectors", line.protocol)
    connector: Any = kind(msgspec.convert(line.config, kind.Config, strict=False))
    if not isinstance(connector, Browses):
        raise Invalid(
            f"{line.protocol} offers no list of what is there.",
            remedy="Its signals come from the maker's manual: write them, or `weft import` a list.",
        )
    found: list[Found] = []
    async with aclosing(connector.browse(start)) as items:  # type: ignore[type-var]  # generators in fact
        async for item in items:
            found.append(item)
            progress(len(found))
            if len(found) >= most:
                break
    return found


def proposals_of(
    found: Sequence[Found],
    *,
    asset: str,
    connection: str,
    like: Sequence[str] = (),
    taken: Collection[str] = (),
) -> list[Proposal]:
    """What is proposed of it; ``like`` are globs over ``folder/name`` as the other side has them."""
    forms = [form_of(pattern) for pattern in like]
    chosen = [
        one for one in found if not forms or any(form.fullmatch(f"{one.folder}/{one.name}") for form in forms)
    ]
    return propose(chosen, asset, connection, taken)


def draft_of(name: str, line: Line, proposals: Sequence[Proposal]) -> Draft:
    """Those that are accepted, as a draft of a plant; the others are noted with the reason."""
    draft = Draft()
    draft.add_line(name, line)
    for proposal in proposals:
        if proposal.accept:
            draft.add(proposal.row())
        else:
            draft.note(proposal.source, proposal.reason)
    return draft
