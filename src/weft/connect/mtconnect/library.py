"""Assets as documents: cutting tools, fixtures, files, handed over once per version (MTConnect part 4)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import quote

from weft.connect.mtconnect.client import Client
from weft.connect.mtconnect.document import Asset, Observation, Refusal, assets_of
from weft.connect.mtconnect.model import Model
from weft.connect.shdr.values import is_unavailable
from weft.model import Kind
from weft.model.instant import parse_instant
from weft.runtime import get_logger

__all__ = ["Library"]

log = get_logger(__name__)

Tell = Callable[[str, dict[str, Any], int], None]

MOST: Final = 4096  # assets whose version is known
LONGEST: Final = 512 << 10  # bytes of a document that goes with its event
TOGETHER: Final = 20  # assets in one request


class Library:
    """The assets by id, each with the digest of the version that was told."""

    def __init__(self, model: Model, tell: Tell, remembered: Any) -> None:
        self._items = {
            item.id: item for item in model.items.values() if item.type in ("ASSET_CHANGED", "ASSET_REMOVED")
        }
        self._tell = tell
        self._known: dict[str, str] = {}
        if isinstance(remembered, dict):
            self._known = {k: v for k, v in remembered.items() if isinstance(k, str) and isinstance(v, str)}

    def memory(self) -> dict[str, str]:
        return dict(self._known)

    async def open(self, client: Client) -> None:
        """Reads all that the agent has, and what went while we were away. Agents without assets say so: fine."""
        try:
            root = await client.get("assets", {"count": MOST, "removed": "true"})
        except Refusal as refusal:
            log.debug("no assets", because=str(refusal))
            return
        held = [asset for asset in assets_of(root) if asset.id]
        for asset in held:
            self._put(asset)
        for id in self._known.keys() - {asset.id for asset in held if not asset.removed}:
            self._remove(id, "", 0)

    async def take(self, client: Client, observations: Iterable[Observation], times: dict[int, int]) -> None:
        """Fetches what ASSET_CHANGED names and tells what ASSET_REMOVED names; ``times`` by sequence number."""
        changed: dict[str, None] = {}
        for seen in observations:
            item, id = self._items.get(seen.id), seen.text.strip()
            if item is None or not id or is_unavailable(id):
                continue
            if item.type == "ASSET_CHANGED":
                changed[id] = None
            else:
                changed.pop(id, None)
                self._remove(id, seen.attributes.get("assetType", ""), times.get(seen.sequence, 0))
        for id in changed:
            await self._fetch(client, id)

    async def _fetch(self, client: Client, id: str) -> None:
        try:
            # An asset belongs to the agent, whatever device it was asked of; its path has no device.
            root = await client.get(f"asset/{quote(id, safe='')}", of_device=False)
        except Refusal as refusal:
            log.warning("an asset cannot be had", asset=id, because=str(refusal))
            return
        for asset in assets_of(root):
            self._put(asset)

    def _put(self, asset: Asset) -> None:
        if asset.removed:
            self._remove(asset.id, asset.type, _time(asset))
            return
        digest = hashlib.sha256(f"{asset.time}\n{asset.text}".encode()).hexdigest()[:16]
        if self._known.get(asset.id) == digest:
            return
        if asset.id in self._known or len(self._known) < MOST:
            self._known[asset.id] = digest
        size = len(asset.text.encode())
        data = {
            "id": asset.id,
            "type": asset.type,
            "state": "present",
            "device": asset.device,
            "media_type": "application/xml",
            "size": size,
        }
        self._tell(Kind.DOCUMENT, data | ({"text": asset.text} if size <= LONGEST else {}), _time(asset))

    def _remove(self, id: str, type: str, time: int) -> None:
        if self._known.pop(id, None) is not None:
            self._tell(Kind.DOCUMENT, {"id": id, "type": type, "state": "removed"}, time)


def _time(asset: Asset) -> int:
    try:
        return parse_instant(asset.time)
    except ValueError:
        return 0
