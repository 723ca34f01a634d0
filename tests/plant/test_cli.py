"""The whole program as its user types it, on a plant that runs."""

import json
import os
import pathlib
import pty
import re
import secrets
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from plant.typed import COMMAND, Up, alive, complaint, descendants, field, weft

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "reference" / "cli.md"
NOT_LINUX = not sys.platform.startswith("linux")


class Plant:
    """A running plant. ``canary`` is the broker's password, which nobody may ever read."""

    def __init__(self, folder, up, canary, ports):
        self.folder, self.up, self.canary, self.ports = folder, up, canary, ports
        self.heard = []

    def weft(self, name, *args, **more):
        answer = weft(name, *args, "--plant", self.folder, **more)
        self.heard += [answer.stdout, answer.stderr]
        return answer

    def json(self, name, *args):
        answer = self.weft(name, "--json", *args)
        assert answer.returncode == 0, answer
        return json.loads(answer.stdout)


@pytest.fixture(scope="module")
def plant(tmp_path_factory):
    place = tmp_path_factory.mktemp("cli")
    with field(place / "field", processes=["mill", "broker", "packing"]) as running:
        from weft import demo

        folder = place / "plant"
        demo.plant.write(folder, running.ports)
        canary = pathlib.Path(running.ports.password.removeprefix("file:")).read_text().strip()
        connection = folder / "connections" / "packing.toml"
        connection.write_text(
            connection.read_text().replace(running.ports.password, "env:BROKER_PASSWORD"), encoding="utf-8"
        )
        env = {"BROKER_PASSWORD": canary}
        with Up(folder, place / "weft.log", env=env, before=["-v"]) as up:
            up.until("is running")
            for line in ("mill", "packing"):
                up.until(rf'"connection": "{line}", "state": "up"')
            yield Plant(folder, up, canary, running.ports)


def shape(command):
    """The keys that the reference page shows for a command's --json."""
    section = PAGE.read_text(encoding="utf-8").partition(f"### weft {command}\n")[2]
    example = json.loads(re.search(r"```json\n(.*)\n```", section)[1])
    return set(example[0] if isinstance(example, list) else example)


# --- nothing runs ---------------------------------------------------------------------------------------------


def test_version_is_the_package_s():
    from importlib.metadata import version

    answer = weft("--version")
    assert (answer.returncode, answer.stdout) == (0, f"weft {version('weft')}\n")


def test_events_tell_what_has_happened(plant):
    told = plant.weft("events", "connection.state")
    assert told.returncode == 0, told
    assert any("weft.connection.state" in line and "state=up" in line for line in told.stdout.splitlines())
    assert plant.weft("events", "no.such.kind").stdout == ""
    documents = [
        json.loads(line) for line in plant.weft("events", "--json", "--source", "*").stdout.splitlines()
    ]
    assert {"kind", "source", "time", "recorded", "data", "id"} == set(documents[0])
    assert [document["recorded"] for document in documents] == sorted(d["recorded"] for d in documents)
    wrong = plant.weft("events", "--since", "yesterday")
    assert (wrong.returncode, "no time" in wrong.stderr) == (1, True)


@pytest.mark.parametrize("args", [("nonsense",), ("query",), ("up", "--port", "70000")])
def test_wrong_usage_is_told_with_exit_code_2(args):
    answer = weft(*args)
    assert answer.returncode == 2
    assert "Usage: weft" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    "args", [("up",), ("tail",), ("link",), ("doctor",), ("query", "select 1"), ("browse", "mill")]
)
def test_where_no_plant_is_commands_say_so_and_leave_nothing(tmp_path, args):
    folder = tmp_path / "typo" if args[0] in {"up", "tail", "query"} else tmp_path
    said = complaint(weft(*args, "--plant", folder))
    assert f"{folder} is not a plant's folder" in said
    assert "weft init" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("args", [("check",), ("apply",)])
def test_check_where_no_plant_is(tmp_path, args):
    answer = weft(*args, "--plant", tmp_path)
    assert answer.returncode == 1
    assert "weft init" in answer.stdout
    assert list(tmp_path.iterdir()) == []


def test_from_nothing_to_a_checked_plant(tmp_path):
    folder = tmp_path / "my plant"
    assert weft("init", folder).returncode == 0
    assert "nothing was written" in complaint(weft("init", folder))
    assert json.loads(weft("check", "--json", "--plant", folder).stdout) == {"ok": True, "findings": []}
    answer = weft("query", "--json", "select count(*) as n from sample", "--plant", folder)
    assert json.loads(answer.stdout) == [{"n": 0}]
    assert "no signals yet" in complaint(weft("tail", "--plant", folder))
    assert "does not run" in complaint(weft("apply", "--plant", folder))


def test_a_broken_plant_is_told_with_file_and_line(tmp_path):
    folder = tmp_path / "plant"
    weft("init", folder)
    header = folder / "plant.toml"
    header.write_text(header.read_text().replace("timezone", "timezon"), encoding="utf-8")
    line = 1 + header.read_text().splitlines().index(
        next(text for text in header.read_text().splitlines() if text.startswith("timezon "))
    )
    answer = weft("check", "--json", "--plant", folder)
    assert answer.returncode == 1
    found = json.loads(answer.stdout)
    assert not found["ok"]
    assert set(found["findings"][0]) == {"file", "line", "message", "remedy", "severity"}
    assert (found["findings"][0]["file"], found["findings"][0]["line"]) == ("plant.toml", line)
    assert f"plant.toml:{line}:" in weft("check", "--plant", folder).stdout
    assert f"plant.toml:{line}:" in complaint(weft("up", "--plant", folder))


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("opc.tcp://127.0.0.1:1", "Nobody listens at opc.tcp://127.0.0.1:1"),
        ("mqtt://127.0.0.1:1", "No broker answers at 127.0.0.1:1"),
        ("modbus://127.0.0.1:1", "cannot say which registers it has"),
        ("opc.tcp://127.0.0.1:99999", "is no address"),
        ("foo://127.0.0.1", "no connector 'foo'"),
    ],
)
def test_browsing_what_is_not_there(target, said):
    assert said in complaint(weft("browse", target))


@pytest.mark.parametrize(
    ("variables", "options", "said"),
    [
        ({"WEFT_STATE": "/dev/null/state"}, [], "cannot be made"),
        ({}, ["--host", "192.0.2.1"], "cannot listen on 192.0.2.1"),
    ],
)
def test_a_start_that_cannot_succeed_ends(tmp_path, variables, options, said):
    folder = tmp_path / "plant"
    weft("init", folder)
    answer = weft("up", "--plant", folder, *options, env=variables)
    assert answer.returncode == 1
    assert "Traceback" not in answer.stderr
    assert said in next(line for line in answer.stderr.splitlines() if line.startswith("weft: "))


def test_a_taken_port_gives_way_to_the_next(tmp_path):
    weft("init", tmp_path / "plant")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Up(tmp_path / "plant", tmp_path / "log", env={"WEFT_WEB__PORT": str(port)}) as up:
            address = up.until(r"http://127\.0\.0\.1:(\d+)/")
            assert int(address[1]) != port


@pytest.mark.skipif(NOT_LINUX, reason="looks into /proc")
@pytest.mark.parametrize(
    ("how", "stage"),
    [(signal.SIGTERM, "nats-server is up"), (signal.SIGTERM, "is running"), (signal.SIGINT, "is running")],
)
def test_stopping_leaves_nothing_behind(tmp_path, how, stage):
    weft("init", tmp_path / "plant")
    with Up(tmp_path / "plant", tmp_path / "log") as up:
        up.until(stage)
        children = descendants(up.process.pid)
        assert children
        code, took = up.stop(how)
    assert code == 0, up.said
    assert took < 6
    assert "Traceback" not in up.said
    assert alive(children) == []


# --- a plant runs ---------------------------------------------------------------------------------------------


def test_a_second_up_on_the_same_folder_is_refused_in_plain_words(plant):
    said = complaint(plant.weft("up", "--port", "0"))
    assert "runs on this plant already" in said
    assert "weft link" in said


def test_a_link_lets_one_browser_in_once(plant):
    link = plant.weft("link").stdout.strip()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/enter\?key=\S+", link)
    from http.cookiejar import CookieJar

    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    with opener.open(link, timeout=10) as page:
        assert page.status == 200
        assert plant.canary not in page.read().decode()
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(link, timeout=10)
    assert refused.value.code in {401, 403}


def test_tail_prints_values_and_documents(plant):
    text = plant.weft("tail", "**/mill/*", "--for", "2").stdout.splitlines()
    assert text
    assert all(
        re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{5}\dZ  weft/model-factory/\S+/mill/", line)
        for line in text
    )
    documents = [json.loads(line) for line in plant.weft("tail", "--json", "--for", "2").stdout.splitlines()]
    assert documents
    assert all(set(found) == shape("tail") for found in documents)
    said = complaint(plant.weft("tail", "**/mil/spindle-load"))
    assert "There is no signal '**/mil/spindle-load'" in said


@pytest.mark.parametrize(
    "command", [("tail",), ("query", "select * from signal a, signal b, signal c limit 50000")]
)
def test_a_reader_that_goes_away_is_no_failure(plant, command):
    process = subprocess.Popen(
        [*COMMAND, *command, "--plant", str(plant.folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout.readline()
    process.stdout.close()
    assert process.wait(20) == 0
    with process.stderr as said:
        assert said.read() == b""


def test_query_counts_and_refuses(plant):
    rows = plant.json("query", "select * from sample order by time limit 3")
    assert len(rows) == 3
    assert all(set(row) == shape("query") for row in rows)
    assert "count" in plant.weft("query", "select count(*) as count from sample").stdout
    said = complaint(plant.weft("query", "selec nonsense"))
    assert "Parser Error" in said


def test_browse_by_address_and_by_name(plant):
    found = plant.json("browse", "mill")
    assert len(found) >= 25
    assert all(set(item) == shape("browse") for item in found)
    table = plant.weft("browse", "mill", "--most", "5")
    assert len(table.stdout.splitlines()) == 6
    assert "5 found. More may be there" in table.stderr
    by_address = plant.json("browse", f"opc.tcp://127.0.0.1:{plant.ports.mill}", "--set", "security=none")
    assert [item["address"] for item in by_address] == [item["address"] for item in found]
    said = complaint(plant.weft("browse", "mil"))
    assert "no connection 'mil'" in said


@pytest.mark.skipif(NOT_LINUX, reason="reads a terminal as Linux has it")
def test_browse_shows_its_progress_on_a_terminal_only(plant):
    assert "so far" not in plant.weft("browse", "mill").stderr
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "browse", "mill", "--plant", str(plant.folder)], stdout=subprocess.DEVNULL, stderr=theirs
    )
    os.close(theirs)
    said = b""
    deadline = time.monotonic() + 20
    while b"found. " not in said and b"found.\r" not in said and time.monotonic() < deadline:
        if select.select([ours], [], [], 0.1)[0]:
            try:
                said += os.read(ours, 4096)
            except OSError:
                break
    os.close(ours)
    assert process.wait(10) == 0
    assert b"20 found so far" in said


def test_doctor_finds_what_is_down(plant):
    answer = plant.weft("doctor", "--json")
    assert plant.canary not in answer.stdout
    assert answer.returncode == 1
    found = json.loads(answer.stdout)
    assert all(set(finding) == shape("doctor") for finding in found)
    wrong = {finding["what"].split(":")[0]: finding["remedy"] for finding in found if not finding["ok"]}
    assert set(wrong) == {"connection meters is down", "connection washer is down"}
    assert all(wrong.values())
    assert {"ok": True, "what": "connection mill is up", "remedy": ""} in found


def test_apply_says_what_would_change_and_that_nothing_does(plant):
    answer = plant.json("apply", "--dry-run")
    assert answer == {"changes": [], "applied": False}
    assert set(answer) == shape("apply")
    assert plant.weft("apply").stdout == "What runs is what the folder says.\n"


def test_the_password_is_nowhere(plant):
    """After all the other commands: in nothing that was said, logged, answered or written."""
    plant.weft("browse", "packing", "--most", "1", env={"BROKER_PASSWORD": plant.canary})
    assert plant.heard
    assert not [text for text in plant.heard if plant.canary in text]
    assert plant.canary not in plant.up.said
    wrong = secrets.token_urlsafe(16)
    said = complaint(plant.weft("browse", "packing", env={"BROKER_PASSWORD": wrong}))
    assert wrong not in said
    missing = complaint(plant.weft("browse", "packing"))
    assert "BROKER_PASSWORD" in missing
    key = plant.canary.encode()
    written = [path for path in (plant.folder / ".weft").rglob("*") if path.is_file()]
    assert written
    assert not [path for path in written if key in path.read_bytes()]


def test_query_gives_the_same_answer_when_nothing_runs(plant):
    """Last of this plant: it is stopped here."""
    question = "select signal, time, number, text, data, 'nan'::double as x from sample order by time, signal limit 40"
    running = plant.json("query", question)
    assert plant.up.stop()[0] == 0
    assert plant.json("query", question) == running
    assert plant.json("query", "select count(*) as n from sample")[0]["n"] > 100
    assert "does not run" in complaint(plant.weft("tail"))
    assert "Parser Error" in complaint(plant.weft("query", "selec nonsense"))
