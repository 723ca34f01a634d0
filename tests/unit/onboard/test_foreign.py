"""Files as other products write them, read and merged; what is not taken over is always named."""

import json
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from weft import catalog
from weft.catalog import skeleton
from weft.model import ValueType
from weft.onboard.draft import Draft, Line, Row, ucum, worded
from weft.onboard.foreign import read
from weft.onboard.merge import merge
from weft.onboard.registers import modbus_address, s7_address
from weft.runtime import Invalid, NotFound

KEPWARE = """\ufeffTag Name,Address,Data Type,Respect Data Type,Client Access,Scan Rate,Scaling,Raw Low,Raw High,Scaled Low,Scaled High,Scaled Data Type,Clamp Low,Clamp High,Eng Units,Description,Negate Value
"Pump.Speed","400001",Word,1,R/W,100,None,,,,,,,,"rpm","Speed, of the pump",
"Pump.Pressure","400010",Float,1,RO,100,Linear,0,4095,0,16,Double,1,1,"bar","",
"Serial","400100.20H",String,1,RO,100,,,,,,,,,,"Serial number",
"Strange","400200",Quaternion,1,RO,100,,,,,,,,,"furlong per fortnight","",
"""

PROJECT = {
    "project": {
        "channels": [
            {
                "common.ALLTYPES_NAME": "Line1",
                "servermain.MULTIPLE_TYPES_DEVICE_DRIVER": "Modbus TCP/IP Ethernet",
                "devices": [
                    {
                        "common.ALLTYPES_NAME": "PLC",
                        "tags": [{"common.ALLTYPES_NAME": "Run", "servermain.TAG_DATA_TYPE": 1}],
                        "tag_groups": [
                            {
                                "common.ALLTYPES_NAME": "Axis",
                                "tags": [
                                    {
                                        "common.ALLTYPES_NAME": "Position",
                                        "common.ALLTYPES_DESCRIPTION": "of the axis",
                                        "servermain.TAG_ADDRESS": "400020",
                                        "servermain.TAG_DATA_TYPE": 8,
                                        "servermain.TAG_SCALING_TYPE": 0,
                                        "servermain.TAG_SCALING_UNITS": "mm",
                                    }
                                ],
                            }
                        ],
                    }
                ],
            },
            {"common.ALLTYPES_NAME": "Empty", "servermain.MULTIPLE_TYPES_DEVICE_DRIVER": "Simulator"},
        ]
    }
}

IGNITION = {
    "name": "",
    "tagType": "Provider",
    "tags": [
        {
            "name": "_types_",
            "tagType": "Folder",
            "tags": [
                {
                    "name": "Motor",
                    "tagType": "UdtType",
                    "parameters": {"Device": {"dataType": "String", "value": "PLC0"}},
                    "tags": [
                        {
                            "name": "Amps",
                            "tagType": "AtomicTag",
                            "valueSource": "opc",
                            "dataType": "Float4",
                            "opcServer": "Ignition OPC UA Server",
                            "opcItemPath": {
                                "bindType": "parameter",
                                "binding": "ns=1;s=[{Device}]{InstanceName}.Amps",
                            },
                            "engUnit": "A",
                            "engLow": 0,
                            "engHigh": 50,
                            "scaleMode": "Linear",
                            "rawLow": 0,
                            "rawHigh": 1000,
                            "scaledLow": 0,
                            "scaledHigh": 50,
                        },
                        {
                            "name": "Sum",
                            "tagType": "AtomicTag",
                            "valueSource": "expr",
                            "expression": "{[.]Amps} * 2",
                        },
                    ],
                }
            ],
        },
        {
            "name": "Hall",
            "tagType": "Folder",
            "tags": [
                {
                    "name": "M1",
                    "tagType": "UdtInstance",
                    "typeId": "Motor",
                    "parameters": {"Device": {"dataType": "String", "value": "PLC1"}},
                    "tags": [
                        {"name": "Amps", "tagType": "AtomicTag", "documentation": "measured at the drive"}
                    ],
                },
                {"name": "M2", "tagType": "UdtInstance", "typeId": "Absent/Type", "tags": []},
                {
                    "name": "Level",
                    "tagType": "AtomicTag",
                    "valueSource": "opc",
                    "dataType": "Int4",
                    "opcItemPath": "[PLC1]N7:0",
                    "engUnit": "%",
                },
            ],
        },
    ],
}

UMH = """
input:
  opcua:
    endpoint: opc.tcp://10.0.0.5:4840
    nodeIDs: ["ns=2;s=Mill.Spindle.Speed", "i=84"]
pipeline:
  processors:
    - tag_processor:
        defaults: |
          msg.meta.location_path = "acme.berlin.machining.line1.mill";
          msg.meta.data_contract = "_historian";
          return msg;
output:
  mqtt: { urls: ["tcp://elsewhere:1883"], topic: out }
"""

UMH_MODBUS = """
input:
  broker:
    inputs:
      - modbus:
          controller: tcp://10.0.0.7:1502
          transmissionMode: TCP
          slaveIDs: [3]
          byteOrder: CDAB
          addresses:
            - { name: flow, register: holding, address: 3, type: FLOAT32, scale: 0.1 }
            - { name: alarm, register: discrete, address: 7, type: BIT }
            - { name: odd, register: holding, address: 9, type: COMPLEX64 }
      - s7comm:
          tcpDevice: 10.0.0.8:102
          rack: 0
          slot: 1
          addresses: ["DB1.DW20", "DB1.X3.1", "DB9.Q7"]
"""

TELEGRAF = """
[[inputs.opcua]]
  name = "press"
  endpoint = "opc.tcp://10.0.0.5:4840"
  security_mode = "None"
  nodes = [
    {name="force", namespace="3", identifier_type="s", identifier="Press.Force"},
    {name="broken", namespace="3"},
  ]
  [[inputs.opcua.group]]
    name = "oil"
    namespace = "3"
    identifier_type = "i"
    nodes = [{name="temperature", identifier="1021", monitoring_params={sampling_interval="250ms", queue_size=10}}]

[[inputs.modbus]]
  name = "meter"
  slave_id = 7
  controller = "tcp://10.0.0.6:502"
  input_registers = [
    { name = "energy", byte_order = "ABCD", data_type = "UINT32", scale=0.01, address = [30,31] },
    { name = "half", byte_order = "AB", data_type = "INT8L", scale=1.0, address = [40] },
    { name = "fixed", byte_order = "AB", data_type = "FIXED", scale=0.1, address = [41] },
  ]
  coils = [ { name = "on", address = [4] } ]

[[inputs.modbus]]
  name = "cabinet"
  controller = "file:///dev/ttyUSB0"
  baud_rate = 19200
  parity = "E"
  transmission_mode = "RTU"
  configuration_type = "request"
  [[inputs.modbus.request]]
    slave_id = 2
    byte_order = "ABCD"
    register = "holding"
    fields = [ { address=5, name="current", type="INT16", scale=0.1 }, { address=6, omit=true } ]

[[inputs.cpu]]
[[outputs.influxdb_v2]]
"""


@pytest.fixture
def plant(tmp_path):
    folder = tmp_path / "plant"
    skeleton.write(folder)
    return folder


def written(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
    return path


def by_path(draft):
    return {row.path: row for row in draft.rows}


def test_kepware_csv(tmp_path):
    draft = read(written(tmp_path, "Line1.PLC.csv", KEPWARE))
    rows = by_path(draft)
    assert list(rows) == [
        "Line1/PLC/Pump/Speed",
        "Line1/PLC/Pump/Pressure",
        "Line1/PLC/Serial",
        "Line1/PLC/Strange",
    ]
    speed = rows["Line1/PLC/Pump/Speed"]
    assert (speed.type, speed.unit, speed.address) == (
        "UInt16",
        "{rev}/min",
        {"node": "ns=2;s=Line1.PLC.Pump.Speed"},
    )
    assert speed.description == "Speed, of the pump"
    # Scaled in the server: what arrives is no Float any more, and what is left to know is the range.
    pressure = rows["Line1/PLC/Pump/Pressure"]
    assert (pressure.type, pressure.limits.maximum) == ("", 16.0)
    assert [note.place for note in draft.notes] == ["line 5", "line 5"]


def test_kepware_project(tmp_path):
    draft = read(written(tmp_path, "project.json", PROJECT))
    rows = by_path(draft)
    assert rows["Line1/PLC/Axis/Position"].address == {"node": "ns=2;s=Line1.PLC.Axis.Position"}
    assert (rows["Line1/PLC/Axis/Position"].type, rows["Line1/PLC/Axis/Position"].unit) == ("Float", "mm")
    assert rows["Line1/PLC/Run"].type == "Boolean"
    assert [note.place for note in draft.notes] == ["Empty"]


def test_ignition_instances_inherit_from_definitions(tmp_path):
    draft = read(written(tmp_path, "tags.json", IGNITION))
    rows = by_path(draft)
    amps = rows["Hall/M1/Amps"]
    assert amps.address == {"node": "ns=1;s=[PLC1]M1.Amps"}
    assert (amps.unit, amps.scale, amps.offset, amps.limits.maximum) == ("A", 0.05, 0.0, 50.0)
    assert amps.description == "measured at the drive"
    assert rows["Hall/Level"].address == {"node": "ns=1;s=[PLC1]N7:0"}
    assert rows["Hall/Level"].type == "Int32"
    told = {note.place: note.text for note in draft.notes}
    assert "expression" in told["Hall/M1/Sum"]
    assert "Absent/Type" in told["Hall/M2"]


def test_umh(tmp_path):
    draft = read(written(tmp_path, "umh.yaml", UMH))
    assert by_path(draft)["machining/line1/mill/Speed"].address == {"node": "ns=2;s=Mill.Spindle.Speed"}
    assert draft.lines["10.0.0.5"].config == {"endpoint": "opc.tcp://10.0.0.5:4840", "security": "none"}
    assert any("i=84" in note.text for note in draft.notes)
    draft = read(written(tmp_path, "modbus.yaml", UMH_MODBUS))
    flow = by_path(draft)["10.0.0.7/flow"]
    assert flow.address == {"register": 3, "table": "holding", "type": "float32", "order": "CDAB"}
    assert flow.scale == 0.1
    assert draft.lines["10.0.0.7"].config == {"host": "10.0.0.7", "port": 1502, "unit": 3}
    assert draft.lines["10.0.0.8"].protocol == "s7"
    assert {note.place.rpartition(".")[2] for note in draft.notes} == {"addresses[2]"}


def test_telegraf(tmp_path):
    draft = read(written(tmp_path, "telegraf.conf", TELEGRAF))
    rows = by_path(draft)
    assert rows["press/force"].address == {"node": "ns=3;s=Press.Force"}
    assert rows["oil/temperature"].address == {
        "node": "ns=3;i=1021",
        "sampling_interval": 0.25,
        "queue_size": 10,
    }
    assert rows["meter/energy"].address == {
        "register": 30,
        "table": "input",
        "type": "uint32",
        "order": "ABCD",
    }
    assert rows["meter/energy"].scale == 0.01
    assert rows["meter/fixed"].address["type"] == "int16"
    assert rows["meter/on"].type == "Boolean"
    assert rows["cabinet/current"].address["unit"] == 2
    assert draft.lines["cabinet"].config["serial"]["parity"] == "even"
    places = [note.place for note in draft.notes]
    assert places == [
        "inputs.opcua[0].nodes[1]",
        "inputs.modbus[0].input_registers[1]",
        "inputs.cpu[0]",
        "outputs.influxdb_v2",
    ]


def test_excel_with_columns_as_people_head_them(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Presse 1"
    sheet.append(["Kommentar", "Bezeichnung", "Adresse", "Datentyp", "Einheit", "Faktor", "Farbe"])
    sheet.append(["Öldruck", "Druck", 400011, "Float", "°C", "0,5", "rot"])
    sheet.append(["", "Kaputt", "nirgends", "Float", "", "viel", ""])
    book.create_sheet("Leer").append(["Farbe"])
    book.save(tmp_path / "liste.xlsx")
    draft = read(tmp_path / "liste.xlsx", connection="plc")
    (row,) = draft.rows
    assert (row.path, row.unit, row.scale) == ("Presse 1/Druck", "Cel", 0.5)
    assert row.address == {"register": 10, "table": "holding", "type": "float32"}
    assert {note.place for note in draft.notes} == {"Presse 1", "Presse 1, row 3", "Leer"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Line1.PLC.csv", KEPWARE),
        ("project.json", PROJECT),
        ("tags.json", IGNITION),
        ("umh.yaml", UMH),
        ("modbus.yaml", UMH_MODBUS),
        ("telegraf.conf", TELEGRAF),
    ],
)
def test_what_is_merged_loads_and_a_second_time_changes_nothing(tmp_path, plant, name, text):
    draft = read(written(tmp_path, name, text))
    before = catalog.check(plant).plant
    dry = merge(draft, plant, name="taken", dry_run=True)
    assert catalog.check(plant).plant == before
    report = merge(draft, plant, name="taken")
    assert report == dry
    assert report.refused == ()
    loaded = catalog.check(plant)
    assert loaded.findings.errors == []
    assert len(loaded.plant.signals) - len(before.signals) == len(draft.rows) == len(report.new)
    for row in draft.rows:
        signal = next(s for path, s in loaded.plant.signals.items() if path.endswith("/" + row.path))
        assert (signal.unit, signal.scale, signal.connection) == (row.unit, row.scale, row.connection)
        assert signal.type == (getattr(ValueType, row.type.upper()) if row.type else None)
    again = merge(draft, plant, name="taken")
    assert (again.files, again.new, again.differs) == ({}, (), ())
    assert len(again.same) == len(draft.rows)


def test_what_the_plant_has_stays_as_it_is(tmp_path, plant):
    line = Line(protocol="modbus", config={"host": "10.0.0.9"})

    def draft(**other):
        made = Draft()
        made.add_line("meter", line)
        made.add(
            Row(
                asset="hall",
                name="power",
                connection="meter",
                address={"register": 4},
                place="row 1",
                **other,
            )
        )
        return made

    merge(draft(unit="kW"), plant, name="one")
    report = merge(draft(unit="W"), plant, name="two")
    assert (report.files, [note.place for note in report.differs]) == ({}, ["hall/power"])
    assert "unit W" in report.differs[0].text


def test_what_would_not_load_is_refused_row_by_row(plant):
    draft = Draft()
    draft.add_line("meter", Line(protocol="modbus", config={"host": "10.0.0.9"}))
    draft.add_line("nowhere", Line(protocol="modbus", config={"hoost": "10.0.0.9"}))
    for number, register in enumerate([1, 99_999, 3]):
        draft.add(
            Row(
                asset="hall",
                name=f"r{number}",
                connection="meter",
                address={"register": register},
                place=f"{number}",
            )
        )
    draft.add(Row(asset="hall", name="lost", connection="nowhere", address={"register": 1}, place="3"))
    report = merge(draft, plant, name="list")
    assert report.new == ("hall/r0", "hall/r2")
    assert [note.place for note in report.refused] == ["connections/nowhere.toml", "1", "3"]
    assert catalog.check(plant).findings.errors == []


def test_a_list_of_that_name_is_not_overwritten(plant):
    (plant / "signals").mkdir(exist_ok=True)
    (plant / "signals" / "list.csv").write_text("asset,name\n", encoding="utf-8")
    draft = Draft()
    draft.add_line("meter", Line(protocol="modbus", config={"host": "10.0.0.9"}))
    draft.add(Row(asset="hall", name="power", connection="meter", address={"register": 4}))
    report = merge(draft, plant, name="list")
    assert list(report.files) == ["connections/meter.toml", "signals/list-2.csv"]
    assert (plant / "signals" / "list.csv").read_text(encoding="utf-8") == "asset,name\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.json", "{"),
        ("x.json", "[" * 100_000),
        ("x.json", "{}"),
        ("x.toml", "= 1"),
        ("x.yaml", "a: [" * 5_000),
        ("x.yaml", "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
            f"b{n}: &b{n} [{','.join(['*a' if n == 0 else f'*b{n - 1}'] * 9)}]\n" for n in range(12))),
        ("x.bin", "nothing"),
        ("x.csv", ""),
    ],
)  # fmt: skip
def test_what_is_of_no_known_form_is_refused(tmp_path, name, text):
    with pytest.raises(Invalid):
        read(written(tmp_path, name, text))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(NotFound):
        read(tmp_path / "nothing.csv")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("400001", ("holding", 0, None, None)),
        ("40001.3", ("holding", 0, 3, None)),
        ("300100", ("input", 99, None, None)),
        ("000017", ("coil", 16, None, None)),
        ("400010[20]", ("holding", 9, None, 20)),
        ("465536", ("holding", 65535, None, None)),
    ],
)
def test_entity_numbers(text, expected):
    assert modbus_address(text) == expected


@pytest.mark.parametrize("text", ["400000", "465537", "200001", "40001x", "", "4000"])
def test_no_entity_numbers(text):
    assert modbus_address(text) is None


def test_s7_addresses():
    assert s7_address("DB1.DW20") == {"at": "DB1.DBD20", "type": "DWORD"}
    assert s7_address("db5.x0.3") == {"at": "DB5.DBX0.3", "type": "BOOL"}
    assert s7_address("DB5.S10.20") == {"at": "DB5.DBB10", "type": "STRING", "length": 20}
    assert s7_address("DB9.Q7") is None


@given(st.text(max_size=300))
def test_any_name_becomes_one_that_a_path_takes_or_none(text):
    name = worded(text)
    assert "/" not in name
    assert name == name.strip()
    assert name not in {".", ".."}
    assert worded(name) == name


@given(st.text(max_size=20))
def test_any_unit_is_a_code_or_is_noted(text):
    code, doubt = ucum(text)
    if code:
        assert catalog is not None
        from weft.model.units import parse

        parse(code)
    else:
        assert doubt or not text.strip()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "asset,name,register\nm,x,¹\nm,y," + "9" * 5000),
        ("a.toml", "[[inputs.s7comm]]\nserver = 'h:¹'\nrack = 'x'\n"),
        ("a.yaml", "input:\n  s7comm:\n    tcpDevice: h:1\n    rack: [1]\n"),
        ("a.yaml", "? 2026-99-99\n"),
    ],
)
def test_what_is_no_number_is_left_or_the_file_refused(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    try:
        draft = read(path, connection="line")
    except Invalid as refused:
        assert name in refused.message
    else:
        assert isinstance(draft, Draft)


@pytest.mark.parametrize("name", ["../list", "a/b", "..", ".hidden", "", "a\nb"])
def test_no_name_of_a_list_leads_out_of_the_folder(tmp_path, plant, name):
    draft = read(written(tmp_path, "t.csv", "connection,name,node\nplc,a,ns=2;s=a\n"))
    with pytest.raises(Invalid, match="no name of a list"):
        merge(draft, plant, name=name)
    assert not list(tmp_path.rglob("*list.csv"))


def packed(path, **parts):
    """A workbook with other content in some of its parts."""
    book = Workbook()
    book.active.append(["connection", "name", "node"])
    book.save(path)
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, parts.get(name.rpartition("/")[2].partition(".")[0], data))
    return path


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"PK\x03\x04" + bytes(100)),
        lambda path: packed(path, sheet1=b"<worksheet>"),
        lambda path: packed(path, workbook=b"<a/>"),
        lambda path: packed(path, sheet1=b"<worksheet>" + bytes(300 << 20)),
        lambda path: path.write_bytes(packed(path).read_bytes()[:-100]),
    ],
)
def test_a_damaged_workbook_and_one_that_swells_are_refused(tmp_path, damage):
    path = tmp_path / "list.xlsx"
    damage(path)
    with pytest.raises(Invalid):
        read(path)
