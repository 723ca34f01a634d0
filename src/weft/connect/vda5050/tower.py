"""What carts are told: orders and instant actions, and what they make of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from weft.connect.vda5050.address import Config
from weft.connect.vda5050.errors import error_key, errors_of, references_of
from weft.connect.vda5050.fleet import Cart, Fleet
from weft.connect.vda5050.heard import topic_of
from weft.connect.vda5050.order import actions_of, check_update, order_of
from weft.model.event import new_id
from weft.model.instant import text
from weft.mqtt.session import Session
from weft.runtime import Clock, Invalid, Retry

__all__ = ["SIMPLE", "Tower"]

VERSION: Final = "2.0.0"
# Instant actions of the standard (6.8.2) that can be called by their own name.
SIMPLE: Final = (
    "cancelOrder", "startPause", "stopPause", "startCharging", "stopCharging", "initPosition", "stateRequest",
    "logReport", "factsheetRequest",
)  # fmt: skip
_SETTLED: Final = ("FINISHED", "FAILED")
_json = msgspec.json.Encoder().encode


class Tower:
    """Talks to the carts over ``session``. ``headers`` counts the messages sent, by cart and topic; ``counted``
    is called when one was used, before the message goes out."""

    def __init__(
        self,
        config: Config,
        fleet: Fleet,
        session: Session,
        clock: Clock,
        headers: dict[str, int],
        counted: Callable[[], None],
    ) -> None:
        self._config = config
        self._fleet = fleet
        self._session = session
        self._clock = clock
        self._headers = headers
        self._counted = counted

    async def call(self, target: str, method: str, arguments: Sequence[Any]) -> list[Any]:
        """``order``: [orderId, orderUpdateId] once the cart has it. ``instantActions`` and the names in SIMPLE:
        for each action [actionId, its state]. Raises Retry when the cart is away or silent, Invalid for what it
        refuses or would refuse."""
        cart = self._cart(target)
        if method == "order":
            return await self._order(cart, _document(arguments, "an order"))
        if method == "instantActions":
            return await self._actions(cart, _prepared(_document(arguments, "a list of actions")))
        if method in SIMPLE:
            action = {"actionType": method, "actionParameters": arguments[0] if arguments else {}}
            return await self._actions(cart, _prepared([action]))
        raise Invalid(
            f"Carts have no method {method!r}.",
            remedy=f"There are: order, instantActions, {', '.join(SIMPLE)}.",
        )

    def _cart(self, target: str) -> Cart:
        cart = self._fleet.carts.get(target)
        if cart is None:
            raise Invalid(
                f"No cart {target!r} has been heard.",
                remedy="Write manufacturer/serial number as in its topics.",
            )
        if not cart.online or not cart.state:
            what = cart.connection.lower() or "silent"
            raise Retry(f"The cart {target} is {what}.", remedy="Is it switched on?")
        return cart

    async def _order(self, cart: Cart, document: Any) -> list[Any]:
        order = order_of(document)
        ids = (order.order_id, order.order_update_id)
        if not check_update(order, cart.state):
            return list(ids)
        old = {error_key(error) for error in errors_of(cart.state)}
        header = await self._send(cart, "order", document)
        about = {"orderId": order.order_id, "headerId": str(header)}

        def taken() -> bool:
            return (cart.state.get("orderId"), cart.state.get("orderUpdateId")) == ids

        def refused() -> str:
            return _complaint(cart.state, old, about)

        await self._fleet.until(
            cart, lambda: taken() or bool(refused()) or not cart.online, self._config.answer
        )
        if reason := refused():
            raise Invalid(f"The cart {cart.id} refuses the order: {reason}")
        if not taken():
            raise Retry(
                f"The cart {cart.id} has not confirmed the order {ids[0]!r} within {self._config.answer:g} s.",
                remedy="It may have it: the same order with the same ids can be sent again without harm.",
            )
        return list(ids)

    async def _actions(self, cart: Cart, documents: list[dict[str, Any]]) -> list[Any]:
        actions = actions_of(documents)
        old = {error_key(error) for error in errors_of(cart.state)}
        body = {"actions": documents}
        if (cart.version or VERSION).startswith("2.0"):
            body["instantActions"] = documents  # so in the schema of 2.0, otherwise in its text
        header = await self._send(cart, "instantActions", body)
        ids = [action.action_id for action in actions]

        def states() -> dict[Any, Any]:
            found = cart.state.get("actionStates")
            entries = found if isinstance(found, list) else ()
            return {entry.get("actionId"): entry for entry in entries if isinstance(entry, dict)}

        def settled() -> bool:
            there = states()
            return all(there.get(id, {}).get("actionStatus") in _SETTLED for id in ids)

        def refused() -> str:
            for id in ids:
                if reason := _complaint(cart.state, old, {"actionId": id}):
                    return reason
            return _complaint(cart.state, old, {"headerId": str(header)})

        await self._fleet.until(cart, lambda: settled() or bool(refused()), self._config.answer)
        return self._outcome(cart, ids, states(), refused())

    def _outcome(self, cart: Cart, ids: list[str], states: dict[Any, Any], reason: str) -> list[Any]:
        for id in ids:
            entry = states.get(id, {})
            if entry.get("actionStatus") == "FAILED":
                why = entry.get("resultDescription") or reason or "it gives no reason."
                raise Invalid(f"The cart {cart.id} could not do {entry.get('actionType') or id}: {why}")
        if reason:
            raise Invalid(f"The cart {cart.id} refuses the action: {reason}")
        if any(id not in states for id in ids):
            raise Retry(
                f"The cart {cart.id} has not confirmed the action within {self._config.answer:g} s.",
                remedy="It may have it: look at its state before sending another.",
            )
        return [[id, states[id].get("actionStatus")] for id in ids]

    async def _send(self, cart: Cart, topic: str, body: Mapping[str, Any]) -> int:
        """The message's header number."""
        manufacturer, serial = cart.id.split("/")
        key = f"{cart.id}/{topic}"
        header = self._headers[key] = (self._headers.get(key, -1) + 1) % 2**32
        self._counted()
        head = {
            "headerId": header,
            "timestamp": text(self._clock.now(), 3),
            "version": cart.version or VERSION,
            "manufacturer": manufacturer,
            "serialNumber": serial,
        }
        # QoS 0 as 6.3 asks: the cart's state is the acknowledgement.
        await self._session.publish(topic_of(self._config, cart.id, topic), _json({**body, **head}), qos=0)
        return header


def _document(arguments: Sequence[Any], what: str) -> Any:
    if len(arguments) != 1:
        raise Invalid(f"The method takes one argument, {what}, not {len(arguments)}.")
    if not isinstance(arguments[0], str):
        return arguments[0]
    try:
        return msgspec.json.decode(arguments[0])
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid(f"The argument is no JSON: {error}.") from error


def _prepared(actions: Any) -> list[dict[str, Any]]:
    """With what may be left out: an id, HARD blocking, parameters as an object."""
    entries = actions.get("actions") if isinstance(actions, dict) else actions
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise Invalid("Actions come as a list of objects.")
    prepared = []
    for entry in entries:
        parameters = entry.get("actionParameters", [])
        if isinstance(parameters, dict):
            parameters = [{"key": key, "value": value} for key, value in parameters.items()]
        prepared.append(
            {"actionId": new_id(), "blockingType": "HARD"} | entry | {"actionParameters": parameters}
        )
    return prepared


def _complaint(state: dict[str, Any], old: set[str], about: Mapping[str, str]) -> str:
    """What a new error of the cart says about something that was sent; empty for none."""
    for error in errors_of(state):
        references = references_of(error)
        if error_key(error) not in old and any(references.get(key) == value for key, value in about.items()):
            return f"{error.get('errorType', 'error')}: {error.get('errorDescription') or 'no reason given'}"
    return ""
