"""Expressions in a plant's folder: found by name, by path and from the asset, and what is wrong with them."""

from __future__ import annotations

import pytest

from weft import catalog
from weft.catalog import diff
from weft.model import Writable

ASSETS = """
["a/mill"]
connection = "line"
[ "a/mill".signals.x ]
address = { node = "x" }
write = { maximum = 9.0, interlock = "{y} == 0 and {../power} < 5", logic = true }
[ "a/mill".signals.y ]
address = { node = "y" }
["a"]
connection = "line"
[ "a".signals.power ]
address = { node = "p" }
"""


def loaded(plant, files):
    return catalog.check(plant(files), environ={})


def said(plant, files):
    return [str(finding) for finding in loaded(plant, files).findings]


def signals(plant, files):
    found = loaded(plant, files)
    assert [str(finding) for finding in found.findings] == []
    return found.plant.signals


def test_names_go_from_the_asset_or_from_the_site(plant):
    more = """["a/mill".signals.sum]
derive = "{x} + {./y} + {../power} + {a/power} + {weft/hall/a/power}"
"""
    found = signals(plant, {"assets/a.toml": ASSETS + more})
    derived = found["weft/hall/a/mill/sum"]
    power = "{weft/hall/a/power}"
    assert derived.derive == f"{{weft/hall/a/mill/x}} + {{weft/hall/a/mill/y}} + {power} + {power} + {power}"
    assert (derived.connection, derived.address) == ("derived", None)
    rails = found["weft/hall/a/mill/x"].write
    assert rails.interlock == "{weft/hall/a/mill/y} == 0 and {weft/hall/a/power} < 5"
    assert (rails.maximum, rails.logic, rails.readback) == (9.0, True, True)


def test_a_type_computes_with_the_parameters_of_its_assets(plant):
    files = {
        "types/tank.toml": 'parameters = { area = 2.5 }\n[signals.level]\naddress = { node = "{asset}" }\n'
        '[signals.volume]\nderive = "{level} * {area}"\n',
        "assets/t.toml": '["t1"]\ntype = "tank"\nconnection = "line"\n'
        '["t2"]\ntype = "tank"\nconnection = "line"\nparameters = { area = -1 }\n',
    }
    found = signals(plant, files)
    assert found["weft/hall/t1/volume"].derive == "{weft/hall/t1/level} * (2.5)"
    assert found["weft/hall/t2/volume"].derive == "{weft/hall/t2/level} * (-1)"


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("{z}", "There is no signal 'z'."),
        ("{pawer}", "There is no signal 'pawer'."),
        ("{a/mil/x}", "Did you mean 'a/mill/x'?"),
        ("{../powr}", "Did you mean 'power'?"),
        ("{x} +", "Not an expression"),
        ("{x}.real", "This is not allowed in an expression. Column 1."),
        ("  {x} + y", "'y' is not known here. Column 9. A signal: {y}."),
        ("{d}", "'weft/hall/a/mill/d' would be computed from itself"),
        (
            "{e}",
            "would be computed from itself: weft/hall/a/mill/d → weft/hall/a/mill/e → weft/hall/a/mill/d.",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_line(plant, expression, words):
    more = f'["a/mill".signals.d]\nderive = "{expression}"\n["a/mill".signals.e]\nderive = "{{d}}"\n'
    findings = said(plant, {"assets/a.toml": ASSETS + more})
    assert any(finding.startswith("assets/a.toml:14: ") and words in finding for finding in findings), (
        findings
    )


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ('derive = "{y}"\nconnection = "line"', "A signal that is computed has no 'connection'."),
        ('derive = "{y}"\nwrite = {}', "A signal that is computed has no 'write'."),
        ("deviation = -1.0", "A 'deviation' of -1 is impossible."),
        ("deviation = 1.0\nstep = true", "has no 'deviation'"),
        ("deviation = 1.0\ndeadband = 1.0", "warning: 'deadband' and 'deviation' together thin twice."),
        ("rate = 0.0", "A 'rate' of 0 per second is impossible."),
        ("stuck = -1.0", "A 'stuck' of -1 s is impossible."),
        ("write = { minimum = 3.0, maximum = 2.0 }", "Nothing lies between 3 and 2."),
        ("write = { step = 0.0 }", "A 'step' of 0 is impossible."),
        ("write = { interval = nan }", "An 'interval' of nan s is impossible."),
        ('write = { interlock = "{y" }', "Interlock: A single '{'. Column 1."),
        ('write = { interlock = "{z}" }', "There is no signal 'z'."),
        ("write = { critcal = true }", "'critcal' is not a key of 'write'. Did you mean 'critical'?"),
    ],
)
def test_values_that_can_never_be_right(plant, key, words):
    address = "" if "derive" in key else 'address = { node = "n" }\n'
    more = f'["a/mill".signals.n]\n{address}{key}\n'
    findings = said(plant, {"assets/a.toml": ASSETS + more})
    assert any(words in finding for finding in findings), findings


def test_a_file_that_cannot_be_read_makes_nothing_else_missing(plant):
    more = '["a/mill".signals.d]\nderive = "{other/machine/z}"\n'
    findings = said(plant, {"assets/a.toml": ASSETS + more, "assets/b.toml": "[["})
    assert [finding.split(":")[0] for finding in findings] == ["assets/b.toml"]


def test_a_list_says_it_in_columns(plant):
    rows = (
        "asset;name;connection;address.node;deviation;write.maximum;write.critical;write;derive\n"
        "m;a;line;n;0,5;7,5;x;;\nm;b;line;n;;;;x;\nm;c;line;n;;;;;\nm;d;line;n;;3;;no;\nm;e;;;;;;;{a} * 2\n"
    )
    found = signals(plant, {"signals/m.csv": rows})
    by_name = {signal.name: signal for signal in found.values()}
    assert by_name["a"].deviation == 0.5
    assert by_name["a"].write == Writable(maximum=7.5, critical=True)
    assert by_name["b"].write == Writable()
    assert (by_name["c"].write, by_name["d"].write) == (None, None)
    assert by_name["e"].derive == "{weft/hall/m/a} * 2"


def test_an_asset_changes_its_type_s_guard_rails_one_by_one(plant):
    files = {
        "types/t.toml": '[signals.x]\naddress = { node = "n" }\nwrite = { maximum = 9.0, step = 1.0 }\n',
        "assets/t.toml": '["m"]\ntype = "t"\nconnection = "line"\n["m".signals.x.write]\nmaximum = 5.0\n',
    }
    assert signals(plant, files)["weft/hall/m/x"].write == Writable(maximum=5.0, step=1.0)


RULE = (
    'when = "{a/power} > 3"\nset = { "a/mill/x" = "{a/power} / 2" }\nelse = { "a/mill/x" = 0 }\nfor = 2.0\n'
)


def test_a_rule_has_full_paths(plant):
    rule = loaded(plant, {"assets/a.toml": ASSETS, "logic/cool.toml": RULE}).plant.logic["cool"]
    assert rule.when == "{weft/hall/a/power} > 3"
    assert rule.set == {"weft/hall/a/mill/x": "{weft/hall/a/power} / 2"}
    assert rule.otherwise == {"weft/hall/a/mill/x": "0"}
    assert (rule.hold, rule.enabled, rule.name) == (2.0, True, "cool")


@pytest.mark.parametrize(
    ("rule", "finding"),
    [
        ('when = "{a/power}"', "logic/r.toml:1: The rule does nothing."),
        ('set = { "a/mill/x" = 1 }', "logic/r.toml:1: A rule needs 'when'."),
        (RULE + "whe = 1", "logic/r.toml:5: 'whe' is not a key of a rule. Did you mean 'when'?"),
        (RULE.replace("mill/x", "mill/y", 1), "logic/r.toml:2: Local logic must not write 'a/mill/y'."),
        (RULE.replace("mill/x", "mill/z", 1), "logic/r.toml:2: There is no signal 'a/mill/z' to write."),
        (RULE.replace("2.0", "-2.0"), "logic/r.toml:4: 'for' of -2 s is impossible."),
        (RULE + "watchdog = 5.0", "logic/r.toml:5: 'watchdog' has nothing to write."),
        (RULE + 'safe = { "a/mill/x" = 0 }', "logic/r.toml:5: 'safe' is never written."),
        (RULE.replace("{a/power} /", "{a/pover} /"), "logic/r.toml:2: There is no signal 'a/pover'."),
        (RULE.replace("> 3", "> 3 +"), "logic/r.toml:1: Not an expression"),
        (
            RULE.replace("a/power", "a/mill/x", 1),
            "logic/r.toml:2: warning: The rule 'r' writes what it reads",
        ),
    ],
)
def test_what_is_wrong_with_a_rule(plant, rule, finding):
    findings = said(plant, {"assets/a.toml": ASSETS, "logic/r.toml": rule})
    assert any(found.startswith(finding) for found in findings), findings


def test_a_connection_cannot_have_a_name_of_weft_s_own(plant):
    findings = said(plant, {"connections/derived.toml": '[fake]\nendpoint = "x"\n'})
    assert any("cannot be called 'derived'" in finding for finding in findings)


def test_methods_and_rules_take_effect_without_reconnecting(plant):
    folder = plant({"assets/a.toml": ASSETS, "logic/cool.toml": RULE})
    before = catalog.check(folder, environ={}).plant
    (folder / "logic" / "cool.toml").write_text(RULE.replace("> 3", "> 4"))
    (folder / "connections" / "line.toml").write_text(
        'methods = ["robot/start"]\n[fake]\nendpoint = "tcp://127.0.0.1:1"\n'
    )
    after = catalog.check(folder, environ={}).plant
    changes = diff(before, after)
    assert (changes.logic_changed, changes.connections_changed) == (("cool",), ())
    assert after.connections["line"].methods == ("robot/start",)
    assert any(line.startswith("~ logic cool when: ") for line in changes.lines())
