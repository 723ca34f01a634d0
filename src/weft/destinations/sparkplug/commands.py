"""Commands that host applications send to our node and its devices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import anyio

from weft.destinations.api import Feed
from weft.destinations.sparkplug import plan as plans
from weft.destinations.sparkplug.messages import REBIRTH
from weft.model import Command
from weft.mqtt.broker import Message
from weft.runtime import WeftError, get_logger
from weft.sparkplug.decode import decode
from weft.sparkplug.payload import Metric
from weft.sparkplug.sample import sample_of
from weft.sparkplug.topic import Topic, Verb, parse_topic
from weft.sparkplug.wire import BadPayload

__all__ = ["Commands"]

log = get_logger(__name__)

MOST_WAITING: Final = 1000  # commands; more are refused, not kept for later
EXPIRES: Final = 30 * 1_000_000_000  # ns: what waited so long is not what the host wants now


class Commands:
    """Takes messages, and carries out one command after the other through the feed."""

    def __init__(self, feed: Feed, plan: plans.Plan) -> None:
        self._feed = feed
        self._plan = plan
        self._put, self._waiting = anyio.create_memory_object_stream[Command](MOST_WAITING)

    def take(self, message: Message) -> bool:
        """Whether the node is asked for its birth. A retained command is of another time and is passed over."""
        topic = parse_topic(message.topic)
        if topic is None or message.retained:
            return False
        try:
            metrics = decode(message.payload).metrics
        except BadPayload as error:
            log.warning("a command that cannot be read", topic=message.topic, because=str(error))
            return False
        if topic.verb is Verb.NCMD and any(m.name == REBIRTH and m.value is True for m in metrics):
            return True
        for command in self._commands(topic, metrics):
            try:
                self._put.send_nowait(command)
            except anyio.WouldBlock:
                log.warning("too many commands wait: this one is not carried out", signal=command.signal)
        return False

    async def carry_out(self) -> None:
        with self._put, self._waiting:
            async for command in self._waiting:
                try:
                    outcome = await self._feed.command(command)
                except WeftError as error:
                    log.warning("a command failed", signal=command.signal, because=str(error))
                else:
                    if outcome.status:
                        log.info(
                            "a command was not carried out", signal=command.signal, because=outcome.reason
                        )

    def _commands(self, topic: Topic, metrics: list[Metric]) -> Iterator[Command]:
        for metric in metrics:
            declared = self._declared(topic, metric)
            if declared is None:
                log.warning(
                    "a command for no signal of ours", topic=str(topic), metric=metric.name or metric.alias
                )
                continue
            sample = sample_of(metric, declared.datatype, declared.kind)
            if sample.status:
                log.warning("a command whose value cannot be read", signal=declared.signal.path)
                continue
            yield Command(
                signal=declared.signal.path,
                value=sample.value,
                actor=f"sparkplug:{topic.group}/{topic.node}",
                via="sparkplug",
                expires=self._feed.clock.now() + EXPIRES,
            )

    def _declared(self, topic: Topic, metric: Metric) -> plans.Metric | None:
        if metric.name is not None:
            return self._plan.metrics.get(topic.device, {}).get(metric.name)
        found = self._plan.by_alias.get(metric.alias or 0)
        return found if found is not None and found.device == topic.device else None
