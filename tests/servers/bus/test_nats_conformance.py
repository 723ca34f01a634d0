"""The body in tests/unit/bus/conformance.py on NATS: a real server."""

import importlib.util
import pathlib

_path = pathlib.Path(__file__).parents[2] / "unit" / "bus" / "conformance.py"
_spec = importlib.util.spec_from_file_location("bus_conformance", _path)
_body = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_body)

globals().update(
    {name: value for name, value in vars(_body).items() if name.startswith(("test_", "pytestmark"))}
)
