"""Browsing: everything that is there, once, whatever single nodes, pages and lines do."""

import pathlib
import socket
import subprocess
import sys
from collections import Counter

import anyio
import pytest

from weft.connect.opcua import OpcUa, browse, calling
from weft.connect.opcua.profile import Profile
from weft.connect.opcua.session import session
from weft.model import Limits, ValueType
from weft.runtime import Invalid

pytestmark = pytest.mark.anyio

HERE = pathlib.Path(__file__).parent
SPACE = "nsu=urn:garden;s="


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


class Garden:
    """The process of garden.py."""

    def __init__(self, port):
        self.port, self.url = port, f"opc.tcp://127.0.0.1:{port}"
        self._process = None

    def start(self):
        command = [sys.executable, str(HERE / "garden.py"), str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout.readline() == "ready\n"
        return self

    def kill(self):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


@pytest.fixture(scope="module")
def garden():
    server = Garden(free_port()).start()
    yield server
    server.kill()


async def all_of(connector, start=""):
    with anyio.fail_after(30):
        return [one async for one in connector.browse(start)]


def by_name(rows):
    assert max(Counter(str(row.address) for row in rows).values()) == 1
    return {row.name: row for row in rows}


@pytest.mark.card("opcua", "browse")
async def test_everything_with_what_is_known_of_it(garden, kit):
    found = by_name([row for row in await all_of(OpcUa(kit.config(garden.url))) if row.name != "Wet"])
    warm = found["Warm"]
    assert (warm.type, warm.unit, warm.value, warm.folder) == (ValueType.DOUBLE, "Cel", 21.5, "Garden")
    assert warm.limits == Limits(minimum=-40, low=0, high=40, maximum=100)
    assert (warm.writable, warm.history, warm.rank) == (True, True, 0)
    assert warm.address == {"node": f"{SPACE}Warm"}
    assert found["Gate"].states == {0: "open", 1: "shut"}
    assert found["Gate"].type is ValueType.INT32
    assert found["Sevens"].states == {7: "seven"}
    assert found["Tap"].states == {0: "off", 1: "on"}
    assert (found["Row"].rank, found["Row"].value) == (1, [1, 2, 3])
    assert (found["Grid"].rank, found["Grid"].value) == (2, [[1, 2], [3, 4]])
    assert found["Span"].type is ValueType.DOUBLE  # a Duration without a value
    assert (found["Serial"].value, found["Serial"].writable) == ("0042", True)
    assert (found["Water"].kind, found["Water"].type) == ("method", None)
    assert (found["Garden"].kind, found["Garden"].description) == ("object", "GardenType")
    assert found["Garden"].semantic == "nsu=urn:garden;i=5000"
    assert (found["Ghost"].status >> 30, found["Ghost"].address) == (2, {"node": f"{SPACE}Ghost"})


@pytest.mark.parametrize(
    ("start", "count"),
    [
        ("Garden/Beds/*/Wet", 200),
        ("Garden/Beds/Bed1?/*", 10),
        ("**/Bed19[89]", 2),
        ("Garden/B*", 200),
        ("Garden/Beds/Bed7/Wet", 1),
        ("Server/ServerStatus/*Time", 2),
        ("Nowhere/**", 0),
        (f"{SPACE}Beds", 200),
        (f"{SPACE}Warm", 1),
    ],
)
async def test_parts_of_it(garden, kit, start, count):
    rows = await all_of(OpcUa(kit.config(garden.url)), start)
    assert len([row for row in rows if row.kind == "variable"]) == count
    assert {row.name for row in rows if row.name.startswith("Wet")} <= {"Wet"}


async def test_a_start_that_is_nothing(garden, kit):
    with pytest.raises(Invalid, match="neither a node nor a pattern"):
        await all_of(OpcUa(kit.config(garden.url)), "/")


async def test_pages_of_references_go_on(garden, kit, monkeypatch):
    whole = by_name(await all_of(OpcUa(kit.config(garden.url)), f"{SPACE}Garden"))
    monkeypatch.setattr(calling, "REFERENCES_AT_ONCE", 3)
    rows = await all_of(OpcUa(kit.config(garden.url)), f"{SPACE}Garden")
    assert len(rows) == 210
    assert by_name(rows).keys() == whole.keys()


async def test_calls_of_one_node_find_the_same(garden, kit):
    async with session(kit.config(garden.url)) as opened:
        rows = []
        with anyio.fail_after(30):
            walk = browse.Walk(f"{SPACE}Garden")
            async for page in walk.pages(opened, Profile(browse=1, read=1, growth=1, workers=1)):
                rows += page.found
    assert len(rows) == 210


async def test_a_cursor_goes_on_in_another_process(garden, kit):
    """Cut off after every page in turn: nothing is missing, nothing comes twice."""
    config, whole = kit.config(garden.url), Counter()
    for row in await all_of(OpcUa(config)):
        whole[str(row.address)] += 1
    cut = Counter()
    cursor, pages = b"", 0
    with anyio.fail_after(60):
        while cursor is not None:
            pages, cursor = pages + 1, await one_page(OpcUa(config), cursor, cut)
    assert cut == whole
    assert pages > 4


async def one_page(connector, cursor, counted):
    pages = connector.survey("", cursor)
    async for page in pages:
        for row in page.found:
            counted[str(row.address)] += 1
        after = page.cursor()
        await pages.aclose()
        return after
    return None


@pytest.mark.parametrize("cursor", [b"x", b"x\x9cK\x04\x00\x00b\x00b", b"\x00" * 100])
async def test_what_is_no_cursor(garden, kit, cursor):
    with pytest.raises(Invalid, match="no cursor"):
        [page async for page in OpcUa(kit.config(garden.url)).survey("", cursor)]


async def test_a_killed_server_is_waited_for(kit):
    server = Garden(free_port()).start()
    try:
        names, killed = Counter(), False
        with anyio.fail_after(60):
            async for page in OpcUa(kit.config(server.url, timeout=2.0)).survey("Garden/Beds"):
                for row in page.found:
                    names[str(row.address)] += 1
                if names and not killed:
                    killed = True
                    server.kill()
                    await anyio.to_thread.run_sync(server.start)
        assert killed
        assert sorted(names.values()) == [1] * 200
    finally:
        server.kill()


@pytest.fixture(scope="module")
def many(node_opcua, tmp_path_factory):
    """2,500 variables on node-opcua, in folders of 1,000."""
    command = ["node", node_opcua / "many.js", "--folder", tmp_path_factory.mktemp("many"), "--count", "2500"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    port = next(line.split()[1] for line in process.stdout if line.startswith("port "))
    yield f"opc.tcp://127.0.0.1:{port}"
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.mark.card("opcua", "outside_peer")
@pytest.mark.parametrize("most", [1000, 150])
async def test_large_folders_come_page_by_page(many, kit, monkeypatch, most):
    monkeypatch.setattr(calling, "REFERENCES_AT_ONCE", most)
    rows = [row for row in await all_of(OpcUa(kit.config(many)), "Many") if row.kind == "variable"]
    assert sorted(row.value for row in rows) == list(range(2500))
    assert len({str(row.address) for row in rows}) == 2500
    assert {row.unit for row in rows} == {"", "Cel"}
    assert {row.limits.high for row in rows if row.unit} == {i + 1 for i in range(0, 2500, 10)}
