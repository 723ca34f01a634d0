"""Metrics of this process in Prometheus' text form."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

__all__ = ["counter", "exposition", "gauge"]

_registry = CollectorRegistry()


def counter(name: str, text: str, *labels: str) -> Counter:
    """Counts up for ever; ``name`` without the ``_total`` that the exposition adds."""
    return Counter(name, text, labels, namespace="weft", registry=_registry)


def gauge(name: str, text: str, *labels: str) -> Gauge:
    return Gauge(name, text, labels, namespace="weft", registry=_registry)


def exposition() -> bytes:
    """The text that a Prometheus server scrapes."""
    return generate_latest(_registry)
