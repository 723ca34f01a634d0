"""Which signal is which metric of which device, and what each is declared as."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from msgspec import Struct

from weft.model import Batch, Signal, ValueType
from weft.sparkplug.datatype import DataType
from weft.sparkplug.kinds import datatype_of
from weft.sparkplug.topic import device_id

__all__ = ["Metric", "Plan"]

CHANGES: Final = 3  # of a signal's type; what goes on changing is declared as text


class Metric(Struct, frozen=True):
    """A signal as a metric. ``kind`` is Weft's type (``| ARRAY``), ``datatype`` Sparkplug's."""

    signal: Signal
    device: str
    name: str
    alias: int
    kind: int
    datatype: int


class Plan:
    """All metrics of the node. The alias is the handle's place in it and stays with the signal as long as we run.

    By handle (0 … highest; what is no signal of ours has device -1): ``device`` int32, its place in ``devices``;
    ``alias`` uint64; ``kind`` and ``datatype`` uint8.
    """

    def __init__(self, devices: Mapping[str, str]) -> None:
        self.devices: list[str] = []
        self.metrics: dict[str, dict[str, Metric]] = {}
        self.by_alias: dict[int, Metric] = {}
        self._named = devices
        self._aliases: dict[str, int] = {}
        self._kinds: dict[str, int] = {}
        self._changes: Counter[str] = Counter()
        self._signals: Sequence[Signal] = ()
        self._build()

    def follow(self, signals: Sequence[Signal], newest: Batch) -> None:
        """Other signals from now on; ``newest`` tells what type those are that do not say."""
        by_handle = {signal.handle: signal for signal in signals}
        for handle, code in zip(newest.signal.tolist(), newest.type.tolist(), strict=True):
            signal = by_handle.get(handle)
            if signal is not None and code:
                self._kinds[signal.path] = code
        self._signals = signals
        self._build()

    def changed_types(self, batch: Batch) -> set[str]:
        """Takes note of samples of another type than declared; returns the devices that must be born again."""
        known = (batch.signal >= 0) & (batch.signal < len(self.device))
        rows = np.flatnonzero(known)
        handle = batch.signal[rows]
        declared = self.kind[handle]
        other = (
            (self.device[handle] >= 0) & (batch.type[rows] != declared) & (batch.type[rows] != ValueType.NULL)
        )
        other &= self.datatype[handle] != DataType.STRING
        if not other.any():
            return set()
        devices = set()
        for handle_, code in dict(
            zip(handle[other].tolist(), batch.type[rows][other].tolist(), strict=True)
        ).items():
            metric = self.of_handle[handle_]
            self._kinds[metric.signal.path] = code
            self._changes[metric.signal.path] += 1
            devices.add(metric.device)
        self._build()
        return devices

    def _build(self) -> None:
        found = [self._metric(signal) for signal in self._signals]
        highest = max((metric.signal.handle for metric in found), default=-1)
        self.metrics = {}
        for metric in found:
            self.metrics.setdefault(metric.device, {})[metric.name] = metric
        self.devices = sorted(self.metrics)
        self.by_alias = {metric.alias: metric for metric in found}
        self.of_handle = {metric.signal.handle: metric for metric in found}
        places = {device: place for place, device in enumerate(self.devices)}
        self.device = np.full(highest + 1, -1, dtype=np.int32)
        self.alias = np.zeros(highest + 1, dtype=np.uint64)
        self.kind = np.zeros(highest + 1, dtype=np.uint8)
        self.datatype = np.zeros(highest + 1, dtype=np.uint8)
        for metric in found:
            at = metric.signal.handle
            self.device[at], self.alias[at] = places[metric.device], metric.alias
            self.kind[at], self.datatype[at] = metric.kind, metric.datatype

    def _metric(self, signal: Signal) -> Metric:
        alias = self._aliases.setdefault(signal.path, len(self._aliases) + 1)
        # Not asked for and never seen: most signals are measured numbers, and a first value of another type is told.
        kind = self._kinds.get(signal.path) or int(signal.type or ValueType.DOUBLE)
        restless = self._changes[signal.path] > CHANGES
        datatype = DataType.STRING if restless else datatype_of(kind)
        device = self._named.get(signal.asset) or device_id(signal.asset)
        return Metric(signal, device, signal.name, alias, ValueType.STRING if restless else kind, datatype)
