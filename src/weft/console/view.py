"""The plant arranged for the page: assets in tree order, each with its signals, connections in plain words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

import msgspec

from weft.catalog.api import Plant
from weft.console import words
from weft.console.words import Mark
from weft.model import Asset, Level, Signal
from weft.runtime import NotFound

__all__ = ["ASSET_WORDS", "AssetView", "PlantView", "SignalView", "worst"]

MOST_ROWS: Final = 600  # a page stays readable and light; larger plants are seen asset by asset

_ORDER: Final = {mark: place for place, mark in enumerate(Mark)}


class SignalView(msgspec.Struct, frozen=True, kw_only=True):
    handle: int
    path: str
    name: str
    description: str
    unit: str
    trend: str
    limit: int  # ms; older than this is stale, 0: age says nothing about this signal


class AssetView(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    name: str
    level: str
    type: str
    description: str
    depth: int
    key: str
    trail: tuple[str, ...]
    link: str
    below: int  # signals of this asset and of all below it
    signals: tuple[SignalView, ...]
    handles: tuple[int, ...]  # of this asset and of all below it


class PlantView(msgspec.Struct, frozen=True, kw_only=True):
    """``shown`` are the assets whose signals the page lists; ``tree`` are all below the site."""

    plant: Plant
    site: str
    tree: tuple[AssetView, ...]
    shown: tuple[AssetView, ...]
    chosen: str
    hidden: int
    signals: Mapping[int, Signal]

    @property
    def handles(self) -> list[int]:
        return [signal.handle for asset in self.shown for signal in asset.signals]

    @classmethod
    def of(cls, plant: Plant, chosen: str = "") -> PlantView:
        """Raises NotFound for an asset that the plant has not."""
        if chosen and chosen not in plant.assets:
            raise NotFound(f"The plant has no asset {chosen!r}.", remedy="The plant's page lists all assets.")
        tree = tuple(_tree(plant))
        wanted = [asset for asset in tree if _is_below(asset.path, chosen)]
        shown: list[AssetView] = []
        rows = 0
        for asset in wanted:
            if not asset.signals:
                continue
            if shown and rows + len(asset.signals) > MOST_ROWS:
                break
            rows += len(asset.signals)
            shown.append(asset)
        everything = sum(len(asset.signals) for asset in wanted)
        return cls(
            plant=plant,
            site=next((a.path for a in plant.assets.values() if a.level is Level.SITE), ""),
            tree=tree,
            shown=tuple(shown),
            chosen=chosen,
            hidden=everything - rows,
            signals=plant.by_handle(),
        )


def _is_below(path: str, top: str) -> bool:
    return not top or path == top or path.startswith(f"{top}/")


def _tree(plant: Plant) -> Iterable[AssetView]:
    """Assets in the plant's own order, each above its children; the enterprise and the site only when they
    have signals of their own."""
    children: dict[str, list[Asset]] = {}
    for asset in plant.assets.values():
        children.setdefault(asset.parent if asset.parent in plant.assets else "", []).append(asset)
    own: dict[str, list[Signal]] = {}
    below: dict[str, list[int]] = {}
    for signal in plant.signals.values():
        own.setdefault(signal.asset, []).append(signal)
        path = signal.asset
        while path:
            below.setdefault(path, []).append(signal.handle)
            path = path.rpartition("/")[0]
    top = sum(asset.level in _ABOVE for asset in plant.assets.values())
    for key, asset in enumerate(_walk(children, "")):
        if asset.level not in _ABOVE or asset.path in own:
            yield _asset_view(asset, own.get(asset.path, ()), below.get(asset.path, ()), key, top)


_ABOVE: Final = frozenset({Level.ENTERPRISE, Level.SITE})


def _walk(children: Mapping[str, Sequence[Asset]], top: str) -> Iterable[Asset]:
    for asset in children.get(top, ()):
        yield asset
        yield from _walk(children, asset.path)


def _asset_view(asset: Asset, own: Sequence[Signal], below: Sequence[int], key: int, top: int) -> AssetView:
    parts = asset.path.split("/")
    return AssetView(
        path=asset.path,
        name=asset.name,
        level=str(asset.level),
        type=asset.type,
        description=asset.description,
        depth=max(len(parts) - 1 - top, 0),
        key=f"a{key}",
        trail=tuple(parts[top:-1]),
        link="/?" + urlencode({"asset": asset.path}),
        below=len(below),
        signals=tuple(_signal_view(signal) for signal in own),
        handles=tuple(below),
    )


def _signal_view(signal: Signal) -> SignalView:
    # Twice the promised silence and a little: one late sample is no news, two are.
    limit = 0 if signal.silence is None else int(signal.silence * 2000) + 2000
    return SignalView(
        handle=signal.handle,
        path=signal.path,
        name=signal.name,
        description=signal.description,
        unit=words.unit_text(signal.unit),
        trend="/trend?" + urlencode({"signal": signal.path}),
        limit=limit,
    )


def worst(handles: Iterable[int], marks: Mapping[int, Mark]) -> Mark:
    """The worst mark among these signals; those without a sample wait."""
    return max((marks.get(handle, Mark.NONE) for handle in handles), key=_ORDER.__getitem__, default=Mark.OK)


ASSET_WORDS: Final = {
    Mark.OK: "normal",
    Mark.NONE: "waiting for first values",
    Mark.LOW: "outside its limits",
    Mark.HIGH: "outside its limits",
    Mark.UNCERTAIN: "some values uncertain",
    Mark.BAD: "some values bad",
}
