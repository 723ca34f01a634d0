"""The benchmarks are there, their plant is one, and they measure what they say."""

import inspect
import os
import time
from importlib import import_module

import pytest

from weft.app import load
from weft.bench import plant, proc
from weft.bench.latency import WARM_UP, Delays
from weft.bench.opcua_load import Load
from weft.cli.bench import BENCHES
from weft.model import Batch, Flag


@pytest.mark.parametrize("name", BENCHES)
def test_each_benchmark_runs_for_some_seconds(name):
    run = import_module(f"weft.bench.{name}").run
    assert inspect.iscoroutinefunction(run)
    assert list(inspect.signature(run).parameters) == ["seconds"]
    assert (run.__doc__ or import_module(f"weft.bench.{name}").__doc__).strip()


@pytest.mark.parametrize("connections", [1, 7])
def test_the_plant_has_the_signals_spread_over_its_connections(tmp_path, connections):
    plant.write_plant(tmp_path, 4840, 50, connections)
    found = load(tmp_path)
    own = [signal for signal in found.signals.values() if signal.connection.startswith("load")]
    assert len(own) == 50
    assert (
        {signal.connection for signal in own}
        == {f"load{i}" for i in range(connections)}
        == {name for name in found.connections if name.startswith("load")}
    )
    assert sorted(signal.address.node for signal in own) == sorted(f"ns=2;s=load{i}" for i in range(50))
    assert {signal.scale for signal in own} == {1.0, 0.1}


def test_cpu_and_memory_of_a_process():
    before, end = proc.cpu(os.getpid()), time.process_time() + 0.1
    while time.process_time() < end:
        pass
    assert 0.05 < proc.cpu(os.getpid()) - before < 5
    assert 0 < proc.memory(os.getpid())["mb"] <= proc.memory(os.getpid())["mb_most"]
    with pytest.raises(LookupError):
        proc.child(os.getpid(), "no such name")


def test_delays_count_what_the_field_sent_after_the_warm_up():
    delays, ms = Delays(), 1_000_000
    sent = Batch.of(
        [(1, 10 * ms, 1.0, 11), (2, 20 * ms, 1.0, 11), (3, 0, None, 0, 0, int(Flag.SYNTHETIC))],
        source="load0",
        received=30 * ms,
    )
    delays._take(sent, 50 * ms)  # while warming up
    delays.begun -= WARM_UP + 1
    delays._take(sent, 50 * ms)
    delays._take(sent.replace(source="weft"), 90 * ms)
    found = delays.report()
    assert found["samples"] == 2
    assert (found["ms_p50"], found["ms_most"]) == (35.0, 40.0)
    assert found["of_it_to_the_gateway_ms_p50"] == 15.0


def test_a_step_of_the_load_changes_each_item_once():
    load_of_two = Load([7, 9], [(11, "<f8")])
    (body,) = load_of_two.step(3, time.time_ns())
    assert int.from_bytes(body[:4], "little") == 2
    assert len(body) == 4 + 2 * (4 + 1 + 1 + 8 + 8 + 8) + 4
