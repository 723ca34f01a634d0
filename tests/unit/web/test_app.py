"""The application: the gate, problems, sizes, the schema."""

import anyio
import httpx
import msgspec
import pytest
from litestar import Router, get, post
from litestar.params import FromPath, FromQuery, JSONBody
from structlog.testing import capture_logs

from weft import web
from weft.runtime import Conflict, Denied, Invalid, NeedsHuman, NotFound, Retry
from weft.web import guard

pytestmark = pytest.mark.anyio


class Wish(msgspec.Struct, forbid_unknown_fields=True):
    count: int
    name: str = ""


@get("/api/v1/fails/{kind:str}", sync_to_thread=False)
def fails(kind: FromPath[str]) -> str:
    raise {
        "invalid": Invalid("Wrong.", remedy="Write it right."),
        "denied": Denied("No."),
        "notfound": NotFound("Gone."),
        "conflict": Conflict("Taken."),
        "retry": Retry("Busy."),
        "human": NeedsHuman("Look at it."),
        "bug": ZeroDivisionError("secret detail"),
    }[kind]


@post("/api/v1/wish", sync_to_thread=False)
def wish(data: JSONBody[Wish]) -> Wish:
    return data


@get("/api/v1/count", sync_to_thread=False)
def count(most: FromQuery[int]) -> int:
    return most


@pytest.fixture
def access(tmp_path):
    access = web.Access(tmp_path)
    access.serving("http://127.0.0.1:8080")
    return access


@pytest.fixture
def app(access):
    return web.create([Router("/", route_handlers=[fails, wish, count])], access=access)


@pytest.fixture
async def stranger(app):
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
        yield client


@pytest.fixture
async def program(app, access):
    headers = {"authorization": f"Bearer {access.token}"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://127.0.0.1:8080", headers=headers
    ) as client:
        yield client


@pytest.mark.parametrize(
    ("kind", "status", "name"),
    [("invalid", 400, "invalid"), ("denied", 403, "denied"), ("notfound", 404, "not-found"),
     ("conflict", 409, "conflict"), ("retry", 503, "retry"), ("human", 503, "needs-human")],
)  # fmt: skip
async def test_errors_are_problems(program, kind, status, name):
    answer = await program.get(f"/api/v1/fails/{kind}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == f"urn:weft:problem:{name}"
    assert problem["status"] == status
    assert problem["detail"]
    assert problem["title"]
    if kind == "invalid":
        assert problem["remedy"] == "Write it right."
    assert ("retry-after" in answer.headers) == (kind == "retry")


async def test_a_fault_of_our_own_gives_nothing_away(program):
    with capture_logs() as told:
        answer = await program.get("/api/v1/fails/bug")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret detail" not in answer.text
    logged = str(told)
    assert "secret detail" in logged
    assert "test_app.py" in logged, "the log names the place"
    assert program.headers["authorization"] not in logged


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[" * 100_000, b'{"count": ' * 20_000, b'{"count": "\xff\xfe"}', b"\xff", b'{"count": 1, "x": 2}',
     b'{"count": "one"}', b'{"name": "a"}', b"null", b'{"count": 1e999}'],
)  # fmt: skip
async def test_bad_bodies_are_the_callers_fault(program, body):
    answer = await program.post("/api/v1/wish", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_wrong_parameters_are_named(program):
    answer = await program.get("/api/v1/count", params={"most": "many"})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["name"] == "most"
    assert (await program.get("/api/v1/count?most=%ff")).status_code == 400


async def test_large_bodies_are_refused(program):
    answer = await program.post("/api/v1/wish", json={"count": 1, "name": "x" * 2_000_000})
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


async def test_large_headers_and_addresses_are_refused(program):
    assert (await program.get("/healthz", headers={"x-much": "x" * 20_000})).status_code == 431
    assert (await program.get("/healthz", headers={f"x-{i}": "" for i in range(200)})).status_code == 431
    assert (await program.get("/healthz", params={"q": "x" * 9_000})).status_code == 414


async def test_a_dribbling_body_is_cut_off(app, access, monkeypatch):
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.05)
    answers = []
    parts = [{"type": "http.request", "body": b"{", "more_body": True}]

    async def receive():
        if not parts:
            await anyio.sleep_forever()
        return parts.pop()

    async def send(message):
        answers.append(message)

    headers = [(b"host", b"localhost"), (b"authorization", f"Bearer {access.token}".encode())]
    scope = {"type": "http", "method": "POST", "path": "/api/v1/wish", "raw_path": b"/api/v1/wish",
             "query_string": b"", "headers": headers, "scheme": "http", "root_path": "", "client": None,
             "server": None, "http_version": "1.1", "asgi": {"version": "3.0"}}  # fmt: skip
    with anyio.fail_after(5):
        await app(scope, receive, send)
    assert answers[0]["status"] == 408


def routes_of(app):
    for route in app._app.routes:
        for method in sorted(getattr(route, "methods", set()) - {"OPTIONS"}):
            path = "/".join(part if isinstance(part, str) else "x" for part in route.path_components)
            yield method, f"/{path}"


OPEN = {"/enter", "/healthz"}


async def test_every_route_asks_who_is_there(app, stranger):
    seen = list(routes_of(app))
    assert ("GET", "/metrics") in seen
    assert ("GET", "/schema/openapi.json") in seen
    for method, path in seen:
        answer = await stranger.request(method, path)
        if path in OPEN:
            assert answer.status_code != 401, path
        else:
            assert answer.status_code == 401, (method, path)
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["www-authenticate"].startswith("Bearer")
    for path in ("/", "/no/such/page", "/enter/", "/healthz/../metrics", "//metrics", "/static"):
        assert (await stranger.get(path)).status_code == 401, path


async def test_browsers_get_a_page_that_says_what_to_do(stranger):
    answer = await stranger.get("/", headers={"accept": "text/html"})
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("text/html")
    assert "weft link" in answer.text
    api = await stranger.get("/api/v1/count", headers={"accept": "text/html"})
    assert api.headers["content-type"] == "application/problem+json"


async def test_entering_by_link(app, access, stranger):
    link = access.new_link()
    for header in ("purpose", "sec-purpose"):
        ahead = await stranger.get(link, headers={header: "prefetch;prerender"})
        assert ahead.status_code == 409, "fetching ahead must not use the link up"
    answer = await stranger.get(link)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/" in cookie
    assert (await stranger.get("/api/v1/count?most=3")).json() == 3
    assert (await stranger.get(link)).status_code == 403
    await stranger.post("/leave", headers={"sec-fetch-site": "same-origin"})
    assert (await stranger.get("/api/v1/count?most=3")).status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 403), ({"sec-fetch-site": "cross-site"}, 403), ({"sec-fetch-site": "same-site"}, 403),
     ({"origin": "http://evil.example"}, 403), ({"origin": "null"}, 403),
     ({"sec-fetch-site": "same-origin"}, 201), ({"origin": "http://127.0.0.1:8080"}, 201)],
)  # fmt: skip
async def test_other_sites_cannot_act_for_a_browser(access, stranger, headers, status):
    await stranger.get(access.new_link())
    answer = await stranger.post("/api/v1/wish", json={"count": 1}, headers=headers)
    assert answer.status_code == status


async def test_programs_need_no_origin(program):
    assert (await program.post("/api/v1/wish", json={"count": 1})).status_code == 201


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[::1", "0.0.0.0"])
async def test_other_names_are_not_ours(program, host):
    answer = await program.get("/healthz", headers={"host": host})
    assert answer.status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1:9", "localhost", "LOCALHOST:8080", "[::1]:8080"])
async def test_loopback_names_are_ours(program, host):
    assert (await program.get("/healthz", headers={"host": host})).text == "ok\n"


async def test_every_answer_carries_the_policy(stranger, program):
    for answer in (await stranger.get("/"), await stranger.get("/healthz"), await program.get("/api/v1/fails/bug"),
                   await program.get("/nowhere")):  # fmt: skip
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'self'")
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"


async def test_unknown_paths_and_methods_are_problems(program):
    missing = await program.get("/api/v1/nothing")
    assert (missing.status_code, missing.json()["title"]) == (404, "Not Found")
    wrong = await program.delete("/api/v1/count")
    assert wrong.status_code == 405
    assert wrong.headers["content-type"] == "application/problem+json"


async def test_schema_without_anything_from_outside(program):
    schema = (await program.get("/schema/openapi.json")).json()
    assert schema["openapi"].startswith("3.1")
    assert "/api/v1/wish" in schema["paths"]
    assert (await program.get("/schema/openapi.yaml")).status_code == 200
    for viewer in ("/schema", "/schema/redoc", "/schema/swagger", "/schema/elements", "/schema/rapidoc"):
        answer = await program.get(viewer, headers={"accept": "text/html"})
        assert "//cdn" not in answer.text
        assert "unpkg" not in answer.text


async def test_metrics_are_prometheus_text(program):
    answer = await program.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")


async def test_no_web_sockets(app):
    sent = []

    async def send(message):
        sent.append(message)

    await app({"type": "websocket", "path": "/", "headers": []}, None, send)
    assert [message["type"] for message in sent] == ["websocket.close"]
