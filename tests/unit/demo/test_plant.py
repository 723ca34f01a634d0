"""The plant folder: complete, and its owner's when the owner says so."""

import csv
import pathlib
import re
import tomllib

import pytest

from weft import catalog
from weft.demo import Ports, plant
from weft.demo.factory import Factory
from weft.demo.layout import (
    MILL_PATH,
    PACKING_PATH,
    PATHS,
    STATIONS,
    meter_sensors,
    station_sensors,
    washer_sensors,
)
from weft.demo.mill_signals import MILL
from weft.demo.packing_signals import PACKING
from weft.demo.plant_stations import DERIVED
from weft.demo.toml import table

PORTS = Ports(
    mill=4840,
    washer=1502,
    meters=1503,
    broker=1884,
    lathe=5000,
    press=1102,
    robot=4841,
    palletiser=44818,
    stations=STATIONS,
    password="file:/run/weft.password",
)
LINE = Ports(mill=4840, washer=1502, meters=1503, broker=1884, password="file:/run/weft.password")


@pytest.fixture
def folder(tmp_path):
    plant.write(tmp_path / "plant", PORTS)
    return tmp_path / "plant"


def load(path):
    return tomllib.loads(path.read_text(encoding="utf-8"))


def signals_of(folder):
    """Paths below the site of all signals that the folder describes."""
    for file in (folder / "assets").glob("*.toml"):
        for path, asset in load(file).items():
            if "type" in asset:
                for name in load(folder / "types" / f"{asset['type']}.toml")["signals"]:
                    yield f"{path}/{name}"
    for row in csv.DictReader((folder / "signals" / "meters.csv").read_text(encoding="utf-8").splitlines()):
        yield f"{row['asset']}/{row['name']}"


def test_every_sensor_is_a_signal_of_the_plant(folder):
    known = [f"{MILL_PATH}/{s.name}" for s in MILL] + [f"{PACKING_PATH}/{s.name}" for s in PACKING]
    known += [path for path, _ in washer_sensors()]
    known += [path for meter in range(4) for path, _ in meter_sensors(meter)]
    known += [f"{PATHS[name]}/{s.name}" for name in STATIONS for s in station_sensors(name)]
    known += [f"{PATHS[name]}/{signal}" for name, signals in DERIVED.items() for signal in signals]
    assert sorted(signals_of(folder)) == sorted(known)
    assert len(known) == len(set(known)) > 200


def test_without_its_stations_the_folder_has_the_line_alone(tmp_path):
    plant.write(tmp_path, LINE)
    assert {path.stem for path in (tmp_path / "connections").iterdir()} == {
        "mill",
        "washer",
        "meters",
        "packing",
    }
    assert len(list(signals_of(tmp_path))) == 96
    assert not catalog.load(tmp_path).findings


def test_what_may_be_written_has_its_range(folder):
    def write(type, signal):
        return load(folder / "types" / f"{type}.toml")["signals"][signal]["write"]

    assert write("robot", "speed-override")["maximum"] == 100.0
    assert (write("press", "force-setpoint")["minimum"], write("press", "force-setpoint")["step"]) == (
        400.0,
        100.0,
    )
    assert write("palletiser", "speed-setpoint")["logic"] is True
    written = {
        f"{type.stem}/{name}"
        for type in (folder / "types").iterdir()
        for name, signal in load(type)["signals"].items()
        if "write" in signal
    }
    assert written == {"robot/speed-override", "press/force-setpoint", "palletiser/speed-setpoint"}


def test_connections_have_the_ports(folder):
    assert load(folder / "connections" / "mill.toml")["opcua"]["endpoint"].startswith(
        "opc.tcp://127.0.0.1:4840/"
    )
    assert load(folder / "connections" / "washer.toml")["modbus"]["port"] == 1502
    assert load(folder / "connections" / "meters.toml")["modbus"]["port"] == 1503
    mqtt = load(folder / "connections" / "packing.toml")["mqtt"]
    assert (mqtt["port"], mqtt["password"]) == (1884, "file:/run/weft.password")
    assert load(folder / "connections" / "lathe.toml")["mtconnect"]["url"] == "http://127.0.0.1:5000"
    assert load(folder / "connections" / "press.toml")["s7"]["port"] == 1102
    assert load(folder / "connections" / "robot.toml")["opcua"]["endpoint"].endswith(":4841/model-factory")
    assert load(folder / "connections" / "palletiser.toml")["ethernetip"]["port"] == 44818
    assert load(folder / "connections" / "inspection.toml")["sparkplug"]["port"] == 1884
    assert load(folder / "connections" / "cart.toml")["vda5050"]["port"] == 1884


def test_a_faster_field_is_polled_faster(tmp_path):
    plant.write(tmp_path, PORTS, speed=20.0)
    assert load(tmp_path / "connections" / "washer.toml")["modbus"]["interval"] == 0.01
    assert load(tmp_path / "connections" / "meters.toml")["modbus"]["interval"] == 0.025


def test_an_owned_folder_gets_only_new_ports(folder):
    own = folder / "plant.toml"
    own.write_text(own.read_text(encoding="utf-8").partition("\n")[2], encoding="utf-8")
    mill = folder / "types" / "mill.toml"
    mill.write_text("description = 'mine'\n", encoding="utf-8")
    plant.write(folder, Ports(mill=5, washer=6, meters=7, broker=8))
    assert load(mill)["description"] == "mine"
    assert load(folder / "connections" / "washer.toml")["modbus"]["port"] == 6


def test_a_folder_that_was_not_owned_is_written_anew(folder):
    mill = folder / "types" / "mill.toml"
    mill.write_text("description = 'stale'\n", encoding="utf-8")
    plant.write(folder, PORTS)
    assert load(mill)["description"] != "stale"


def test_another_plant_is_left_alone(tmp_path):
    other = tmp_path / "plant.toml"
    other.write_text('[plant]\nname = "Works"\nenterprise = "acme"\nsite = "works"\n', encoding="utf-8")
    with pytest.raises(FileExistsError, match="holds another plant"):
        plant.write(tmp_path, PORTS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plant.toml"]


def test_registers_of_the_folder_are_those_of_the_server(folder):
    signals = load(folder / "types" / "washer.toml")["signals"]
    factory = Factory()
    for path, sensor in washer_sensors():
        said = signals[path.rpartition("/")[2]]
        assert said["address"]["register"] == sensor.place.register
        assert said["address"].get("order", "ABCD") == sensor.place.order
        raw = sensor.raw(factory.washer)
        if sensor.scaled:
            assert raw * said["scale"] + said.get("offset", 0.0) == sensor.true(raw)


def test_toml_is_what_tomllib_reads():
    fields = {
        "a": 'x "y" \\ ä',
        "b": [1, 2.5, True],
        "c": {"1": "one", "two words": {"deep": False}},
        "e": {},
    }
    assert tomllib.loads(table(("p/q", "r"), fields)) == {"p/q": {"r": fields}}


def test_the_catalog_has_nothing_to_find_fault_with(folder):
    loaded = catalog.load(folder)
    assert [str(finding) for finding in loaded.findings] == []
    assert len(loaded.plant.signals) == len(list(signals_of(folder)))


def test_the_page_counts_right():
    page = (pathlib.Path(__file__).parents[3] / "docs" / "explanation" / "model-factory.md").read_text(
        "utf-8"
    )
    said = {row[0]: int(row[2]) for row in re.findall(r"^\| (\w+) \| ([^|]+) \| (\d+) \|", page, re.M)}
    meters = sum(len(meter_sensors(meter)) for meter in range(4))
    assert said == {
        "mill": len(MILL),
        "washer": len(washer_sensors()),
        "meters": meters,
        "packing": len(PACKING),
        **{name: len(station_sensors(name)) for name in STATIONS},
    }
