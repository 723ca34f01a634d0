"""What a sound folder becomes: inheritance, templates, levels, homes, lists, limits of size."""

from __future__ import annotations

import msgspec
import pytest

from weft import catalog
from weft.catalog import Handles, folder, signals
from weft.model import Level, Limits, ValueType

HEADER = (
    '[plant]\nname = "Test"\nenterprise = "weft"\nsite = "hall"\ntimezone = "Europe/Berlin"\n'
    'owner = "plant"\nretention = 365\n'
)
MILL = """
description = "CNC mill"
owner = "mills"
retention = 30
parameters = { base = 100, plc = "P0" }

[signals.load]
description = "Load of {asset}"
unit = "%"
limits = { high = 90.0, maximum = 150.0 }
states = { 0 = "idle" }
address = { node = "{plc}.{path}.{signal}", register = "{base+4}" }

[signals.serial]
type = "String"
address = { node = "{{{plc}}}" }
"""
ASSETS = """
["machining"]
owner = "area"
retention = 100

["machining/line1/mill"]
type = "mill"
connection = "line"
parameters = { plc = "P7" }

["machining/line1/mill".signals.load]
limits = { maximum = 200.0, low = 1.0 }
states = { 1 = "busy" }
address = { register = 9 }
retention = inf
owner = "me"

["machining/line1/mill".signals.door]
states = { 0 = "closed", 1 = "open" }
connection = "other"
address = { key = "door" }

["machining/line2".signals.count]
connection = "line"
type = "UInt32"
address = { node = "count" }

["lab/bench"]
level = "unit"
owner = ""
"""


def load(path, **options):
    loaded = catalog.load(path, environ={}, **options)
    assert not loaded.findings, [str(finding) for finding in loaded.findings]
    return loaded.plant


@pytest.fixture
def rich(plant):
    return plant(
        {
            "plant.toml": HEADER,
            "types/mill.toml": MILL,
            "assets/a.toml": ASSETS,
            "connections/other.toml": '[lenient]\nhost = "h"\n',
            "connections/spare.toml": '[lenient]\nhost = "i"\n',
        }
    )


def test_the_hierarchy(rich):
    plant = load(rich)
    assert [(path, asset.level) for path, asset in plant.assets.items()] == [
        ("weft", Level.ENTERPRISE),
        ("weft/hall", Level.SITE),
        ("weft/hall/machining", Level.AREA),
        ("weft/hall/machining/line1", Level.LINE),
        ("weft/hall/machining/line1/mill", Level.CELL),
        ("weft/hall/machining/line2", Level.LINE),
        ("weft/hall/lab", Level.AREA),
        ("weft/hall/lab/bench", Level.UNIT),
    ]
    assert plant.assets["weft/hall/machining/line1"].owner == "area"
    assert plant.assets["weft/hall/lab"].owner == "plant"
    assert plant.assets["weft/hall/lab/bench"].owner == ""
    assert plant.types["mill"].signals == ("load", "serial")


def test_a_signal_is_put_together_field_by_field(rich):
    load_ = load(rich).signals["weft/hall/machining/line1/mill/load"]
    assert load_.description == "Load of mill"
    assert load_.limits == Limits(low=1.0, high=90.0, maximum=200.0)
    assert load_.states == {0: "idle", 1: "busy"}
    assert msgspec.to_builtins(load_.address) == {
        "node": "P7.weft/hall/machining/line1/mill.load",
        "register": 9,
    }
    assert (load_.owner, load_.retention, load_.step) == ("me", None, True)


def test_what_a_type_says_and_what_is_inherited(rich):
    plant = load(rich)
    serial = plant.signals["weft/hall/machining/line1/mill/serial"]
    assert (serial.address.node, serial.type, serial.step) == ("{P7}", ValueType.STRING, True)
    assert (serial.owner, serial.retention) == ("mills", 30)
    count = plant.signals["weft/hall/machining/line2/count"]
    assert (count.owner, count.retention, count.step) == ("area", 100, False)


def test_a_placeholder_alone_keeps_its_type_and_adds(rich):
    (rich / "assets" / "b.toml").write_text('["lab/mill2"]\ntype = "mill"\nconnection = "line"\n')
    plant = load(rich)
    assert plant.signals["weft/hall/lab/mill2/load"].address.register == 104
    assert plant.signals["weft/hall/lab/mill2/load"].address.node == "P0.weft/hall/lab/mill2.load"


def test_connections_have_a_home(rich):
    lines = load(rich).connections
    assert {name: line.home for name, line in lines.items()} == {
        "line": "weft/hall/machining",
        "other": "weft/hall/machining/line1/mill",
        "spare": "weft/hall",
    }
    assert lines["line"].protocol == "fake"
    assert lines["line"].config.endpoint == "tcp://127.0.0.1:1"
    assert lines["line"].owner == "plant"


def test_handles_are_durable_and_follow_a_rename(rich, tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    first = load(rich, handles=Handles(state))
    file = rich / "assets" / "a.toml"
    text = file.read_text()
    file.write_text(
        text.replace('"machining/line1/mill"', '"machining/line1/mill9"')
        .replace('type = "mill"\n', 'type = "mill"\nwas = "machining/line1/mill"\n')
        .replace(
            '["machining/line2".signals.count]',
            '["machining/line2".signals.parts]\nwas = "machining/line2/count"',
        )
    )
    second = load(rich, handles=Handles(state))
    for old, new in [
        ("mill/load", "mill9/load"),
        ("mill/serial", "mill9/serial"),
        ("mill/door", "mill9/door"),
    ]:
        before = first.signals[f"weft/hall/machining/line1/{old}"]
        assert second.signals[f"weft/hall/machining/line1/{new}"].handle == before.handle
    assert (
        second.signals["weft/hall/machining/line2/parts"].handle
        == first.signals["weft/hall/machining/line2/count"].handle
    )
    assert second.by_handle().keys() == first.by_handle().keys()


def test_was_must_not_name_a_signal_of_today(rich):
    file = rich / "assets" / "a.toml"
    file.write_text(
        file.read_text().replace(
            '["machining/line2".signals.count]',
            '["machining/line2".signals.count]\nwas = "machining/line1/mill/load"',
        )
    )
    findings = catalog.check(rich, environ={}).findings
    assert [(f.line, "signal of today" in f.message) for f in findings] == [(24, True)]


def test_nothing_is_numbered_while_something_is_wrong(rich, tmp_path):
    handles = Handles(tmp_path)
    (rich / "assets" / "b.toml").write_text('["x"]\ntype = "nope"\n')
    assert catalog.load(rich, handles=handles, environ={}).plant is None
    assert len(handles) == 0


def test_lists(plant):
    csv = (
        "\ufeffasset;name;connection;type;unit;scale;offset;minimum;low;high;maximum;states;step;deadband;silence;"
        "semantic;owner;retention;description;address.node;address.register\r\n"
        'a/m;power;line;Int32;kW;0,5;1,5;0;1;2;3;;no;0,1;60;iec;me;inf;"Power; of ""all""";n;7\r\n'
        "\r\n"
        "a/m;state;line;;;;;;;;;0=off|1=on;;;;;;;;s\r\n"
    )
    found = load(plant({"signals/m.csv": csv})).signals
    power = found["weft/hall/a/m/power"]
    assert (power.type, power.unit, power.scale, power.offset) == (ValueType.INT32, "kW", 0.5, 1.5)
    assert power.limits == Limits(minimum=0, low=1, high=2, maximum=3)
    assert (power.step, power.deadband, power.silence, power.retention) == (False, 0.1, 60, None)
    assert (power.description, power.semantic, power.owner) == ('Power; of "all"', "iec", "me")
    assert (power.address.node, power.address.register) == ("n", 7)
    assert (found["weft/hall/a/m/state"].states, found["weft/hall/a/m/state"].step) == (
        {0: "off", 1: "on"},
        True,
    )


def test_a_list_completes_an_assets_type(plant):
    path = plant(
        {
            "types/meter.toml": '[signals.power]\nunit = "kW"\naddress = { node = "{asset}", register = 5 }\n',
            "assets/a.toml": '["a/m"]\ntype = "meter"\nconnection = "line"\n',
            "signals/m.csv": "asset,name,address.register\na/m,power,77\n",
        }
    )
    power = load(path).signals["weft/hall/a/m/power"]
    assert (power.unit, power.connection, power.address.node, power.address.register) == (
        "kW",
        "line",
        "m",
        77,
    )


def test_nested_address_columns(plant, monkeypatch):
    class Address(msgspec.Struct):
        where: dict[str, str]
        bits: tuple[int, int]

    monkeypatch.setattr(
        "weft.runtime.plugins.load", lambda *_: type("C", (), {"Config": Address, "Address": Address})
    )
    path = plant(
        {
            "connections/line.toml": "[any]\nwhere = {}\nbits = [1, 2]\n",
            "signals/m.csv": 'asset,name,connection,address.where.line,address.bits\na,b,line,7,"[4, 3]"\n',
        }
    )
    address = load(path).signals["weft/hall/a/b"].address
    assert (address.where, address.bits) == ({"line": "7"}, (4, 3))


def test_ten_thousand_signals(plant):
    rows = [f"area/line{i % 7}/m{i % 300},s{i},line,kW,node{i},{i}" for i in range(10_000)]
    text = "asset,name,connection,unit,address.node,address.register\n" + "\n".join(rows)
    found = load(plant({"signals/many.csv": text}))
    assert len(found.signals) == 10_000
    assert found.signals["weft/hall/area/line2/m10/s310"].address.register == 310


def test_too_many_signals(plant, monkeypatch):
    monkeypatch.setattr(signals, "MOST", 2)
    rows = "".join(f"a,s{i},line,n\n" for i in range(3))
    findings = catalog.check(
        plant({"signals/m.csv": f"asset,name,connection,address.node\n{rows}"}), environ={}
    ).findings
    assert [str(f) for f in findings] == ["signals/: 3 signals; at most 2 in one plant."]


def test_too_large_a_file(plant, monkeypatch):
    monkeypatch.setattr(folder, "LARGEST_TOML", 1_048_576)
    findings = catalog.check(plant({"assets/big.toml": "# " + "x" * 1_048_576}), environ={}).findings
    assert [str(f) for f in findings] == [
        "assets/big.toml: 1,048,578 bytes; at most 1 MiB are read. Split it into several files."
    ]


def test_what_cannot_be_read(plant):
    path = plant({"types/ok.toml": ""})
    (path / "types" / "deep.toml").write_text(f"x = {'[' * 3000}{']' * 3000}")
    (path / "types" / "gone.toml").symlink_to("nowhere.toml")
    (path / "types" / "latin.toml").write_bytes(b'# ok\n\ndescription = "Gr\xf6\xdfe"\n')
    (path / "types" / " space.toml").write_text("")
    (path / "types" / "folder.toml").mkdir()
    assert [str(f) for f in catalog.check(path, environ={}).findings] == [
        "types/ space.toml: The type's name ' space' begins or ends with a space.",
        "types/deep.toml: Brackets are nested too deeply to be read.",
        "types/gone.toml: It cannot be read: No such file or directory.",
        "types/latin.toml:3: Byte 0xF6 is not UTF-8. Save the file as UTF-8.",
    ]


def test_what_an_unreadable_file_would_have_said_is_not_missed(plant):
    path = plant(
        {
            "types/mill.toml": "broken",
            "connections/plc.toml": "broken",
            "assets/a.toml": '["m"]\ntype = "mill"\nconnection = "plc"\n["m".signals.x]\naddress = { node = "n" }\n',
        }
    )
    assert [f.file for f in catalog.check(path, environ={}).findings] == [
        "connections/plc.toml",
        "types/mill.toml",
    ]


def test_no_folder_at_all(tmp_path):
    loaded = catalog.check(tmp_path / "nope", environ={})
    assert loaded.plant is None
    assert "no folder 'nope'" in str(loaded.findings[0])


def test_settings_and_the_environment(plant):
    path = plant({"plant.toml": HEADER + '[web]\nport = 1\nhost = "h"\n'})
    environ = {"WEFT_WEB__PORT": "0", "WEFT_EDGE__FLUSH_SECONDS": "0.5", "WEFT_STATE": "/x", "OTHER__X": "1"}
    settings = catalog.load(path, environ=environ).plant.settings
    assert (settings["web"].port, settings["web"].host, settings["edge"].flush_seconds) == (0, "h", 0.5)
    findings = catalog.check(
        path, environ={"WEFT_WEB__PROT": "1", "WEFT_WBE__PORT": "1", "WEFT_WEB__PORT": "x"}
    ).findings
    assert [str(f).split(":")[0] for f in findings] == ["WEFT_WBE__PORT", "WEFT_WEB__PORT", "WEFT_WEB__PROT"]
    assert "Did you mean 'port'?" in str(findings[2])


def test_findings_are_the_same_every_time_and_tell_errors_from_warnings(plant):
    path = plant({"types/t.toml": '[signals.a]\nunit = "ft"\n[signals.b]\nunit = "rmp"\n'})
    first, second = (catalog.check(path, environ={}).findings for _ in range(2))
    assert first == second
    assert ([f.line for f in first.warnings], [f.line for f in first.errors]) == ([2], [4])


def test_matching(rich):
    plant = load(rich)

    def names(pattern):
        return [signal.path.removeprefix("weft/hall/") for signal in catalog.matching(plant, pattern)]

    assert names("mill/*") == [f"machining/line1/mill/{name}" for name in ("load", "serial", "door")]
    assert names("line1/**") == names("mill/*")
    assert names("weft/**/count") == ["machining/line2/count"]
    assert names("**/mill/d?or") == ["machining/line1/mill/door"]
    assert names("l*d") == ["machining/line1/mill/load"]
    assert len(names("**")) == 4
    assert names("ill/*") == []
    assert names("mill") == []


def test_destinations_choose_signals_by_patterns(plant):
    loaded = catalog.check(
        plant(
            {
                "signals/s.csv": "asset,name,connection,address.node\n"
                "l1/mill,load,line,a\nl1/mill,speed,line,b\nl2/saw,load,line,c\n",
                "destinations/all.toml": "[fake]\nendpoint = 'x'\n",
                "destinations/some.toml": "description = 'd'\nowner = 'o'\nsignals = ['l1/**', 'saw/*']\n"
                "without = ['**/speed']\nbacklog_rate = 5\nbegin = 'oldest'\nedge = 'e1'\n"
                "[fake]\nendpoint = 'x'\n",
                "destinations/none.toml": "# later\n",
            }
        ),
        environ={},
    )
    assert not loaded.findings
    found = loaded.plant.destinations
    assert list(found) == ["all", "some"]
    assert found["all"].signals == tuple(loaded.plant.signals)
    some = found["some"]
    assert some.signals == ("weft/hall/l1/mill/load", "weft/hall/l2/saw/load")
    assert (some.backlog_rate, some.begin, some.edge, some.owner) == (5.0, "oldest", "e1", "o")
    assert some.config.endpoint == "x"
    assert [s.path for s in loaded.plant.signals_for("some")] == list(some.signals)
