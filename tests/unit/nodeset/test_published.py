"""All published companion models at hand: read, counted, resolved."""

import csv
from collections import Counter

from weft.model import Limits, ValueType
from weft.nodeset import BASE, Space, instances, read, standard, types


def model(models, name):
    [found] = [one for (_, other), one in models.items() if other == name]
    return found


def paths(found):
    return {"/".join(name.text for name in signal.path): signal for signal in found.signals}


def test_every_model_is_read_to_the_last_node_and_reference(documents, rows):
    counted = []
    for document, row in zip(documents, rows, strict=True):
        kinds = Counter(f"UA{node.kind}" for node in document.nodes.values())
        values = sum(node.value is not None for node in document.nodes.values())
        [own] = document.models
        counted.append(
            {
                "model_uri": own.uri,
                "version": own.version,
                "publication_date": own.published,
                "required_models": ";".join(need.uri for need in own.needs) or "-",
                "nodes": len(document.nodes),
                "references": document.references,
                "values": values,
                **{kind: kinds[kind] for kind in row if kind.startswith("UA")},
            }
        )
    assert counted == [
        {key: type(found[key])(row[key]) for key in found} for found, row in zip(counted, rows, strict=True)
    ]
    assert len(counted) == 28
    assert sum(found["nodes"] for found in counted) == 14444


def test_nothing_is_left_unresolved_whatever_the_order(space, documents):
    assert [finding for finding in space.findings if not finding.mild] == []
    assert len(space.nodes) == 14444
    names = [document.what for document in space.documents]
    given = {model.uri: document.what for document in documents for model in document.models}
    for document in documents:
        for own in document.models:
            assert all(names.index(given[need.uri]) < names.index(document.what) for need in own.needs)


def test_both_orders_give_the_same_graph(space, documents):
    other = Space(documents)
    assert space.nodes.keys() == other.nodes.keys()
    for node in space.nodes:
        assert sorted(space.forward(node, "i=33")) == sorted(other.forward(node, "i=33"))


def test_symbolic_names_of_the_published_lists_are_found(reference, space):
    """The second source: NodeIds.csv of the base, by number and class."""
    with (reference / "opcua-nodesets/Schema/NodeIds.csv").open(encoding="utf-8") as file:
        listed = {f"i={number}": kind for _, number, kind in csv.reader(file)}
    both = [node for node in space.nodes.values() if node.id in listed]
    assert len(both) == 4956
    assert all(listed[node.id] == node.kind for node in both)


def test_object_types_are_templates(models):
    assert len(models) == 1053
    tool = paths(model(models, "MachineToolType"))
    override = tool["Monitoring/MachineTool/FeedOverride"]
    assert (override.type, override.optional) == (ValueType.DOUBLE, True)
    assert tool["Identification/SerialNumber"].type is ValueType.STRING
    assert not tool["Identification/SerialNumber"].optional  # promised by MachineIdentificationType
    assert override.address == "/".join(
        f"nsu=http://opcfoundation.org/UA/MachineTool/;{name}"
        for name in ("Monitoring", "MachineTool", "FeedOverride")
    )
    mode = tool["Monitoring/MachineTool/OperationMode"]
    assert (mode.type, mode.states[0], len(mode.states)) == (ValueType.INT32, "Manual", 6)


def test_states_of_machines_have_their_numbers(models):
    found = paths(model(models, "PackMLExecuteStateMachineType"))["CurrentState/Number"].states
    assert found[6] == "Execute"
    assert found[11] == "Held"
    item = paths(model(models, "MachineToolType"))[
        "MachineryBuildingBlocks/MachineryItemState/CurrentState/Number"
    ]
    assert item.states == {0: "NotAvailable", 1: "OutOfService", 2: "NotExecuting", 3: "Executing"}


def test_units_limits_and_dictionary_entries(models):
    signals = [signal for found in models.values() for signal in found.signals]
    assert sum(bool(signal.unit) for signal in signals) > 100
    assert {"A", "Cel", "%", "Ohm"} <= {signal.unit for signal in signals}
    assert sum(signal.semantic.startswith("0112/2///61987#") for signal in signals) > 500
    assert any(signal.limits != Limits() for signal in signals)


def test_ready_made_objects(space):
    [machine] = instances(space)
    assert (machine.name, machine.type_name) == ("ExampleMachine01", "ExampleMachineType")
    assert [name.text for name in machine.path] == ["Machines", "ExampleMachine01"]
    serial = next(
        s for s in machine.signals if [n.text for n in s.path] == ["Identification", "SerialNumber"]
    )
    assert space.nodes[serial.node].value is not None


def test_a_model_without_its_models_names_them(reference):
    folder = reference / "opcua-nodesets"
    files = ["Pumps/instanceexample.xml", "DI/Opc.Ua.Di.NodeSet2.xml"]
    space = Space([read((folder / file).read_bytes(), file) for file in files])
    said = "\n".join(str(finding) for finding in space.findings if not finding.mild)
    assert "needs http://opcfoundation.org/UA/Pumps/" in said
    assert "needs http://opcfoundation.org/UA/Machinery/" in said
    assert "27 node(s) of http://opcfoundation.org/UA/Pumps/" in said
    assert "http://opcfoundation.org/UA/DI/ " not in said


def test_our_own_table_of_the_base_agrees_with_the_base(space):
    for node in standard.nodes().values():
        real = space.nodes[node.id]
        assert (real.kind, real.name) == (node.kind, node.name)
        assert space.chain(node.id)[1:2] == Space([]).chain(node.id)[1:2]


def test_without_the_base_the_types_of_values_are_the_same(documents, models):
    without = Space([document for document in documents if document.models[0].uri != BASE])
    assert [finding for finding in without.findings if not finding.mild] == []
    compared = 0
    for found in types(without):
        full = {signal.path: signal for signal in models[found.namespace, found.name].signals}
        for signal in found.signals:
            compared += 1
            assert full[signal.path].unit == signal.unit
            if full[signal.path].data_type in without.nodes:
                assert (full[signal.path].type, full[signal.path].states) == (signal.type, signal.states)
    assert compared > 5000
