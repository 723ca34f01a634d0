"""Whatever a folder holds, checking it answers with findings or a plant, and never falls over."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weft import catalog
from weft.catalog import forms, rows

TEXTS = st.sampled_from(
    [
        "",
        " ",
        "a",
        "a/b",
        "{asset}",
        "{x}",
        "{",
        "line",
        "mill",
        "Cel",
        "°C",
        "Double",
        "String",
        "area",
        "inf",
        "7",
        "\t",
    ]
)
LEAVES = st.one_of(TEXTS, st.integers(-(2**63), 2**63 - 1), st.floats(), st.booleans())
KEYS = st.one_of(
    st.sampled_from(
        [
            key
            for form in (
                forms.PlantForm,
                forms.TypeForm,
                forms.AssetForm,
                forms.SignalForm,
                forms.ConnectionForm,
            )
            for key in form.__struct_fields__
        ]
        + ["fake", "lenient", "endpoint", "node", "plant", "web", "port", "minimum", "a", "a/b", "1"]
    ),
    TEXTS,
)
TABLES = st.recursive(
    st.dictionaries(KEYS, LEAVES, max_size=4),
    lambda inner: st.dictionaries(KEYS, inner | LEAVES | st.lists(LEAVES, max_size=2), max_size=4),
    max_leaves=12,
)
SIGNALS = st.dictionaries(
    TEXTS,
    st.fixed_dictionaries({}, optional=dict.fromkeys(forms.SignalForm.__struct_fields__, TABLES | LEAVES)),
)
ASSETS = st.dictionaries(
    st.sampled_from(["a", "a/b", "a/b/c", "A", "a//b", ""]),
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(forms.AssetForm.__struct_fields__, LEAVES) | {"signals": SIGNALS}
    ),
    max_size=3,
)


def toml(value):
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, float):
        text = repr(value)
        return text if any(mark in text for mark in ".ein") else f"{text}.0"
    return str(value).lower()


def file(table):
    return "".join(f"{json.dumps(key)} = {toml(value)}\n" for key, value in table.items())


def checked(folder):
    loaded = catalog.check(folder, environ={})
    assert (loaded.plant is None) == bool(loaded.findings.errors)
    for finding in loaded.findings:
        assert "\n" not in str(finding)
        assert finding.message
        path = folder / finding.file
        if finding.line:
            assert finding.line <= path.read_text(encoding="utf-8-sig").count("\n") + 1


ONCE = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(TABLES, TABLES, ASSETS, SIGNALS)
@ONCE
def test_any_tables(plant, header, connection, assets, signals):
    checked(
        plant(
            {
                "plant.toml": file({"plant": {"name": "n", "enterprise": "e", "site": "s", **header}}),
                "connections/x.toml": file(connection),
                "types/mill.toml": file({"signals": signals}),
                "assets/a.toml": file({**assets, "m": {"type": "mill", "connection": "line"}}),
            }
        )
    )


CELLS = TEXTS | st.sampled_from(["0=a|1=b", '"', "a\nb", "[1", "{a = 1}", "1,5", "nan", "-"])


@given(
    st.lists(
        st.sampled_from([*rows.COLUMNS, "address.node", "address.register", "address.node.x", "x", ""]),
        max_size=9,
    ),
    st.lists(st.lists(CELLS, max_size=9), max_size=6),
    st.sampled_from(",;\t"),
)
@ONCE
def test_any_list(plant, header, cells, delimiter):
    text = "\n".join(delimiter.join(row) for row in [["asset", "name", "connection", *header], *cells])
    checked(plant({"signals/m.csv": text}))


@given(st.text(max_size=200))
@ONCE
def test_any_text(plant, text):
    checked(plant({"signals/m.csv": text, "types/t.toml": text, "assets/a.toml": f'["a"]\n{text}'}))


@given(st.sampled_from(["9" * 5000, "[" * 3000, "2026-02-30", "1e400000"]))
@ONCE
def test_more_than_python_reads(plant, value):
    table = f"asset,name,connection,address.node\nm,x,line,[{value}\n"
    checked(plant({"signals/m.csv": table, "types/t.toml": f"a = {value}\n"}))
