"""One MQTT client for everything that speaks it: connectors below, destinations above. Its modules are public."""
