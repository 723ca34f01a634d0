"""Destination: the plant's unified namespace on an MQTT broker."""

from weft.destinations.mqtt.destination import Mqtt

__all__ = ["Mqtt"]
