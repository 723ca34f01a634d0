"""Browse paths as text: the names from a start node down, joined by ``/``.

A name is ``2:Spindle`` with the server's namespace index, ``nsu=urn:mill;Spindle`` with the URI, or plain for
namespace 0 (OPC 10000-6, 5.1.14). ``&`` before a ``/`` or ``&`` takes it as a letter (OPC 10000-4, A.2); a URI
ends at its ``;``, so its own slashes stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

__all__ = ["Name", "parse", "text"]

LONGEST: Final = 100
_NAME: Final = re.compile(
    r"(?:nsu=(?P<uri>[^;]+);|(?P<index>\d{1,5}):|(?!\d+:|nsu=))(?P<name>(?:&.|[^&/])+)(?P<end>/|$)", re.DOTALL
)
_PREFIXED: Final = re.compile(r"\d+:|nsu=")  # names that look as if they began with a namespace


class Name(NamedTuple):
    """A QualifiedName whose ``namespace`` is an index, or a URI that only the server can turn into one."""

    namespace: int | str
    name: str

    def index_in(self, namespaces: Sequence[str]) -> int:
        """Index in the server's NamespaceArray. Raises LookupError when it has no such URI."""
        if isinstance(self.namespace, int):
            return self.namespace
        if self.namespace not in namespaces:
            raise LookupError(f"the server has no namespace {self.namespace!r}")
        return namespaces.index(self.namespace)


def parse(path: str) -> list[Name]:
    """The names from the start on; a ``/`` in front is allowed. Raises ValueError that shows the form."""
    names: list[Name] = []
    at, more = len(path) - len(path.removeprefix("/")), True
    while more:
        match = _NAME.match(path, at)
        if match is None or len(names) == LONGEST:
            raise ValueError(
                f"{path!r} is not a path like 2:Machine/2:Spindle or nsu=urn:mill;Spindle/0:Load"
            )
        namespace: int | str = int(match["index"] or 0)
        if match["uri"]:
            namespace = match["uri"].replace("%3B", ";").replace("%25", "%")
        elif int(match["index"] or 0) > 0xFFFF:
            raise ValueError(f"{path!r}: a namespace index is at most 65535")
        names.append(Name(namespace, re.sub(r"&(.)", r"\1", match["name"], flags=re.DOTALL)))
        at, more = match.end(), bool(match["end"])
    return names


def text(names: Sequence[Name]) -> str:
    """The other way round."""
    return "/".join(_prefix(name) + re.sub(r"[&/]", r"&\g<0>", name.name) for name in names)


def _prefix(name: Name) -> str:
    if isinstance(name.namespace, str):
        return f"nsu={name.namespace.replace('%', '%25').replace(';', '%3B')};"
    return f"{name.namespace}:" if name.namespace or _PREFIXED.match(name.name) else ""
