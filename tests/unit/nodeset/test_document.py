"""One file: what it says, and what is wrong in it."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.nodeset import BASE, Name, Space, read
from weft.runtime import Invalid


def test_ids_do_not_depend_on_the_order_of_namespaces(kit):
    body = kit.node("Object", 1, "X", [("HasComponent", "ns=2;s=a;b=c")])
    one = kit.document(body, uris=("urn:a", "urn:b"))
    other = kit.document(
        body.replace("ns=1", "ns=9").replace("ns=2", "ns=1").replace("ns=9", "ns=2").replace("1:X", "2:X"),
        uris=("urn:b", "urn:a"),
    )
    assert one.nodes == other.nodes
    [node] = one.nodes.values()
    assert (node.id, node.name) == ("nsu=urn:a;i=1", Name("urn:a", "X"))
    assert node.references[0].target == "nsu=urn:b;s=a;b=c"


def test_uris_and_names_with_signs_of_their_own(kit):
    document = kit.document(kit.node("Object", 1, "a/b&amp;c"), uris=("urn:a;b%c",))
    [node] = document.nodes.values()
    assert node.id == "nsu=urn:a%3Bb%25c;i=1"
    assert str(node.name) == "nsu=urn:a%3Bb%25c;a&/b&&c"
    assert str(Name(BASE, "2:x")) == "0:2:x"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('<UAObject NodeId="ns=7;i=1" BrowseName="1:X"/>', "names 1 namespaces"),
        ('<UAObject NodeId="nonsense" BrowseName="1:X"/>', "no NodeId"),
        ('<UAObject NodeId="ns=1;i=1" BrowseName="9:X"/>', "counts more namespaces"),
        ('<UAVariable NodeId="ns=1;i=1" BrowseName="1:X" ValueRank="many"/>', "no whole number"),
        ('<UAVariable NodeId="ns=1;i=1" BrowseName="1:X" DataType="Unheard"/>', "nor an alias"),
        (
            '<UAObject NodeId="ns=1;i=1" BrowseName="1:X"/><UAObject NodeId="ns=1;i=1" BrowseName="1:Y"/>',
            "twice",
        ),
    ],
)
def test_what_is_wrong_is_a_finding_and_the_rest_goes_on(kit, body, said):
    document = kit.document(body + kit.node("Object", 99, "Sound"))
    assert said in str(document.findings[0])
    assert "nsu=urn:a;i=99" in document.nodes


@pytest.mark.parametrize("data", [b"", b"<a/>", b"no xml", b'<!DOCTYPE a [<!ENTITY x "y">]><UANodeSet/>'])
def test_what_is_no_nodeset_is_refused(data):
    with pytest.raises(Invalid, match=r"x\.xml"):
        read(data, "x.xml")


def test_a_file_without_models_needs_what_it_refers_to(kit):
    document = kit.document(
        kit.node("Object", 1, "X", [("HasComponent", "ns=2;i=5")]),
        uris=("urn:a", "urn:b", "urn:c"),
        models=False,
    )
    [model] = document.models
    assert (model.uri, [need.uri for need in model.needs]) == ("urn:a", ["urn:b"])


def test_missing_older_and_circular_models_are_findings(kit):
    a = kit.document(uris=("urn:a",), needs=[("urn:b", "2026-01-01"), ("urn:x", "")], what="a")
    b = kit.document(uris=("urn:b",), needs=[("urn:a", "")], published="2025-01-01", what="b")
    again = kit.document(uris=("urn:b",), what="again")
    space = Space([a, b, again])
    said = [str(finding) for finding in space.findings]
    assert any("a: needs urn:x, which none of the files is" in one for one in said)
    assert any("a: needs urn:b of 2026-01-01; that given is older" in one for one in said)
    assert any("stands on itself: a needs b needs a" in one for one in said)
    assert any("again: gives urn:b again, which b gives" in one for one in said)
    assert {document.what for document in space.documents} == {"a", "b", "again"}


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    with contextlib.suppress(Invalid):
        read(b"<UANodeSet>" + data + b"</UANodeSet>", "x")
