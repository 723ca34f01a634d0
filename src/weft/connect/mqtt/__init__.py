"""MQTT 3.1.1 and 5: topics of a broker as signals, plain and JSON payloads."""

from weft.connect.mqtt.address import Address, Config
from weft.connect.mqtt.connector import Mqtt

__all__ = ["Address", "Config", "Mqtt"]
