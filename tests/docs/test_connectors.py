"""Connector folders, quality cards and the pages about connectors, held to the code."""

import ast
import inspect
import json
import pathlib
import re
import subprocess
import sys
import tomllib
from collections import defaultdict

import cards
import msgspec
import pytest
from cards import CONNECTORS, REFERENCE_PAGE, ROOT, RULES, card_text, folders, read_card, reference_text

from weft.runtime import plugins

GUIDE = ROOT / "docs" / "how-to" / "write-a-connector.md"

each_connector = pytest.mark.parametrize("name", folders())


def marks(node):
    """(connector, rule) of the card marks in a decorator list or a ``pytestmark``."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.card":
            yield tuple(ast.literal_eval(argument) for argument in call.args)


def marked_tests():
    """Test id -> its (connector, rule) pairs, read from the test files without running them."""
    found = defaultdict(set)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        file = path.relative_to(ROOT).as_posix()
        of_module = {
            pair
            for node in tree.body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"
            for pair in marks(node.value)
        }
        for prefix, node in functions_in(tree.body, file):
            pairs = {pair for decorator in node.decorator_list for pair in marks(decorator)} | of_module
            if pairs:
                found[f"{prefix}::{node.name}"] |= pairs
    return found


def functions_in(body, prefix):
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from functions_in(node.body, f"{prefix}::{node.name}")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield prefix, node


MARKED = marked_tests()


def test_every_mark_names_a_connector_and_a_rule_that_exist():
    for test, pairs in MARKED.items():
        for connector, rule in pairs:
            assert connector in plugins.names("weft.connectors"), test
            assert rule in RULES, test


@each_connector
def test_a_folder_is_complete_and_registered(name):
    folder = CONNECTORS / name
    missing = [file for file in ("sample.toml", "README.md", "quality.toml") if not (folder / file).is_file()]
    assert not missing, f"{folder} lacks {', '.join(missing)}"
    for kind in ("unit", "servers"):
        assert list((ROOT / "tests" / kind / "connect" / name).glob("test_*.py")), (
            f"no {kind} tests of {name}"
        )
    assert name in plugins.names("weft.connectors")


@each_connector
def test_a_card_has_every_rule_shown_or_exempt_with_a_reason(name):
    card = read_card(CONNECTORS / name / "quality.toml")
    assert set(card) <= set(RULES), "the card has rules that are not in the list"
    for rule in RULES:
        assert rule in card, f"{rule} is not shown by any passed test of {name} and not exempt"
        entry = card[rule]
        if entry["status"] == "exempt":
            assert len(entry["reason"]) > 10, f"{rule} is exempt without a reason"
            assert not [test for test, pairs in MARKED.items() if (name, rule) in pairs]
        else:
            assert entry["status"] == "passed"
            assert entry["tests"]


@each_connector
def test_a_card_says_what_the_marks_say(name):
    path = CONNECTORS / name / "quality.toml"
    card = read_card(path)
    for rule, entry in card.items():
        if entry["status"] == "passed":
            marked = {test for test, pairs in MARKED.items() if (name, rule) in pairs}
            assert set(entry["tests"]) == marked, f"{rule}: run pytest --write-cards"
    assert path.read_text(encoding="utf-8") == card_text(name, card), "run pytest --write-cards"


def test_the_reference_page_is_what_the_cards_say():
    assert REFERENCE_PAGE.read_text(encoding="utf-8") == reference_text(), "run pytest --write-cards"


@each_connector
def test_the_class_keeps_the_contract(name):
    connector = plugins.load("weft.connectors", name)
    assert issubclass(connector.Config, msgspec.Struct)
    assert issubclass(connector.Address, msgspec.Struct)
    for struct in (connector.Config, connector.Address):
        assert struct.__struct_config__.forbid_unknown_fields, f"{struct.__name__} takes unknown keys"
        assert struct.__struct_config__.frozen, f"{struct.__name__} is not frozen"
    assert inspect.iscoroutinefunction(connector.run)
    assert list(inspect.signature(connector.run).parameters) == ["self", "link"]


@each_connector
def test_the_sample_is_a_connection(name):
    sample = tomllib.loads((CONNECTORS / name / "sample.toml").read_text(encoding="utf-8"))
    assert set(sample) <= {"description", "owner", name}
    assert sample["description"]
    msgspec.convert(sample[name], plugins.load("weft.connectors", name).Config)


def tables(text):
    """(heading, rows) of each Markdown table whose first column is called key or field; cells as dicts."""
    heading, lines = "", text.splitlines()
    for i, line in enumerate(lines):
        if line.startswith("#"):
            heading = line.lstrip("# ").lower()
        if not re.fullmatch(r"\|(\s*:?-+:?\s*\|)+", line.strip()):
            continue
        names = [cell.lower() for cell in cells(lines[i - 1])]
        rows = []
        for row in lines[i + 1 :]:
            if not row.startswith("|"):
                break
            rows.append(dict(zip(names, cells(row), strict=True)))
        if names[0] in {"key", "field"}:
            yield heading, [{"key": row[names[0]], **row} for row in rows]


def cells(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def same_default(cell, field):
    """Whether a README's cell says the field's default; where that is nothing or no plain value, any words do."""
    written = cell.strip("`")
    if field.required:
        return written in {"required", "-", "—"}
    default = field.default
    if default in (None, "") or not isinstance(default, str | int | float):
        return written not in {"", "required", "-"}
    try:
        return json.loads(written) == default
    except ValueError:
        return written == str(default)


@each_connector
@pytest.mark.parametrize("which", ["Config", "Address"])
def test_the_readme_lists_the_keys_of(name, which):
    text = (CONNECTORS / name / "README.md").read_text(encoding="utf-8")
    word = {"Config": "connection", "Address": "address"}[which]
    listed = next((rows for heading, rows in tables(text) if word in heading), None)
    assert listed is not None, f"no table 'key | default | …' under a heading with the word {word!r}"
    struct = getattr(plugins.load("weft.connectors", name), which)
    fields = {field.name: field for field in msgspec.structs.fields(struct)}
    assert [row["key"].strip("`") for row in listed] == list(fields)
    for row in listed:
        key = row["key"].strip("`")
        assert same_default(row["default"], fields[key]), f"{key}: its default is {fields[key].default!r}"
        assert row["meaning"], f"{key}: no meaning"


# --- the cards' writer --------------------------------------------------------------------------------------


class Mark:
    def __init__(self, *args):
        self.args = args


class Item:
    """As much of a pytest item as the writer looks at."""

    def __init__(self, nodeid, *rules):
        self.nodeid = nodeid
        self._rules = rules

    def iter_markers(self, name):
        assert name == "card"
        return [Mark("scales", rule) for rule in self._rules]


def outcomes(**of):
    """A run of four tests with these outcomes, over a card that already says something."""
    writer = cards.CardWriter()
    rules = {"a": ["reads", "types"], "b": ["reads"], "c": ["reconnect"], "d": ["bad_input"]}
    writer.pytest_collection_modifyitems([Item(f"test_s.py::test_{name}", *rules[name]) for name in rules])
    for name, outcome in of.items():
        report = pytest.TestReport(f"test_s.py::test_{name}[1]", ("", 0, ""), {}, outcome, None, "call")
        writer.pytest_runtest_logreport(report)
    writer.pytest_sessionfinish()
    return read_card(cards.CONNECTORS / "scales" / "quality.toml")


def test_a_run_writes_what_passed_strikes_out_what_failed_and_keeps_the_rest(tmp_path, monkeypatch):
    monkeypatch.setattr(cards, "CONNECTORS", tmp_path)
    monkeypatch.setattr(cards, "REFERENCE_PAGE", tmp_path / "connectors.md")
    (tmp_path / "scales").mkdir()
    before = {
        "browse": {"status": "exempt", "reason": 'It cannot say "list".'},
        "types": {"status": "passed", "tests": ["test_gone.py::test_x", "test_s.py::test_old"]},
        "reconnect": {"status": "passed", "tests": ["test_s.py::test_c"]},
        "bad_input": {"status": "passed", "tests": ["test_s.py::test_d"]},
    }
    (tmp_path / "scales" / "quality.toml").write_text(card_text("scales", before))
    after = outcomes(a="passed", b="passed", c="failed", d="skipped")
    assert list(after) == ["reads", "types", "bad_input", "browse"]
    assert after["reads"]["tests"] == ["test_s.py::test_a", "test_s.py::test_b"]
    assert after["types"]["tests"] == ["test_gone.py::test_x", "test_s.py::test_a"]
    assert after["bad_input"] == before["bad_input"]
    assert after["browse"] == before["browse"]


def test_a_mark_with_an_unknown_rule_stops_the_run():
    with pytest.raises(pytest.UsageError, match="no rule 'raeds'"):
        cards.CardWriter().pytest_collection_modifyitems([Item("test_s.py::test_a", "raeds")])


# --- the guide ----------------------------------------------------------------------------------------------


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.M | re.S)


def test_the_guide_s_connector_passes_the_guide_s_tests(tmp_path):
    code, tests, _ = blocks("python")
    (tmp_path / "scales.py").write_text(code, encoding="utf-8")
    (tmp_path / "test_scales.py").write_text(tests, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        tmp_path,
        tmp_path,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    assert len(code.splitlines()) < 75


def test_the_guide_s_code_is_as_strict_as_ours(tmp_path):
    for name, code in zip(("scales.py", "test_scales.py"), blocks("python"), strict=False):
        (tmp_path / name).write_text(code, encoding="utf-8")
        for arguments in (["format", "--check"], ["check", "--ignore", "INP001,S610"]):
            command = ["ruff", *arguments, "--config", str(ROOT / "pyproject.toml"), str(tmp_path / name)]
            done = subprocess.run(
                [sys.executable, "-m", *command], capture_output=True, text=True, timeout=60
            )
            assert done.returncode == 0, done.stdout + done.stderr


def test_a_connector_of_another_package_is_found_as_the_guide_says(tmp_path, monkeypatch):
    package, connection, exempt = blocks("toml")
    project = tomllib.loads(package)["project"]
    [(name, where)] = project["entry-points"]["weft.connectors"].items()
    info = tmp_path / f"factory_scales-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    (info / "entry_points.txt").write_text(f"[weft.connectors]\n{name} = {where}\n")
    (tmp_path / "scales.py").write_text(blocks("python")[0], encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    plugins._group.cache_clear()
    try:
        found = plugins.load("weft.connectors", name)
        config = msgspec.convert(tomllib.loads(connection)[name], found.Config)
    finally:
        plugins._group.cache_clear()
        sys.modules.pop("scales", None)
    assert found(config).config.host == "192.0.2.40"
    assert set(tomllib.loads(exempt)) <= set(RULES)


def test_the_guide_s_links_lead_somewhere():
    for page in (GUIDE, REFERENCE_PAGE):
        for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / pathlib.Path(target)).exists(), f"{page.name}: {target}"
