"""The few nodes of OPC UA's own namespace that companion models stand on, for when its file is not given.

Numbers and names are those of OPC 10000-3, -5, -8 and -19; the whole namespace is in Opc.Ua.NodeSet2.xml.
"""

from __future__ import annotations

from typing import Final

from weft.nodeset.node import BASE, Name, Node, Reference

__all__ = ["ids", "nodes"]

_SUBTYPE: Final = "i=45"

# "number name" under "number of the supertype"
_REFERENCES: Final = {
    31: "32 NonHierarchicalReferences, 33 HierarchicalReferences",
    32: "37 HasModellingRule, 38 HasEncoding, 39 HasDescription, 40 HasTypeDefinition, 41 GeneratesEvent, 51 FromState, "
    "52 ToState, 53 HasCause, 54 HasEffect, 117 HasSubStateMachine, 9004 HasTrueSubState, 9005 HasFalseSubState, "
    "9006 HasCondition, 17597 HasDictionaryEntry, 17603 HasInterface",
    33: "34 HasChild, 35 Organizes, 36 HasEventSource",
    34: "44 Aggregates, 45 HasSubtype",
    36: "48 HasNotifier",
    41: "3065 AlwaysGeneratesEvent",
    44: "46 HasProperty, 47 HasComponent, 56 HasHistoricalConfiguration",
    47: "49 HasOrderedComponent, 129 HasArgumentDescription, 15112 HasGuard, 17604 HasAddIn, "
    "25262 HasPhysicalComponent",
    25262: "25263 HasContainedComponent, 25264 HasAttachedComponent",
}
_DATA: Final = {
    24: "1 Boolean, 12 String, 13 DateTime, 14 Guid, 15 ByteString, 16 XmlElement, 17 NodeId, 18 ExpandedNodeId, "
    "19 StatusCode, 20 QualifiedName, 21 LocalizedText, 22 Structure, 23 DataValue, 25 DiagnosticInfo, 26 Number, "
    "29 Enumeration",
    26: "10 Float, 11 Double, 27 Integer, 28 UInteger, 50 Decimal",
    27: "2 SByte, 4 Int16, 6 Int32, 8 Int64",
    28: "3 Byte, 5 UInt16, 7 UInt32, 9 UInt64",
    5: "95 AccessRestrictionType",
    7: "94 PermissionType, 288 IntegerId, 289 Counter",
    9: "11737 BitFieldMaskDataType",
    11: "290 Duration",
    12: "291 NumericRange, 295 LocaleId, 12877 NormalizedString, 12878 DecimalString, 12879 DurationString, "
    "12880 TimeString, 12881 DateString, 23751 UriString, 24263 SemanticVersionString, 31918 TrimmedString",
    13: "294 UtcTime",
    15: "30 Image",
    22: "296 Argument, 338 BuildInfo, 862 ServerStatusDataType, 884 Range, 887 EUInformation, 7594 EnumValueType, "
    "8912 TimeZoneDataType, 12755 OptionSet, 12756 Union",
    29: "120 NamingRuleType, 256 IdType, 257 NodeClass, 852 ServerState",
}
_VARIABLES: Final = {
    62: "63 BaseDataVariableType, 68 PropertyType",
    63: "2365 DataItemType, 2755 StateVariableType, 2762 TransitionVariableType, 9002 ConditionVariableType, "
    "11487 OptionSetType",
    2365: "2372 DiscreteItemType, 12021 ArrayItemType, 15318 BaseAnalogType",
    2372: "2373 TwoStateDiscreteType, 2376 MultiStateDiscreteType, 11238 MultiStateValueDiscreteType",
    2755: "2760 FiniteStateVariableType, 8995 TwoStateVariableType",
    2762: "2767 FiniteTransitionVariableType",
    15318: "2368 AnalogItemType, 17497 AnalogUnitType",
    2368: "17570 AnalogUnitRangeType",
    11238: "19077 MultiStateDictionaryEntryDiscreteBaseType",
    19077: "19084 MultiStateDictionaryEntryDiscreteType",
}
_OBJECTS: Final = {
    58: "61 FolderType, 75 DataTypeSystemType, 76 DataTypeEncodingType, 77 ModellingRuleType, 2299 StateMachineType, "
    "2307 StateType, 2310 TransitionType, 2041 BaseEventType, 11575 FileType, 11616 NamespaceMetadataType, "
    "11645 NamespacesType, 17589 DictionaryEntryType, 17602 BaseInterfaceType",
    61: "13353 FileDirectoryType, 17591 DictionaryFolderType",
    2299: "2771 FiniteStateMachineType",
    2307: "2309 InitialStateType",
    17589: "17598 IrdiDictionaryEntryType, 17600 UriDictionaryEntryType",
}
_ROOTS: Final = (
    ("ReferenceType", 31, "References"),
    ("DataType", 24, "BaseDataType"),
    ("VariableType", 62, "BaseVariableType"),
    ("ObjectType", 58, "BaseObjectType"),
)
_FOLDERS: Final = ((84, "Root", 0), (85, "Objects", 84), (86, "Types", 84), (87, "Views", 84))
_RULES: Final = (
    "78 Mandatory, 80 Optional, 83 ExposesItsArray, 11508 OptionalPlaceholder, 11510 MandatoryPlaceholder"
)


def nodes() -> dict[str, Node]:
    """By id."""
    found = [_node(kind, number, name) for kind, number, name in _ROOTS]
    tables = (_REFERENCES, _DATA, _VARIABLES, _OBJECTS)
    for (kind, _, _), table in zip(_ROOTS, tables, strict=True):
        for above, listed in table.items():
            found += [_node(kind, number, name, (_SUBTYPE, above)) for number, name in ids(listed)]
    for number, name, above in _FOLDERS:
        found.append(_node("Object", number, name, ("i=35", above) if above else None))
    found += [_node("Object", number, name) for number, name in ids(_RULES)]
    return {node.id: node for node in found}


def ids(listed: str) -> list[tuple[int, str]]:
    """Of "number name, number name"."""
    pairs = (pair.split() for pair in listed.split(","))
    return [(int(number), name) for number, name in pairs]


def _node(kind: str, number: int, name: str, above: tuple[str, int] | None = None) -> Node:
    references = () if above is None else (Reference(above[0], f"i={above[1]}", False),)
    data_type = "i=24" if kind == "VariableType" else ""
    return Node(
        id=f"i={number}",
        kind=kind,
        name=Name(BASE, name),
        text=name,
        references=references,
        data_type=data_type,
    )
