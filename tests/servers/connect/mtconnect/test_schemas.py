"""The agent that we test with, judged by others: libxml2 and the official schemas."""

import json

import anyio
import httpx
import npm
import pytest
from servers.connect.mtconnect.conftest import serving, store_of

from weft.demo.mtconnect_shdr import ShdrReader
from weft.model import instant

pytestmark = pytest.mark.anyio

TIMES = instant.text(1_700_000_000_123_456_789, 9)


@pytest.fixture(scope="module")
def judge(reference):
    """Gives what libxml2 has to say about documents of a kind and version; nothing when they are valid."""
    peer = npm.installed("xmllint")
    schemas = reference / "machines" / "mtconnect" / "schemas"

    async def verdicts(kind, version, *files):
        schema = schemas / f"MTConnect{kind}_{version}_1.0.xsd"
        command = ["node", peer / "validate.js", schema, schemas / "xlink.xsd", *files]
        with anyio.fail_after(60):
            done = await anyio.run_process(command)
        results = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(results) == len(files)
        return sorted({error for result in results for error in result["errors"]})

    return verdicts


async def save(url, folder, *targets):
    files = []
    async with httpx.AsyncClient() as client:
        for i, target in enumerate(targets):
            file = folder / f"document{i}.xml"
            file.write_bytes((await client.get(f"{url}/{target}")).content)
            files.append(file)
    return files


@pytest.mark.card("mtconnect", "outside_peer")
async def test_every_document_of_the_lathe_is_valid(devices, reference, judge, tmp_path):
    store = store_of(devices("okuma"))
    log = reference / "machines" / "mtconnect" / "okuma" / "okuma.txt"
    ShdrReader(store, "OKUMA").feed(log.read_text().split("\n"))
    item = next(item for item in store.model.items.values() if item.category == "CONDITION")
    about = {"nativeCode": "7", "nativeSeverity": "3", "qualifier": "HIGH"}
    store.add(item, TIMES, "Hot & <loud>", about, level="FAULT")
    sets = next(item for item in store.model.items.values() if item.representation == "DATA_SET")
    store.add(sets, TIMES, "", entries={"a": "1", "b": None})
    async with serving(store) as (_, url):
        assert await judge("Devices", "2.7", *await save(url, tmp_path, "probe", "OKUMA/probe")) == []
        wanted = ("current", "sample?count=30000", "sample?path=//Axes&count=50")
        assert await judge("Streams", "2.7", *await save(url, tmp_path, *wanted)) == []
        wanted = ("sample?from=99999999", "asset/none", "current?path=//[", "nobody/probe", "sample?count=x")
        assert await judge("Error", "2.7", *await save(url, tmp_path, *wanted)) == []
        found = await judge("Assets", "2.7", *await save(url, tmp_path, "assets", "asset/123456.2201"))
    # The machine's own bodies have an empty description where the schema wants it elsewhere.
    assert all("Description" in error for error in found)


async def test_an_older_agent_s_documents_are_valid(devices, judge, tmp_path):
    text = devices("kinematics").replace("MTConnectDevices:1.7", "MTConnectDevices:1.3")
    store = store_of(devices("two_devices").replace("MTConnectDevices:1.1", "MTConnectDevices:1.3"))
    assert text
    async with serving(store) as (_, url):
        assert await judge("Devices", "1.3", *await save(url, tmp_path, "probe")) == []
        assert await judge("Streams", "1.3", *await save(url, tmp_path, "current", "Device2/current")) == []
