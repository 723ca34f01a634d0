"""Objects and attributes on cpppo's simulator, a server of others."""

import anyio
import pytest

from weft.connect import Recorder, Write
from weft.connect.ethernetip import Address, EtherNetIp
from weft.connect.ethernetip import Config as CipConfig
from weft.model import ARRAY, ValueType

pytestmark = pytest.mark.anyio


@pytest.mark.card("ethernetip", "outside_peer")
async def test_attributes_of_objects_are_read_and_set(cpppo, points):
    assembly = Address(class_id=4, instance=100, attribute=3, type="INT", count=8)
    scale = Address(class_id=0x93, instance=1, attribute=1, type="REAL")
    wanted = points(assembly, scale)
    config = CipConfig(host="127.0.0.1", port=cpppo.port, controller="generic", interval=0.1, timeout=5.0)
    link, connector = Recorder(wanted), EtherNetIp(config)
    async with anyio.create_task_group() as group:
        group.start_soon(connector.run, link)
        await link.until(lambda: link.batches, 30)
        with anyio.fail_after(30):
            assert await connector.write(
                [Write(wanted[0], [1, -2, 3, -4, 5, 6, 7, 8]), Write(wanted[1], 2.5)]
            ) == [0, 0]
            batch = await connector.read(wanted[:2])
        group.cancel_scope.cancel()
    assert {(row.signal, row.type) for row in link.batches[0]} >= {
        (0, ValueType.INT16 | ARRAY),
        (1, ValueType.FLOAT),
    }
    assert {row.signal: row.value for row in batch} == {0: [1, -2, 3, -4, 5, 6, 7, 8], 1: 2.5}
