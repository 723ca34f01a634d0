"""What clients of other makers see and do."""

import json

import anyio
import pytest
from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyAes256Sha256RsaPss
from servers.destinations.opcua import papers

from weft.model import ARRAY, Limits, Outcome, ValueType, Writable
from weft.runtime import Denied, Retry

pytestmark = pytest.mark.anyio

MILL = "ns=2;s=Acme/Ulm/Milling/Mill 1"


@pytest.fixture
def paper(tmp_path):
    """A certificate that the server trusts: its files."""
    mine = papers.leaf(common="Visitor")
    (tmp_path / "pki" / "trusted").mkdir(parents=True)
    (tmp_path / "pki" / "trusted" / "mine.der").write_bytes(mine.der)
    files = mine.write(tmp_path / "files", "mine")
    (tmp_path / "files" / "mine.crt").write_bytes(mine.certificate_pem)
    return files


@pytest.fixture
def config(kit, tmp_path):
    return lambda **more: kit.config(certificates=str(tmp_path / "pki"), **more)


async def client_of(kit, server, paper, user="mes", password=""):
    client = Client(server.url, timeout=10)
    client.application_uri = papers.URI
    if user:
        client.set_user(user)
        client.set_password(password or kit.PASSWORD)
    await client.set_security(SecurityPolicyAes256Sha256RsaPss, *map(str, paper))
    return client


class Ear:
    """Notifications of asyncua's subscription, and a way to wait for them."""

    def __init__(self):
        self.values = []
        self._news = anyio.Event()

    def datachange_notification(self, node, value, data):
        self.values.append(data.monitored_item.Value)
        self._news.set()
        self._news = anyio.Event()

    async def until(self, count):
        while len(self.values) < count:
            await self._news.wait()


async def test_node_opcua_browses_reads_monitors_writes_and_calls(kit, tmp_path, paper, config, needs_node):
    plant = kit.plant(tmp_path / "feed")
    async with kit.serving(plant, config()) as server:
        options = ["--url", server.url, "--certificate", tmp_path / "files" / "mine.crt", "--key", paper[1]]
        options += ["--folder", tmp_path, "--password", kit.PASSWORD]
        command = ["node", "visitor.js", *map(str, options)]
        found = {}
        async with await anyio.open_process(command, cwd=kit.NODE) as process:
            heard = b""
            async for piece in process.stdout:
                *lines, heard = (heard + piece).split(b"\n")
                for line in lines:
                    if line.startswith(b"{"):
                        said = json.loads(line)
                        found[said["what"]] = said.get("found")
                        if said["what"] == "listening":
                            plant.put(
                                (0, kit.T + 10**9, 6.5, 11), (0, kit.T + 2 * 10**9, 7.5, 11, 0x408F0000)
                            )
    assert found["places"] == ["Level", "2:Milling", "2:WriteWithReason"]
    assert found["signals"] == ["Level", "2:Load", "2:Speed", "2:State"]
    assert found["load"] == [5.5, "Double", "2023-11-14T22:13:20.123Z"]
    assert found["unit"] == ["kW", 0x4B5754]
    assert [value[:2] for value in found["monitored"]] == [[5.5, 0], [6.5, 0], [7.5, 0x408F0000]]
    assert found["written"] == ["Good", "BadTypeMismatch", "BadNotWritable", "BadNodeIdUnknown"]
    assert found["called"] == "Good"
    assert [(one.value, one.actor, one.via, one.reason) for one in plant.commands] == [
        (11, "mes (Visitor)", "opcua", ""),
        (12, "mes (Visitor)", "opcua", "warm-up"),
    ]


async def test_asyncua_sees_the_model(kit, tmp_path, paper, config):
    plant = kit.plant(
        tmp_path / "feed",
        kit.signal(3, "Acme/Ulm/Milling/Mill 1/Mode", type=ValueType.INT16, states={-1: "Fault", 5: "Auto"}),
        kit.signal(4, "Acme/Ulm/Milling/Mill 1/Door", type=ValueType.BOOLEAN, states={0: "Shut", 1: "Open"}),
        kit.signal(5, "Acme/Ulm/Late", unit="[foo_i]", limits=Limits(minimum=-5, maximum=5)),
    )
    plant.newest |= {3: (3, kit.T, 5, 4), 4: (4, kit.T, 1, 1)}
    async with kit.serving(plant, config()) as server, await client_of(kit, server, paper) as client:

        async def read(path):
            return await client.get_node(path).read_value()

        load = client.get_node(f"{MILL}/Load")
        assert await load.read_description() == ua.LocalizedText("Spindle load")
        assert await load.read_data_type() == ua.NodeId(11)
        assert await load.read_value_rank() == ua.ValueRank.Scalar
        assert await load.read_type_definition() == ua.NodeId(17570)
        assert await load.get_access_level() == {ua.AccessLevel.CurrentRead}
        assert (await read(f"{MILL}/Load#EURange")) == ua.Range(1.0, 9.0)
        assert (await read(f"{MILL}/Load#InstrumentRange")) == ua.Range(0.0, 10.0)
        speed = client.get_node(f"{MILL}/Speed")
        assert await speed.get_user_access_level() == {
            ua.AccessLevel.CurrentRead,
            ua.AccessLevel.CurrentWrite,
        }
        names = await read(f"{MILL}/State#EnumStrings")
        assert [one.Text for one in names] == ["Idle", "Running", "Down"]
        named = await read(f"{MILL}/Mode#EnumValues")
        assert [(one.Value, one.DisplayName.Text) for one in named] == [(-1, "Fault"), (5, "Auto")]
        assert (await read(f"{MILL}/Mode#ValueAsText")).Text == "Auto"
        assert (await read(f"{MILL}/Door#TrueState")).Text == "Open"
        assert (await read("ns=2;s=Acme/Ulm/Late#EngineeringUnits")).UnitId == -1
        late = await client.get_node("ns=2;s=Acme/Ulm/Late").read_data_value(False)
        assert late.StatusCode.value == ua.StatusCodes.BadWaitingForInitialData
        assert late.SourceTimestamp is None
        assert (await client.get_namespace_array())[2] == "urn:weft:plant"
        found = await client.nodes.objects.get_child(["2:Acme", "2:Ulm", "2:Milling", "2:Mill 1", "2:Load"])
        assert found == load


async def test_what_came_of_a_write_is_answered_and_others_go_on_meanwhile(kit, tmp_path, paper, config):
    plant = kit.plant(tmp_path / "feed")
    gate = anyio.Event()

    async def slow(command):
        await gate.wait()
        return Outcome(id=command.id, status=0x803C0000, reason="beyond the guard rail")

    async with (
        kit.serving(plant, config(write_timeout=5.0)) as server,
        await client_of(kit, server, paper) as client,
    ):
        speed = client.get_node(f"{MILL}/Speed")
        plant.outcome = slow

        async def write(expected, value=3):
            with pytest.raises(ua.UaStatusCodeError) as caught:
                await speed.write_value(ua.DataValue(ua.Variant(value, ua.VariantType.Int32)))
            assert caught.value.code == expected

        async with anyio.create_task_group() as group:
            group.start_soon(write, ua.StatusCodes.BadOutOfRange)
            await plant.until(lambda: plant.commands)
            assert await client.get_node(f"{MILL}/Load").read_value() == 5.5
            gate.set()
        assert await speed.read_value() == 7  # never a local write

        def raises(error):
            def outcome(command):
                raise error

            return outcome

        plant.outcome = raises(Denied("not you"))
        await write(ua.StatusCodes.BadUserAccessDenied)
        plant.outcome = raises(Retry("away"))
        await write(ua.StatusCodes.BadCommunicationError)


async def test_a_write_that_nobody_answers_in_time_says_so(kit, tmp_path, paper, config):
    plant = kit.plant(tmp_path / "feed")
    plant.outcome = lambda command: anyio.sleep(60)
    async with (
        kit.serving(plant, config(write_timeout=0.3)) as server,
        await client_of(kit, server, paper) as client,
    ):
        with pytest.raises(ua.uaerrors.BadTimeout):
            await client.get_node(f"{MILL}/Speed").write_value(
                ua.DataValue(ua.Variant(3, ua.VariantType.Int32))
            )
        assert plant.commands[0].expires > kit.T


async def test_who_may_not_write_and_who_may_not_come_in(kit, tmp_path, paper, config):
    token = papers.leaf(common="Karla", key="karla")
    karla = token.write(tmp_path / "files", "karla")
    users = {
        "mes": {"password": kit.PASSWORD},
        "karla": {"certificate": str(karla[0]), "write": True},
    }
    plant = kit.plant(tmp_path / "feed")
    async with kit.serving(plant, config(users=users)) as server:
        async with await client_of(kit, server, paper) as client:
            speed = client.get_node(f"{MILL}/Speed")
            assert await speed.get_user_access_level() == {ua.AccessLevel.CurrentRead}
            with pytest.raises(ua.uaerrors.BadUserAccessDenied):
                await speed.write_value(ua.DataValue(ua.Variant(3, ua.VariantType.Int32)))
        for user, password in (("mes", "wrong"), ("nobody", kit.PASSWORD), ("karla", "")):
            with pytest.raises(ua.uaerrors.BadUserAccessDenied):
                async with await client_of(kit, server, paper, user, password or "x"):
                    pass
        with pytest.raises(ua.UaError):
            async with await client_of(kit, server, paper, user=""):
                pass
        client = await client_of(kit, server, paper, user="")
        await client.load_client_certificate(str(karla[0]))
        await client.load_private_key(str(karla[1]))
        async with client:
            await client.get_node(f"{MILL}/Speed").write_value(
                ua.DataValue(ua.Variant(3, ua.VariantType.Int32))
            )
        assert plant.commands[0].actor == "karla (Visitor)"


async def test_wrong_passwords_are_stopped_for_a_while(kit, tmp_path, config):
    """Also the right one, then. Without security the password is enciphered for this session alone."""
    users = {"mes": {"password": kit.PASSWORD}}
    async with kit.serving(kit.plant(tmp_path / "feed"), config(users=users, insecure=True)) as server:

        async def enters(password):
            client = Client(server.url)
            client.set_user("mes")
            client.set_password(password)
            try:
                async with client:
                    return await client.get_node(f"{MILL}/Load").read_value() == 5.5
            except ua.uaerrors.BadUserAccessDenied:
                return False

        assert await enters(kit.PASSWORD)
        assert not any([await enters("wrong") for _ in range(5)])
        assert not await enters(kit.PASSWORD)


async def test_without_security_only_when_it_is_said_and_anonymous_only_reads(kit, tmp_path, config):
    plant = kit.plant(tmp_path / "feed")
    async with (
        kit.serving(plant, config(users={}, anonymous=True, insecure=True)) as server,
        Client(server.url) as client,
    ):
        assert await client.get_node(f"{MILL}/Load").read_value() == 5.5
        with pytest.raises(ua.uaerrors.BadUserAccessDenied):
            await client.get_node(f"{MILL}/Speed").write_value(
                ua.DataValue(ua.Variant(3, ua.VariantType.Int32))
            )


async def test_every_type_reaches_the_client_bit_for_bit(kit, tmp_path, config):
    rows = [
        (ValueType.BOOLEAN, 1),
        (ValueType.SBYTE, -128),
        (ValueType.BYTE, 255),
        (ValueType.INT16, -32768),
        (ValueType.UINT16, 65535),
        (ValueType.INT32, -(2**31)),
        (ValueType.UINT32, 2**32 - 1),
        (ValueType.INT64, -(2**63)),
        (ValueType.UINT64, 2**64 - 1),
        (ValueType.FLOAT, 0.5),
        (ValueType.DOUBLE, 1e-300),
        (ValueType.STRING, "Fräse"),
        (ValueType.BYTESTRING, b"\0\xff"),
        (ValueType.XMLELEMENT, "<a/>"),
        (ValueType.STATUSCODE, 0x80320000),
        (ValueType.DOUBLE | ARRAY, [1.0, -0.0]),
        (ValueType.INT16 | ARRAY, [[1, 2, 3], [4, 5, 6]]),
        (ValueType.STRING | ARRAY, ["a", None]),
    ]
    signals = [kit.signal(i, f"S/v{i}") for i in range(len(rows))]
    plant = kit.Plant(tmp_path / "feed", signals)
    plant.newest = {i: (i, kit.T, value, kind) for i, (kind, value) in enumerate(rows)}
    async with (
        kit.serving(plant, config(users={}, anonymous=True, insecure=True)) as server,
        Client(server.url) as client,
    ):
        for i, (kind, value) in enumerate(rows):
            node = client.get_node(f"ns=2;s=S/v{i}")
            found = (await node.read_data_value()).Value
            got = found.Value.value if isinstance(found.Value, (ua.StatusCode,)) else found.Value
            got = got.Value if isinstance(got, ua.XmlElement) else got
            assert (int(found.VariantType), got) == (kind & ~ARRAY, value)
        assert await client.get_node("ns=2;s=S/v16").read_value_rank() == 2
        part = ua.ReadParameters(
            NodesToRead=[
                ua.ReadValueId(
                    NodeId=ua.NodeId("S/v16", 2), AttributeId=ua.AttributeIds.Value, IndexRange=text
                )
                for text in ("0:1,1", "7", "1:0")
            ]
        )
        first, none, bad = await client.uaclient.read(part)
        assert first.Value.Value == [[2], [5]]
        assert none.StatusCode.value == ua.StatusCodes.BadIndexRangeNoData
        assert bad.StatusCode.value == ua.StatusCodes.BadIndexRangeInvalid


async def test_the_plant_changes_while_clients_are_connected(kit, tmp_path, config):
    plant = kit.plant(tmp_path / "feed")
    async with (
        kit.serving(plant, config(users={}, anonymous=True, insecure=True)) as server,
        Client(server.url) as client,
    ):
        ear = Ear()
        subscription = await client.create_subscription(20, ear)
        load = client.get_node(f"{MILL}/Load")
        await subscription.subscribe_data_change([load, client.get_node(f"{MILL}/Speed")])
        await ear.until(2)
        kept = plant.signals[0]
        plant.newest = {0: plant.newest[0], 9: (9, kit.T, 3, 6)}
        plant.describe([kept, kit.signal(9, "Acme/Ulm/Saw/Depth", type=ValueType.INT32, write=Writable())])
        await ear.until(3)
        assert ear.values[2].StatusCode.value == ua.StatusCodes.BadNodeIdUnknown  # Speed is gone
        assert await client.get_node("ns=2;s=Acme/Ulm/Saw/Depth").read_value() == 3
        plant.put((0, kit.T + 1, 6.5, 11))
        await ear.until(4)
        assert ear.values[3].Value.Value == 6.5  # and Load has gone on


async def test_a_backlog_is_settled_and_not_shown(kit, tmp_path, config):
    plant = kit.plant(tmp_path / "feed")
    async with kit.serving(plant, config(users={}, anonymous=True, insecure=True)) as server:
        plant.put((0, kit.T - 10**9, 1.5, 11), live=False)
        await plant.until(lambda: plant.settled)
        async with Client(server.url) as client:
            assert await client.get_node(f"{MILL}/Load").read_value() == 5.5
