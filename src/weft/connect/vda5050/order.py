"""Orders and their rules (VDA 5050 2.1, 6.6): a graph of nodes and edges, a released base and a planned horizon."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from weft.runtime import Invalid

__all__ = ["Action", "Order", "actions_of", "check_update", "order_of"]

Count = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Name = Annotated[str, Meta(min_length=1, max_length=1000)]
Angle = Annotated[float, Meta(ge=-3.14159265359, le=3.14159265359)]


class Parameter(Struct, frozen=True):
    key: Name
    value: Any


class Action(Struct, frozen=True, rename="camel"):
    action_type: Name
    action_id: Name
    blocking_type: Literal["NONE", "SOFT", "HARD"]
    action_parameters: list[Parameter] = []


class Position(Struct, frozen=True, rename="camel"):
    x: float
    y: float
    map_id: Name
    theta: Angle | None = None
    allowed_deviation_xy: Annotated[float, Meta(ge=0)] | None = msgspec.field(
        name="allowedDeviationXY", default=None
    )
    allowed_deviation_theta: Annotated[float, Meta(ge=0, le=3.141592654)] | None = None


class Node(Struct, frozen=True, rename="camel"):
    node_id: Name
    sequence_id: Count
    released: bool
    actions: list[Action]
    node_position: Position | None = None


class Point(Struct, frozen=True):
    x: float
    y: float
    weight: Annotated[float, Meta(gt=0)] = 1.0


class Trajectory(Struct, frozen=True, rename="camel"):
    """A NURBS: the knots are as many as control points, degree and one together."""

    degree: Annotated[int, Meta(ge=1)]
    knot_vector: list[Annotated[float, Meta(ge=0, le=1)]]
    control_points: list[Point]


class Edge(Struct, frozen=True, rename="camel"):
    edge_id: Name
    sequence_id: Count
    released: bool
    start_node_id: Name
    end_node_id: Name
    actions: list[Action]
    max_speed: Annotated[float, Meta(ge=0)] | None = None
    max_height: Annotated[float, Meta(ge=0)] | None = None
    min_height: Annotated[float, Meta(ge=0)] | None = None
    orientation: Angle | None = None
    max_rotation_speed: Annotated[float, Meta(ge=0)] | None = None
    length: Annotated[float, Meta(ge=0)] | None = None
    trajectory: Trajectory | None = None


class Order(Struct, frozen=True, rename="camel"):
    order_id: Name
    order_update_id: Count
    nodes: Annotated[list[Node], Meta(min_length=1, max_length=10_000)]
    edges: Annotated[list[Edge], Meta(max_length=10_000)]


def order_of(document: Any) -> Order:
    """The order, if it is one by itself. Raises Invalid naming the place of the first mistake."""
    order: Order = _convert(document, Order)
    _check_graph(order)
    _check_release(order)
    seen: set[str] = set()
    for place, action in _actions(order):
        if action.action_id in seen:
            raise _wrong(f"{place}.actionId", f"{action.action_id!r} stands there twice")
        seen.add(action.action_id)
    return order


def actions_of(document: Any) -> list[Action]:
    """Instant actions, if they are some by themselves. Raises Invalid."""
    actions: list[Action] = _convert(document, list[Action])
    if not actions:
        raise Invalid("There is no action to do.", remedy="Give at least one.")
    ids = [action.action_id for action in actions]
    if len(set(ids)) < len(ids):
        raise Invalid("Two actions have the same actionId.", remedy="Give each its own.")
    return actions


def check_update(order: Order, state: Mapping[str, Any]) -> bool:
    """Whether the cart, as its ``state`` says, has yet to take this order; False when it has it already. Raises
    Invalid when it would refuse it (6.6.2 to 6.6.4)."""
    present, update = state.get("orderId", ""), state.get("orderUpdateId", 0)
    if order.order_id != present:
        _check_new(order, present, state)
        return True
    if order.order_update_id == update:
        return False
    if order.order_update_id < update:
        raise _wrong(
            "orderUpdateId", f"the cart has update {update} already; an update must have a higher number"
        )
    node, sequence = _end_of_base(state)
    first = order.nodes[0]
    if (first.node_id, first.sequence_id) != (node, sequence):
        raise _wrong(
            "nodes[0]",
            f"an update begins with the last node of the base, {node!r} with sequence id {sequence}; "
            f"this one begins with {first.node_id!r}, {first.sequence_id}",
        )
    return True


def _check_new(order: Order, present: Any, state: Mapping[str, Any]) -> None:
    if order.nodes[0].sequence_id != 0:
        raise _wrong("nodes[0].sequenceId", "a new order begins with 0")
    if order.order_update_id != 0:
        raise _wrong("orderUpdateId", "a new order begins with 0")
    ended = all(_status(action) in ("FINISHED", "FAILED") for action in _list(state, "actionStates"))
    if state.get("nodeStates") or state.get("edgeStates") or not ended:
        raise Invalid(
            f"The cart is busy with the order {present!r}.", remedy="Wait for its end, or cancel it first."
        )


def _end_of_base(state: Mapping[str, Any]) -> tuple[Any, Any]:
    """The last released node that the cart still has before it, or the last one it has passed."""
    base = [node for node in _list(state, "nodeStates") if node.get("released")]
    if not base:
        return state.get("lastNodeId"), state.get("lastNodeSequenceId")
    last = max(base, key=lambda node: node.get("sequenceId", 0))
    return last.get("nodeId"), last.get("sequenceId")


def _check_graph(order: Order) -> None:
    nodes, edges = order.nodes, order.edges
    if len(edges) != len(nodes) - 1:
        raise _wrong("edges", f"{len(nodes)} nodes are joined by {len(nodes) - 1} edges, not {len(edges)}")
    if nodes[0].sequence_id % 2:
        raise _wrong("nodes[0].sequenceId", "nodes have even numbers, edges odd ones")
    for i, node in enumerate(nodes):
        if node.sequence_id != nodes[0].sequence_id + 2 * i:
            raise _wrong(f"nodes[{i}].sequenceId", f"it must be {nodes[0].sequence_id + 2 * i}")
    for i, edge in enumerate(edges):
        if edge.sequence_id != nodes[i].sequence_id + 1:
            raise _wrong(f"edges[{i}].sequenceId", f"it must be {nodes[i].sequence_id + 1}")
        if edge.start_node_id != nodes[i].node_id:
            raise _wrong(f"edges[{i}].startNodeId", f"it must be {nodes[i].node_id!r}")
        if edge.end_node_id != nodes[i + 1].node_id:
            raise _wrong(f"edges[{i}].endNodeId", f"it must be {nodes[i + 1].node_id!r}")
        curve = edge.trajectory
        if curve and len(curve.knot_vector) != len(curve.control_points) + curve.degree + 1:
            raise _wrong(f"edges[{i}].trajectory", "knots = control points + degree + 1")


def _check_release(order: Order) -> None:
    """The base is one piece from the start; an edge belongs to it when its end node does."""
    if not order.nodes[0].released:
        raise _wrong("nodes[0].released", "the first node is always released")
    for i, edge in enumerate(order.edges):
        before, after = order.nodes[i], order.nodes[i + 1]
        if after.released and not before.released:
            raise _wrong(f"nodes[{i + 1}].released", "a released node cannot come after a planned one")
        if edge.released != after.released:
            raise _wrong(f"edges[{i}].released", f"it must be as that of its end node {after.node_id!r}")


def _actions(order: Order) -> Iterable[tuple[str, Action]]:
    named: tuple[tuple[str, Sequence[Node | Edge]], ...] = (("nodes", order.nodes), ("edges", order.edges))
    for name, parts in named:
        for i, part in enumerate(parts):
            for j, action in enumerate(part.actions):
                yield f"{name}[{i}].actions[{j}]", action


def _convert(document: Any, kind: Any) -> Any:
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise Invalid(f"The cart would not understand this: {error}.") from error


def _wrong(place: str, what: str) -> Invalid:
    return Invalid(f"The order is wrong at {place}: {what}.")


def _list(state: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = state.get(name)
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _status(action: Mapping[str, Any]) -> Any:
    return action.get("actionStatus")
