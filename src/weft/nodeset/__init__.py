"""OPC UA information models (NodeSet2 XML, OPC 10000-6 Annex F) read into plain types, without a server."""

from weft.nodeset.document import Document, Model, Need, read
from weft.nodeset.findings import Finding
from weft.nodeset.instances import InstanceModel, instances
from weft.nodeset.node import BASE, Field, Name, Node, Reference
from weft.nodeset.order import ordered
from weft.nodeset.space import Space
from weft.nodeset.template import Wanted, file_name, is_asset, template, wanted
from weft.nodeset.types import SignalModel, TypeModel, type_model, types

__all__ = [
    "BASE",
    "Document",
    "Field",
    "Finding",
    "InstanceModel",
    "Model",
    "Name",
    "Need",
    "Node",
    "Reference",
    "SignalModel",
    "Space",
    "TypeModel",
    "Wanted",
    "file_name",
    "instances",
    "is_asset",
    "ordered",
    "read",
    "template",
    "type_model",
    "types",
    "wanted",
]
