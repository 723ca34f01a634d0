"""The reference pages and the house's page say what the code has: routes, events, quality, floors, SQL."""

import ast
import re
import shutil
import tomllib
from collections import defaultdict
from pathlib import Path

import msgspec
import numpy as np
import pytest

from weft import history
from weft.app import House
from weft.catalog import skeleton
from weft.model import Batch, Event, Flag, Kind, Signal, ValueType, quality
from weft.web import problems

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def text_of(page):
    return (DOCS / page).read_text(encoding="utf-8")


def rows(text):
    """The cells of the first table in a text, without its head."""
    table = re.search(r"(?:^\|.*\n)+", text, re.M)
    lines = table.group().splitlines()[2:] if table else []
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def table(page, name):
    """The rows of the table after a comment."""
    return rows(text_of(page).split(f"<!-- {name} -->\n")[1])


def codes(cell):
    return re.findall(r"`([^`]+)`", cell)


# --- HTTP ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def openapi(tmp_path_factory):
    """What the whole house says of itself; nothing runs."""
    folder = tmp_path_factory.mktemp("plant") / "plant"
    skeleton.write(folder)
    house = House(folder)
    with history.Store(house.state / "history") as house.history:
        return house._web()._app.openapi_schema.to_schema()


def test_every_route_is_described_with_its_parameters(openapi):
    described = {}
    for part in re.split(r"^### ", text_of("reference/http.md"), flags=re.M)[1:]:
        title, _, body = part.partition("\n")
        method, path = re.fullmatch(r"`(\w+) (\S+)`", title).groups()
        listed = rows(re.split(r"^## ", body, flags=re.M)[0])
        described[method, path] = [(name.strip("`"), default.strip("`")) for name, default, _ in listed]
        assert body.strip(), title
    there = {
        (method.upper(), path): [(p["name"], said(p)) for p in operation.get("parameters", [])]
        for path, operations in openapi["paths"].items()
        for method, operation in operations.items()
    }
    assert described == there


def said(parameter):
    default = parameter["schema"].get("default")
    return "required" if parameter["required"] else msgspec.json.encode(default).decode()


def test_every_problem_is_described():
    listed = [(int(status), codes(type)[0]) for status, type, _ in table("reference/http.md", "problems")]
    ours = [(status, f"urn:weft:problem:{name}") for status, name, _ in problems._KINDS.values()]
    assert sorted(listed) == sorted([*ours, (401, "urn:weft:problem:unknown")])


# --- events -------------------------------------------------------------------------------------------------


def kinds():
    return {name: value for name, value in vars(Kind).items() if name.isupper()}


def told():
    """{name of a kind: keys of the data it is told with}, read from the source."""
    found = defaultdict(set)
    for path in (ROOT / "src" / "weft").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                names = {
                    inner.attr
                    for inner in ast.walk(node)
                    if isinstance(inner, ast.Attribute)
                    and isinstance(inner.value, ast.Name)
                    and inner.value.id == "Kind"
                }
                for name in names:
                    found[name] |= set(keys(node))
    return found


def keys(function):
    """What a function puts into an event's data: the keys of its dict, or the keywords of its report."""
    for node in ast.walk(function):
        if isinstance(node, ast.Dict):
            yield from (key.value for key in node.keys if isinstance(key, ast.Constant))
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "_report":
            yield from (word.arg for word in node.keywords)


def test_every_event_is_described_with_its_data():
    listed = {codes(kind)[0]: (when, data) for kind, when, data in table("reference/events.md", "kinds")}
    assert list(listed) == list(kinds().values())
    sources = told()
    for name, kind in kinds().items():
        _, data = listed[kind]
        if name in sources:  # what a function told may be put together elsewhere
            assert sources[name] <= set(codes(data)), kind
            assert "reserved" not in data, kind
        else:
            assert data.startswith("reserved; not told yet"), kind


def test_every_field_of_an_event_is_described():
    fields = [codes(name)[0] for name, _ in table("reference/events.md", "fields")]
    assert fields == [field.encode_name for field in msgspec.structs.fields(Event)]


# --- quality ------------------------------------------------------------------------------------------------


def test_every_status_is_described():
    listed = {
        int(codes(code)[0], 16): codes(name)[0] for name, code, _ in table("reference/quality.md", "statuses")
    }
    assert listed == quality._NAMES
    numbers = {value for name, value in vars(quality).items() if name.isupper() and isinstance(value, int)}
    assert numbers == set(listed), "a status without a name"


def test_every_flag_is_described():
    listed = {int(bit): codes(name)[0] for bit, name, _ in table("reference/quality.md", "flags")}
    assert listed == {flag.value: flag.name for flag in Flag}


# --- the house ----------------------------------------------------------------------------------------------


def test_the_floors_are_those_that_are_checked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    drawn = text_of("explanation/architecture.md").split("<!-- floors -->\n```\n")[1].split("\n```")[0]
    assert [re.split(r" {2,}", line)[0] for line in drawn.splitlines()] == layers
    packages = {
        path.stem for path in (ROOT / "src" / "weft").iterdir() if re.fullmatch(r"[a-z]\w+(\.py)?", path.name)
    }
    assert packages == {name for layer in layers for name in layer.split(" | ")} | {"demo"}


def test_files_that_the_house_s_page_names_are_there():
    text = text_of("explanation/architecture.md")
    for name in set(re.findall(r"(?<![\w./<>-])((?:[a-z]+/)+[a-z_]+\.py)\b|`(app\.py)`", text)):
        path = next(filter(None, name))
        assert (ROOT / "src" / "weft" / path).exists() or (ROOT / path).exists(), path


# --- history ------------------------------------------------------------------------------------------------

SIGNALS = [
    Signal(handle=1, path="e/s/mill/spindle-load", connection="mill", address=None, unit="%"),
    Signal(handle=2, path="e/s/mill/state", connection="mill", address=None, step=True),
]


def filled(path):
    store = history.Store(path, signals=lambda: SIGNALS)
    n = 4
    store.append(
        Batch(
            np.array([1, 1, 2, 2], np.int32),
            np.arange(n, dtype=np.int64) * 10**9,
            np.full(n, ValueType.INT32, np.uint8),
            np.arange(n, dtype=np.int64),
            np.zeros(n, np.uint32),
            np.zeros(n, np.uint16),
        ),
        1,
    )
    return store


@pytest.mark.anyio
async def test_the_views_have_the_columns_that_are_described(tmp_path):
    with filled(tmp_path) as store:
        for view in ("sample", "signal"):
            columns = (await store.sql(f"select * from {view}")).column_names
            listed = [
                name for cell, _ in table("how-to/query-history.md", f"view: {view}") for name in codes(cell)
            ]
            assert listed == columns


@pytest.mark.anyio
async def test_every_query_of_the_page_is_answered(tmp_path):
    page = text_of("how-to/query-history.md")
    queries = re.findall(r"^```sql\n(.*?)^```$", page, re.M | re.S)
    queries += re.findall(r'^weft query .*"(.+)"$', page, re.M) + re.findall(r'"query": "([^"]+)"', page)
    assert len(queries) == 7
    with filled(tmp_path) as store:
        answers = [await store.sql(query) for query in queries]
    assert answers[0].to_pylist() == [
        {"path": "e/s/mill/spindle-load", "samples": 2, "mean": 0.5, "unit": "%"}
    ]
    assert [len(answer) for answer in answers[2:]] == [2, 4, 1, 2, 1]


@pytest.mark.anyio
async def test_segments_that_were_copied_while_weft_runs_are_a_history(tmp_path):
    """As the page on backups says: the segments alone, in two rounds, and no manifest."""
    ours, copy = tmp_path / "ours", tmp_path / "copy" / "segments"
    with filled(ours) as store:
        await store.seal()
        shutil.copytree(ours / "segments", copy)
        store.append(store.snapshot().replace(time=np.array([7, 8], np.int64)), 2)
        await store.seal()
        shutil.copytree(ours / "segments", copy, dirs_exist_ok=True)
        wanted = await store.raw([1, 2], 0, 2**62)
    with history.Store(copy.parent, signals=lambda: SIGNALS) as restored:
        assert restored.sealed == 2
        assert (await restored.raw([1, 2], 0, 2**62)).equals(wanted)
