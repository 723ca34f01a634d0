"""Bodies of messages as documents: JSON, JSON lines, CSV, plain text."""

from __future__ import annotations

import csv
import io
from typing import Any, Final

from weft.connect.payload import Payload
from weft.connect.payload.document import NOT_JSON, parse
from weft.runtime import Invalid

__all__ = ["MOST", "UnknownForm", "payloads_of"]

MOST: Final = 10_000  # documents of one body
_LINES: Final = frozenset({"application/x-ndjson", "application/jsonl", "application/x-jsonlines"})


class UnknownForm(Invalid):
    """A content type that is not read."""


def payloads_of(body: bytes, content_type: str) -> list[Payload]:
    """The documents of a body: the entries of a JSON array, the lines of JSON lines, the rows of a CSV with a
    head, else one. Raises Invalid naming the place of a mistake, UnknownForm for another content type."""
    form = content_type.partition(";")[0].strip().lower()
    if form in _LINES:
        found = [_json(line, f"Line {i}") for i, line in enumerate(body.splitlines(), 1) if line.strip()]
    elif form == "text/csv":
        found = list(_rows(body))
    elif form == "text/plain":
        return [Payload(body)]
    elif form in ("", "application/json") or form.endswith("+json"):
        document = _json(body, "The body")
        found = document if isinstance(document, list) else [document]
    else:
        raise UnknownForm(
            f"Bodies of the type {form[:100]!r} are not read.",
            remedy="Send application/json, application/x-ndjson, text/csv or text/plain.",
        )
    if len(found) > MOST:
        raise Invalid(f"The body has {len(found):,} documents; at most {MOST:,} are read.")
    return [Payload(b"", document) for document in found]


def _json(text: bytes, what: str) -> Any:
    document = parse(text)
    if document is NOT_JSON:
        raise Invalid(
            f"{what} is no JSON.", remedy="Check what is sent; the content type says what is expected."
        )
    return document


def _rows(body: bytes) -> list[dict[str, str]]:
    try:
        text = body.decode("utf-8-sig")
        head, *rows = list(csv.reader(io.StringIO(text, newline=""), strict=True)) or [[]]
    except (UnicodeDecodeError, csv.Error) as error:
        raise Invalid(f"The body is no CSV in UTF-8: {error}.") from error
    if len(set(head)) != len(head) or not all(head):
        raise Invalid("The first line of the CSV must name each column once.")
    for i, row in enumerate(rows, 2):
        if row and len(row) != len(head):
            raise Invalid(f"Line {i} of the CSV has {len(row)} cells; the first has {len(head)}.")
    return [dict(zip(head, row, strict=True)) for row in rows if row]
