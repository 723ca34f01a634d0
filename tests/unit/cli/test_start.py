"""What a command imports before it begins: no protocol that the plant does not use, no framework that it does not need."""

import subprocess
import sys

import pytest

PROTOCOLS = (
    "asyncua", "pycomm3", "snap7", "serial", "httpx", "zeroconf", "openpyxl", "google.protobuf", "cpppo",
    "weft.sparkplug", "weft.onboard", "weft.nodeset", "weft.bench", "weft.demo",
)  # fmt: skip


@pytest.mark.parametrize(
    ("begin", "never"),
    [
        ("import weft.app.house, weft.cli.up", PROTOCOLS),
        (
            "import weft.cli.plant, weft.cli.write, weft.cli.remote",
            (*PROTOCOLS, "litestar", "uvicorn", "duckdb", "pyarrow"),
        ),
    ],
    ids=["up", "check and write"],
)
def test_what_is_slow_is_imported_by_those_who_need_it(begin, never):
    look = f"import sys\n{begin}\nprint([name for name in {never} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, timeout=60)
    assert told.stdout.strip() == "[]", told.stdout + told.stderr
