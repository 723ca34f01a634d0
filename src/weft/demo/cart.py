"""An autonomous cart as VDA 5050 2.0 sees it: takes orders, drives its base, does its actions."""

from __future__ import annotations

import math
from typing import Any, Final

__all__ = ["Cart", "Refused"]

NEAR: Final = 1.0  # m: as far from the first node of an order as the cart may stand
INSTANT: Final = frozenset(
    {"startPause", "stopPause", "cancelOrder", "stateRequest", "factsheetRequest", "initPosition",
     "startCharging", "stopCharging"}
)  # fmt: skip
ON_NODE: Final = frozenset({"pick", "drop", "wait"})
ACTION_SECONDS: Final = 1.0


class Refused(Exception):
    """``type`` is the errorType, ``about`` what it refers to."""

    def __init__(self, type: str, text: str, **about: object) -> None:
        super().__init__(text)
        self.type, self.text, self.about = type, text, about


class Cart:
    """The cart's mind and body. :meth:`step` lets time pass; :meth:`state` is its state message without header."""

    def __init__(self, *, x: float = 0.0, y: float = 0.0, map_id: str = "hall", speed: float = 1.5) -> None:
        self.x, self.y, self.theta = x, y, 0.0
        self.map_id, self.speed = map_id, speed
        self.charge, self.charging, self.paused = 80.0, False, False
        self.order_id, self.update = "", 0
        self.last_node, self.last_sequence = "", 0
        self.nodes: list[dict[str, Any]] = []  # still to be reached
        self.edges: list[dict[str, Any]] = []
        self.actions: dict[str, dict[str, Any]] = {}  # by id, in the order in which they came
        self.loads: list[dict[str, Any]] = []
        self.errors: list[dict[str, Any]] = []
        self.requests: list[str] = []  # instant actions that whoever carries the messages has to answer
        self._running: list[tuple[dict[str, Any], float]] = []  # actions of the last node, seconds left

    # --- what it is told ----------------------------------------------------------------------------------

    def order(self, order: dict[str, Any]) -> None:
        """Takes an order or an update; what is wrong with it becomes an error of the state."""
        about = {"orderId": order.get("orderId", ""), "orderUpdateId": order.get("orderUpdateId", 0)}
        try:
            self._take(order)
        except Refused as refused:
            self._complain(refused, topic="order", headerId=order.get("headerId", 0), **about)
        except (KeyError, TypeError, IndexError, ValueError) as error:
            wrong = Refused("validationError", f"not an order: {error!r}")
            self._complain(wrong, topic="order", headerId=order.get("headerId", 0), **about)

    def instant(self, message: dict[str, Any]) -> None:
        """Does instant actions at once."""
        for action in message.get("actions") or message.get("instantActions") or ():
            id, kind = str(action.get("actionId", "")), str(action.get("actionType", ""))
            state = self.actions[id] = {"actionId": id, "actionType": kind, "actionStatus": "RUNNING"}
            try:
                self._instant(kind, action)
                state["actionStatus"] = "FINISHED"
            except (Refused, KeyError, TypeError, ValueError) as error:
                refused = error if isinstance(error, Refused) else Refused("validationError", repr(error))
                state |= {"actionStatus": "FAILED", "resultDescription": refused.text}
                self._complain(refused, topic="instantActions", actionId=id, actionType=kind)

    def _take(self, order: dict[str, Any]) -> None:
        nodes, edges = list(order["nodes"]), list(order["edges"])
        if len(edges) != len(nodes) - 1:
            raise Refused("validationError", "edges do not join the nodes")
        if order["orderId"] == self.order_id:
            if order["orderUpdateId"] == self.update:
                return
            self._update(order, nodes, edges)
            return
        if self.busy:
            raise Refused("orderError", f"busy with order {self.order_id}")
        position = nodes[0].get("nodePosition") or {"x": self.x, "y": self.y}
        if math.hypot(position["x"] - self.x, position["y"] - self.y) > NEAR:
            raise Refused("noRouteError", "the first node is out of reach", nodeId=nodes[0]["nodeId"])
        self.errors, self.actions = [], {}
        self.order_id, self.update = order["orderId"], order["orderUpdateId"]
        self.nodes, self.edges = nodes, edges
        self._register([*nodes, *edges])
        self._reach(self.nodes.pop(0))

    def _update(
        self, order: dict[str, Any], nodes: list[dict[str, Any]], edges: list[dict[str, Any]]
    ) -> None:
        base = [node for node in self.nodes if node["released"]]
        end = (base[-1]["nodeId"], base[-1]["sequenceId"]) if base else (self.last_node, self.last_sequence)
        if order["orderUpdateId"] < self.update or (nodes[0]["nodeId"], nodes[0]["sequenceId"]) != end:
            raise Refused("orderUpdateError", f"the update does not begin with {end[0]}")
        self.errors = []
        self.update = order["orderUpdateId"]
        self.nodes = base + nodes[1:]
        self.edges = [edge for edge in self.edges if edge["released"]] + edges
        self._register([*nodes[1:], *edges])

    def _register(self, parts: list[dict[str, Any]]) -> None:
        for part in parts:
            for action in part.get("actions", ()):
                entry = {"actionId": action["actionId"], "actionType": action["actionType"]}
                self.actions[action["actionId"]] = entry | {"actionStatus": "WAITING"}

    def _instant(self, kind: str, action: dict[str, Any]) -> None:
        if kind not in INSTANT:
            raise Refused("instantActionError", f"there is no {kind}")
        if kind in ("startPause", "stopPause"):
            self.paused = kind == "startPause"
        elif kind in ("startCharging", "stopCharging"):
            self.charging = kind == "startCharging"
        elif kind == "cancelOrder":
            self._cancel()
        elif kind == "initPosition":
            given = {entry["key"]: entry["value"] for entry in action["actionParameters"]}
            self.x, self.y, self.theta = float(given["x"]), float(given["y"]), float(given["theta"])
            self.map_id, self.last_node = str(given["mapId"]), str(given.get("lastNodeId", ""))
        else:
            self.requests.append(kind)

    def _cancel(self) -> None:
        if not self.busy:
            raise Refused("noOrderToCancel", "there is no order to cancel")
        self.nodes, self.edges, self._running = [], [], []
        for action in self.actions.values():
            if (
                action["actionStatus"] in ("WAITING", "INITIALIZING", "PAUSED")
                or action["actionType"] in ON_NODE
            ):
                action["actionStatus"] = "FAILED"

    def _complain(self, refused: Refused, **about: object) -> None:
        references = [
            {"referenceKey": key, "referenceValue": str(value)}
            for key, value in (about | refused.about).items()
        ]
        self.errors.append(
            {
                "errorType": refused.type,
                "errorLevel": "WARNING",
                "errorDescription": refused.text,
                "errorReferences": references,
            }
        )

    # --- what it does -------------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        return bool(self.nodes or self.edges or self._running)

    @property
    def driving(self) -> bool:
        return bool(self._next) and not self.paused and not self._running

    @property
    def _next(self) -> dict[str, Any] | None:
        return self.nodes[0] if self.nodes and self.nodes[0]["released"] else None

    def step(self, seconds: float) -> bool:
        """Lets time pass. Whether something happened that a state message must tell at once."""
        self.charge = min(100.0, max(5.0, self.charge + seconds * (0.5 if self.charging else -0.01)))
        if self._running:
            return self._work(seconds)
        goal = self._next
        if goal is None or self.paused:
            return False
        position = goal.get("nodePosition") or {"x": self.x, "y": self.y}
        dx, dy = position["x"] - self.x, position["y"] - self.y
        distance, way = math.hypot(dx, dy), self.speed * seconds
        if distance:
            self.theta = math.atan2(dy, dx)
        if distance > way:
            self.x, self.y = self.x + dx / distance * way, self.y + dy / distance * way
            return False
        self.x, self.y = float(position["x"]), float(position["y"])
        self.edges.pop(0)
        self._reach(self.nodes.pop(0))
        return True

    def _reach(self, node: dict[str, Any]) -> None:
        self.last_node, self.last_sequence = node["nodeId"], node["sequenceId"]
        for action in node.get("actions", ()):
            entry = self.actions[action["actionId"]]
            entry["actionStatus"] = "RUNNING"
            self._running.append((entry, ACTION_SECONDS))

    def _work(self, seconds: float) -> bool:
        entry, left = self._running[0]
        if left > seconds:
            self._running[0] = entry, left - seconds
            return False
        del self._running[0]
        kind = entry["actionType"]
        entry["actionStatus"] = "FINISHED" if kind in ON_NODE else "FAILED"
        if kind == "pick":
            self.loads = [{"loadId": entry["actionId"], "loadType": "box"}]
        elif kind == "drop":
            self.loads = []
        return True

    def state(self) -> dict[str, Any]:
        part = ("sequenceId", "released")
        return {
            "orderId": self.order_id,
            "orderUpdateId": self.update,
            "lastNodeId": self.last_node,
            "lastNodeSequenceId": self.last_sequence,
            "driving": self.driving,
            "paused": self.paused,
            "operatingMode": "AUTOMATIC",
            "nodeStates": [{key: node[key] for key in ("nodeId", *part)} for node in self.nodes],
            "edgeStates": [{key: edge[key] for key in ("edgeId", *part)} for edge in self.edges],
            "actionStates": list(self.actions.values()),
            "agvPosition": {
                "x": self.x, "y": self.y, "theta": self.theta, "mapId": self.map_id, "positionInitialized": True,
            },
            "velocity": {"vx": self.speed if self.driving else 0.0, "vy": 0.0, "omega": 0.0},
            "batteryState": {"batteryCharge": self.charge, "charging": self.charging},
            "loads": self.loads,
            "errors": self.errors,
            "safetyState": {"eStop": "NONE", "fieldViolation": False},
        }  # fmt: skip
