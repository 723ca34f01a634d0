"""The connector on devices that misbehave, each in its own scripted way."""

import anyio
import pytest

from weft.connect import LineState, Recorder
from weft.connect.modbus import Address, Modbus
from weft.connect.modbus.client import Silence, connect
from weft.connect.modbus.frames import encode
from weft.model import quality
from weft.runtime import Retry

pytestmark = pytest.mark.anyio


async def ask(client, register):
    """The register's value."""
    return int.from_bytes(await client.read(1, 3, register, 1), "big")


@pytest.mark.card("modbus", "bad_input")
async def test_a_late_answer_never_answers_the_next_question(scripted, right):
    late = []

    async def answer(question, stream):
        if question.pdu[2] == 7:
            late.append(right(question))
        else:
            await stream.send(b"".join([*late, right(question)]))

    async with scripted(answer) as (device, config), connect(config) as client:
        with pytest.raises(Silence):
            await ask(client, 7)
        assert await ask(client, 8) == 8
        assert client.late == 1
        late.clear()
        assert [await ask(client, i) for i in (9, 10)] == [9, 10]
        assert device.connections == 1


async def test_late_answers_in_pieces_and_in_heaps(scripted, right):
    held = []

    async def answer(question, stream):
        held.append(right(question))
        if len(held) == 3:
            for byte in b"".join(held):
                await stream.send(bytes([byte]))

    async with scripted(answer) as (_, config), connect(config) as client:
        for register in (1, 2):
            with pytest.raises(Silence):
                await ask(client, register)
        assert await ask(client, 3) == 3
        assert client.late == 2


@pytest.mark.card("modbus", "bad_input")
async def test_answers_under_a_wrong_transaction_id_are_no_answers(scripted, right, points):
    async def answer(question, stream):
        await stream.send(right(question._replace(transaction=question.transaction ^ 0x55)))

    async with scripted(answer, timeout=0.1) as (_, config):
        with pytest.raises(Retry, match="left 3 questions in a row unanswered"):
            await Modbus(config).run(Recorder(points(Address(register=1))))


def fixed(data):
    """Answers every question with the same bytes."""

    async def answer(_, stream):
        await stream.send(data)

    return answer


def changed(**parts):
    """The right transaction with something else wrong."""

    async def answer(question, stream):
        await stream.send(encode(question._replace(**parts)))

    return answer


@pytest.mark.card("modbus", "bad_input")
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (fixed(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "protocol id"),
        (fixed(b"\0\1\0\0\xff\xff\1\3\2\0\0"), "length 65535"),
        (fixed(b"\0\1\0\0\0\1\1"), "length 1"),
        (changed(pdu=b"\4\2\0\1"), "function 4 answers function 3"),
        (changed(pdu=b"\3\4\0\1\0\2"), "4 bytes stated"),
        (changed(pdu=b"\3\2\0"), "2 bytes stated and 1 sent"),
        (changed(pdu=b"\x83"), "exception without its code"),
        (changed(pdu=b"\3\2\0\1", unit=9), "unit 9 answers for unit 1"),
    ],
)
async def test_malformed_answers_drop_the_connection_with_a_clear_reason(scripted, points, answer, why):
    link = Recorder(points(Address(register=1)))
    async with scripted(answer) as (device, config):
        with pytest.raises(Retry, match=f"no Modbus answer: .*{why}.*dropped"), anyio.fail_after(5):
            await Modbus(config).run(link)
        assert device.connections == 1
    assert link.batches == []


async def test_a_device_that_hangs_up_in_the_middle_of_an_answer(scripted, right, points):
    async def answer(question, stream):
        await stream.send(right(question)[:8])
        await stream.aclose()

    async with scripted(answer) as (_, config):
        with pytest.raises(Retry, match="closed the connection"), anyio.fail_after(5):
            await Modbus(config).run(Recorder(points(Address(register=1))))


async def test_a_device_that_takes_the_connection_and_says_nothing(scripted, points):
    async def silent(question, stream):
        pass

    async with scripted(silent, timeout=0.05) as (device, config):
        with pytest.raises(Retry, match="right unit id"), anyio.fail_after(5):
            await Modbus(config).run(Recorder(points(Address(register=1))))
        assert len(device.questions) == 3
        with pytest.raises(Retry, match="answers nothing"):
            await Modbus(config).probe()


async def test_a_device_that_knows_no_identification_is_there_all_the_same(scripted):
    async def refuse(question, stream):
        await stream.send(encode(question._replace(pdu=bytes((question.pdu[0] | 0x80, 1)))))

    async def only_reads(question, stream):
        if question.pdu[0] == 3:
            await refuse(question, stream)

    for answer in (refuse, only_reads):
        async with scripted(answer, timeout=0.1) as (_, config):
            assert "A Modbus device answers at 127.0.0.1" in await Modbus(config).probe()


@pytest.mark.card("modbus", "bad_input")
@pytest.mark.card("modbus", "line_quality")
async def test_after_garbage_the_line_is_bad_then_comes_back_with_right_values(
    scripted, right, points, watched
):
    async def answer(question, stream):
        await stream.send(b"\xff" * 40 if len(device.questions) in (4, 8) else right(question))

    async with (
        scripted(answer) as (device, config),
        watched(config, points(Address(register=11), Address(register=300))) as line,
    ):
        await line.until(lambda: device.connections >= 3 and len(line.rows) > 20 and not line.rows[-1].status)
        assert line.line.status.state is LineState.UP
    bad = [row for row in line.rows if row.status]
    assert {row.status for row in bad} >= {quality.BAD_NO_COMMUNICATION}
    assert all(row.value == (11, 300)[row.signal] for row in line.rows if not row.status)
    assert any("not Modbus" in reason or "no Modbus" in reason for reason in reasons(line))


def reasons(line):
    return [event.data["reason"] for event in line.events if event.data.get("reason")]


@pytest.mark.card("modbus", "update_without_reconnect")
async def test_other_points_are_followed_on_the_same_connection(scripted, right, points, watched):
    async def answer(question, stream):
        await stream.send(right(question))

    async with (
        scripted(answer) as (device, config),
        watched(config, points(Address(register=11))) as line,
    ):
        await line.until(lambda: line.rows)
        line.line.update(points(Address(register=11), Address(register=500)))
        await line.until(lambda: any(row.value == 500 for row in line.rows))
        line.line.update(points(Address(register=500), start=1))
        seen = len(line.rows)
        await line.until(lambda: len(line.rows) > seen + 3)
        assert {row.signal for row in line.rows[seen + 1 :]} == {1}
        assert device.connections == 1
    assert not any(row.status for row in line.rows[:-1])


async def test_two_hundred_signals_cost_two_requests_a_cycle(scripted, right, points):
    async def answer(question, stream):
        await stream.send(right(question))

    link = Recorder(points(*(Address(register=i) for i in range(200))))
    async with scripted(answer) as (device, config):
        async with anyio.create_task_group() as group:
            group.start_soon(Modbus(config).run, link)
            await link.until(lambda: len(link.batches) >= 5)
            group.cancel_scope.cancel()
        assert len(device.questions) <= 2 * (len(link.batches) + 1)
    assert all(batch.values() == list(range(200)) for batch in link.batches)
