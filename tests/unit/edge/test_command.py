"""The way of a command: each guard rail says no, and what passes has an intent before and a result after."""

import anyio
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.edge.field import SITE, Field, signal, writable

from weft.edge.command import doors
from weft.model import Call, Command, Limits, ValueType, quality
from weft.runtime import Invalid, Retry

pytestmark = pytest.mark.anyio


def reason_of(status):
    return quality.status_name(status)


async def make(*signals, **options):
    return await Field(*signals, **options).open()


async def test_a_write_is_intended_sent_read_back_and_recorded():
    field = await make(signal("speed", 1, scale=0.1, offset=5.0, write=writable()))
    field.hear("speed", 20.0)
    outcome = await field.write("speed", 25.0, reason="faster")
    assert (outcome.status, outcome.reason) == (0, "Written and read back.")
    assert field.line.writes == [(f"{SITE}/speed", 200)]  # (25 - 5) / 0.1, a whole number again
    (asked, intent), (done, result) = await field.events()
    assert (asked, done) == ("requested", "done")
    assert (intent["actor"], intent["via"], intent["why"]) == ("anna", "test", "faster")
    assert (intent["value"], intent["before"], intent["raw"]) == (25.0, 20.0, 200)
    assert (result["id"], result["code"], result["status"]) == (outcome.id, 0, "Good")


@pytest.mark.parametrize(
    ("fields", "value", "status"),
    [
        ({"write": None}, 1.0, "BadNotWritable"),
        ({"write": writable()}, 101.0, "BadOutOfRange"),
        ({"write": writable()}, -0.1, "BadOutOfRange"),
        ({"write": writable()}, float("nan"), "BadTypeMismatch"),
        ({"write": writable()}, "7", "BadTypeMismatch"),
        ({"write": writable()}, True, "BadTypeMismatch"),
        ({"write": writable()}, None, "BadTypeMismatch"),
        ({"write": writable()}, object(), "BadInvalidArgument"),
        ({"write": writable(), "type": ValueType.BYTE}, 2.5, "BadTypeMismatch"),
        ({"write": writable(maximum=None), "type": ValueType.BYTE}, 256, "BadOutOfRange"),
        ({"write": writable(minimum=None, maximum=None), "limits": Limits(maximum=9)}, 10, "BadOutOfRange"),
        ({"write": writable(), "type": ValueType.INT32, "states": {0: "off", 1: "on"}}, 2, "BadOutOfRange"),
        ({"write": writable(), "type": ValueType.INT32, "states": {0: "off"}}, "on", "BadOutOfRange"),
        ({"write": writable(step=5.0)}, 26.0, "BadOutOfRange"),
        ({"write": writable(interlock="{e/s/door} == 1")}, 1.0, "BadInvalidState"),
        ({"write": writable(interlock="{e/s/gone} == 1")}, 1.0, "BadInvalidState"),
        ({"write": writable(critical=True)}, 1.0, "BadRequestNotAllowed"),
        ({"write": writable(), "connection": "other"}, 1.0, "BadResourceUnavailable"),
    ],
)
async def test_a_guard_rail_says_no_and_nothing_is_sent(fields, value, status):
    field = await make(signal("x", 1, **fields), signal("door", 2))
    field.hear("x", 20.0)
    field.hear("door", 0.0)
    outcome = await field.write("x", value)
    assert reason_of(outcome.status) == status, outcome
    assert outcome.reason
    assert field.line.writes == []
    kinds = [kind for kind, _ in await field.events()]
    assert kinds == ["refused"] or status == "BadInvalidArgument"


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ({"signal": f"{SITE}/gone"}, "BadNodeIdUnknown"),
        ({"via": "window"}, "BadUserAccessDenied"),
        ({"expires": 1}, "BadRequestTimeout"),
        ({"actor": " "}, "BadInvalidArgument"),
        ({"id": "a\nb"}, "BadInvalidArgument"),
        ({"reason": "r" * 1001}, "BadInvalidArgument"),
        ({"via": "logic", "actor": "logic/x"}, "BadNotWritable"),
    ],
)
async def test_who_how_and_when(command, status):
    field = await make(signal("x", 1, write=writable()))
    asked = {"signal": f"{SITE}/x", "value": 1.0, "actor": "anna", "via": "test", **command}
    outcome = await field.commands.execute(Command(**asked))
    assert reason_of(outcome.status) == status
    assert field.line.writes == []


async def test_no_door_is_open_unless_it_is_named():
    assert doors(())(Command(signal="x", value=1, actor="a", via="http")) != ""
    assert doors(("http",))(Command(signal="x", value=1, actor="a", via="http")) == ""


async def test_states_are_written_by_name():
    field = await make(
        signal("mode", 1, type=ValueType.INT32, states={0: "off", 3: "auto"}, write=writable())
    )
    assert (await field.write("mode", "auto")).status == 0
    assert field.line.writes == [(f"{SITE}/mode", 3)]


async def test_a_step_needs_a_fresh_good_value_and_reads_it_where_it_can():
    field = await make(signal("x", 1, write=writable(step=5.0)))
    assert reason_of((await field.write("x", 3.0)).status) == "BadNoDataAvailable"
    field.line.values["x"] = 1.0
    assert (await field.write("x", 3.0)).status == 0
    await field.clock.advance(60)
    field.line.reads = False
    assert reason_of((await field.write("x", 4.0)).status) == "BadNoDataAvailable"
    field.hear("x", 3.0, status=0x80310000)
    assert reason_of((await field.write("x", 4.0)).status) == "BadNoDataAvailable"


async def test_an_interlock_relies_on_fresh_good_values_only():
    rails = writable(interlock="not {e/s/door} > 0.5", readback=False)
    field = await make(signal("x", 1, write=rails), signal("door", 2))
    field.line.reads = False
    assert reason_of((await field.write("x", 1.0)).status) == "BadNoDataAvailable"
    field.hear("door", 0.0)
    assert (await field.write("x", 1.0)).status == 0
    await field.clock.advance(11)
    assert reason_of((await field.write("x", 2.0)).status) == "BadNoDataAvailable"
    field.hear("door", float("nan"))
    assert reason_of((await field.write("x", 2.0)).status) == "BadInvalidState"
    field.line.reads, field.line.values["door"] = True, 0.0
    await field.clock.advance(11)
    assert (await field.write("x", 2.0)).status == 0


async def test_an_interlock_over_a_derived_signal_looks_at_what_it_is_measured_by():
    rails = writable(interlock="{e/s/safe} == 1", readback=False)
    safe = signal("safe", 3, connection="derived", derive="{e/s/door} == 0")
    field = await make(signal("x", 1, write=rails), signal("door", 2), safe)
    field.line.reads = False
    field.hear("door", 0.0)
    await field.clock.advance(11)
    field.hear("safe", 1.0)
    assert reason_of((await field.write("x", 1.0)).status) == "BadNoDataAvailable"
    field.hear("door", 0.0)
    assert (await field.write("x", 1.0)).status == 0


async def test_not_more_often_than_the_interval():
    field = await make(signal("x", 1, write=writable(interval=10.0)))
    assert (await field.write("x", 1.0)).status == 0
    assert reason_of((await field.write("x", 2.0)).status) == "BadResourceUnavailable"
    await field.clock.advance(10)
    assert (await field.write("x", 2.0)).status == 0


async def test_two_at_once_do_not_slip_through_the_interval():
    field = await make(signal("x", 1, write=writable(interval=10.0)))
    async with anyio.create_task_group() as group:
        for value in (1.0, 2.0, 3.0):
            group.start_soon(field.write, "x", value)
    assert len(field.line.writes) == 1


async def test_one_actor_cannot_command_without_end():
    field = await make(signal("x", 1, write=writable()), per_minute=3)
    outcomes = [(await field.write("x", float(n))).status for n in range(5)]
    assert outcomes[:3] == [0, 0, 0]
    assert {reason_of(status) for status in outcomes[3:]} == {"BadResourceUnavailable"}
    assert (await field.write("x", 1.0, actor="ben")).status == 0


async def test_who_is_refused_without_end_does_not_fill_the_stream_of_events():
    field = await make(signal("x", 1, write=writable()), per_minute=3)
    outcomes = {(await field.write("x", 101.0)).status for _ in range(10)}
    assert {reason_of(status) for status in outcomes} == {"BadOutOfRange", "BadResourceUnavailable"}
    assert len(await field.events()) == 3


async def test_the_same_id_is_carried_out_once():
    field = await make(signal("x", 1, write=writable()))
    first = await field.write("x", 1.0, id="one")
    assert await field.write("x", 1.0, id="one") == first
    assert reason_of((await field.write("x", 2.0, id="one")).status) == "BadInvalidArgument"
    assert len(field.line.writes) == 1


async def test_the_same_id_twice_at_once():
    field = await make(signal("x", 1, write=writable()))
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(lambda: field.write("x", 1.0, id="one"))
    assert len(field.line.writes) == 1


async def test_an_id_of_before_a_restart_is_not_sent_again():
    field = await make(signal("x", 1, write=writable()))
    first = await field.write("x", 1.0, id="one")
    again = Field(signal("x", 1, write=writable()), bus=field.bus, clock=field.clock)
    found = await again.write("x", 1.0, id="one")
    assert (found.status, found.reason) == (first.status, first.reason)
    assert again.line.writes == []


async def test_an_intent_without_result_is_not_sent_again(monkeypatch):
    monkeypatch.setattr("weft.edge.record.LOOK_BACK", 0.02)
    field = await make(signal("x", 1, write=writable()))
    await field.commands._record.intend(
        Command(signal=f"{SITE}/x", value=1.0, actor="anna", via="test", id="one"), {}
    )
    outcome = await field.write("x", 1.0, id="one")
    assert reason_of(outcome.status) == "BadTimeout"
    assert "may have happened" in outcome.reason
    assert field.line.writes == []


async def test_nothing_is_sent_when_the_intent_cannot_be_kept():
    field = await make(signal("x", 1, write=writable()))
    field.bus.closed = True
    outcome = await field.write("x", 1.0, id="one")
    assert reason_of(outcome.status) == "BadResourceUnavailable"
    assert field.line.writes == []
    assert [event.kind for event in field.told] == ["weft.command.refused"]
    field.bus.closed = False
    assert (await field.write("x", 1.0, id="one")).status == 0  # nothing was sent: it may try again


@pytest.mark.parametrize(
    ("failure", "status"),
    [(Retry("down"), "BadResourceUnavailable"), (Invalid("only reads"), "BadNotWritable")],
)
async def test_what_the_line_says_no_to_has_a_result(failure, status):
    field = await make(signal("x", 1, write=writable()))
    field.line.failure = failure
    assert reason_of((await field.write("x", 1.0)).status) == status
    assert [kind for kind, _ in await field.events()] == ["requested", "done"]


async def test_a_connector_that_breaks_leaves_a_result():
    field = await make(signal("x", 1, write=writable()))
    field.line.failure = KeyError("fault")
    with pytest.raises(KeyError):
        await field.write("x", 1.0)
    (_, _), (kind, data) = await field.events()
    assert (kind, data["status"]) == ("done", "BadUnexpectedError")


async def test_a_write_without_an_answer_may_have_happened():
    field = await make(signal("x", 1, write=writable()), deadline=0.02)
    field.line.hang = True
    assert reason_of((await field.write("x", 1.0)).status) == "BadTimeout"


async def test_a_caller_who_goes_away_leaves_no_intent_without_result():
    field = await make(signal("x", 1, write=writable()), deadline=0.05)
    field.line.hang = True
    with anyio.move_on_after(0.01):
        await field.write("x", 1.0)
    assert [kind for kind, _ in await field.events()] == ["requested", "done"]


async def test_what_the_field_does_not_show_is_uncertain():
    field = await make(signal("x", 1, write=writable()))
    field.line.values["x"], field.line.stuck = 7.0, True
    outcome = await field.write("x", 1.0)
    assert (reason_of(outcome.status), outcome.value) == ("Uncertain", 7.0)


async def test_without_a_way_to_ask_the_next_sample_tells():
    field = await make(signal("x", 1, write=writable()), readback=1.0)
    field.line.reads = False
    field.hear("x", 0.0)

    async def arrive():
        await anyio.wait_all_tasks_blocked()
        await field.clock.advance(0.1)
        field.hear("x", 1.0)

    async with anyio.create_task_group() as group:
        group.start_soon(arrive)
        outcome = await field.write("x", 1.0)
    assert (outcome.status, outcome.value) == (0, 1.0)


async def test_a_second_person_approves_exactly_this():
    field = await make(signal("x", 1, write=writable(critical=True)))
    waits = await field.write("x", 1.0, id="one")
    assert reason_of(waits.status) == "BadRequestNotAllowed"
    approve, hash = field.commands.approve, waits.value["digest"]
    for wrong in (("two", hash, "ben"), ("one", "0" * 64, "ben"), ("one", hash, " Anna")):
        assert (await approve(*wrong)).status == waits.status
    assert field.line.writes == []
    assert (await approve("one", hash, "ben")).status == 0
    assert field.line.writes == [(f"{SITE}/x", 1.0)]
    assert (await approve("one", hash, "ben")).status == waits.status
    assert [data.get("approved") for kind, data in await field.events() if kind == "requested"] == ["ben"]


async def test_an_approval_comes_too_late():
    field = await make(signal("x", 1, write=writable(critical=True)))
    waits = await field.write("x", 1.0, id="one")
    await field.clock.advance(301)
    assert (await field.commands.approve("one", waits.value["digest"], "ben")).status == waits.status
    assert field.line.writes == []


async def test_looking_what_would_come_of_it_sends_and_writes_nothing():
    field = await make(signal("x", 1, write=writable(interval=10.0)))
    command = Command(signal=f"{SITE}/x", value=1, actor="anna", via="test")
    assert await field.commands.check(command) == await field.commands.check(command)
    assert reason_of((await field.commands.check(msgspec.structs.replace(command, value=101))).status) == (
        "BadOutOfRange"
    )
    assert field.line.writes == []
    assert await field.events() == []


async def _both(field):
    async with anyio.create_task_group() as group:
        for name in ("a", "b"):
            group.start_soon(field.write, name, 1.0)


async def _one_after_the_other(field):
    for name in ("a", "b"):
        await field.write(name, 1.0)
        await field.clock.advance(0.001)


@pytest.mark.parametrize("ask", [_both, _one_after_the_other])
@pytest.mark.parametrize("reads", [True, False])
async def test_two_that_lock_each_other_out_are_never_both_on(ask, reads):
    rails = {
        name: writable(interlock=f"{{{SITE}/{other}}} == 0", readback=False) for name, other in ("ab", "ba")
    }
    field = await make(signal("a", 1, write=rails["a"]), signal("b", 2, write=rails["b"]))
    field.line.values.update(a=0.0, b=0.0)
    for name in "ab":
        field.hear(name, 0.0)
    await field.clock.advance(0.001)
    field.line.reads = reads
    field.line.slow = 0.001
    await ask(field)
    assert field.line.values == {"a": 1.0, "b": 0.0}


async def test_many_whose_interlocks_look_at_one_signal_do_not_wait_for_each_other():
    rails = writable(interlock=f"{{{SITE}/stop}} == 0", readback=False)
    field = await make(
        signal("a", 1, write=rails), signal("b", 2, write=rails), signal("stop", 3), deadline=1.0
    )
    field.hear("stop", 0.0)
    field.line.hang = True
    async with anyio.create_task_group() as group:
        group.start_soon(field.write, "a", 1.0)
        group.start_soon(field.write, "b", 1.0)
        await anyio.wait_all_tasks_blocked()
        assert len(field.line.writes) == 2
        group.cancel_scope.cancel()


async def test_a_step_is_not_measured_from_what_was_there_before_our_own_write():
    field = await make(signal("x", 1, write=writable(step=5.0, readback=False)))
    field.line.reads = False
    field.hear("x", 20.0)
    await field.clock.advance(0.1)
    assert (await field.write("x", 25.0)).status == 0
    await field.clock.advance(0.1)
    assert reason_of((await field.write("x", 15.0)).status) == "BadNoDataAvailable"
    field.hear("x", 25.0)
    assert reason_of((await field.write("x", 15.0)).status) == "BadOutOfRange"


async def test_what_changed_in_the_plant_while_a_command_waited_counts():
    field = await make(signal("x", 1, write=writable(readback=False)))

    class Slow:
        async def publish(self, *drafts):
            field.plant.signals[f"{SITE}/x"] = signal("x", 1)
            return await field.bus.inner.publish(*drafts)

    field.commands._record._bus = Slow()
    assert reason_of((await field.write("x", 1.0)).status) == "BadResourceUnavailable"
    assert field.line.writes == []


@pytest.mark.parametrize(
    ("fields", "value", "status"),
    [
        ({"type": ValueType.INT16}, [70_000], "BadOutOfRange"),
        ({"type": ValueType.INT16}, ["a"], "BadTypeMismatch"),
        ({"type": ValueType.INT16}, [float("nan")], "BadTypeMismatch"),
        ({"type": ValueType.STRING}, [1], "BadTypeMismatch"),
        ({"type": None}, [float("inf")], "BadTypeMismatch"),
        ({"type": None}, [[1]], "BadTypeMismatch"),
        ({"type": ValueType.INT32, "states": {0: "off", 1: "on"}}, [7], "BadOutOfRange"),
        ({"type": ValueType.DOUBLE, "scale": 1e-300}, 1e10, "BadOutOfRange"),
        ({"type": ValueType.DOUBLE}, 10**400, "BadTypeMismatch"),
    ],
)
async def test_no_element_of_a_list_and_no_scale_gets_around_the_type(fields, value, status):
    field = await make(signal("x", 1, write=writable(minimum=None, maximum=None), **fields))
    assert reason_of((await field.write("x", value)).status) == status
    assert field.line.writes == []


async def test_an_id_of_before_a_restart_is_not_taken_for_another_value():
    field = await make(signal("x", 1, write=writable()))
    await field.write("x", 1.0, id="one")
    again = Field(signal("x", 1, write=writable()), bus=field.bus, clock=field.clock)
    assert reason_of((await again.write("x", 2.0, id="one")).status) == "BadInvalidArgument"
    assert again.line.writes == []


async def test_a_repetition_that_waits_longer_is_the_same_command():
    field = await make(signal("x", 1, write=writable()))
    first = await field.write("x", 1.0, id="one", expires=field.clock.now() + 10**9)
    assert await field.write("x", 1.0, id="one", expires=field.clock.now() + 2 * 10**9) == first
    assert len(field.line.writes) == 1


async def test_a_name_that_no_subject_holds_is_refused_and_written_down():
    field = await make()
    command = Command(signal="a" * 3_000, value=1, actor="anna", via="test")
    assert reason_of((await field.commands.execute(command)).status) == "BadNodeIdUnknown"
    assert [kind for kind, _ in await field.events()] == ["refused"]


async def test_an_answer_too_large_to_be_kept_leaves_a_result():
    field = await make()
    outcome = await call(field, arguments=("a" * 40_000,) * 1)
    assert outcome.status == 0
    field.line.call = lambda *_: _large()
    outcome = await call(field)
    assert len(outcome.value[0]) == 2_000_000
    assert "bytes" in (await field.events())[-1][1]["read"]


async def _large():
    return ["a" * 2_000_000]


async def test_who_must_not_approve_does_not_make_the_command_vanish():
    rails = writable(critical=True)
    field = await make(
        signal("x", 1, write=rails), policy=lambda command: "no" if command.actor == "eve" else ""
    )
    waits = await field.write("x", 1.0, id="one")
    assert reason_of((await field.commands.approve("one", waits.value["digest"], "eve")).status) == (
        "BadUserAccessDenied"
    )
    assert (await field.commands.approve("one", waits.value["digest"], "ben")).status == 0


async def test_a_value_heard_before_the_clock_was_set_back_is_old():
    field = await make(signal("x", 1, write=writable(step=5.0)))
    field.line.reads = False
    field.hear("x", 1.0)
    field.clock._now -= 3_600 * 10**9
    assert reason_of((await field.write("x", 2.0)).status) == "BadNoDataAvailable"


async def call(field, method="start", target="robot", **fields):
    fields = {"actor": "anna", "via": "test", "connection": "plc", **fields}
    return await field.commands.call(Call(target=target, method=method, **fields))


async def test_only_methods_of_the_list_are_called():
    field = await make()
    outcome = await call(field, arguments=(1, "a"))
    assert (outcome.status, outcome.value) == (0, [42, 1, "a"])
    assert (await call(field, "anything", "mill")).status == 0
    for wrong in ({"method": "stop"}, {"target": "robot/start"}, {"connection": "other"}, {"via": "window"}):
        assert (await call(field, **wrong)).status != 0
    assert len(field.line.calls) == 2
    kinds = [kind for kind, _ in await field.events()]
    assert kinds == ["requested", "done", "requested", "done", "refused", "refused", "refused", "refused"]


async def test_what_a_method_refuses_is_its_result():
    field = await make()
    field.line.failure = Invalid("argument 1 is no number")
    assert "argument 1" in (await call(field)).reason


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("hear"), st.sampled_from(["x", "door"]), st.sampled_from([0.0, 1.0, 50.0])),
        st.tuples(st.just("wait"), st.sampled_from([0.5, 6.0, 20.0])),
        st.tuples(st.just("bus"), st.booleans()),
        st.tuples(st.just("fail"), st.booleans()),
        st.tuples(
            st.just("write"),
            st.sampled_from(["x", "door", "gone"]),
            st.sampled_from([0, 1.0, 50, 54.0, 100.0, 101, -1, "1", None]),
            st.sampled_from(["a", "b", "c", ""]),
            st.sampled_from(["test", "window"]),
        ),
    ),
    max_size=25,
)


@given(STEPS)
@settings(deadline=None, max_examples=60)
def test_nothing_unapproved_passes_and_every_write_has_intent_and_result(steps):
    anyio.run(_law, steps)


async def _law(steps):
    rails = writable(step=10.0, interval=5.0, interlock="{e/s/door} == 0", readback=False)
    field = await make(signal("x", 1, write=rails), signal("door", 2))
    field.line.reads = False
    known, last, sent = {}, -100.0, 0
    for step in steps:
        now = field.clock.monotonic()
        match step:
            case ("hear", name, value):
                field.hear(name, value)
                known[name] = (value, now)
            case ("wait", seconds):
                await field.clock.advance(seconds)
            case ("bus", closed):
                field.bus.closed = closed
            case ("fail", fails):
                field.line.status = 0x808B0000 if fails else 0
            case ("write", name, value, id, via):
                fields = {"id": id} if id else {}
                await field.write(name, value, via=via, **fields)
                new = field.line.writes[sent:]
                sent += len(new)
                if not new:
                    continue
                assert len(new) == 1
                assert (name, via, field.bus.closed) == ("x", "test", False)
                assert isinstance(value, (int, float))
                assert 0 <= value <= 100
                (at, when), (door, heard) = known["x"], known["door"]
                assert abs(value - at) <= 10.0
                assert now - when <= 10
                assert (door, now - heard <= 10) == (0.0, True)
                assert now - last >= 5.0
                last = now
    field.bus.closed = False
    events = [*await field.events(), *((e.kind.rpartition(".")[2], e.data) for e in field.told)]
    requested = [data["id"] for kind, data in events if kind == "requested"]
    done = [data["id"] for kind, data in events if kind == "done"]
    assert len(requested) == len(set(requested)) == len(field.line.writes)
    assert sorted(requested) == sorted(done)
