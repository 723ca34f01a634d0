"""Types as files of a plant, and the command that writes them."""

import tomllib

import pytest
from click.testing import CliRunner

from weft import catalog
from weft.catalog import skeleton
from weft.cli import app
from weft.nodeset import Wanted, is_asset, template, wanted

CONNECTION = '[opcua]\nendpoint = "opc.tcp://192.0.2.1:4840"\nsecurity = "none"\n'


@pytest.fixture
def plant(tmp_path):
    skeleton.write(tmp_path)
    (tmp_path / "connections" / "server.toml").write_text(CONNECTION)
    return tmp_path


def test_assets_of_every_published_type_check_clean(models, plant):
    """All types of all models in one plant: every unit, limit, state, name and address is one that it takes."""
    assets, count, signals = [], 0, 0
    for number, model in enumerate(models.values()):
        chosen = wanted(model, Wanted())
        if not chosen or not is_asset(model):
            continue
        text = template(model, chosen)
        assert len(tomllib.loads(text)["signals"]) == len(chosen)
        (plant / "types" / f"t{number}.toml").write_text(text)
        assets.append(
            f'["area/a{number}"]\ntype = "t{number}"\nconnection = "server"\nparameters = {{ node = "i=85" }}\n'
        )
        count, signals = count + 1, signals + len(chosen)
    (plant / "assets" / "all.toml").write_text("\n".join(assets))
    loaded = catalog.load(plant)
    assert [str(finding) for finding in loaded.findings] == []
    assert len(loaded.plant.signals) == signals
    assert (count, signals) > (450, 15_000)


def run(*words, code=0):
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=True)
    assert result.exit_code == code, result.output
    return result


def test_import_and_list(reference, plant):
    folder = reference / "opcua-nodesets"
    files = [
        folder / name for name in ("Machinery/Opc.Ua.Machinery.NodeSet2.xml", "DI/Opc.Ua.Di.NodeSet2.xml")
    ]
    assert "MachineIdentificationType" in run("types", "list", *files).output
    run("types", "import", *files, "--plant", plant, "--type", "machineidentification", "--mandatory")
    [file] = [path for path in (plant / "types").iterdir() if path.name.startswith("machine-")]
    assert file.name == "machine-identification.toml"
    read = tomllib.loads(file.read_text())
    assert read["signals"].keys() == {"manufacturer", "product-instance-uri", "serial-number"}
    assert read["signals"]["serial-number"]["address"] == {"node": "{node}", "path": "{DI}SerialNumber"}
    assert read["semantic"] == "nsu=http://opcfoundation.org/UA/Machinery/;i=1012"


def test_files_that_are_there_stay(kit, tmp_path):
    rule = [("HasComponent", "ns=1;i=1", False), ("HasTypeDefinition", "i=63"), ("HasModellingRule", "i=78")]
    body = kit.node("ObjectType", 1, "ThingType", [("HasSubtype", "i=58", False)])
    body += kit.node("Variable", 2, "{Odd} \u007f&quot;Name", rule, DataType="Double")
    (tmp_path / "a.xml").write_bytes(kit.text(body))
    run("types", "import", tmp_path / "a.xml", "--into", tmp_path / "types")
    file = tmp_path / "types" / "thing.toml"
    signal = tomllib.loads(file.read_text())["signals"]["odd-name"]
    assert signal["address"]["path"] == '{urn_a}{{Odd}} \u007f"Name'.replace("urn_a", "a")
    file.write_text("mine")
    assert "exist" in str(
        run("types", "import", tmp_path / "a.xml", "--into", tmp_path / "types", code=1).exception
    )
    assert file.read_text() == "mine"
    run("types", "import", tmp_path / "a.xml", "--into", tmp_path / "types", "--force")
    assert file.read_text() != "mine"
    assert "no type" in str(run("types", "import", tmp_path / "a.xml", "--type", "Nobody", code=1).exception)
