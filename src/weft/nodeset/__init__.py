"""OPC UA NodeSet2 files (OPC 10000-6, Annex F): companion specifications as asset types of the catalog."""
