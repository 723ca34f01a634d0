"""An asyncua server in a process of its own. argv: JSON {port, folder, users}; commands on stdin, answers on stdout."""

import asyncio
import json
import logging
import pathlib
import sys
import uuid
from datetime import UTC, datetime

from asyncua import Server, ua, uamethod
from asyncua.common.structures104 import new_enum, new_struct, new_struct_field
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.permission_rules import SimpleRoleRuleset, User, UserRole
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

V = ua.VariantType
MOMENT = datetime(2026, 11, 21, 6, 0, 0, 123456, tzinfo=UTC)
SCALARS = {
    "Boolean": True, "SByte": -5, "Byte": 200, "Int16": -12, "UInt16": 65535, "Int32": -12, "UInt32": 2**32 - 1,
    "Int64": -(2**63), "UInt64": 2**64 - 1, "Float": 0.5, "Double": -0.0, "String": "000123", "DateTime": MOMENT,
    "Guid": uuid.UUID(int=7), "ByteString": b"\x00\xff", "XmlElement": ua.XmlElement("<a/>"),
    "NodeId": ua.NodeId("x", 3), "ExpandedNodeId": ua.ExpandedNodeId("x", 3),
    "StatusCode": ua.StatusCode(0x80340000), "QualifiedName": ua.QualifiedName("q", 2),
    "LocalizedText": ua.LocalizedText("Guten Tag", "de"), "ExtensionObject": ua.Range(1.0, 2.0),
}  # fmt: skip
ARRAYS = {
    "Doubles": ua.Variant([1.0, 2.5], V.Double), "Texts": ua.Variant(["a", None, ""], V.String),
    "Matrix": ua.Variant([[1, 2, 3], [4, 5, 6]], V.Int32, Dimensions=[2, 3], is_array=True),
    "Ranges": ua.Variant([ua.Range(1.0, 2.0)], V.ExtensionObject, is_array=True),
    "Mixed": ua.Variant([ua.Variant(1, V.Byte), ua.Variant("z")], V.Variant, is_array=True),
    "Nothing": ua.Variant([], V.Int16, is_array=True),
    "Nested": ua.Variant(ua.DataValue(ua.Variant(7, V.Int16)), V.DataValue),
    "Diagnosis": ua.Variant(ua.DiagnosticInfo(AdditionalInfo="d"), V.DiagnosticInfo),
}  # fmt: skip


class Users:
    def __init__(self, users, person):
        self._users = users
        self._person = person

    def get_user(self, iserver, username=None, password=None, certificate=None):
        if self._person:
            shown = certificate if isinstance(certificate, bytes) else certificate.public_bytes(Encoding.DER)
            known = pathlib.Path(self._person).read_bytes()
            return User(role=UserRole.User) if shown == known else None
        if not self._users or (username and self._users.get(username) == password):
            return User(role=UserRole.User)
        return None


async def make(port, folder, users, person):
    server = Server(user_manager=Users(users, person))
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    server.set_server_name("peer")
    policies = [ua.SecurityPolicyType.NoSecurity]
    if folder:
        key, cert = pathlib.Path(folder, "server.pem"), pathlib.Path(folder, "server.der")
        uses = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        await server.set_application_uri("urn:peer")
        await setup_self_signed_certificate(key, cert, "urn:peer", "localhost", uses, {})
        await server.load_certificate(str(cert))
        await server.load_private_key(str(key))
        policies += [
            ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
            ua.SecurityPolicyType.Aes256Sha256RsaPss_SignAndEncrypt,
            ua.SecurityPolicyType.Basic256Sha256_Sign,
        ]
    server.set_security_policy(policies, permission_ruleset=SimpleRoleRuleset())
    tokens = [ua.UserNameIdentityToken if users else ua.AnonymousIdentityToken]
    server.set_identity_tokens([ua.X509IdentityToken] if person else tokens)
    await fill(server)
    return server


async def fill(server):
    space = await server.register_namespace("urn:peer:plant")
    types = await server.nodes.objects.add_object(space, "Types")
    for name, value in SCALARS.items():
        await types.add_variable(ua.NodeId(name, space), name, ua.Variant(value, V[name]))
    for name, value in ARRAYS.items():
        await types.add_variable(
            ua.NodeId(name, space), name, value, datatype=ua.NodeId(value.VariantType.value)
        )
    counters = await types.add_folder(space, "Counters")
    for i in range(20):
        node = await counters.add_variable(ua.NodeId(f"counter{i}", space), f"counter{i}", -1, V.Int64)
        await node.set_writable()
    load = await counters.add_variable(ua.NodeId("load", space), "load", 1.5)
    unit = ua.EUInformation(
        "http://www.opcfoundation.org/UA/units/un/cefact", 4408652, ua.LocalizedText("°C")
    )
    await load.add_property(space, "EngineeringUnits", unit)


async def structures(server):
    """Structures that only this server knows: nested, with optional fields, an enumeration, arrays and a matrix."""
    space = await server.get_namespace_index("urn:peer:plant")
    field = new_struct_field
    point, _ = await new_struct(server, space, "Spot", [field("X", V.Double), field("Y", V.Double)])
    mode = await new_enum(server, space, "Turn", ["left", "right"])
    pose = [
        field("Name", V.String), field("At", point), field("Path", point, array=True), field("Turn", mode),
        field("Codes", V.Int32, array=True), field("Note", V.String, optional=True), field("Rest", V.Byte, optional=True),
    ]  # fmt: skip
    await new_struct(server, space, "Pose", pose)
    await server.load_data_type_definitions()
    value = ua.Pose(
        Name="home", At=ua.Spot(1.0, 2.0), Path=[ua.Spot(0.0, 0.5)], Turn=ua.Turn.right, Codes=[7, -1], Rest=9
    )
    folder = await server.nodes.objects.add_folder(space, "Structures")
    await folder.add_variable(ua.NodeId("Pose", space), "Pose", ua.Variant(value, V.ExtensionObject))
    poses = ua.Variant([value, value], V.ExtensionObject, is_array=True)
    await folder.add_variable(ua.NodeId("Poses", space), "Poses", poses)


async def count(server, nodes, values, first):
    space = await server.get_namespace_index("urn:peer:plant")
    for value in range(first, first + values):
        for i in range(nodes):
            await server.get_node(ua.NodeId(f"counter{i}", space)).write_value(value, V.Int64)
        if value % 20 == 0:
            await asyncio.sleep(0)


async def commands(server):
    """Everything may be written, and there are methods, an enumeration and a matrix to write."""
    space = await server.get_namespace_index("urn:peer:plant")
    for name in (*SCALARS, *ARRAYS):
        await server.get_node(ua.NodeId(name, space)).set_writable()
    folder = await server.nodes.objects.add_folder(space, "Commands")
    enum = await server.nodes.enum_data_type.add_data_type(space, "Mode")
    more = {
        "Mode": (ua.Variant(1, V.Int32), enum.nodeid, -1), "Duration": (ua.Variant(1.0, V.Double), ua.NodeId(290), -1),
        "Anything": (ua.Variant(1, V.Byte), ua.NodeId(24), -1), "Numbers": (ua.Variant(None), ua.NodeId(4), 1),
    }  # fmt: skip
    for name, (value, kind, rank) in more.items():
        node = await folder.add_variable(ua.NodeId(name, space), name, value, datatype=kind)
        await node.write_attribute(ua.AttributeIds.ValueRank, ua.DataValue(ua.Variant(rank, V.Int32)))
        await node.set_writable()
    matrix = server.get_node(ua.NodeId("Matrix", space))
    await matrix.write_attribute(ua.AttributeIds.ValueRank, ua.DataValue(ua.Variant(2, V.Int32)))
    shape = ua.DataValue(ua.Variant([2, 3], V.UInt32))
    await matrix.write_attribute(ua.AttributeIds.ArrayDimensions, shape)

    @uamethod
    def add(parent, a, b):
        return a + b, f"{a}+{b}"

    def arguments(*named):
        return [
            ua.Argument(Name=name, DataType=ua.NodeId(kind), ValueRank=rank) for name, kind, rank in named
        ]

    async def refuse(parent, *inputs):
        return ua.StatusCode(ua.StatusCodes.BadInvalidState)

    both = arguments(("a", 4, -1), ("b", 4, -1))
    await folder.add_method(
        ua.NodeId("add", space), "add", add, both, arguments(("sum", 4, -1), ("text", 12, -1))
    )
    await folder.add_method(ua.NodeId("refuse", space), "refuse", refuse, [], [])


async def tick(server, seconds, nodes):
    """Counters that count for ever, each value once."""
    space = await server.get_namespace_index("urn:peer:plant")
    counters = [server.get_node(ua.NodeId(f"counter{i}", space)) for i in range(nodes)]
    value = 0
    while True:
        for counter in counters:
            await counter.write_value(value, V.Int64)
        value += 1
        await asyncio.sleep(seconds)


async def main(options):
    server = await make(
        options["port"], options.get("folder"), options.get("users") or {}, options.get("person")
    )
    ticking = None
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with server:
        if options.get("structures"):
            await structures(server)
        if options.get("commands"):
            await commands(server)
        if options.get("history"):
            space = await server.get_namespace_index("urn:peer:plant")
            await server.historize_node_data_change(
                server.get_node(ua.NodeId("counter0", space)), period=None
            )
        print("ready", flush=True)
        while line := (await lines.readline()).split():
            if line[0] == b"count":
                await count(server, *map(int, line[1:]))
            elif line[0] == b"tick":
                ticking = asyncio.create_task(tick(server, float(line[1]), int(line[2])))
            elif line[0] == b"still" and ticking is not None:
                ticking.cancel()
            elif line[0] == b"add":
                space = await server.get_namespace_index("urn:peer:plant")
                await server.nodes.objects.add_variable(ua.NodeId("late", space), "late", 7.0)
            print("done", flush=True)


logging.basicConfig(level=logging.CRITICAL)
asyncio.run(main(json.loads(sys.argv[1])))
