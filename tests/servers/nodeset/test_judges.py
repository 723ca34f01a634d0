"""Our reader beside those of others: node-opcua and asyncua, on all published models."""

import csv
import json
import subprocess
import sys
from collections import Counter

import npm
import pytest

from weft.nodeset import BASE, Space, read, types

ABOUT = {"EURange", "EngineeringUnits", "InstrumentRange", "EnumStrings", "EnumValues", "TrueState", "FalseState",
         "InputArguments", "OutputArguments", "NodeVersion", "Definition", "ValuePrecision", "OptionSetValues",
         "ValueAsText", "BitMask", "Title", "AxisScaleType"}  # fmt: skip

ASYNCUA = """
import asyncio, json, logging, sys
from asyncua import Server
logging.disable(logging.CRITICAL)

async def main(files):
    server = Server()
    await server.init()
    loaded = {}
    for file in files:
        try:
            loaded[file] = sorted({node.to_string() for node in await server.import_xml(file)})
        except Exception as error:
            loaded[file] = None
    namespaces = await server.get_namespace_array()
    print(json.dumps({"loaded": loaded, "namespaces": namespaces}))

asyncio.run(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def files(reference):
    folder = reference / "opcua-nodesets"
    with (folder / "LOAD-ORDER.tsv").open(encoding="utf-8") as file:
        return [folder / row["file"] for row in csv.DictReader(file, delimiter="\t")]


@pytest.fixture(scope="module")
def space(files):
    return Space([read(file.read_bytes(), str(file)) for file in files])


@pytest.fixture(scope="module")
def theirs(files):
    command = ["node", npm.installed("node-opcua") / "models.js", *files]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_node_opcua_counts_the_same_nodes_of_all_models(space, theirs):
    assert len(space.documents) == 28
    for document in space.documents:
        [model] = document.models
        assert Counter(node.kind for node in document.nodes.values()) == theirs[model.uri]["counts"], (
            model.uri
        )


def test_node_opcua_knows_the_same_types_and_lines_of_types(space, theirs):
    ours = {
        (
            node.name.namespace,
            node.name.text,
            space.text(space.chain(node.id)[1]) if node.id != "i=58" else None,
        )
        for document in space.documents
        for node in document.nodes.values()
        if node.kind == "ObjectType"
    }
    assert ours == {
        (uri, found["name"], found["above"]) for uri, model in theirs.items() for found in model["types"]
    }


def test_objects_that_node_opcua_makes_have_the_signals_that_we_promise(space, theirs):
    """It makes one object of every type that is not abstract, with what is mandatory; we say beforehand what that
    will be. Where one of the two opens a part that the other does not (two types of I4AAS) they differ."""
    promised = {
        (model.namespace, model.name): {
            "/".join(f"{name.namespace}|{name.text}" for name in signal.path)
            for signal in model.signals
            if not signal.optional and not signal.placeholder
        }
        for model in types(space)
    }
    made = {
        (uri, found["name"]): {path for path in found["variables"] if not describes(path)}
        for uri, model in theirs.items()
        for found in model["types"]
        if found["variables"] is not None
    }
    differing = [
        key for key, paths in made.items() if {p for p in promised[key] if not describes(p)} != paths
    ]
    assert len(made) == 803
    assert sorted(name for _, name in differing) == [
        "AASAssetAdministrationShellType",
        "AASDataSpecificationIEC61360Type",
    ]


def describes(path):
    uri, _, name = path.rpartition("|")
    return uri.endswith(BASE) and name in ABOUT


def test_asyncua_has_the_same_nodes_where_it_can_load_a_model(space, files):
    """It has the base in itself; it cannot load all of the others."""
    command = [sys.executable, "-c", ASYNCUA, *files[1:]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    documents = {document.what: document for document in space.documents}
    same = 0
    for file, nodes in found["loaded"].items():
        if nodes is not None and "i=0" not in nodes:  # nodes that it could not add
            ours = {local(node, found["namespaces"]) for node in documents[file].nodes}
            assert ours == set(nodes), file
            same += 1
    assert same >= 12


def local(node, namespaces):
    uri, _, rest = node.removeprefix("nsu=").partition(";") if node.startswith("nsu=") else (BASE, "", node)
    index = namespaces.index(uri)
    return f"ns={index};{rest}" if index else rest
