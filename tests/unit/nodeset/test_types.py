"""Types of small models: inheritance, rules, what describes a variable."""

import pytest

from weft.model import Limits, ValueType
from weft.nodeset import Space, type_model, types

UAX = 'xmlns="http://opcfoundation.org/UA/2008/02/Types.xsd"'
MANDATORY, OPTIONAL, PLACEHOLDER = "i=78", "i=80", "i=11508"


def value(inner):
    return f"<Value>{inner}</Value>"


def body(kind, inner):
    return value(
        f"<ExtensionObject {UAX}><TypeId><Identifier>i=1</Identifier></TypeId><Body><{kind}>{inner}</{kind}></Body></ExtensionObject>"
    )


def variable(kit, number, name, parent, rule=MANDATORY, inside="", kind="i=63", by="HasComponent", **more):
    references = [(by, parent, False), ("HasTypeDefinition", kind), ("HasModellingRule", rule)]
    more = {"DataType": "Double"} | more
    return kit.node("Variable", number, name, references, inside, **more)


def about(kit, number, name, parent, inside):
    """A property in OPC UA's own namespace."""
    return variable(kit, number, name, parent, inside=inside, kind="i=68", by="HasProperty").replace(
        f'"1:{name}"', f'"{name}"'
    )


def only(space, number=10):
    return type_model(space, f"nsu=urn:a;i={number}")


def test_what_is_inherited_and_what_is_said_again(kit):
    text = (
        kit.node("ObjectType", 10, "DriveType", [("HasSubtype", "ns=1;i=11", False)])
        + variable(kit, 1, "Load", "ns=1;i=10", inside="<Description>of the drive</Description>")
        + kit.node("ObjectType", 11, "PartType", [("HasSubtype", "i=58", False)], IsAbstract="true")
        + variable(kit, 2, "Load", "ns=1;i=11", OPTIONAL)
        + variable(kit, 3, "Wear", "ns=1;i=11", OPTIONAL, DataType="i=290")
        + kit.node("Variable", 4, "Static", [("HasComponent", "ns=1;i=11", False)], DataType="Double")
    )
    found = only(kit.space(text))
    assert [(s.path[0].text, s.optional, s.description, s.type) for s in found.signals] == [
        ("Load", False, "of the drive", ValueType.DOUBLE),
        ("Wear", True, "", ValueType.DOUBLE),
    ]
    assert found.supertypes == ("nsu=urn:a;i=11", "i=58")
    assert only(kit.space(text), 11).abstract


def test_a_promise_is_not_taken_back(kit):
    text = (
        kit.node("ObjectType", 10, "AType", [("HasSubtype", "ns=1;i=11", False)])
        + variable(kit, 1, "Load", "ns=1;i=10", OPTIONAL)
        + kit.node("ObjectType", 11, "BType", [("HasSubtype", "i=58", False)])
        + variable(kit, 2, "Load", "ns=1;i=11")
    )
    [load] = only(kit.space(text)).signals
    assert (load.optional, load.node) == (False, "nsu=urn:a;i=1")


def test_parts_placeholders_and_types_that_hold_themselves(kit):
    text = (
        kit.node("ObjectType", 10, "LineType", [("HasSubtype", "i=58", False)])
        + kit.node(
            "Object",
            1,
            "Next",
            [
                ("HasComponent", "ns=1;i=10", False),
                ("HasTypeDefinition", "ns=1;i=10"),
                ("HasModellingRule", OPTIONAL),
            ],
        )
        + kit.node(
            "Object",
            2,
            "&lt;Cell&gt;",
            [
                ("HasComponent", "ns=1;i=10", False),
                ("HasTypeDefinition", "ns=1;i=10"),
                ("HasModellingRule", PLACEHOLDER),
            ],
        )
        + kit.node(
            "Method", 3, "Stop", [("HasComponent", "ns=1;i=10", False), ("HasModellingRule", MANDATORY)]
        )
        + variable(kit, 4, "Speed", "ns=1;i=10")
        + variable(kit, 5, "&lt;Any&gt;", "ns=1;i=10", PLACEHOLDER)
    )
    found = only(kit.space(text))
    assert [("/".join(n.text for n in s.path), s.placeholder) for s in found.signals] == [
        ("Speed", False),
        ("<Any>", True),
    ]
    assert found.methods == ("nsu=urn:a;Stop",)
    assert found.parts == {"nsu=urn:a;Next": "LineType", "nsu=urn:a;<Cell>": "LineType"}


@pytest.mark.parametrize(
    ("number", "shown", "unit"),
    [(4408652, "°C", "Cel"), (-1, "bar", "bar"), (-1, "some unit", ""), (10**12, "", "")],
)
def test_units(kit, number, shown, unit):
    inner = f"<UnitId>{number}</UnitId><DisplayName><Text>{shown}</Text></DisplayName>"
    text = (
        kit.node("ObjectType", 10, "T", [("HasSubtype", "i=58", False)])
        + variable(kit, 1, "X", "ns=1;i=10", kind="i=2368")
        + about(kit, 2, "EngineeringUnits", "ns=1;i=1", body("EUInformation", inner))
    )
    [signal] = only(kit.space(text)).signals
    assert signal.unit == unit


def of_range(low, high):
    return body("Range", f"<Low>{low}</Low><High>{high}</High>")


@pytest.mark.parametrize(
    ("normal", "instrument", "limits"),
    [
        ((0, 10), None, Limits(low=0, high=10)),
        ((0, 10), (-5, 20), Limits(minimum=-5, low=0, high=10, maximum=20)),
        ((0, 10), (2, 8), Limits(minimum=2, maximum=8)),
        ((10, 0), None, Limits()),
        ((0, 0), None, Limits()),
        (("NaN", 1), None, Limits()),
        (("x", 1), None, Limits()),
    ],
)
def test_limits(kit, normal, instrument, limits):
    text = (
        kit.node("ObjectType", 10, "T", [("HasSubtype", "i=58", False)])
        + variable(kit, 1, "X", "ns=1;i=10")
        + about(kit, 2, "EURange", "ns=1;i=1", of_range(*normal))
    )
    if instrument:
        text += about(kit, 3, "InstrumentRange", "ns=1;i=1", of_range(*instrument))
    [signal] = only(kit.space(text)).signals
    assert signal.limits == limits


def texts(*words):
    return value(
        f"<ListOfLocalizedText {UAX}>{''.join(f'<LocalizedText><Text>{w}</Text></LocalizedText>' for w in words)}</ListOfLocalizedText>"
    )


def test_enumerations_of_types_and_of_variables(kit):
    definition = '<Definition Name="E"><Field Name="Open" Value="0"/><Field Name="Shut" Value="-1"><DisplayName>Closed</DisplayName></Field></Definition>'
    listed = value(
        f"<ListOfExtensionObject {UAX}><ExtensionObject><Body><EnumValueType><Value>7</Value><DisplayName><Text>Seven</Text></DisplayName></EnumValueType></Body></ExtensionObject></ListOfExtensionObject>"
    )
    text = (
        kit.node("DataType", 20, "E", [("HasSubtype", "i=29", False)], definition)
        + kit.node("DataType", 21, "F", [("HasSubtype", "i=29", False)])
        + about(kit, 22, "EnumStrings", "ns=1;i=21", texts("No", "Yes"))
        + kit.node("ObjectType", 10, "T", [("HasSubtype", "i=58", False)])
        + variable(kit, 1, "A", "ns=1;i=10", DataType="ns=1;i=20")
        + variable(kit, 2, "B", "ns=1;i=10", DataType="ns=1;i=21")
        + variable(kit, 3, "C", "ns=1;i=10", DataType="i=7")
        + about(kit, 30, "EnumValues", "ns=1;i=3", listed)
        + variable(kit, 4, "D", "ns=1;i=10", DataType="i=1", kind="i=2373")
        + about(
            kit, 31, "TrueState", "ns=1;i=4", value(f"<LocalizedText {UAX}><Text>on</Text></LocalizedText>")
        )
        + about(
            kit, 32, "FalseState", "ns=1;i=4", value(f"<LocalizedText {UAX}><Text>off</Text></LocalizedText>")
        )
    )
    found = {signal.path[0].text: signal for signal in only(kit.space(text)).signals}
    assert {name: signal.states for name, signal in found.items()} == {
        "A": {0: "Open", -1: "Closed"},
        "B": {0: "No", 1: "Yes"},
        "C": {7: "Seven"},
        "D": {0: "off", 1: "on"},
    }
    assert [signal.type for signal in found.values()] == [
        ValueType.INT32,
        ValueType.INT32,
        ValueType.UINT32,
        ValueType.BOOLEAN,
    ]


def test_endless_lines_of_types_end(kit):
    text = kit.node("ObjectType", 10, "A", [("HasSubtype", "ns=1;i=11", False)])
    text += kit.node("ObjectType", 11, "B", [("HasSubtype", "ns=1;i=10", False)])
    space = kit.space(text + variable(kit, 1, "X", "ns=1;i=10"))
    assert [len(found.signals) for found in types(space)] == [1, 1]
    assert Space([]).chain("nsu=urn:unknown;i=1") == ["nsu=urn:unknown;i=1"]
