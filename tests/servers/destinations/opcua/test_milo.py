"""A second outside stack: Eclipse Milo, signed and encrypted."""

import pathlib
import shutil
import subprocess

import anyio
import pytest
from servers.destinations.opcua import papers

pytestmark = pytest.mark.anyio

MILO = pathlib.Path(__file__).parents[3] / "peers" / "milo"
BUILD = "cd tests/peers/milo && mvn -q package dependency:copy-dependencies"


@pytest.fixture(scope="session")
def needs_milo():
    if shutil.which("java") is None:
        pytest.skip("java is absent")
    if not (MILO / "target" / "milo-1.jar").is_file() or not (MILO / "target" / "dependency").is_dir():
        pytest.skip(f"Eclipse Milo is not built: {BUILD}")
    if subprocess.run(["java", "-version"], capture_output=True, check=False).returncode:
        pytest.skip("java does not run")


async def test_milo_browses_reads_monitors_and_writes(kit, tmp_path, needs_milo):
    paper = papers.leaf(common="Milo")
    (tmp_path / "pki" / "trusted").mkdir(parents=True)
    (tmp_path / "pki" / "trusted" / "milo.der").write_bytes(paper.der)
    certificate, key = paper.write(tmp_path / "files", "milo")
    plant, found = kit.plant(tmp_path / "feed"), {}
    async with kit.serving(plant, kit.config(certificates=str(tmp_path / "pki"))) as server:
        path = f"{MILO / 'target' / 'milo-1.jar'}:{MILO / 'target' / 'dependency'}/*"
        command = ["java", "-XX:TieredStopAtLevel=1", "-cp", path, "weft.Visitor", server.url]
        command += [str(certificate), str(key), kit.PASSWORD, papers.URI]
        async with await anyio.open_process(command) as process:
            heard = b""
            async for piece in process.stdout:
                *lines, heard = (heard + piece).split(b"\n")
                for line in lines:
                    what, _, said = line.decode().partition("\t")
                    found[what] = said
                    if what == "listening":
                        plant.put((0, kit.T + 10**9, 6.5, 11))
            await process.wait()
            assert process.returncode == 0, (await process.stderr.receive()).decode()[-2000:]
    assert found["signals"] == "Level Load Speed State"
    assert found["load"] == f"5.5 {kit.T // 100 + 116444736000000000}"
    assert found["type"] == "ns=0;i=11"
    assert found["created"] == "0"
    assert found["monitored"] == "5.5 6.5"
    assert (found["written"], found["refused"]) == ("0", "803b0000")
    assert [(one.value, one.actor) for one in plant.commands] == [(21, "mes (Milo)")]
