"""References to secrets: what they point to is there, or a person is asked."""

import pytest

from weft.runtime import NeedsHuman
from weft.runtime.secret import resolve


def test_what_a_reference_points_to(monkeypatch, tmp_path):
    monkeypatch.setenv("WORD", "a:b ")
    (tmp_path / "word").write_text("c\n")
    assert resolve("env:WORD", "password") == "a:b "
    assert resolve(f"file:{tmp_path}/word", "password") == "c"
    assert (resolve("plain", "password"), resolve("", "password")) == ("plain", "")


@pytest.mark.parametrize("reference", ["env:NO_SUCH", "env:EMPTY", "file:/no/such", "file:{}/empty"])
def test_nothing_is_no_secret(monkeypatch, tmp_path, reference):
    """A token that is empty would be no token: everybody might post."""
    monkeypatch.setenv("EMPTY", "")
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(NeedsHuman):
        resolve(reference.format(tmp_path), "token")
