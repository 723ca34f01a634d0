"""Browse paths as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.connect.opcua import Address, paths
from weft.connect.opcua.paths import Name

URIS = st.text(min_size=1).filter(lambda uri: uri.strip())


@given(
    st.lists(
        st.builds(
            Name,
            st.integers(0, 65535) | URIS,
            st.text(min_size=1) | st.sampled_from(["2:x", "nsu=a;b", "&", "/"]),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_what_is_written_is_read_again(names):
    assert paths.parse(paths.text(names)) == names


def test_uris_keep_their_slashes():
    text = "nsu=http://opcfoundation.org/UA/MachineTool/;Monitoring/2:a&/b/Plain"
    names = [Name("http://opcfoundation.org/UA/MachineTool/", "Monitoring"), Name(2, "a/b"), Name(0, "Plain")]
    assert paths.parse(text) == names
    assert paths.text(names) == text
    assert paths.parse("/2:Machine") == [Name(2, "Machine")]


@pytest.mark.parametrize(
    "text", ["", "/", "2:", "a//b", "a/", "99999:x", "nsu=;x", "a&", "/".join("a" * 101)]
)
def test_what_is_no_path_is_refused(text):
    with pytest.raises(ValueError, match="path|index"):
        paths.parse(text)


def test_an_address_needs_a_node_or_a_path():
    assert Address(path="2:Machine").text == "2:Machine"
    assert Address(node="ns=2;i=5", path="2:Load").text == "ns=2;i=5 2:Load"
    for wrong in ({}, {"node": "x", "path": "2:Load"}, {"path": "a//b"}):
        with pytest.raises(ValueError, match="is not a"):
            Address(**wrong)
