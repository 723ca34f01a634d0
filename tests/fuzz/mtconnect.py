"""MTConnect: an adapter's lines, an agent's documents, and the parts of its stream."""

from __future__ import annotations

from fuzz.target import Target, pieces

from weft.connect.api import Point
from weft.connect.mtconnect import Address as ItemAddress
from weft.connect.mtconnect.document import Streams, assets_of, header_of, refusal_of, streams_of
from weft.connect.mtconnect.model import model_of
from weft.connect.mtconnect.multipart import Parts
from weft.connect.mtconnect.router import Router
from weft.connect.shdr import Address
from weft.connect.shdr.address import PARTS, Category
from weft.connect.shdr.index import Index
from weft.connect.shdr.reader import Reader
from weft.connect.tally import Tally
from weft.model import decode, encode
from weft.runtime import Invalid, xml

NOW = 1_800_000_000_000_000_000
AT = "2026-01-01T00:00:00.123456789Z"


def _points() -> list[Point]:
    made: list[Point] = []
    for category in Category:
        for part in ("", *PARTS[category]):
            key = "*" if category == Category.ASSET else category.value
            made.append(Point(len(made), f"{key}.{part}", Address(key=key, category=category, part=part)))
    return made


POINTS = _points()
LINES = (
    f"{AT}|sample|1.5|event|READY|other|x", f"{AT}@2.5|timeseries|3|100|1 2 3", f"{AT}|sample|1 2 3",
    f"{AT}|condition|FAULT|7|2|HIGH|too hot", f"{AT}|message|code|all well", f'{AT}|event|"a\\|b"',
    f"{AT}|dataset|a=1 b='two words' c={{3}} d", f"{AT}|table|r1={{a=1 b=2}} r2={{a=3}}", f"{AT}|sample|UNAVAILABLE",
    f"{AT}|@ASSET@|T1|CuttingTool|<CuttingTool/>", f"{AT}|@REMOVE_ASSET@|T1", f"{AT}|@REMOVE_ALL_ASSETS@|",
    f"{AT}|@ASSET@|T2|CuttingTool|--multiline--AB\n<a>\n</a>\n--multiline--AB", f"{AT}|sample|5:ACTIVE",
    "* PONG 10000", "* adapterVersion: 2.0", "|event|x", "event|no time", f"{AT}|timeseries|2||1", f"{AT}|sample|",
)  # fmt: skip


def _shdr_seeds() -> list[bytes]:
    lines = [line.encode() + b"\n" for line in LINES]
    return [b"\0" + line for line in lines] + [b"\7" + b"".join(lines).replace(b"\n", b"\r\n")]


INDEX = Index(POINTS, "", lambda *_: None)


def _shdr_run(data: bytes) -> None:
    reader = Reader((), "", lambda *_: None, Tally("fuzz"))
    reader._index = INDEX  # to make it takes longer than to read a line
    for piece in pieces(data):
        batch = reader.feed(piece, NOW)
        assert len(decode(encode(batch))) == len(batch)  # type: ignore[arg-type]  # a batch comes back as one
    reader.feed(b"\n", NOW)
    if data[:1] == b"\xff":
        reader.follow(POINTS[::2])


PROBE = b"""<?xml version="1.0"?><MTConnectDevices xmlns="urn:mtconnect.org:MTConnectDevices:2.0"><Header
 instanceId="7" version="2.0" sender="s" nextSequence="9" firstSequence="1" lastSequence="8"/><Devices><Device
 id="d" name="M" uuid="u"><DataItems><DataItem id="a" name="x" type="POSITION" category="SAMPLE" units="MILLIMETER"
 nativeUnits="INCH"><Constraints><Minimum>0</Minimum><Maximum>9</Maximum></Constraints></DataItem><DataItem id="c"
 type="SYSTEM" category="CONDITION"/><DataItem id="t" type="LOAD" category="SAMPLE" representation="TIME_SERIES"
 sampleRate="100"/><DataItem id="s" type="VARIABLE" category="EVENT" representation="DATA_SET"/><DataItem id="b"
 type="WORK_OFFSET" category="EVENT" representation="TABLE"/><DataItem id="e" type="EXECUTION" category="EVENT"/><DataItem
 id="p" type="PATH_POSITION" category="SAMPLE" units="MILLIMETER_3D"/></DataItems><Components><Axes id="y"><Components><Linear id="z"
 name="X"><DataItems><DataItem id="q" type="ANGLE" category="SAMPLE"/></DataItems></Linear></Components></Axes></Components></Device>
</Devices></MTConnectDevices>"""
STREAMS = b"""<?xml version="1.0"?><MTConnectStreams xmlns="urn:mtconnect.org:MTConnectStreams:2.0"><Header instanceId="7"
 nextSequence="9" firstSequence="1" lastSequence="8"/><Streams><DeviceStream name="M" uuid="u"><ComponentStream
 component="Device" componentId="d"><Samples><Position dataItemId="a" sequence="1" timestamp="2026-01-01T00:00:00.5Z">1.5
</Position><LoadTimeSeries dataItemId="t" sequence="2" timestamp="2026-01-01T00:00:00Z" sampleCount="3"
 sampleRate="10">1 2 3</LoadTimeSeries><PathPosition dataItemId="p" sequence="8" timestamp="2026-01-01T00:00:00Z">1 2 3</PathPosition></Samples><Events><VariableDataSet dataItemId="s" sequence="3" count="2"
 timestamp="2026-01-01T00:00:00Z"><Entry key="a">1</Entry><Entry key="b" removed="true"/></VariableDataSet><WorkOffsetTable
 dataItemId="b" sequence="4" count="1" timestamp="2026-01-01T00:00:00Z"><Entry key="G54"><Cell key="X">1</Cell></Entry>
</WorkOffsetTable><Execution dataItemId="e" sequence="5" timestamp="x">READY</Execution></Events><Condition><Fault
 dataItemId="c" sequence="6" timestamp="2026-01-01T00:00:00Z" type="SYSTEM" nativeCode="7">hot</Fault></Condition>
</ComponentStream></DeviceStream></Streams></MTConnectStreams>"""
ASSETS = b"""<MTConnectAssets xmlns="urn:mtconnect.org:MTConnectAssets:2.0"><Header instanceId="7"/><Assets><CuttingTool
 assetId="T1" timestamp="2026-01-01T00:00:00Z" deviceUuid="u"><CuttingToolLifeCycle/></CuttingTool></Assets></MTConnectAssets>"""
ERRORS = (
    b'<MTConnectError><Header/><Errors><Error errorCode="OUT_OF_RANGE">from</Error></Errors></MTConnectError>',
    b"<MTConnectError><Errors><InvalidURI><ErrorMessage>no</ErrorMessage></InvalidURI></Errors></MTConnectError>",
)
MODEL = model_of(xml.parse(PROBE, "the probe"))
ITEMS = [
    *(Point(i, id, ItemAddress(id=id)) for i, id in enumerate("actsbepq")),
    *(
        Point(20 + i, p, ItemAddress(id=id, part=p))
        for i, (id, p) in enumerate([("c", "level"), ("p", "x"), ("t", "count")])
    ),
]


def _document_run(data: bytes) -> None:
    """Any document as each kind of document."""
    try:
        root = xml.parse(data, "the document", most=1 << 20)
    except Invalid:
        return
    refusal_of(root)
    header_of(root)
    model_of(root)
    document: Streams = streams_of(root)
    for model in (MODEL, model_of(root)):
        router = Router(model, ITEMS, lambda *_: None, Tally("fuzz"), {})
        batch = router.read(document.observations, NOW)
        assert len(decode(encode(batch))) == len(batch)  # type: ignore[arg-type]  # a batch comes back as one
        router.again(document.observations, NOW)
    list(assets_of(root))


def _multipart_seeds() -> list[bytes]:
    part = b"--mark\r\nContent-type: text/xml\r\nContent-length: 4\r\n\r\n<a/>\r\n"
    return [b"\0" + part, b"\3" + part * 2 + b"--mark--\r\n", b"\1--mark\n\n<a/>\n--mark\n\nb\n--mark--"]


def _multipart_run(data: bytes) -> None:
    """No part is lost to where the network cuts."""

    def read(cut: list[bytes]) -> tuple[list[bytes], bool]:
        parts, found = Parts("mark"), list[bytes]()
        try:
            for piece in cut:
                found += parts.feed(piece)
        except Invalid:
            return found, False
        return found, True

    at_once, sound = read([data[1:]])
    in_pieces, also = read(pieces(data))
    if sound and also:
        assert [part.rstrip(b"\r") for part in in_pieces] == [part.rstrip(b"\r") for part in at_once]


shdr = Target(_shdr_run, _shdr_seeds)
documents = Target(_document_run, lambda: [PROBE, STREAMS, ASSETS, *ERRORS])
multipart = Target(_multipart_run, _multipart_seeds)
