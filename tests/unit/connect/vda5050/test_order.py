"""The rules of orders: each breach named by its place, what is right taken."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.connect.vda5050.order import actions_of, check_update, order_of
from weft.runtime import Invalid


def document(nodes=3, released=2, update=0, start=0, id="o"):
    """A straight way of nodes n0, n1 …"""
    return {
        "orderId": id,
        "orderUpdateId": update,
        "nodes": [
            {
                "nodeId": f"n{start + i}",
                "sequenceId": 2 * (start + i),
                "released": i < released,
                "actions": [],
            }
            for i in range(nodes)
        ],
        "edges": [
            {
                "edgeId": f"e{start + i}",
                "sequenceId": 2 * (start + i) + 1,
                "released": i + 1 < released,
                "startNodeId": f"n{start + i}",
                "endNodeId": f"n{start + i + 1}",
                "actions": [],
            }
            for i in range(nodes - 1)
        ],
    }


def state(update=0, id="o", nodes=(), last="n0", sequence=0):
    return {
        "orderId": id,
        "orderUpdateId": update,
        "nodeStates": [{"nodeId": n, "sequenceId": s, "released": r} for n, s, r in nodes],
        "lastNodeId": last,
        "lastNodeSequenceId": sequence,
    }


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 50))
def test_every_straight_way_is_an_order(nodes, released, start):
    order_of(document(nodes, min(nodes, released), start=start))


ACTION = {
    "actionType": "pick",
    "actionId": "1",
    "blockingType": "HARD",
    "actionParameters": [{"key": "a", "value": 1}],
}
CURVE = {"degree": 1, "knotVector": [0, 0, 1], "controlPoints": [{"x": 0, "y": 0}, {"x": 1, "y": 0}]}


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda o: o.pop("orderId"), "orderId"),
        (lambda o: o.update(orderId=""), "orderId"),
        (lambda o: o.update(orderUpdateId=-1), "orderUpdateId"),
        (lambda o: o.update(orderUpdateId=2**32), "orderUpdateId"),
        (lambda o: o.update(nodes=[]), r"nodes"),
        (lambda o: o["edges"].pop(), "edges"),
        (lambda o: o["nodes"][0].update(sequenceId=1), r"nodes\[0\].sequenceId"),
        (lambda o: o["nodes"][1].update(sequenceId=6), r"nodes\[1\].sequenceId"),
        (lambda o: o["edges"][1].update(sequenceId=5), r"edges\[1\].sequenceId"),
        (lambda o: o["edges"][0].update(startNodeId="x"), r"edges\[0\].startNodeId"),
        (lambda o: o["edges"][0].update(endNodeId="x"), r"edges\[0\].endNodeId"),
        (lambda o: o["nodes"][0].update(released=False), r"nodes\[0\].released"),
        (lambda o: o["nodes"][1].update(released=False), r"edges\[0\].released"),
        (lambda o: o["edges"][1].update(released=True), r"edges\[1\].released"),
        (lambda o: o["nodes"][0].update(actions=[ACTION, ACTION]), r"actions\[1\].actionId"),
        (lambda o: o["nodes"][0].update(actions=[ACTION | {"blockingType": "X"}]), "blockingType"),
        (lambda o: o["nodes"][0].update(nodePosition={"x": 0, "y": 0}), "mapId"),
        (lambda o: o["nodes"][0].update(nodePosition={"x": 0, "y": 0, "mapId": "m", "theta": 4}), "theta"),
        (lambda o: o["edges"][0].update(trajectory=CURVE), "trajectory"),
        (lambda o: o["edges"][0].update(maxSpeed=-1), "maxSpeed"),
    ],
)
def test_a_breach_is_named_by_its_place(change, place):
    order = copy.deepcopy(document())
    order_of(order)
    change(order)
    with pytest.raises(Invalid, match=place):
        order_of(order)


def test_a_new_order_needs_an_idle_cart():
    order = order_of(document())
    assert check_update(order, {})
    assert check_update(order, state(id="before"))
    for busy in (
        state(id="before", nodes=[("n1", 2, True)]),
        state(id="before") | {"actionStates": [{"actionId": "1", "actionStatus": "RUNNING"}]},
    ):
        with pytest.raises(Invalid, match="busy with the order 'before'"):
            check_update(order, busy)
    with pytest.raises(Invalid, match="begins with 0"):
        check_update(order_of(document(update=1)), {})
    with pytest.raises(Invalid, match="begins with 0"):
        check_update(order_of(document(start=1)), {})


def test_an_update_goes_on_from_the_end_of_the_base():
    cart = state(nodes=[("n1", 2, True), ("n2", 4, False)])
    assert check_update(order_of(document(update=1, start=1)), cart)
    assert check_update(order_of(document(update=1)), state(update=0))  # all passed: from the last node
    assert not check_update(order_of(document(update=0)), cart)  # known already
    with pytest.raises(Invalid, match="begins with the last node of the base, 'n1'"):
        check_update(order_of(document(update=1, start=2)), cart)
    with pytest.raises(Invalid, match="has update 5 already"):
        check_update(order_of(document(update=4)), state(update=5))


def test_instant_actions():
    assert [action.action_type for action in actions_of([ACTION])] == ["pick"]
    for wrong in ([], [ACTION, ACTION], [{}], {}, "x"):
        with pytest.raises(Invalid):
            actions_of(wrong)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda s: (
            st.lists(s, max_size=3)
            | st.dictionaries(st.sampled_from(["nodes", "edges", "orderId", "orderUpdateId"]), s, max_size=4)
        ),
    )
)
def test_junk_is_refused_and_nothing_else(junk):
    with pytest.raises(Invalid):
        order_of(junk)
