"""How a plant's folder says where an agent is and which of its data items one signal reads."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

__all__ = ["Address", "Config"]


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the agent is. ``interval`` and ``heartbeat`` in seconds are asked of the agent for its stream;
    ``count`` is how many observations come together at most."""

    url: Annotated[str, Meta(pattern=r"^https?://[^/?#]+[^?#]*$")]
    device: str = ""
    interval: Annotated[float, Meta(ge=0.001, le=3600)] = 0.1
    heartbeat: Annotated[float, Meta(ge=0.1, le=3600)] = 10.0
    count: Annotated[int, Meta(ge=1, le=100_000)] = 2000
    assets: bool = True
    user: str = ""
    password: str = ""
    ca: str = ""
    timeout: Annotated[float, Meta(gt=0, le=300)] = 5.0

    def __post_init__(self) -> None:
        if self.password and not self.password.startswith(("env:", "file:")):
            raise ValueError(
                "a password does not belong into the plant's folder: write env:NAME or file:/path to it"
            )


class Address(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One data item by its ``id`` or name, of ``device`` (name or uuid) where several have that name. ``part``
    picks one field of an observation that has several; empty is the whole."""

    id: Annotated[str, Meta(min_length=1)]
    device: str = ""
    part: str = ""
