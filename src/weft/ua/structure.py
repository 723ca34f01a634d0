"""Bodies of structures: asyncua's decoder where it knows the type, else the bytes as they came."""

from __future__ import annotations

import dataclasses
import uuid
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final

from asyncua.common.utils import Buffer

from weft.model.values import type_name
from weft.ua.guard import FAULTS
from weft.ua.stack import ua

__all__ = ["plain", "structure"]


def structure(kind: str, body: bytes) -> dict[str, Any]:
    """``{"type", "body"}``. A body that asyncua cannot read, or not to its end, stays bytes: nothing of it
    is lost."""
    known = _known(kind)
    if known is not None:
        buffer = Buffer(body)
        try:
            value = ua.ua_binary.from_binary(known, buffer)
        except FAULTS:
            return {"type": kind, "body": body}
        if not len(buffer):
            return {"type": known.__name__, "body": plain(value)}
    return {"type": kind, "body": body}


_BY_TEXT: Final[dict[str, Any]] = {}


def _known(kind: str) -> Any:
    if not _BY_TEXT:
        _BY_TEXT.update({key.to_string(): known for key, known in ua.extension_objects_by_typeid.items()})
    return _BY_TEXT.get(kind)


def plain(value: Any) -> Any:
    """An asyncua value as plain Python values; times as RFC 3339 text in UTC, enumerations as numbers."""
    if isinstance(value, ua.NodeId):
        return value.to_string()
    if isinstance(value, ua.QualifiedName):
        return f"{value.NamespaceIndex}:{value.Name}" if value.NamespaceIndex else value.Name or ""
    if isinstance(value, ua.LocalizedText):
        return {"locale": value.Locale, "text": value.Text}
    if isinstance(value, ua.StatusCode):
        return value.value
    if isinstance(value, ua.XmlElement):
        return value.Value
    if isinstance(value, ua.Variant):
        return {"type": type_name(value.VariantType.value), "value": plain(value.Value)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = (field.name for field in dataclasses.fields(value) if field.name != "Encoding")
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (list, tuple)):
        return [plain(element) for element in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value) if isinstance(value, uuid.UUID) else value
