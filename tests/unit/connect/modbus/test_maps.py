"""Own maps as CSV, and SunSpec's models."""

import json

import pytest

from weft.connect.modbus import csvmap
from weft.connect.modbus.sunspec import Models, expand
from weft.runtime import NeedsHuman, NotFound


def test_a_map_is_read(tmp_path):
    path = tmp_path / "map.csv"
    path.write_text(
        "name,register,table,layout,unit,scale,description,states,writable,unit_id\n"
        "power,0x1E,holding,int32 CDAB,kW,0.1,Active power,,,\n"
        "mode,40,,uint16 bits 4 3,,,,0=off; 1=on,yes,7\n"
        "serial,50,input,string 8,,,,,,\n",
        encoding="utf-8-sig",
    )
    entries = csvmap.load(str(path))
    power = entries["power"].place(1)
    assert (power.register, power.kind, power.order, power.multiple, power.exponent) == (
        30,
        "int32",
        "CDAB",
        1,
        -1,
    )
    assert power.read_only
    mode = entries["mode"]
    assert (mode.states, mode.writable, mode.place(1).unit, mode.place(1).bits) == (
        {0: "off", 1: "on"},
        True,
        7,
        (4, 3),
    )
    assert entries["serial"].place(3).count == 8


@pytest.mark.parametrize(
    ("text", "exact"),
    [("0.1", (1, -1)), ("2.5", (25, -1)), ("1000", (1, 3)), ("-0.25", (-25, -2)), ("0,5", (5, -1))],
)
def test_a_scale_is_exact(text, exact):
    assert csvmap.exact(text) == exact


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("name,registr\na,1", "unknown column 'registr'"),
        ("name,register\na,x", "line 2: the register 'x' is no whole number"),
        ("name,register\na,1\na,2", "line 3: a second line named 'a'"),
        ("name,register,layout\na,1,int32 XYZ", "layout 'int32 XYZ' is not like"),
        ("name,register,layout\na,1,string", "needs its length"),
        ("name,register,scale\na,1,zero", "scale 'zero' is no number"),
        ("name,register\na,70000", "line 2"),
        ("name,register\n,7", "a line without a name"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path, lines, why):
    path = tmp_path / "map.csv"
    path.write_text(lines)
    with pytest.raises(NeedsHuman, match=why):
        csvmap.load(str(path))


def model(tmp_path, number, group):
    (tmp_path / f"model_{number}.json").write_text(json.dumps({"id": number, "group": group}))
    return Models(str(tmp_path))[number]


def point(name, type, size=1, **more):
    return {"name": name, "type": type, "size": size, **more}


def test_groups_repeat_as_often_as_their_point_says_and_factors_are_found_outside(tmp_path):
    curve = {
        "name": "Pt",
        "type": "group",
        "count": "NPt",
        "points": [point("V", "uint16", sf="V_SF"), point("W", "int16", sf=-2)],
    }
    group = {
        "name": "curves",
        "type": "group",
        "points": [
            point("ID", "uint16"),
            point("L", "uint16"),
            point("NCrv", "uint16"),
            point("NPt", "uint16"),
            point("V_SF", "sunssf"),
        ],
        "groups": [
            {
                "name": "Crv",
                "type": "group",
                "count": "NCrv",
                "points": [point("Act", "enum16")],
                "groups": [curve],
            }
        ],
    }
    values = [9, 13, 2, 2, 0xFFFF, *range(10)]
    found = {
        f.name: f.place
        for f in expand(model(tmp_path, 9, group), 1, 40070, b"".join(v.to_bytes(2, "big") for v in values))
    }
    assert found["Crv[1].Act"].register == 40075
    assert found["Crv[2].Pt[1].V"].register == 40081
    assert (found["Crv[2].Pt[2].W"].register, found["Crv[2].Pt[2].W"].exponent) == (40084, -2)
    assert {found[f"Crv[{i}].Pt[{k}].V"].factor for i in (1, 2) for k in (1, 2)} == {40074}
    assert len(found) == 5 + 2 * (1 + 2 * 2)


def test_what_is_not_in_the_folder_is_said(tmp_path):
    with pytest.raises(NotFound, match=r"no model_7\.json"):
        Models(str(tmp_path))[7]
    (tmp_path / "model_8.json").write_text("[]")
    with pytest.raises(NeedsHuman, match="model_8.json cannot be read"):
        Models(str(tmp_path))[8]
    with pytest.raises(NeedsHuman, match=r"github\.com/sunspec/models"):
        Models(str(tmp_path / "no"))


def test_every_published_model_is_read_and_its_size_is_what_its_points_take(reference):
    models = Models(str(reference / "machines" / "sunspec"))
    for path in (reference / "machines" / "sunspec").glob("model_*.json"):
        number = int(path.stem.removeprefix("model_"))
        group = models[number].group
        fixed = sum(p.size for p in group.points)
        found = expand(models[number], 1, 0, bytes(2 * fixed))
        assert [f.name for f in found] == [p.name for p in group.points if p.type != "pad"], number
