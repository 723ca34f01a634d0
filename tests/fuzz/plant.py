"""What people and other programs write: plant files, expressions, NodeSets, exports of other products; and the bus."""

from __future__ import annotations

import atexit
import pathlib
import shutil
import tempfile

import numpy as np
from fuzz.target import Target

from weft import catalog
from weft.catalog.findings import Report
from weft.catalog.located import locate
from weft.catalog.rows import read_rows
from weft.model import Batch, Event, decode, encode, expression
from weft.model import wire as wire_module
from weft.nodeset import Space, read, types
from weft.nodeset import instances as instances_of
from weft.onboard import foreign
from weft.runtime import Invalid, NotFound


def _wire_seeds() -> list[bytes]:
    rows = [
        (1, 10**18, 1.5, 11, 0, 0), (2, 10**18, "äb", 12, 0, 1), (3, 5, None, 0, 0x80310000, 0), (4, 6, True, 1, 0, 0),
        (5, 7, [1, 2], 6 | 128, 0, 0), (6, 8, b"\0\1", 15, 0, 3), (7, 9, -3, 8, 0x480, 0),
    ]  # fmt: skip
    batches = [Batch.of(rows, source="s", sequence=3, received=4), Batch.of(rows[:1] * 5), Batch.of([])]
    event = Event(kind="weft.alarm", source="a/b", time=5, recorded=6, data={"x": [1, None]}, id="1")
    return [encode(body) for body in (*batches, event, b"raw")]


def _wire_run(data: bytes) -> None:
    """What is read is said again, and read the same."""
    try:
        body = decode(data)
    except wire_module.BadWire:
        return
    try:
        again = decode(encode(body))
    except ValueError:
        assert isinstance(body, Batch)
        return
    if isinstance(body, Batch):
        assert isinstance(again, Batch)
        assert len(again) == len(body)
        assert again.time.tobytes() == body.time.tobytes()
        for row in body:
            assert row.signal is not None


TEXTS = (
    "{a} + 1", "clip({a}, 0, 10) ** 2 if good({b}) else -{a}", "{a} in (1, 2) and not {b} >= 3.5e2", "age({a}) < 5 or true",
    "max({a}, {b}, 7) // 2 % 3", '{a} == "on"', "round({a} / {b}, 2)", "sqrt(abs({a b/c}))", "1 < {a} <= 3 != {b}", "min(1,2)",
    "not" * 3, "{a}[0]", "a.b", "x := 1", "lambda: 1", "({a}", "'a", "-" * 40 + "1", "9" * 400, "1e999", "{a} ** {b} ** 9",
)  # fmt: skip
READINGS = (
    (None, 0, 0.0),
    (True, 0, 1.0),
    (2**63, 0, 1e9),
    (-1.5, 0x80000000, 2.0),
    ("on", 0, 0.0),
    (float("nan"), 0, 0.0),
)


def _expression_run(data: bytes) -> None:
    """A text is an expression, which then has a value or none, or a mistake at a place in it."""
    text = data.decode("utf-8", "replace")
    try:
        found = expression.parse(text)
    except expression.BadExpression as error:
        assert 1 <= error.column <= max(len(text), expression.LONGEST)
        return
    for shift in range(len(READINGS)):
        readings = [
            expression.Reading(*READINGS[(i + shift) % len(READINGS)]) for i in range(len(found.signals))
        ]
        try:
            found(readings)
        except (expression.Unknown, expression.BadValue):
            continue
    if found.columnar:
        column = expression.Columns(np.array([1.0, -2.0, np.nan]), np.array([True, True, False]), np.ones(3))
        assert len(found.over([column] * len(found.signals), 3)) == 3
    assert expression.parse(found.renamed({name: name for name in found.signals})).signals == found.signals


FILES = (
    "plant.toml",
    "types/t.toml",
    "assets/a.toml",
    "connections/line.toml",
    "logic/l.toml",
    "destinations/d.toml",
)
SOUND = {
    "plant.toml": '[plant]\nname = "Test"\nenterprise = "weft"\nsite = "hall"\ntimezone = "Europe/Berlin"\n',
    "types/t.toml": '[signals.speed]\nunit = "r/min"\ntype = "Double"\nlimits = { maximum = 9 }\naddress = { register = 1 }\n',
    "assets/a.toml": '["mill"]\ntype = "t"\nconnection = "line"\n["mill".signals.double]\nderive = "{speed} * 2"\n',
    "connections/line.toml": '[modbus]\nhost = "127.0.0.1"\nport = 502\n',
    "logic/l.toml": '["fast"]\nwhen = "{mill/speed} > 3"\n',
    "destinations/d.toml": '[mqtt]\nhost = "127.0.0.1"\n',
}  # fmt: skip


def _folder() -> pathlib.Path:
    memory = pathlib.Path("/dev/shm")
    made = pathlib.Path(tempfile.mkdtemp(prefix="weft-fuzz-", dir=memory if memory.is_dir() else None))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


FOLDER = _folder()


def _toml_seeds() -> list[bytes]:
    return [bytes((number,)) + SOUND[file].encode() for number, file in enumerate(FILES)]


def _toml_run(data: bytes) -> None:
    """One file of a sound plant is anything: findings with places, or a plant."""
    chosen = FILES[data[0] % len(FILES)] if data else FILES[0]
    for file in FILES:
        path = FOLDER / "plant" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data[1:] if file == chosen else SOUND[file].encode())
    loaded = catalog.check(FOLDER / "plant", environ={})
    assert (loaded.plant is None) == bool(loaded.findings.errors)
    for finding in loaded.findings:
        assert finding.message
        assert "\n" not in str(finding)


TABLE = (
    (
        b"asset,name,connection,type,unit,address.register,write.minimum,states\nmill,speed,line,Double,r/min,1,0,\n"
        b'mill,"a ""b""",line,Int32,,2,,"0=off|1=on"\n'
    ),
    b"asset;name;connection;maximum;step\nmill;x;line;1,5;yes\n;;\nmill;y;line;z;no\n",
    b"asset\tname\tlabels\nmill\tx\ta=b\n",
)


def _table_run(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    findings = Report()
    for row in read_rows("signals/m.csv", text, findings):
        assert row is not None
    for finding in findings.ordered():
        assert finding.message
    try:
        import tomllib

        tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return
    locate(text)


NODES = b"""<UANodeSet xmlns="http://opcfoundation.org/UA/2011/03/UANodeSet.xsd"><NamespaceUris><Uri>urn:a</Uri></NamespaceUris>
<Models><Model ModelUri="urn:a" Version="1" PublicationDate="2026-01-01T00:00:00Z"><RequiredModel ModelUri="urn:b"/></Model></Models>
<Aliases><Alias Alias="Double">i=11</Alias><Alias Alias="HasSubtype">i=45</Alias></Aliases>
<UAObjectType NodeId="ns=1;i=1" BrowseName="1:T"><DisplayName>T</DisplayName><References><Reference ReferenceType="HasSubtype"
 IsForward="false">i=58</Reference><Reference ReferenceType="i=47">ns=1;i=2</Reference><Reference ReferenceType="i=47">ns=1;i=5</Reference></References></UAObjectType>
<UAVariable NodeId="ns=1;i=2" BrowseName="1:V" DataType="Double" ValueRank="1" ArrayDimensions="3"><References>
<Reference ReferenceType="i=40">i=2368</Reference><Reference ReferenceType="i=37">i=78</Reference><Reference ReferenceType="i=46">ns=1;i=3</Reference></References></UAVariable>
<UAVariable NodeId="ns=1;i=3" BrowseName="EngineeringUnits" DataType="i=887"><References><Reference ReferenceType="i=37">i=78</Reference></References><Value><ExtensionObject><Body>
<EUInformation><UnitId>4408652</UnitId><DisplayName><Text>C</Text></DisplayName></EUInformation></Body></ExtensionObject></Value></UAVariable>
<UADataType NodeId="ns=1;i=4" BrowseName="1:E"><References><Reference ReferenceType="HasSubtype" IsForward="false">i=29</Reference></References><Definition
 Name="1:E"><Field Name="off" Value="0"/><Field Name="on" Value="1"/></Definition></UADataType>
<UAVariable NodeId="ns=1;i=5" BrowseName="1:S" DataType="ns=1;i=4"><References><Reference ReferenceType="i=40">i=63</Reference><Reference ReferenceType="i=37">i=80</Reference></References></UAVariable>
<UAObject NodeId="ns=1;i=6" BrowseName="1:O"><References><Reference ReferenceType="i=40">ns=1;i=1</Reference><Reference ReferenceType="i=35" IsForward="false">i=85</Reference></References></UAObject>
</UANodeSet>"""


def _nodeset_run(data: bytes) -> None:
    """A file is a document with findings, whose types and objects can be gone through, or it is none."""
    try:
        document = read(data, "x.xml")
    except Invalid:
        return
    space = Space([document])
    for model in types(space):
        assert model.signals is not None
    for instance in instances_of(space):
        assert instance.signals is not None


EXPORTS = {
    "a.csv": b"Tag Name,Address,Data Type,Scan Rate,Scaling,Raw Low,Raw High,Scaled Low,Scaled High,Eng Units,Description\n"
    b'"Pump.Speed","400001",Word,100,Linear,0,4095,0,16,"rpm","d"\n',
    "k.json": b'{"project":{"channels":[{"common.ALLTYPES_NAME":"L","servermain.MULTIPLE_TYPES_DEVICE_DRIVER":"Modbus TCP/IP Ethernet",'
    b'"devices":[{"common.ALLTYPES_NAME":"P","servermain.DEVICE_ID_STRING":"<127.0.0.1>.1","tags":[{"common.ALLTYPES_NAME":"R","servermain.TAG_ADDRESS":"400001","servermain.TAG_DATA_TYPE":5}],'
    b'"tag_groups":[{"common.ALLTYPES_NAME":"G","tags":[]}]}]}]}}',
    "i.json": b'{"name":"","tagType":"Provider","tags":[{"name":"F","tagType":"Folder","tags":[{"name":"x","tagType":"AtomicTag","valueSource":"opc",'
    b'"opcServer":"S","opcItemPath":"ns=1;s=[d]x","dataType":"Float8","engUnit":"C","engHigh":9,"engLow":0}]},{"name":"U","tagType":"UdtInstance","typeId":"T","parameters":{"p":{"value":1}},"tags":[]}]}',
    "t.toml": b'[[inputs.modbus]]\nname="d"\ncontroller="tcp://h:502"\nslave_id=1\nholding_registers=[{name="a",byte_order="AB",data_type="INT16",scale=0.1,address=[0]}]\n'
    b'[[inputs.opcua]]\nendpoint="opc.tcp://h:4840"\nnodes=[{name="n",namespace="3",identifier_type="i",identifier="7"}]\n[[inputs.mqtt_consumer]]\nservers=["tcp://h:1883"]\ntopics=["a/#"]\n',
    "u.yaml": b'input:\n  opcua:\n    endpoint: opc.tcp://h:4840\n    nodeIDs: ["ns=2;s=a", "i=7"]\n  modbus:\n    controller: tcp://h:502\n    addresses: [{name: a, register: holding, address: 1, type: INT16}]\n',
    "x.tsv": b"asset\tname\taddress\nmill\tspeed\t40001\n",
}  # fmt: skip
ENDINGS = tuple(EXPORTS)


def _foreign_run(data: bytes) -> None:
    name = ENDINGS[data[0] % len(ENDINGS)] if data else "a.csv"
    path = FOLDER / name
    path.write_bytes(data[1:])
    try:
        draft = foreign.read(path, connection="line")
    except (Invalid, NotFound):
        return
    assert draft is not None


wire = Target(_wire_run, _wire_seeds)
expressions = Target(_expression_run, lambda: [text.encode() for text in TEXTS])
toml = Target(_toml_run, _toml_seeds)
table = Target(_table_run, lambda: TABLE)
nodeset = Target(_nodeset_run, lambda: [NODES])
exports = Target(_foreign_run, lambda: [bytes((n,)) + EXPORTS[file] for n, file in enumerate(ENDINGS)])
