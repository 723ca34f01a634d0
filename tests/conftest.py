"""What all tests share."""

import os
import pathlib

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["cards"]

# A busy machine is no fault of the code.
settings.register_profile("weft", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("weft")

REFERENCE = pathlib.Path(
    os.environ.get("WEFT_REFERENCE", pathlib.Path(__file__).parents[2] / "shared" / "reference")
)


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="session")
def reference() -> pathlib.Path:
    """The folder of real data beside the checkout."""
    if not REFERENCE.is_dir():
        pytest.skip("the folder of reference data (../shared/reference) is absent")
    return REFERENCE
