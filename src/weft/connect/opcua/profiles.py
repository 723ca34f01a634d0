"""Which profile a server has: by the plant's word, else by what it calls itself."""

from __future__ import annotations

from typing import Final

from weft.connect.opcua.profile import AUTO, Limits, Profile, known, matching
from weft.connect.opcua.session import Session
from weft.ua.stack import ua

__all__ = ["profile_of"]

_IDS: Final = ua.ObjectIds
_NAMES: Final = (
    _IDS.Server_ServerStatus_BuildInfo_ManufacturerName,
    _IDS.Server_ServerStatus_BuildInfo_ProductName,
    _IDS.Server_ServerStatus_BuildInfo_ProductUri,
)
_LIMITS: Final = (
    _IDS.Server_ServerCapabilities_OperationLimits_MaxNodesPerBrowse,
    _IDS.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead,
    _IDS.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall,
)


async def profile_of(session: Session, wanted: str = AUTO) -> Profile:
    """The named profile, or with ``auto`` the one that fits, within the limits that the server says it has.
    Raises what asyncua raises when the line is lost."""
    nodes = [(ua.NodeId(number), ua.AttributeIds.Value) for number in (*_NAMES, *_LIMITS)]
    found = [value for _, _, value in await session.read(nodes)]
    names = [name for name in found[: len(_NAMES)] if isinstance(name, str) and name]
    limits = [value if isinstance(value, int) and value > 0 else 0 for value in found[len(_NAMES) :]]
    profile = matching(*names) if wanted == AUTO else known()[wanted]
    return profile.within(Limits(*limits))
