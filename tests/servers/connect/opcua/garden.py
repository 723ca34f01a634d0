"""An asyncua server with all that a browse may meet: types, enumerations, circles, nodes that are not there. argv: its
port. Prints "ready"."""

import asyncio
import logging
import sys

from asyncua import Server, ua

V = ua.VariantType
UNIT = ua.EUInformation("http://www.opcfoundation.org/UA/units/un/cefact", 4408652, ua.LocalizedText("°C"))


async def fill(server):
    space = await server.register_namespace("urn:garden")
    objects = server.nodes.objects
    kind = await server.nodes.base_object_type.add_object_type(ua.NodeId(5000, space), f"{space}:GardenType")
    garden = await objects.add_object(ua.NodeId("Garden", space), f"{space}:Garden", objecttype=kind.nodeid)
    serial = await garden.add_property(ua.NodeId("Serial", space), f"{space}:Serial", "0042")
    await serial.set_writable()
    await analog(garden, space)
    await enumerations(server, garden, space)
    await odd(server, garden, space)
    beds = await garden.add_folder(ua.NodeId("Beds", space), f"{space}:Beds")
    for i in range(200):
        bed = await beds.add_folder(ua.NodeId(f"Bed{i}", space), f"{space}:Bed{i}")
        await bed.add_variable(ua.NodeId(f"Wet{i}", space), f"{space}:Wet", float(i))


async def analog(garden, space):
    node = await garden.add_variable(ua.NodeId("Warm", space), f"{space}:Warm", 21.5, V.Double)
    await node.set_writable()
    await node.add_property(ua.NodeId(9001, space), "0:EngineeringUnits", UNIT)
    await node.add_property(ua.NodeId(9002, space), "0:EURange", ua.Range(0.0, 40.0))
    await node.add_property(ua.NodeId(9003, space), "0:InstrumentRange", ua.Range(-40.0, 100.0))
    access = ua.DataValue(ua.Variant(0b111, V.Byte))
    await node.write_attribute(ua.AttributeIds.UserAccessLevel, access)


async def enumerations(server, garden, space):
    states = await server.nodes.enum_data_type.add_data_type(ua.NodeId(5001, space), f"{space}:Gate")
    texts = [ua.LocalizedText("open"), ua.LocalizedText("shut")]
    await states.add_property(ua.NodeId(9010, space), "0:EnumStrings", texts)
    await garden.add_variable(ua.NodeId("Gate", space), f"{space}:Gate", 1, V.Int32, states.nodeid)
    values = [ua.EnumValueType(7, ua.LocalizedText("seven"), ua.LocalizedText(""))]
    sevens = await garden.add_variable(ua.NodeId("Sevens", space), f"{space}:Sevens", 7, V.UInt32)
    await sevens.add_property(ua.NodeId(9011, space), "0:EnumValues", values)
    switch = await garden.add_variable(ua.NodeId("Tap", space), f"{space}:Tap", True)
    await switch.add_property(ua.NodeId(9012, space), "0:FalseState", ua.LocalizedText("off"))
    await switch.add_property(ua.NodeId(9013, space), "0:TrueState", ua.LocalizedText("on"))


async def odd(server, garden, space):
    await garden.add_variable(ua.NodeId("Row", space), f"{space}:Row", [1, 2, 3], V.Int16)
    matrix = ua.Variant([[1, 2], [3, 4]], V.Int16, Dimensions=[2, 2], is_array=True)
    await garden.add_variable(ua.NodeId("Grid", space), f"{space}:Grid", matrix)
    span = await garden.add_variable(
        ua.NodeId("Span", space), f"{space}:Span", None, V.Null, ua.NodeId(ua.ObjectIds.Duration)
    )
    assert span
    await garden.add_method(ua.NodeId("Water", space), f"{space}:Water", lambda parent: [])
    round_about = await garden.add_folder(ua.NodeId("Round", space), f"{space}:Round")
    await round_about.add_reference(garden, ua.ObjectIds.Organizes)
    ghost = await garden.add_folder(ua.NodeId("Ghost", space), f"{space}:Ghost")
    # What its parents still refer to is not there any more.
    del server.iserver.aspace._nodes[ghost.nodeid]


async def main(port):
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    await fill(server)
    async with server:
        print("ready", flush=True)
        await asyncio.Event().wait()


logging.basicConfig(level=logging.CRITICAL)
asyncio.run(main(int(sys.argv[1])))
