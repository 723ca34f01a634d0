"""The pages about a plant's folder say exactly what the code takes, and their example is a plant."""

from __future__ import annotations

import pathlib
import re

import msgspec
import pytest

from weft import catalog
from weft.catalog import folder, forms, rows, signals
from weft.model import Limits
from weft.runtime import plugins
from weft.runtime.settings import TABLES

DOCS = pathlib.Path(__file__).parents[2] / "docs"
FORMS = {
    "PlantForm": forms.PlantForm,
    "TypeForm": forms.TypeForm,
    "AssetForm": forms.AssetForm,
    "SignalForm": forms.SignalForm,
    "ConnectionForm": forms.ConnectionForm,
    "Limits": Limits,
    "WriteForm": forms.WriteForm,
    "RuleForm": forms.RuleForm,
    "DestinationForm": forms.DestinationForm,
}


def tables(page):
    """{name: [(key, second column, third)]} of the tables that a comment names."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = {}
    for name, body in re.findall(r"<!-- table: (\S+) -->\n((?:\|.*\n)+)", text):
        cells = [
            [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in body.splitlines()[2:]
        ]
        found[name] = [(row[0].strip("`"), row[1], row[2]) for row in cells]
    return found


def keys(page, name):
    return [key for key, *_ in tables(page)[name]]


@pytest.mark.parametrize("name", FORMS)
def test_every_key_of_every_table_is_described_in_order(name):
    fields = [field.encode_name for field in msgspec.structs.fields(FORMS[name])]
    assert keys("reference/plant-folder.md", name) == fields


@pytest.mark.parametrize("name", FORMS)
def test_required_keys_are_marked(name):
    said = [key for key, form, _ in tables("reference/plant-folder.md")[name] if "required" in form]
    assert said == [field.encode_name for field in msgspec.structs.fields(FORMS[name]) if field.required]


def test_every_column_of_a_list_is_described():
    assert keys("reference/plant-folder.md", "CSV") == [*rows.COLUMNS, "address.<field>"]


def test_limits_of_size():
    text = (DOCS / "reference/plant-folder.md").read_text(encoding="utf-8")
    mib = 1024 * 1024
    assert f"a TOML file has at most {folder.LARGEST_TOML // mib} MiB" in text
    assert f"a CSV file {folder.LARGEST_CSV // mib} MiB, a plant {signals.MOST:,} signals" in text


def test_every_setting_is_described_with_its_default():
    found = tables("reference/settings.md")
    assert list(found) == list(TABLES)
    for name, struct in TABLES.items():
        said = [(key, default) for key, default, _ in found[name]]
        assert said == [(f.encode_name, default_of(f)) for f in msgspec.structs.fields(struct)]


def default_of(field):
    made = field.default_factory is not msgspec.NODEFAULT
    return f"`{msgspec.json.encode(field.default_factory() if made else field.default).decode()}`"


def test_the_example_is_a_plant(tmp_path):
    missing = {"opcua", "modbus"} - set(plugins.names("weft.connectors"))
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    text = (DOCS / "how-to/describe-a-plant.md").read_text(encoding="utf-8")
    for file, body in re.findall(r"```\w+ file=(\S+)\n(.*?)```", text, re.S):
        path = tmp_path / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(body, encoding="utf-8")
    loaded = catalog.check(tmp_path, environ={})
    assert [str(finding) for finding in loaded.findings] == []
    press = {s.name: s for s in loaded.plant.signals.values() if s.connection == "press-plc"}
    assert list(press) == ["force", "oil-temperature", "state", "light-curtain"]
    assert press["force"].limits == Limits(high=1800.0, maximum=3000.0)
    assert press["force"].address.node == 'ns=3;s="Press3"."Force"'
    assert loaded.plant.connections["meters"].home == "acme/north/utilities/power"


def test_the_mistakes_it_shows_read_so(tmp_path):
    catalog.skeleton.write(tmp_path)
    (tmp_path / "types" / "press.toml").write_text('[signals.f]\nunit = "rpm"\n')
    (tmp_path / "assets" / "b.toml").write_text('["a/b"]\ntype = "pres"\n')
    said = [str(finding).split(": ", 1)[1] for finding in catalog.check(tmp_path, environ={}).findings]
    text = (DOCS / "how-to/describe-a-plant.md").read_text(encoding="utf-8")
    assert len(said) == 2
    assert all(line in text for line in said), said
