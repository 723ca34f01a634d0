"""All pages: links lead somewhere, commands exist, examples are plants, nothing of one machine is told."""

import ast
import codecs
import importlib
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import click
import pytest

from weft import catalog
from weft.catalog import skeleton
from weft.cli import app

ROOT = Path(__file__).parents[2]


def tracked():
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


# Not by git: what is being written is looked at, too.
PAGES = sorted(
    page for part in ("*.md", "docs/**/*.md", "src/**/*.md", "tests/**/*.md") for page in ROOT.glob(part)
    if "node_modules" not in page.parts
)  # fmt: skip


def pages_with(text=""):
    found = [page for page in PAGES if text in page.read_text(encoding="utf-8")]
    return pytest.mark.parametrize("page", found, ids=lambda page: str(page.relative_to(ROOT)))


each_page = pages_with()


def prose(page):
    """The text without its code blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)


def blocks(page, language):
    """``(file, text)`` of each code block; the file is what ``file=`` names."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}(?: file=(\S+))?\n(.*?)^```$", text, re.M | re.S)


def anchors(page):
    headings = re.findall(r"^#+ +(.+?) *$", prose(page), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_page
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), target


# --- commands -----------------------------------------------------------------------------------------------


def commands(page):
    """Each call of ``weft`` in the page's shell blocks, as its arguments."""
    for _, text in blocks(page, "sh"):
        for line in text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            for call in split(words, {"&&", "||", "|", ";"}):
                own = call[3:] if call[:2] == ["sudo", "-u"] else call
                if own[:1] == ["weft"]:
                    yield own[1:]


def split(words, marks):
    call = []
    for word in words:
        if word in marks:
            yield call
            call = []
        else:
            call.append(word)
    yield call


def understand(arguments):
    """Parses as the program would; runs nothing. Raises click's UsageError."""
    try:
        outer = app.make_context("weft", list(arguments))
        name, command, rest = app.resolve_command(outer, outer._protected_args + outer.args)
        command.make_context(name, rest, parent=outer)
    except click.exceptions.Exit:  # --help, --version
        return
    except click.BadParameter as error:
        if not error.message.endswith("does not exist."):  # an example's files are the reader's
            raise


@each_page
def test_commands_exist_with_their_options(page):
    for arguments in commands(page):
        understand(arguments)


@each_page
def test_commands_in_sentences_exist(page):
    for name in re.findall(r"`weft ([a-z]+)", prose(page)):
        assert name in app.commands, name


@each_page
def test_targets_of_make_exist(page):
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    shell = "\n".join(text for _, text in blocks(page, "sh"))
    named = re.findall(r"^make (\w+)", shell, re.M) + re.findall(r"`make (\w+)`", prose(page))
    assert set(named) <= targets


def test_an_unknown_option_would_be_found():
    assert [call[0] for call in commands(ROOT / "README.md")] == ["init", "onboard", "up"]
    understand(["up", "--plant", "x", "--port", "8090"])
    for wrong in (["up", "--prot", "1"], ["uo"], ["query"]):
        with pytest.raises(click.UsageError):
            understand(wrong)


# --- examples -----------------------------------------------------------------------------------------------

PLAIN = '[plant]\nname = "P"\nenterprise = "e"\nsite = "s"\n'


def findings(folder):
    return [str(finding) for finding in catalog.check(folder, environ={}).findings]


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("name", ["docs/README.md", "docs/how-to/run-as-a-service.md"])
def test_examples_are_plants(name, tmp_path):
    files = dict(blocks(ROOT / name, "toml"))
    assert files
    assert "" not in files, "an example without file="
    write(tmp_path, {"plant.toml": PLAIN, **files})
    assert findings(tmp_path) == []


@pages_with("```toml file=")
def test_files_of_examples_have_no_mistakes(page, tmp_path):
    files = {name: text for name, text in blocks(page, r"\w+") if name}
    write(tmp_path, {"plant.toml": PLAIN, **files})
    assert findings(tmp_path) == []


@pages_with('```python\n"""')
def test_what_programs_import_from_weft_is_there(page):
    for _, text in blocks(page, "python"):
        if not text.startswith('"""'):
            continue  # part of a program
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("weft"):
                module = importlib.import_module(node.module)
                assert [name.name for name in node.names if not hasattr(module, name.name)] == []


def test_the_plant_of_ones_own_of_the_readme_is_one(tmp_path):
    """After ``weft init``; the block's comments name the files."""
    [(_, text)] = blocks(ROOT / "README.md", "toml")
    parts = re.split(r"^# ((?:connections|assets|types)/\S+)\n", text, flags=re.M)
    files = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert list(files) == ["connections/press.toml", "assets/line1.toml"]
    skeleton.write(tmp_path)
    write(tmp_path, files)
    assert findings(tmp_path) == []
    assert any(
        path.endswith("/pressing/line1/press/force")
        for path in catalog.check(tmp_path, environ={}).plant.signals
    )


# --- the whole ----------------------------------------------------------------------------------------------


def test_the_changelog_has_an_entry_for_this_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert re.search(
        rf"^## {re.escape(version)}\b", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M
    )


def test_every_decision_is_in_the_list_with_its_title():
    folder = ROOT / "docs" / "decisions"
    listed = dict(
        re.findall(r"^- \[\d+\]\((\d{4}-[\w-]+\.md)\) (.+)$", (folder / "README.md").read_text(), re.M)
    )
    titles = {
        page.name: re.sub(r"^# \d+\.? ", "", page.read_text(encoding="utf-8").splitlines()[0])
        for page in sorted(folder.glob("0*.md"))
    }
    assert listed == titles


def test_every_page_is_in_the_contents():
    folder = ROOT / "docs"
    links = re.findall(r"\]\(([^)#]+)", (folder / "README.md").read_text(encoding="utf-8"))
    linked = {(folder / target).resolve() for target in links}
    pages = {page for page in PAGES if folder in page.parents and page.parent.name != "decisions"}
    assert pages - linked == {folder / "README.md"}


# Written in ROT13, or this file would find itself.
TOOLS = [
    codecs.decode(word, "rot13") for word in ("pungtcg", "pynhqr", "pbcvybg", "naguebcvp", "yyz", "cebzcg")
]
WORKSHOP = {
    "a path of one machine": r"(?<![\w.~$}-])/(?:work|root|home/\w+|Users/\w+|tmp)/",
    "a registry": r"pypi\.org|pythonhosted|registry\.npmjs|artifactory|--(?:extra-)?index-url[ =]",
    # click's function that asks a person has the name of one of them.
    "a tool of the workshop": rf"(?<!click\.)\b(?:{'|'.join(TOOLS)})s?\b",
}


@pytest.mark.parametrize("what", WORKSHOP)
def test_nothing_of_the_workshop_is_told(what):
    pattern = re.compile(WORKSHOP[what], re.I)
    found = []
    for path in tracked():
        data = path.read_bytes()
        if b"\0" in data or path == Path(__file__) or path.suffix == ".lock":
            continue
        found += [f"{path.relative_to(ROOT)}: {hit.group()}" for hit in pattern.finditer(data.decode())]
    assert found == []
