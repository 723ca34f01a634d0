"""What comes over the wire and should not: the server answers the others all the same."""

import random
import struct
import time

import anyio
import pytest
from asyncua import Client, ua
from asyncua.ua.ua_binary import struct_to_binary

from weft.model import ValueType

pytestmark = pytest.mark.anyio

LOAD = "ns=2;s=Acme/Ulm/Milling/Mill 1/Load"
HELLO = struct.pack("<IIIIIi", 0, 65535, 65535, 0, 0, -1)


def framed(kind, body, chunk=b"F"):
    return kind + chunk + struct.pack("<I", 8 + len(body)) + body


def opening(handle=1):
    request = ua.OpenSecureChannelRequest()
    request.Parameters.SecurityMode = ua.MessageSecurityMode.None_
    request.Parameters.RequestedLifetime = 60_000
    header = ua.AsymmetricAlgorithmHeader()
    header.SecurityPolicyURI = "http://opcfoundation.org/UA/SecurityPolicy#None"
    return framed(
        b"OPN",
        struct.pack("<I", 0)
        + struct_to_binary(header)
        + struct.pack("<II", 1, 1)
        + struct_to_binary(request),
    )


class Wire:
    """A raw connection with an open channel without security."""

    def __init__(self, stream):
        self.stream = stream
        self.inbox = b""
        self.number = 1

    @classmethod
    async def dial(cls, server, channel=True):
        wire = cls(await anyio.connect_tcp("127.0.0.1", server.port))
        if channel:
            await wire.stream.send(framed(b"HEL", HELLO) + opening())
            assert (await wire.answer())[0] == b"ACK"
            kind, body = await wire.answer()
            assert kind == b"OPN"
            wire.channel, uri = body[:4], int.from_bytes(body[4:8], "little")
            result = ua.ua_binary.struct_from_binary(
                ua.OpenSecureChannelResponse, ua.utils.Buffer(body[8 + uri + 16 :])
            )
            wire.token = struct.pack("<I", result.Parameters.SecurityToken.TokenId)
        return wire

    async def answer(self):
        """Kind and body of the next message; None when the server hung up."""
        while len(self.inbox) < 8 or len(self.inbox) < int.from_bytes(self.inbox[4:8], "little"):
            try:
                self.inbox += await self.stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return None
        size = int.from_bytes(self.inbox[4:8], "little")
        message, self.inbox = self.inbox[:size], self.inbox[size:]
        return message[:3], message[8:]

    async def request(self, body, chunk=b"F"):
        self.number += 1
        numbers = struct.pack("<II", self.number, self.number)
        await self.stream.send(framed(b"MSG", self.channel + self.token + numbers + body, chunk))


def status_of(body):
    """The ServiceResult of a response, or the Error of an Error message."""
    return int.from_bytes(body[32:36], "little")


async def others_are_served(server):
    """By somebody else's connection, at once."""
    async with Client(server.url, timeout=5) as client:
        assert await client.get_node(LOAD).read_value() == 5.5


def open_house(kit, **more):
    return kit.config(users={}, anonymous=True, insecure=True, **more)


async def test_the_51_bytes_that_once_became_five_million_values(house):
    """An AdditionalHeader with an array of nothing, longer than any message."""
    extension = b"\x01\x00\x32\x01\x01"  # some structure, binary
    inner = b"\xff\x00\x00\x00" + b"\x80" + struct.pack("<i", 5_000_000)
    header = b"\0\0" + bytes(8) + struct.pack("<II", 7, 0) + b"\xff\xff\xff\xff" + bytes(4)
    body = b"\x01\x00" + struct.pack("<H", 428) + header + extension + struct.pack("<i", len(inner)) + inner
    wire = await Wire.dial(house)
    async with wire.stream:
        await wire.request(body)
        _, answer = await wire.answer()
        assert status_of(answer) in {ua.StatusCodes.BadDecodingError, ua.StatusCodes.Good}
    await others_are_served(house)


async def test_requests_mangled_in_every_way_leave_the_others_served(house):
    """Mutations of real requests, each on a channel that may end; a fixed seed."""
    chance = random.Random(11)
    token = ua.NodeId("x", 1)
    seeds = []
    for name in (
        "GetEndpoints",
        "CreateSession",
        "ActivateSession",
        "Read",
        "Browse",
        "CreateMonitoredItems",
        "Call",
    ):
        request = getattr(ua, f"{name}Request")()
        request.RequestHeader.AuthenticationToken = token
        seeds.append(bytes(struct_to_binary(request)))
    before = house.pid
    for _ in range(40):
        wire = await Wire.dial(house)
        async with wire.stream:
            for _ in range(10):
                body = bytearray(chance.choice(seeds))
                for _ in range(chance.randint(1, 8)):
                    body[chance.randrange(4, len(body))] = chance.choice(
                        (0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256))
                    )
                await wire.request(bytes(body[: chance.randint(4, len(body))]))
                assert await wire.answer() is not None  # a fault, not silence
    await others_are_served(house)
    assert house.pid == before


async def test_bytes_that_are_no_opc_ua_end_their_connection_only(house):
    for sent, status in (
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", ua.StatusCodes.BadTcpMessageTooLarge),
        (b"HELF" + struct.pack("<I", 2**31), ua.StatusCodes.BadTcpMessageTooLarge),
        (b"HELF" + struct.pack("<I", 3), ua.StatusCodes.BadTcpMessageTooLarge),
        (framed(b"MSG", bytes(40)), ua.StatusCodes.BadTcpMessageTypeInvalid),
        (framed(b"HEL", HELLO) + framed(b"MSG", bytes(40)), ua.StatusCodes.BadTcpSecureChannelUnknown),
        (framed(b"HEL", HELLO) + framed(b"OPN", bytes(40)), None),
        (framed(b"HEL", HELLO) * 2, ua.StatusCodes.BadTcpMessageTypeInvalid),
    ):
        wire = await Wire.dial(house, channel=False)
        async with wire.stream:
            await wire.stream.send(sent)
            answer = await wire.answer()
            while answer and answer[0] == b"ACK":
                answer = await wire.answer()
            assert answer[0] == b"ERR"
            assert status is None or int.from_bytes(answer[1][:4], "little") == status, sent[:8]
            assert await wire.answer() is None
    await others_are_served(house)


async def test_before_the_login_a_message_is_small(house):
    """Chunk after chunk without an end, as much as the server takes."""
    wire = await Wire.dial(house)
    async with wire.stream:
        for number in range(2, 6):  # 240 kB without an end
            part = struct.pack("<II", number, 2) + bytes(60_000)
            await wire.stream.send(framed(b"MSG", wire.channel + wire.token + part, b"C"))
        part = struct.pack("<II", 6, 2) + bytes(60_000)
        await wire.stream.send(framed(b"MSG", wire.channel + wire.token + part, b"C"))
        kind, answer = await wire.answer()
        assert (kind, int.from_bytes(answer[:4], "little")) == (b"ERR", ua.StatusCodes.BadRequestTooLarge)
    await others_are_served(house)


async def test_who_says_nothing_is_hung_up_on(kit, tmp_path):
    more = {"hello_timeout": 0.3, "login_timeout": 0.6}
    async with kit.serving(kit.plant(tmp_path / "feed"), open_house(kit, **more)) as server:
        silent = await Wire.dial(server, channel=False)
        greeted = await Wire.dial(server)
        async with silent.stream, greeted.stream:
            await silent.stream.send(b"HELF")
            assert await silent.answer() is None
            assert await greeted.answer() is None


async def test_connections_are_counted_for_each_address(kit, tmp_path):
    async with kit.serving(
        kit.plant(tmp_path / "feed"), open_house(kit, max_connections_per_address=3)
    ) as server:
        wires = [await Wire.dial(server) for _ in range(3)]
        one_more = await Wire.dial(server, channel=False)
        async with one_more.stream:
            assert await one_more.answer() is None
        for wire in wires:
            await wire.stream.aclose()
        with anyio.fail_after(5):
            while True:
                try:
                    await others_are_served(server)
                    break
                except (ConnectionError, ua.UaError, TimeoutError, OSError):
                    await anyio.sleep(0.05)


async def test_a_token_is_worth_nothing_on_another_channel(house):
    async with Client(house.url) as client:
        token = client.uaclient.protocol.authentication_token
        assert len(token.Identifier) >= 40
        wire = await Wire.dial(house)
        async with wire.stream:
            request = ua.ReadRequest()
            request.RequestHeader.AuthenticationToken = token
            request.Parameters.NodesToRead = [ua.ReadValueId(ua.NodeId(2258), ua.AttributeIds.Value)]
            await wire.request(bytes(struct_to_binary(request)))
            _, answer = await wire.answer()
            assert status_of(answer) == ua.StatusCodes.BadSecureChannelIdInvalid
        await client.get_node(LOAD).read_value()


async def test_a_closed_session_leaves_no_subscription(kit, tmp_path):
    """Whatever DeleteSubscriptions says: nobody could reach them any more."""
    config = open_house(kit, max_subscriptions=2)
    async with kit.serving(kit.plant(tmp_path / "feed"), config) as server:
        for _ in range(4):
            client = Client(server.url)
            await client.connect()
            for _ in range(2):
                await client.create_subscription(50, None)
            with pytest.raises(ua.uaerrors.BadTooManySubscriptions):
                await client.create_subscription(50, None)
            await client.uaclient.close_session(False)
            client.disconnect_socket()


async def test_another_sessions_subscription_cannot_be_touched(house):
    async with Client(house.url) as mine, Client(house.url) as theirs:
        subscription = await mine.create_subscription(50, None)
        id = subscription.subscription_id
        assert [one.value for one in await theirs.uaclient.delete_subscriptions([id])] == [
            ua.StatusCodes.BadSubscriptionIdInvalid
        ]
        acknowledged = ua.SubscriptionAcknowledgement(SubscriptionId=id, SequenceNumber=1)
        with pytest.raises(ua.uaerrors.BadNoSubscription):
            await theirs.uaclient.publish([acknowledged])


async def test_many_who_send_slowly_do_not_slow_the_others(kit, tmp_path):
    config = open_house(kit, max_connections_per_address=200, max_connections=200)
    async with kit.serving(kit.plant(tmp_path / "feed"), config) as server:
        wires = [await Wire.dial(server, channel=False) for _ in range(150)]
        for wire in wires:
            await wire.stream.send(b"HELF\x20")
        begun = time.monotonic()
        await others_are_served(server)
        assert time.monotonic() - begun < 5
        for wire in wires:
            await wire.stream.aclose()


async def test_one_who_browses_the_same_again_and_again_does_not_stop_the_others(kit, tmp_path):
    """10,000 descriptions of a cell with 10,000 signals were 40 s in which nobody was answered."""
    cell = "Acme/Ulm/Milling/Mill 1"
    extra = [kit.signal(10 + i, f"{cell}/s{i}", type=ValueType.DOUBLE) for i in range(2_000)]
    wanted = ua.BrowseDescription()
    wanted.NodeId = ua.NodeId.from_string(f"ns=2;s={cell}")
    wanted.ResultMask = 63
    greedy = ua.BrowseParameters()
    greedy.RequestedMaxReferencesPerNode = 1
    greedy.NodesToBrowse = [wanted] * 1_500
    order = []

    async def browse(client):
        found = await client.uaclient.browse(greedy)
        assert len(found) == 1_500
        order.append("browsed")

    config = open_house(kit, login_timeout=60)
    async with (
        kit.serving(kit.plant(tmp_path / "feed", *extra), config) as server,
        Client(server.url, timeout=30) as one,
        Client(server.url, timeout=30) as other,
        anyio.create_task_group() as group,
    ):
        group.start_soon(browse, one)
        for _ in range(3):
            assert await other.get_node(LOAD).read_value() == 5.5
        assert await one.get_node(LOAD).read_value() == 5.5  # the same client, too
        order.append("read")
    assert order == ["read", "browsed"]
