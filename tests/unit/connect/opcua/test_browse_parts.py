"""What browsing is made of: patterns, paces, profiles, requests and cursors."""

import uuid
from fnmatch import fnmatchcase

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary
from hypothesis import given
from hypothesis import strategies as st

from weft.connect.opcua import Config, browse, services
from weft.connect.opcua.patterns import ALL, Pattern
from weft.connect.opcua.profile import AUTO, Limits, Pace, Profile, known, matching
from weft.runtime import Invalid
from weft.ua.nodes import parse

NAMES = st.sampled_from(["a", "b", "ab", "*"])
PATHS = st.lists(st.sampled_from(["a", "b", "ab", "c"]), min_size=1, max_size=5)


def fits(names, path):
    """The plain way: a path fits when a beginning of it does."""
    if not names:
        return True
    if names[0] == "**":
        return any(fits(names[1:], path[at:]) for at in range(len(path) + 1))
    return bool(path) and fnmatchcase(path[0], names[0]) and fits(names[1:], path[1:])


@given(st.lists(NAMES | st.just("**"), min_size=1, max_size=5), PATHS)
def test_patterns_match_as_the_plain_way_does(names, path):
    pattern = Pattern("/".join(names))
    states = pattern.begin()
    for name in path:
        states = pattern.after(states, name)
    assert (states == ALL) == fits(names, path)


@given(st.lists(NAMES | st.just("**"), min_size=1, max_size=4), PATHS, PATHS)
def test_nothing_below_a_dead_end_would_match(names, path, more):
    pattern = Pattern("/".join(names))
    states = pattern.begin()
    for name in path:
        states = pattern.after(states, name)
    assert states or not fits(names, path + more)


@pytest.mark.parametrize("text", ["", "/", "/".join("a" * 101)])
def test_what_is_no_pattern(text):
    with pytest.raises(ValueError, match="not a pattern"):
        Pattern(text)


def test_calls_grow_while_they_are_quick_and_shrink_when_they_are_not():
    pace = Pace(50, 1000)
    for _ in range(20):
        pace.took(pace.size, 0.01)
    assert pace.size == 1000
    pace.took(1000, 1.0)
    assert pace.size == 250
    pace.failed(200)
    assert pace.size == 100
    for _ in range(20):
        pace.took(pace.size, 0.01)
    assert pace.size == 199
    pace.took(3, 0.001)  # a small one says nothing about large ones
    assert pace.size == 199


@given(st.lists(st.tuples(st.integers(1, 5000), st.floats(0, 100) | st.none())), st.integers(-5, 5000))
def test_paces_stay_within_bounds(steps, size):
    pace = Pace(size, 1000)
    for count, seconds in steps:
        if seconds is None:
            pace.failed(max(count, 2))
        else:
            pace.took(count, seconds)
        assert 1 <= pace.size <= 1000


@pytest.mark.parametrize(
    ("maker", "product", "name"),
    [
        ("Siemens AG", "S7-1200", "s7-1200"),
        ("Siemens AG", "SIMATIC.S7-1500.OPC-UA.Application:PLC_1", "s7-1500"),
        ("Kepware", "KEPServerEX", "kepware"),
        ("Inductive Automation", "Ignition OPC UA Server", "ignition"),
        ("Prosys OPC Ltd.", "SimulationServer", "prosys"),
        ("open62541", "open62541 OPC UA Server", "open62541"),
        ("Somebody", "Something", AUTO),
        ("", "", AUTO),
    ],
)
def test_profiles_by_what_a_server_calls_itself(maker, product, name):
    assert matching(maker, product).name == name


def test_a_servers_limits_never_make_more_of_it():
    profile = known()["s7-1200"].within(Limits(browse=1000, read=50, items=0))
    assert (profile.browse, profile.read, profile.items) == (100, 50, 100)
    assert (profile.browse_pace().size, profile.browse_pace()._most) == (100, 100)
    assert Profile(browse=100, growth=20).within(Limits(browse=300)).browse_pace()._most == 300


def test_only_known_profiles_and_modes():
    assert Config(endpoint="opc.tcp://a", profile="kepware").profile == "kepware"
    with pytest.raises(ValueError, match="no profile"):
        Config(endpoint="opc.tcp://a", profile="toaster")


@pytest.mark.parametrize(
    "text",
    ["i=85", "i=300", "i=70000", "ns=2;i=5", "ns=300;i=5", "ns=2;i=70000", "ns=2;s=a;b", "s=", "ns=3;b=AAE=",
     f"ns=1;g={uuid.UUID(int=5)}"],
)  # fmt: skip
def test_nodes_are_written_as_asyncua_reads_them(text):
    written = services.encoded(parse(text if text != "s=" else "s=x"), [])
    node = ua.ua_binary.nodeid_from_binary(Buffer(written))
    assert node == ua.NodeId.from_string(text if text != "s=" else "s=x")


def test_requests_are_written_as_asyncua_reads_them():
    questions = [services.Question(services.number(85), services.FORWARD, services.number(33), 3)] * 2
    body = services.browse_body(questions, 77)
    request = ua.BrowseRequest()
    head = struct_to_binary(request)[: -len(struct_to_binary(request.Parameters))]
    read = struct_from_binary(ua.BrowseRequest, Buffer(head + body))
    assert read.Parameters.RequestedMaxReferencesPerNode == 77
    [first, _] = read.Parameters.NodesToBrowse
    assert (first.NodeId, first.ReferenceTypeId) == (ua.NodeId(85), ua.NodeId(33))
    assert (first.IncludeSubtypes, first.NodeClassMask, first.ResultMask) == (True, 3, 63)
    wanted = [(services.encoded(parse("ns=2;s=x"), []), 13), (services.number(2258), 14)]
    request = ua.ReadRequest()
    head = struct_to_binary(request)[: -len(struct_to_binary(request.Parameters))]
    read = struct_from_binary(ua.ReadRequest, Buffer(head + services.read_body(wanted)))
    assert [(one.NodeId, int(one.AttributeId)) for one in read.Parameters.NodesToRead] == [
        (ua.NodeId("x", 2), 13),
        (ua.NodeId(2258), 14),
    ]


NODES = [ua.NodeId(85), ua.NodeId(300), ua.NodeId(70_000), ua.NodeId("a", 3), ua.NodeId(uuid.UUID(int=3), 4), ua.NodeId(b"\0", 5, ua.NodeIdType.ByteString)]  # fmt: skip


@pytest.mark.parametrize("node", NODES)
def test_references_are_read_as_asyncua_writes_them(node):
    expanded = ua.ExpandedNodeId(node.Identifier, node.NamespaceIndex, node.NodeIdType)
    reference = ua.ReferenceDescription(
        ReferenceTypeId=ua.NodeId(46), IsForward=True, NodeId=expanded, BrowseName=ua.QualifiedName("n", 2),
        DisplayName=ua.LocalizedText("shown", "en"), NodeClass=ua.NodeClass.Variable,
        TypeDefinition=ua.ExpandedNodeId(63),
    )  # fmt: skip
    response = ua.BrowseResponse()
    response.Results = [
        ua.BrowseResult(ua.StatusCode(0), b"more", [reference]),
        ua.BrowseResult(ua.StatusCode(0x80340000)),
    ]
    first, second = services.answers(struct_to_binary(response), services.BROWSE, [])
    [link] = first.links
    assert (first.more, link.kind, link.name, link.text) == (b"more", services.number(46), "n", "shown")
    assert (link.node_class, link.type) == (2, services.number(63))
    assert link.node == services.encoded(parse(node.to_string()), [])
    assert (second.status, second.links) == (0x80340000, [])


def test_nodes_of_other_servers_and_namespaces_by_uri():
    def link(expanded):
        response = ua.BrowseResponse()
        response.Results = [
            ua.BrowseResult(ua.StatusCode(0), None, [ua.ReferenceDescription(NodeId=expanded)])
        ]
        [answer] = services.answers(struct_to_binary(response), services.BROWSE, ["", "urn:own", "urn:b"])
        return answer.links[0].node

    assert link(ua.ExpandedNodeId(5, 0, ua.NodeIdType.Numeric, "urn:b")) == services.number(5, 2)
    assert link(ua.ExpandedNodeId(5, 0, ua.NodeIdType.Numeric, "urn:other")) is None
    assert link(ua.ExpandedNodeId(5, 0, ua.NodeIdType.Numeric, "", 3)) is None


def test_addresses_name_the_namespace_but_for_the_servers_own():
    spaces = ["http://opcfoundation.org/UA/", "urn:server", "urn:a;b"]
    assert services.text_of(services.number(85), spaces) == "i=85"
    assert services.text_of(services.number(5, 1), spaces) == "ns=1;i=5"
    assert services.text_of(services.number(5, 2), spaces) == "nsu=urn:a%3Bb;i=5"
    assert services.text_of(services.number(5, 9), spaces) == "ns=9;i=5"


@given(st.binary(max_size=100))
def test_cursors_of_others_are_refused(data):
    with pytest.raises(Invalid):
        browse.Walk.resumed(data)


def test_a_cursor_holds_the_walk():
    walk = browse.Walk("A/**/B*")
    walk._todo.append(browse.Place(b"\0\x55", "name", "folder", 1, b"", frozenset({0, 1})))
    walk._seen = {1, 2**64 - 1}
    again = browse.Walk.resumed(walk.cursor())
    assert (again._todo, again._seen, again._start) == (walk._todo, walk._seen, "A/**/B*")
