"""Errors, plug-ins, logs, metrics."""

import pytest

from weft.runtime import Invalid, NotFound, Retry, WeftError, describe, metrics, plugins
from weft.runtime.log import redact


def test_errors_say_what_and_what_to_do():
    error = Invalid("The plant has no site.", remedy="Add `site = …` to plant.toml.")
    assert str(error) == "The plant has no site. Add `site = …` to plant.toml."
    assert isinstance(error, WeftError)


def test_describe_is_one_line():
    assert describe(Retry("first\nsecond")) == "first"
    assert describe(KeyError("x")) == "KeyError: 'x'"
    assert describe(ExceptionGroup("g", [ExceptionGroup("h", [OSError("no route")])])) == "OSError: no route"


def test_connectors_are_found_by_name_without_importing_them():
    assert {"modbus", "mqtt", "opcua", "shdr"} <= set(plugins.names("weft.connectors"))


def test_an_unknown_plugin_names_the_nearest():
    with pytest.raises(NotFound, match="Did you mean 'modbus'"):
        plugins.load("weft.connectors", "modbuss")
    with pytest.raises(NotFound, match="Installed are: .*opcua"):
        plugins.load("weft.connectors", "zzz")


def test_secrets_are_not_logged():
    event = redact(None, "info", {"event": "x", "password": "p", "api_key": "k", "host": "h"})
    assert event == {"event": "x", "password": "***", "api_key": "***", "host": "h"}


def test_metrics_are_prometheus_text():
    metrics.counter("test_things", "Things", "kind").labels("good").inc(3)
    assert b'weft_test_things_total{kind="good"} 3.0' in metrics.exposition()
