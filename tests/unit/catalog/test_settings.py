"""Settings outside of a folder: environment, mistakes, the state folder."""

from __future__ import annotations

import os

import pytest

from weft.runtime import Invalid, NeedsHuman
from weft.runtime.settings import overrides, read, state_dir


def test_defaults_file_environment():
    found = read({"web": {"port": 1, "host": "a"}}, {"WEFT_WEB__PORT": "2", "WEFT_BUS__URL": "nats://b"})
    assert (found["web"].port, found["web"].host) == (2, "a")
    assert (found["bus"].url, found["edge"].queue_rows) == ("nats://b", 1_000_000)


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        ("WEFT_WEB__PROT", "1", "Did you mean 'port'?"),
        ("WEFT_WBE__PORT", "1", "Did you mean 'web'?"),
        ("WEFT_WEB__PORT", "eighty", "does not fit web.port"),
        ("WEFT_EDGE__QUEUE_ROWS", "[1", "does not fit"),
    ],
)
def test_mistakes_of_the_environment(variable, text, said):
    with pytest.raises(Invalid) as caught:
        read({}, {variable: text})
    assert said in str(caught.value)


def test_a_mistake_of_the_file():
    with pytest.raises(Invalid, match="unknown field"):
        read({"web": {"prot": 1}}, {})


def test_only_double_underscores_are_settings():
    assert overrides({"WEFT_STATE": "x", "WEFT_REFERENCE": "y", "HOME__X": "z"}) == []


def test_the_state_folder_is_closed_and_not_for_git(tmp_path):
    old = os.umask(0)
    try:
        state = state_dir(tmp_path, {})
    finally:
        os.umask(old)
    assert state == tmp_path / ".weft"
    assert state.stat().st_mode & 0o777 == 0o700
    assert (state / ".gitignore").read_text() == "*\n"
    state.chmod(0o755)
    assert state_dir(tmp_path, {}).stat().st_mode & 0o777 == 0o700


def test_the_state_folder_may_be_elsewhere(tmp_path):
    assert state_dir(tmp_path / "plant", {"WEFT_STATE": str(tmp_path / "x" / "y")}) == tmp_path / "x" / "y"


def test_a_state_folder_that_cannot_be(tmp_path):
    (tmp_path / ".weft").write_text("a file")
    with pytest.raises(NeedsHuman, match="cannot be made"):
        state_dir(tmp_path, {})
