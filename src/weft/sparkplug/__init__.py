"""Sparkplug B (3.0): topics, payloads, data types and the rules of a session, for the host application below and the
edge node above. Its modules are public."""
