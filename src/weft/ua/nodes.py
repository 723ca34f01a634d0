"""NodeIds as text (OPC 10000-6, 5.3.1.10), with the namespace as index or as URI."""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

__all__ = ["Node", "parse"]

_FORM: Final = re.compile(r"(?:ns=(\d{1,5});|nsu=([^;]+);)?([isgb])=(.+)", re.DOTALL)


class Node(NamedTuple):
    """``namespace`` is an index, or a URI that only the server can turn into one."""

    namespace: int | str
    kind: str
    identifier: int | str | bytes | uuid.UUID

    def index_in(self, namespaces: Sequence[str]) -> int:
        """Index in the server's NamespaceArray. Raises LookupError when it has no such URI."""
        if isinstance(self.namespace, int):
            return self.namespace
        if self.namespace not in namespaces:
            raise LookupError(f"the server has no namespace {self.namespace!r}")
        return namespaces.index(self.namespace)


def parse(text: str) -> Node:
    """Raises ValueError that shows the form."""
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a node like i=2258, ns=2;s=Mill.Load or nsu=urn:mill;s=Load")
    index, uri, kind, rest = match.groups()
    namespace: int | str = int(index or 0)
    if uri:
        namespace = uri.replace("%3B", ";").replace("%25", "%")
    elif int(index or 0) > 0xFFFF:
        raise ValueError(f"{text!r}: a namespace index is at most 65535")
    return Node(namespace, kind, _identifier(text, kind, rest))


def _identifier(text: str, kind: str, rest: str) -> Any:
    try:
        if kind == "i":
            number = int(rest)
            if not 0 <= number <= 0xFFFFFFFF:
                raise ValueError(rest)
            return number
        if kind == "g":
            return uuid.UUID(rest)
        if kind == "b":
            return base64.b64decode(rest, validate=True)
    except (ValueError, binascii.Error) as error:
        what = {"i": "a number below 2^32", "g": "a GUID", "b": "base64"}[kind]
        raise ValueError(f"{text!r}: {rest!r} is not {what}") from error
    return rest
