"""From messages of carts to samples, alarms and documents."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from weft.connect.api import Link, Point
from weft.connect.payload.document import ABSENT, Steps, look, steps
from weft.connect.payload.values import check_type, typed
from weft.connect.tally import Tally
from weft.connect.vda5050.errors import Errors
from weft.connect.vda5050.fleet import Cart, Fleet
from weft.connect.vda5050.heard import Heard
from weft.model import Batch, BatchBuilder, Flag, Kind, ValueType
from weft.model.quality import BAD_CONFIGURATION_ERROR, BAD_NO_COMMUNICATION, BAD_NOT_CONNECTED
from weft.runtime import Invalid

__all__ = ["Desk"]

LONGEST: Final = 512 << 10  # bytes of a factsheet that goes with its event
_AWAY: Final = {"OFFLINE": BAD_NOT_CONNECTED, "CONNECTIONBROKEN": BAD_NO_COMMUNICATION}
_json = msgspec.json.Encoder(order="sorted").encode


class Target(NamedTuple):
    handle: int
    path: Steps
    type: ValueType | None


class Desk:
    """Reads messages for the points of ``link``. Points that cannot be served are refused, the others stay."""

    def __init__(self, link: Link, fleet: Fleet) -> None:
        self.points: Sequence[Point] = ()
        self._link = link
        self._fleet = fleet
        self._tally = Tally(link.name)
        memory = link.recall()
        self._errors = Errors(self._tell, memory.get("errors"))
        self._factsheets: dict[str, str] = dict(memory.get("factsheets") or {})
        self._targets: dict[tuple[str, str], list[Target]] = {}
        self._seen: set[int] = set()
        self._now = 0
        self.follow(link.points)

    def memory(self) -> dict[str, Any]:
        return {"errors": self._errors.memory(), "factsheets": dict(self._factsheets)}

    def follow(self, points: Sequence[Point]) -> None:
        """Reads for other points from now on; new ones begin with what is known of their cart."""
        added = {point.handle for point in set(points) - set(self.points)}
        self.points = points
        self._targets = {}
        for point in points:
            try:
                check_type(point.type)
            except Invalid as error:
                self._link.refuse(point, BAD_CONFIGURATION_ERROR, str(error))
                continue
            key = point.address.cart, point.address.topic
            self._targets.setdefault(key, []).append(
                Target(point.handle, steps(point.address.path), point.type)
            )
        self._tell_known(added)

    def take(self, messages: Iterable[Heard | None]) -> Batch:
        """The samples of messages, in order."""
        batch = BatchBuilder()
        for heard in messages:
            self._now = max(self._link.clock.now(), self._now + 1)
            if heard is None:
                self._tally.add("not a message of a cart")
                continue
            cart = self._fleet.of(heard.cart)
            if cart is None:
                self._tally.add("too many carts")
                continue
            self._take(cart, heard, batch)
        return batch.build()

    def _take(self, cart: Cart, heard: Heard, batch: BatchBuilder) -> None:
        was = cart.connection
        try:
            lost = cart.take(heard, self._now)
        except ValueError:
            self._tally.add("came twice")
            return
        time, flags = (self._now, Flag.RECEIVE_TIME) if heard.time is None else (heard.time, 0)
        if heard.topic == "state":
            if lost is not None:
                mine = [point for point in self.points if point.address.cart == cart.id]
                self._link.gap(*lost, f"states of the cart {cart.id} did not arrive", mine)
            self._errors.take(cart.id, heard.document, time)
        elif heard.topic == "factsheet":
            self._factsheet(cart.id, heard.document, time)
        elif heard.topic == "connection":
            if cart.connection == "CONNECTIONBROKEN":
                time, flags = self._now, Flag.RECEIVE_TIME  # its own time is when the cart connected
            if cart.connection in _AWAY and was != cart.connection:
                self._lose(cart.id, _AWAY[cart.connection], batch)
        self._read(self._targets.get((cart.id, heard.topic), ()), heard.document, time, flags, batch)

    def _read(
        self, targets: Iterable[Target], document: dict[str, Any], time: int, flags: int, batch: BatchBuilder
    ) -> None:
        """An absent field is no news: VDA 5050 leaves out what a cart does not have."""
        for target in targets:
            found = _at(document, target.path)
            if found is ABSENT:
                continue
            value, code, status = typed(found, target.type)
            mark = 0
            if target.handle not in self._seen:
                self._seen.add(target.handle)
                mark = Flag.FIRST
            batch.add(target.handle, time, value, code, status, flags | mark)

    def _lose(self, cart: str, status: int, batch: BatchBuilder) -> None:
        """What the cart said last is not its present any more."""
        for topic in ("state", "visualization"):
            for target in self._targets.get((cart, topic), ()):
                batch.add(target.handle, self._now, None, ValueType.NULL, status, Flag.SYNTHETIC)

    def _factsheet(self, cart: str, document: dict[str, Any], time: int) -> None:
        body = {key: value for key, value in document.items() if key not in ("headerId", "timestamp")}
        text = _json(body)
        digest = hashlib.sha256(text).hexdigest()[:16]
        if self._factsheets.get(cart) == digest:
            return
        self._factsheets[cart] = digest
        data: dict[str, Any] = {
            "id": f"{cart}/factsheet",
            "type": "factsheet",
            "state": "present",
            "device": cart,
        }
        data |= {"media_type": "application/json", "size": len(text)}
        self._tell(Kind.DOCUMENT, data | ({"text": text.decode()} if len(text) <= LONGEST else {}), time)

    def _tell_known(self, added: set[int]) -> None:
        batch = BatchBuilder()
        now = self._link.clock.now()
        for (cart_id, topic), targets in self._targets.items():
            cart = self._fleet.carts.get(cart_id)
            if topic == "state" and cart is not None and cart.online and cart.state:
                new = [target for target in targets if target.handle in added]
                self._read(new, cart.state, now, Flag.RECEIVE_TIME | Flag.REPEATED, batch)
        self._link.emit(batch.build())

    def _tell(self, kind: str, data: dict[str, Any], time: int) -> None:
        self._link.tell(kind, data, time=time)


def _at(document: Any, path: Steps) -> Any:
    if path and path[-1] == "length":
        found = look(document, path[:-1])
        if isinstance(found, list):
            return len(found)
    return look(document, path)
