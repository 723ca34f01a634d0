"""The cart at work: carries pallets to the warehouse on its own, and whatever else it is told when it has time."""

from __future__ import annotations

from typing import Any, Final

from weft.demo.cart import Cart
from weft.demo.flow import Buffer
from weft.demo.machine import STEP, Cause, Machine, State, Trouble

__all__ = ["NODES", "Carrier"]

NODES: Final = {
    "dock": (0.0, 0.0),
    "palletiser": (14.0, 3.0),
    "crossing": (14.0, 16.0),
    "warehouse": (38.0, 16.0),
}
LOW, ENOUGH = 35.0, 90.0  # % of charge: when it goes to the dock, and when it leaves
ERRORS: Final = {
    "A21 OBSTACLE ON THE WAY": ("obstacleDetected", "WARNING"),
    "A24 SAFETY FIELD NOT FREE": ("safetyFieldViolation", "WARNING"),
    "A02 POSITION LOST": ("localizationLost", "FATAL"),
    "A05 DRIVE WHEEL LEFT": ("driveError", "FATAL"),
}
TROUBLES: Final = (
    Trouble(
        Cause.MICRO_STOP,
        ("A21 OBSTACLE ON THE WAY", "A24 SAFETY FIELD NOT FREE"),
        mean=150.0,
        repair=(3.0, 6.0, 20.0),
    ),
    Trouble(
        Cause.BREAKDOWN,
        ("A02 POSITION LOST", "A05 DRIVE WHEEL LEFT"),
        mean=5400.0,
        repair=(60.0, 150.0, 400.0),
    ),
)


class Carrier(Machine):
    """Takes pallets from ``infeed``; in its happenings ``trip`` is an order of its own, ``stored`` a pallet's end."""

    def __init__(self, seed: int, infeed: Buffer[tuple[str, ...]]) -> None:
        super().__init__("cart", seed, TROUBLES)
        self.infeed = infeed
        self.cart = Cart(x=0.0, y=0.0, map_id="hall-1", speed=1.2)
        self.cart.last_node = "dock"
        self.pallet: tuple[str, ...] = ()
        self.trips, self.stored, self.packs_stored = 0, 0, 0
        self.told = 0  # grows with everything that a state message must tell at once

    @property
    def loaded(self) -> int:
        """Packs on the cart."""
        return len(self.pallet)

    def command(self, name: str, value: Any) -> None:
        """``order`` or ``instantActions`` with the message of VDA 5050."""
        if name not in {"order", "instantActions"} or not isinstance(value, dict):
            return
        if name == "order":
            self.cart.order(value)
        else:
            self.cart.instant(value)
        self.told += 1
        self.happened("command", name=name, order=str(value.get("orderId", "")))

    def work(self) -> bool:
        self._clear_errors()
        if not self.cart.busy and not self._find_work():
            self._live()
            return self.wait(Cause.STARVED)
        self._live()
        return not self.cart.paused or self.wait(Cause.BLOCKED)

    def physics(self) -> None:
        if self.state in {State.ABORTED, State.HELD} and not self._complaint:
            self._complain()

    def state_message(self) -> dict[str, Any]:
        """As VDA 5050 2.0 has it (6.10), without the header; numbers rounded as a cart's are."""
        state = self.cart.state()
        driving = bool(state["driving"]) and self.running
        place = state["agvPosition"]
        place |= {"x": round(place["x"], 3), "y": round(place["y"], 3), "theta": round(place["theta"], 4)}
        charge = round(self.cart.charge, 2)
        return state | {
            "driving": driving,
            "velocity": {"vx": self.cart.speed if driving else 0.0, "vy": 0.0, "omega": 0.0},
            "batteryState": {
                "batteryCharge": charge,
                "batteryVoltage": round(44.0 + 0.08 * charge, 2),
                "charging": self.cart.charging,
            },
            "errors": list(self.cart.errors),
        }

    @property
    def _complaint(self) -> bool:
        return any(error["errorType"] in _OWN for error in self.cart.errors)

    def _complain(self) -> None:
        type, level = ERRORS.get(self.alarm, ("unknownError", "WARNING"))
        error = {
            "errorType": type,
            "errorLevel": level,
            "errorDescription": self.alarm,
            "errorReferences": [],
        }
        self.cart.errors.append(error)
        self.told += 1

    def _clear_errors(self) -> None:
        if self._complaint:
            self.cart.errors = [error for error in self.cart.errors if error["errorType"] not in _OWN]
            self.told += 1

    def _live(self) -> None:
        """Lets the cart drive, and moves what it picks and drops."""
        was = bool(self.cart.loads)
        if self.cart.step(STEP):
            self.told += 1
        if self.cart.loads and not was and self.cart.last_node == "palletiser" and len(self.infeed):
            self.pallet = self.infeed.take()
            self.cart.loads = [{"loadId": self.pallet[0], "loadType": "pallet", "weight": 0.0}]
        elif was and not self.cart.loads and self.pallet:
            self.stored += 1
            self.packs_stored += len(self.pallet)
            self.happened("stored", packs=list(self.pallet))
            self.pallet = ()

    def _find_work(self) -> bool:
        """Gives the cart its next order; False when there is none."""
        cart = self.cart
        if cart.charging:
            if cart.charge < ENOUGH and not len(self.infeed):
                return False
            if cart.charge < LOW + 5.0:
                return False
            cart.charging = False
        if cart.paused:
            return False
        if self.pallet:
            return self._go(("crossing", ""), ("warehouse", "drop"))
        if len(self.infeed) and cart.charge >= LOW:
            return self._go(("palletiser", "pick"), ("crossing", ""), ("warehouse", "drop"))
        if cart.last_node == "dock":
            cart.charging = True
            return False
        return self._go(("dock", ""))

    def _go(self, *stops: tuple[str, str]) -> bool:
        self.trips += 1
        trip = f"T{self.trips:06d}"
        cart = self.cart
        first = {"nodeId": cart.last_node, "nodePosition": {"x": cart.x, "y": cart.y, "mapId": cart.map_id}}
        nodes: list[dict[str, Any]] = [first | {"sequenceId": 0, "released": True, "actions": []}]
        edges: list[dict[str, Any]] = []
        for i, (node, action) in enumerate(stops, 1):
            x, y = NODES[node]
            actions = (
                [{"actionId": f"{trip}-{i}", "actionType": action, "blockingType": "HARD"}] if action else []
            )
            place = {"x": x, "y": y, "mapId": cart.map_id}
            nodes.append(
                {
                    "nodeId": node,
                    "sequenceId": 2 * i,
                    "released": True,
                    "nodePosition": place,
                    "actions": actions,
                }
            )
            ends = {"startNodeId": nodes[-2]["nodeId"], "endNodeId": node}
            edges.append(
                {"edgeId": f"{trip}-e{i}", "sequenceId": 2 * i - 1, "released": True, "actions": []} | ends
            )
        cart.order({"orderId": trip, "orderUpdateId": 0, "nodes": nodes, "edges": edges})
        self.told += 1
        self.happened("trip", order=trip, stops=[node for node, _ in stops])
        return True


_OWN: Final = frozenset(type for type, _ in ERRORS.values())
