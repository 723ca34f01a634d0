"""The plant's folder of the soak: counters over three protocols, two destinations."""

from __future__ import annotations

__all__ = ["MODBUS", "MQTT", "NAMES", "OPCUA", "SITE", "write"]

OPCUA, MODBUS, MQTT = ("c0", "c1", "c2"), ("m0",), ("q0", "q1")
NAMES = (*OPCUA, *MODBUS, *MQTT)
SITE = "soak/site"

_PLANT = '[plant]\nname = "Soak"\nenterprise = "soak"\nsite = "site"\n'


def _asset(name, connection, signals):
    lines = [f'["hall/{name}"]', f'connection = "{connection}"']
    for signal, address in signals:
        lines += [f'["hall/{name}".signals.{signal}]', 'type = "Int64"', f"address = {address}"]
    return "\n".join(lines) + "\n"


def write(folder, ports, *, more="", edge=""):
    """``ports``: by the names of the places, those of the proxies. ``more`` goes into plant.toml; ``edge`` is which
    of several Wefts runs the connections."""
    own = f'edge = "{edge}"\n' if edge else ""
    opcua = [(name, f'{{ node = "nsu=urn:soak:counters;s={name}" }}') for name in OPCUA]
    mqtt = [(name, f'{{ topic = "soak/{name}", path = "v", time = "t", time_unit = "ns" }}') for name in MQTT]
    files = {
        "plant.toml": _PLANT + more,
        "assets/mill.toml": _asset("mill", "mill", opcua),
        "assets/meter.toml": _asset("meter", "meter", [("m0", '{ register = 4, type = "uint32" }')]),
        "assets/press.toml": _asset("press", "press", mqtt),
        "connections/mill.toml": (
            f'{own}[opcua]\nendpoint = "opc.tcp://127.0.0.1:{ports["opcua"]}"\nsecurity = "none"\n'
            "publishing_interval = 0.1\nsampling_interval = 0.0\nqueue_size = 10000\noutage_budget = 300.0\n"
        ),
        "connections/meter.toml": (
            f'{own}[modbus]\nhost = "127.0.0.1"\nport = {ports["modbus"]}\ninterval = 0.1\ntimeout = 1.0\n'
            'clock = { register = 0, type = "uint64", unit = "ms" }\n'
        ),
        "connections/press.toml": f'{own}[mqtt]\nhost = "127.0.0.1"\nport = {ports["mqtt"]}\nkeepalive = 5\n',
        "destinations/uns.toml": (
            f'signals = ["**/hall/**"]\n[mqtt]\nhost = "127.0.0.1"\nport = {ports["far"]}\nkeepalive = 5\n'
        ),
        "destinations/spb.toml": (
            f'signals = ["**/hall/**"]\n[sparkplug]\nhost = "127.0.0.1"\nport = {ports["far"]}\nkeepalive = 5\n'
            'group = "soak"\nnode = "edge"\ndata_qos = 1\n'
        ),
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
