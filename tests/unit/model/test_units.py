"""Units: known values, the laws of conversion, and what a person typed instead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.model import units
from weft.model._unece import COMMON_CODES
from weft.model._unit_habits import HABITS
from weft.model._unit_table import ATOMS, PREFIXES
from weft.model.units import BadUnit, conversion, parse, symbol

CODES = sorted({*COMMON_CODES.values(), *ATOMS})
PREFIXED = [prefix + atom.code for prefix in PREFIXES for atom in ATOMS.values() if atom.metric]


@pytest.mark.parametrize(
    ("source", "target", "value", "expected"),
    [
        ("Cel", "K", 20.0, 293.15),
        ("Cel", "[degF]", 100.0, 212.0),
        ("[degF]", "Cel", -40.0, -40.0),
        ("mCel", "Cel", 1500.0, 1.5),
        ("kW.h", "MJ", 1.0, 3.6),
        ("[psi]", "bar", 1.0, 0.0689475729316836),
        ("m3/h", "l/min", 1.0, 1000 / 60),
        ("{rev}/min", "Hz", 3000.0, 50.0),
        ("deg", "rad", 180.0, 3.141592653589793),
        ("[in_i]", "mm", 1.0, 25.4),
        ("[gal_us]/min", "l/min", 1.0, 3.785411784),
        ("[HP]", "W", 1.0, 745.6998715822702),
        ("%", "1", 50.0, 0.5),
        ("[ppm]", "%", 10_000.0, 1.0),
        ("dB", "B", 30.0, 3.0),
        ("10*3/ul", "10*9/l", 7.0, 7.0),
        ("N.m", "J", 2.0, 2.0),
        ("kg/(m2.s)", "g.m-2/s", 1.0, 1000.0),
        ("m/s/s", "m.s-2", 9.0, 9.0),
        ("m/s.kg", "m.kg/s", 1.0, 1.0),
        ("KiBy", "bit", 1.0, 8192.0),
        ("mm[Hg]", "Pa", 1.0, 133.322),
        ("[degR]", "K", 9.0, 5.0),
        ("{pcs}/min", "/h", 1.0, 60.0),
        ("12.{pcs}", "{pcs}", 2.0, 24.0),
    ],
)
def test_known_values(source, target, value, expected):
    scale, offset = conversion(source, target)
    assert value * scale + offset == pytest.approx(expected, rel=1e-14, abs=1e-12)


def test_a_conversion_is_correctly_rounded():
    assert conversion("[in_i]", "mm") == (25.4, 0.0)
    assert conversion("kW.h", "J") == (3_600_000.0, 0.0)
    assert conversion("Cel", "[degF]") == (1.8, 32.0)


def test_dimensions_are_exponents_of_the_base():
    assert parse("m3/h").dimension == (3, -1, 0, 0, 0, 0, 0)
    assert parse("V").dimension == (2, -2, 1, 0, 0, -1, 0)
    assert parse("kg").factor == 1000.0
    assert parse("Cel").offset == 273.15
    assert parse("{anything_here!}").dimension == (0,) * 7


@pytest.mark.parametrize(
    ("source", "target"),
    [("m", "s"), ("Cel", "W"), ("dB", "1"), ("dB[SPL]", "dB"), ("Np", "B"), ("[NTU]", "1"), ("rad", "1")],
)
def test_units_of_different_kinds_do_not_convert(source, target):
    with pytest.raises(BadUnit, match="cannot be converted"):
        conversion(source, target)


@pytest.mark.parametrize(
    ("written", "nearest"),
    [
        ("°C", "Cel"), ("rpm", "{rev}/min"), ("kWh", "kW.h"), ("KWh", "kW.h"), ("m³/h", "m3/h"), ("kWh/m²", "kW.h/m2"),
        ("°C/min", "K/min"), ("Cel/min", "K/min"), ("µm", "um"), ("Nm", "N.m"), ("N m", "N.m"), ("psi", "[psi]"),
        ("Bar", "bar"), ("KPA", "kPa"), ("litre/min", "l/min"), ("W/m^2", "W/m2"), ("Ω", "Ohm"), ("(m", "(m)"),
        ("m//s", "m/s"), ("mm/s²", "mm/s2"), ("seconds", "s"), ("", "1"), ("xyzzy", ""),
    ],
)  # fmt: skip
def test_what_was_typed_instead(written, nearest):
    with pytest.raises(BadUnit) as caught:
        parse(written)
    assert caught.value.nearest == nearest


@pytest.mark.parametrize(
    "code",
    ["m" * 65, "((((((((((m))))))))))", "m/", ".m", "m2m", "(m/s)2", "10*99.10*99.10*99.10*99", "m{µ}", "m\n", "0", "m.-2"],
)  # fmt: skip
def test_what_is_no_unit_says_so(code):
    with pytest.raises(BadUnit):
        parse(code)


def test_every_suggestion_is_a_unit():
    for code in HABITS.values():
        parse(code)


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("Cel", "°C"), ("[degF]", "°F"), ("m3/h", "m³/h"), ("1", ""), ("", ""), ("kW.h", "kWh"), ("um", "µm"),
        ("{rev}/min", "rpm"), ("{pcs}", "pcs"), ("{pcs}/min", "pcs/min"), ("/min", "1/min"), ("m-1", "m⁻¹"), ("%", "%"),
        ("kV.A{reactive}", "kvar"), ("10*3/ul", "10³/µl"), ("kOhm", "kΩ"), ("[in_i'H2O]", "inH₂O"), ("J/(kg.K)", "J/(kg·K)"),
        ("m3/h{norm}", "m³/h"), ("not a unit", "not a unit"), ("deg", "°"), ("kg.m2", "kg·m²"),
    ],
)  # fmt: skip
def test_symbols(code, shown):
    assert symbol(code) == shown


@pytest.mark.parametrize(
    ("code", "number"),
    [("Cel", 4408652), ("mm", 5066068), ("rad", 4405297), ("%", 20529), ("{rev}/min", 5394509)],
)
def test_opc_ua_unit_ids(code, number):
    assert units.unit_id(code) == number
    assert units.from_unit_id(number) == code


def test_every_common_code_is_a_unit_and_comes_back_to_it():
    for common, code in COMMON_CODES.items():
        parse(code)
        number = int.from_bytes(common.encode(), "big")
        assert units.from_unit_id(number) == code
        assert units.from_common_code(units.common_code(code)) == code


@pytest.mark.parametrize("number", [-1, 0, 1, 2**24, 0xFFFFFF, 2**40])
def test_unknown_unit_ids(number):
    assert units.from_unit_id(number) is None
    assert units.unit_id("[den]") is None


def test_doubtful_codes_are_named():
    assert units.doubtful("ft") == ("femtotonne", "[ft_i]")
    assert units.doubtful("C") == ("coulomb", "Cel")
    assert units.doubtful("mm") is None


def _alike(code):
    unit = parse(code)
    return unit.dimension, unit.scale


@given(st.sampled_from(CODES), st.data(), st.floats(-1e6, 1e6))
def test_there_and_back(code, data, value):
    other = data.draw(st.sampled_from([c for c in CODES if _alike(c) == _alike(code)]))
    there, there_offset = conversion(code, other)
    back, back_offset = conversion(other, code)
    result = (value * there + there_offset) * back + back_offset
    assert result == pytest.approx(value, rel=1e-9, abs=1e-6)


@given(st.sampled_from(CODES), st.sampled_from(CODES))
def test_only_equal_dimensions_convert(a, b):
    if _alike(a) == _alike(b):
        assert conversion(a, b)[0] > 0
    else:
        with pytest.raises(BadUnit):
            conversion(a, b)


@given(st.sampled_from(PREFIXED))
def test_every_prefix_is_its_factor(code):
    found = units.split_atom(code)
    unit = parse(code)
    if found[0]:
        assert unit.factor == pytest.approx(parse(found[1]).factor * float(PREFIXES[found[0]][0]), rel=1e-15)


@given(st.text("mskgKVA.0123456789/()[]{}*^+-'%_ µ°", max_size=20))
def test_any_text_is_a_unit_or_a_bad_one(text):
    try:
        unit = parse(text)
    except BadUnit as error:
        if error.nearest:
            parse(error.nearest)
    else:
        assert unit.factor > 0
        assert len(unit.dimension) == 7
    symbol(text)
