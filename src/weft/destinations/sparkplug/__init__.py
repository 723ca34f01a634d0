"""Sparkplug B: an edge node that publishes the plant's signals, and takes commands for them."""

from weft.destinations.sparkplug.config import Config
from weft.destinations.sparkplug.edge import SparkplugEdge

__all__ = ["Config", "SparkplugEdge"]
