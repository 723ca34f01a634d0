"""The shape of the house: sizes, privacy between contexts, loose tasks and broad handlers."""

import ast
import pathlib
import re

import pytest

SOURCE = pathlib.Path(__file__).parents[2] / "src" / "weft"
FILES = sorted(SOURCE.rglob("*.py"))
LONGEST_FILE = 400
# Vocabulary: their modules are public.
VOCABULARY = ("model", "runtime", "mqtt", "sparkplug", "ua")
LONGEST_FUNCTION = 60


def functions(tree):
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.end_lineno - node.lineno + 1


def nine_in_ten(numbers):
    return sorted(numbers)[int(len(numbers) * 0.9)]


def test_files_and_functions_stay_within_comfort():
    lines = {path: len(path.read_text().splitlines()) for path in FILES}
    lengths = {
        f"{path.relative_to(SOURCE)}:{name}": length
        for path in FILES
        for name, length in functions(ast.parse(path.read_text()))
    }
    assert {p: n for p, n in lines.items() if n > LONGEST_FILE} == {}
    assert {f: n for f, n in lengths.items() if n > LONGEST_FUNCTION} == {}
    assert nine_in_ten(lines.values()) <= 350
    assert nine_in_ten(lengths.values()) <= 30


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_no_loose_task_and_no_broad_handler(path):
    text = path.read_text()
    assert not re.search(r"\b(create_task|ensure_future)\(", text)
    broad = re.findall(r"except(?: \(?[\w, ]*\b(?:Base)?Exception\b(?!Group)[^:]*)?:", text)
    assert len(broad) == (1 if path.parts[-2:] == ("runtime", "service.py") else 0)


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("weft."):
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("weft."))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_contexts_use_each_others_public_rooms_only(path):
    """Across contexts: the package, its ``api``, and for the composition root ``routes`` and ``service``."""
    mine = path.relative_to(SOURCE).parts[0]
    if mine in ("cli", "bench", "app.py"):
        return
    for module in imports(path):
        context, _, room = module.removeprefix("weft.").partition(".")
        if context != mine and context not in VOCABULARY:
            assert room in ("", "api"), f"{path.name} imports {module}"
