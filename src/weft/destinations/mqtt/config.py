"""What a file of destinations/ says in its table [mqtt]."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from weft.mqtt.broker import Broker

__all__ = ["Config"]

TOPICS: Final = {
    "json": "uns/v1/{path}",
    "columns": "uns/v1/{path}",
    "umh": "umh/v1/{asset}/{contract}/{name}",
}
PLACES: Final = ("path", "asset", "name", "contract")


class Config(Broker, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The broker, and how samples look there. ``topic`` holds ``{path}``, ``{asset}``, ``{name}``; empty is the
    format's own. ``retain``: the broker keeps the newest live message of each topic. ``window`` messages at most
    are unacknowledged. Raises ValueError for a topic that cannot be."""

    format: Literal["json", "columns", "umh"] = "json"
    topic: str = ""
    contract: Annotated[str, Meta(pattern="^_[A-Za-z0-9_-]+$")] = "_historian"
    retain: bool = False
    window: Annotated[int, Meta(ge=1, le=1000)] = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            made = self.template.format(**dict.fromkeys(PLACES, "x"))
        except (KeyError, IndexError, ValueError, AttributeError):
            raise ValueError(
                f"the topic {self.template!r} is wrong: its places are {{path}}, {{asset}}, {{name}}"
            ) from None
        if "{path}" not in self.template and not ("{asset}" in self.template and "{name}" in self.template):
            raise ValueError("the topic must hold {path}, or {asset} and {name}: signals would be mixed")
        if set(made) & {"#", "+", "\0"} or made.startswith(("/", "$")):
            raise ValueError(f"{self.template!r} is no topic: no #, no +, and no / or $ at its beginning")

    @property
    def template(self) -> str:
        return self.topic or TOPICS[self.format]
