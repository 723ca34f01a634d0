"""The reference page names every command and option, and each command's help shows how to use it."""

import json
import pathlib
import re
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from weft.cli import app

PAGE = pathlib.Path(__file__).parents[3] / "docs" / "reference" / "cli.md"
SLOW = ("anyio", "litestar", "msgspec", "numpy", "pyarrow", "duckdb", "structlog", "asyncua", "weft.runtime")


def leaves(group, above=""):
    """{words: command}, those of groups below them among the others."""
    found = {}
    for name, command in group.commands.items():
        inner = isinstance(command, click.Group)
        found |= leaves(command, f"{above}{name} ") if inner else {above + name: command}
    return found


COMMANDS = leaves(app)


def sections():
    """{command: text of its section}"""
    parts = re.split(r"^### weft (\S.*)\n", PAGE.read_text(encoding="utf-8"), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_page_has_every_command_in_order():
    assert list(sections()) == sorted(COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_page_says_of_a_command_what_its_help_says(name):
    command, section = COMMANDS[name], sections()[name]
    rows = re.findall(r"^\| (`-.*`) \| (.*) \|$", section, flags=re.M)
    options = [option for option in command.params if isinstance(option, click.Option)]
    assert rows == [(", ".join(f"`{name}`" for name in option.opts), option.help) for option in options]
    assert section.startswith(command.short_help)
    for block in re.findall(r"```json\n(.*)\n```", section):
        json.loads(block)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_has_examples_of_the_command_itself(name):
    answer = CliRunner().invoke(app, [*name.split(), "--help"])
    assert answer.exit_code == 0
    _, _, examples = answer.output.partition("Examples:\n")
    assert f"weft {name}" in examples


def test_help_imports_nothing_that_is_slow():
    look = (
        "import sys\nsys.argv = ['weft', '--help']\nfrom weft.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 0\n"
        f"print([name for name in {SLOW} if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, timeout=30)
    assert told.stdout.splitlines()[-1] == "[]", told.stdout + told.stderr


def test_a_terminal_is_not_moved_by_what_the_field_sends():
    from weft.cli.output import printable

    assert printable("Öl 3 °C") == "Öl 3 °C"
    assert printable("\x1b[2Jgone\r\n\u202e") == r"\x1b[2Jgone\r\n\u202e"


def test_json_says_what_is_no_number_and_no_text_in_words_that_json_has(capfdbinary):
    from weft.cli.output import document

    document({"nan": float("nan"), "bytes": b"\x00\xff", "text": "µm"})
    assert json.loads(capfdbinary.readouterr().out) == {"nan": None, "bytes": "AP8=", "text": "µm"}
