"""Documents of agents: streams cut anywhere, errors of all versions, units, what is no document."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.connect.mtconnect.document import assets_of, header_of, refusal_of, streams_of
from weft.connect.mtconnect.model import model_of
from weft.connect.mtconnect.multipart import LARGEST, Parts, boundary_of
from weft.connect.mtconnect.place import Place
from weft.connect.mtconnect.units import ucum
from weft.runtime import Invalid, NotFound, xml


def part(body, *, length=True, newline=b"\r\n"):
    head = b"--mark" + newline + b"Content-type: text/xml" + newline
    if length:
        head += b"Content-length: %d" % len(body) + newline
    return head + newline + body + newline


bodies = st.binary(max_size=300).map(lambda data: data.replace(b"--", b"__").rstrip(b"\r\n"))


@given(st.lists(bodies, max_size=5), st.lists(st.integers(1, 40), max_size=60), st.booleans())
def test_parts_are_whole_wherever_the_network_cuts(wanted, cuts, length):
    stream = b"\r\n" + b"".join(part(body, length=length) for body in wanted) + b"--mark--\r\n"
    parts, found = Parts("mark"), []
    for size in cuts:
        found += parts.feed(stream[:size])
        stream = stream[size:]
    found += parts.feed(stream)
    assert [body.rstrip(b"\r") for body in found] == [body.rstrip(b"\r") for body in wanted]


def test_a_body_with_a_length_may_contain_the_boundary():
    parts = Parts("--mark")
    assert parts.feed(part(b"a\n--mark\nb") + part(b"c")) == [b"a\n--mark\nb", b"c"]


def test_bare_line_feeds_are_understood():
    assert Parts("mark").feed(part(b"<a/>", newline=b"\n")) == [b"<a/>"]


@pytest.mark.parametrize(
    "stream",
    [b"--mark\r\nContent-length: 99999999999\r\n\r\n", b"--mark\r\n" + b"x" * 20_000],
)
def test_what_has_no_end_is_refused(stream):
    with pytest.raises(Invalid):
        Parts("mark").feed(stream)


def test_a_stream_without_boundaries_is_refused():
    parts = Parts("mark")
    parts.feed(b"x" * LARGEST)
    with pytest.raises(Invalid, match="no boundary"):
        parts.feed(b"x")


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/x-mixed-replace;boundary=abc", "abc"),
        ('multipart/x-mixed-replace; charset="x"; boundary="a b"', "a b"),
        ("text/xml", ""),
        ("multipart/x-mixed-replace", ""),
    ],
)
def test_boundaries(content_type, boundary):
    assert boundary_of(content_type) == boundary


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        ('<Errors><Error errorCode="OUT_OF_RANGE">from</Error></Errors>', "OUT_OF_RANGE", "from"),
        ("<Errors><OutOfRange><ErrorMessage>m</ErrorMessage></OutOfRange></Errors>", "OUT_OF_RANGE", "m"),
        ("<Errors><InvalidXPath/></Errors>", "INVALID_XPATH", ""),
        ('<Error errorCode="NO_DEVICE">x</Error>', "NO_DEVICE", "x"),
        ("", "INTERNAL_ERROR", "an error without a reason"),
    ],
)
def test_errors_of_all_versions(body, code, text):
    space = "urn:mtconnect.org:MTConnectError:2.7"
    root = xml.parse(
        f'<m:MTConnectError xmlns:m="{space}" xmlns="{space}">{body}</m:MTConnectError>'.encode(), "x"
    )
    refusal = refusal_of(root)
    assert (refusal.code, refusal.text) == (code, text)
    assert refusal_of(xml.parse(b"<MTConnectStreams/>", "x")) is None


def test_observations_come_in_the_order_of_their_numbers():
    text = b"""<MTConnectStreams xmlns="urn:x"><Header instanceId="7" nextSequence="12" firstSequence="1"
    lastSequence="11" version="2.0"/><Streams><DeviceStream name="d"><ComponentStream component="Axes">
    <Samples><Position dataItemId="x" sequence="11" timestamp="2026-01-01T00:00:00Z">1</Position></Samples>
    <Events><Block dataItemId="b" sequence="3" timestamp="t"/></Events>
    <Condition><Warning dataItemId="c" sequence="10" timestamp="t" nativeCode="1">hot</Warning></Condition>
    <Events><VariableDataSet dataItemId="v" sequence="4" timestamp="t" count="2"><Entry key="a"> 1 </Entry>
    <Entry key="b" removed="true"/></VariableDataSet></Events>
    </ComponentStream></DeviceStream></Streams></MTConnectStreams>"""
    document = streams_of(xml.parse(text, "x"))
    assert document.header[:6] == (7, "2.0", "", 12, 1, 11)
    assert [(one.sequence, one.id, one.text, one.level) for one in document.observations] == [
        (3, "b", "", ""),
        (4, "v", "", ""),
        (10, "c", "hot", "WARNING"),
        (11, "x", "1", ""),
    ]
    assert document.observations[1].entries == {"a": "1", "b": None}
    assert document.observations[0].entries is None


def test_an_asset_is_a_document_of_its_own():
    text = b"""<a:MTConnectAssets xmlns:a="urn:A"><a:Header/><a:Assets><a:CuttingTool assetId="1" timestamp="t"
    deviceUuid="u"><a:Life/></a:CuttingTool></a:Assets></a:MTConnectAssets>"""
    [asset] = assets_of(xml.parse(text, "x"))
    assert asset[:5] == ("1", "CuttingTool", "t", "u", False)
    assert xml.parse(asset.text.encode(), "x").tag == "{urn:A}CuttingTool"


def test_headers_that_say_nothing():
    assert header_of(xml.parse(b"<MTConnectStreams/>", "x")).instance == 0
    assert header_of(xml.parse(b'<M><Header instanceId="-1" nextSequence="x"/></M>', "x"))[3] == 0


@pytest.mark.parametrize(
    ("unit", "code"),
    [
        ("MILLIMETER", "mm"),
        ("MILLIMETER_3D", "mm"),
        ("MILLIMETER/SECOND^2", "mm/s2"),
        ("REVOLUTION/MINUTE", "/min"),
        ("CELSIUS", "Cel"),
        ("x:FURLONG", ""),
        ("", ""),
    ],
)
def test_units(unit, code):
    assert ucum(unit) == code


def test_data_items_are_found_by_id_and_by_name():
    text = b"""<MTConnectDevices><Devices><Device name="A" uuid="1"><DataItems><DataItem id="a1" name="avail"
    type="AVAILABILITY" category="EVENT"/></DataItems></Device><Device name="B" uuid="2"><DataItems>
    <DataItem id="avail" name="x" type="AVAILABILITY" category="EVENT"/><DataItem id="b2" name="x" type="Y"
    category="SAMPLE" sampleRate="nan"/></DataItems></Device></Devices></MTConnectDevices>"""
    model = model_of(xml.parse(text, "x"))
    assert model.find("avail", "").device == "B"
    assert model.find("avail", "A").id == "a1"
    assert model.find("avail", "1").id == "a1"
    assert model.find("b2", "").rate == 0
    with pytest.raises(NotFound, match="Several"):
        model.find("x", "")
    with pytest.raises(NotFound, match="of the device 'A'"):
        model.find("b2", "A")


def test_only_what_is_stored_in_order_is_remembered():
    place = Place({"instance": 5, "next": 10, "time": 3})
    first, second = place.advance(5, 20, 100), place.advance(5, 30, 50)
    second()
    assert place.memory() == {"instance": 5, "next": 10, "time": 3}
    first()
    assert place.memory() == {"instance": 5, "next": 30, "time": 100}
    assert not Place({"instance": "x", "next": -1}).known


@given(st.binary(max_size=400), st.integers(1, 50))
def test_junk_never_breaks_the_stream(junk, size):
    parts = Parts("mark")
    for start in range(0, len(junk), size):
        parts.feed(junk[start : start + size])
