"""Links, sessions and the local token."""

import stat
import subprocess
import sys

import pytest
from clocks import HandClock

from weft.runtime import Denied, NotFound
from weft.web import Access

pytestmark = pytest.mark.anyio

HOUR = 3600.0


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def access(tmp_path, clock):
    access = Access(tmp_path, clock=clock)
    access.serving("http://127.0.0.1:8080")
    return access


def key_of(link):
    return link.partition("?key=")[2]


def cookie(access, secret):
    return {"cookie": f"other=1; {access.cookie}={secret}"}


def test_link_lets_in_once(access):
    link = access.new_link()
    assert link.startswith("http://127.0.0.1:8080/enter?key=")
    secret = access.enter(key_of(link))
    assert access.identify(cookie(access, secret)).via == "session"
    with pytest.raises(Denied, match="used before"):
        access.enter(key_of(link))


def test_key_has_128_bits_and_is_not_in_the_folder(access, tmp_path):
    key = key_of(access.new_link())
    assert len(key) == 22
    secret = access.enter(key_of(access.new_link()))
    for place in tmp_path.rglob("*"):
        if place.is_file():
            assert key not in place.read_text() + place.name
            assert secret not in place.read_text() + place.name


async def test_link_dies_after_half_an_hour(access, clock):
    link = access.new_link()
    await clock.advance(29 * 60)
    access.enter(key_of(link))
    late = access.new_link()
    await clock.advance(31 * 60)
    with pytest.raises(Denied):
        access.enter(key_of(late))


@pytest.mark.parametrize("key", ["", "x", "../token", "a" * 200, "ü" * 22, "0" * 64])
def test_what_is_no_key_is_refused(access, key):
    with pytest.raises(Denied):
        access.enter(key)


def test_another_process_makes_links_and_a_restart_keeps_sessions(access, tmp_path, clock):
    link = Access(tmp_path, clock=clock).new_link()
    secret = access.enter(key_of(link))
    assert Access(tmp_path, clock=clock).identify(cookie(access, secret)) is not None


async def test_session_ends_idle_and_absolutely(access, clock):
    idle = access.enter(key_of(access.new_link()))
    used = access.enter(key_of(access.new_link()))
    for _ in range(8):
        await clock.advance(20 * HOUR)
        assert access.identify(cookie(access, used)) is not None
    assert access.identify(cookie(access, idle)) is None
    await clock.advance(10 * HOUR)
    assert access.identify(cookie(access, used)) is None, "seven days are the end, used or not"


def test_leaving_ends_the_session(access):
    secret = access.enter(key_of(access.new_link()))
    access.leave(cookie(access, secret))
    assert access.identify(cookie(access, secret)) is None


@pytest.mark.parametrize(
    "headers",
    [{}, {"cookie": ""}, {"cookie": "§;=;;"}, {"authorization": "Bearer "}, {"authorization": "Basic x"},
     {"authorization": "Bearer weft_wrong"}],
)  # fmt: skip
def test_nobody_is_nobody(access, headers):
    assert access.identify(headers) is None


def test_forged_cookies_do_not_leave_the_folder(access):
    for value in ("../token", "..%2ftoken", "a/b", "x" * 5000):
        assert access.identify(cookie(access, value)) is None


def test_token_is_for_its_owner_only(access, tmp_path):
    assert access.identify({"authorization": f"Bearer {access.token}"}).via == "token"
    assert access.token == Access(tmp_path).token, "a restart keeps it"
    for place in (tmp_path / "access").rglob("*"):
        assert stat.S_IMODE(place.stat().st_mode) == (0o700 if place.is_dir() else 0o600)


def test_without_a_token_file_no_token_is_right(access, tmp_path):
    token = access.token
    (tmp_path / "access" / "token").unlink()
    assert access.identify({"authorization": f"Bearer {token}"}) is None
    assert access.identify({"authorization": "Bearer"}) is None


@pytest.mark.parametrize("left", ["", "\n", "weft_"])
def test_a_token_file_that_a_power_cut_emptied_lets_nobody_in(access, tmp_path, left):
    (tmp_path / "access" / "token").write_text(left)
    assert access.identify({"authorization": "Bearer "}) is None
    assert access.identify({"authorization": f"Bearer {left.strip()}"}) is None
    with pytest.raises(NotFound):
        _ = access.token
    assert len(Access(tmp_path).token) > 40, "the next start makes a new one"


def test_no_link_without_a_running_weft(access):
    access.stopped()
    with pytest.raises(NotFound, match="weft up"):
        access.new_link()


def test_the_address_of_a_killed_weft_is_nobodys(tmp_path):
    code = (
        "import os, signal, sys, pathlib; from weft.web import Access; "
        "Access(pathlib.Path(sys.argv[1])).serving('http://127.0.0.1:8080'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert (tmp_path / "access" / "address").exists()
    with pytest.raises(NotFound, match="weft up"):
        _ = Access(tmp_path).address


def test_two_instances_use_two_cookies(tmp_path):
    assert Access(tmp_path / "a").cookie != Access(tmp_path / "b").cookie


async def test_old_keys_are_swept(access, clock, tmp_path):
    for _ in range(5):
        access.new_link()
        access.enter(key_of(access.new_link()))
    await clock.advance(200 * HOUR)
    access.enter(key_of(access.new_link()))
    assert len(list((tmp_path / "access" / "links").iterdir())) == 0
    assert len(list((tmp_path / "access" / "sessions").iterdir())) == 1
