"""Commands by HTTP: who asked is who was let in, refusals are answers, and nothing gets in by the side."""

from __future__ import annotations

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient
from unit.edge.field import SITE, Field, signal, writable

from weft.app.commands import router
from weft.edge import doors
from weft.web import Identity
from weft.web.problems import Problems

pytestmark = pytest.mark.anyio

X = f"{SITE}/x"


class Gate:
    """What the gate in front of every route leaves behind."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        scope.setdefault("state", {})["identity"] = Identity("anna", "session")
        await self.app(scope, receive, send)


@pytest.fixture
async def field():
    made = Field(signal("x", 1, write=writable()), policy=doors(("http",)))
    return await made.open()


def client(field):
    from weft.runtime import WeftError

    app = Litestar(
        [router(field.commands, field.clock)],
        openapi_config=None,
        middleware=[Gate],
        exception_handlers={WeftError: Problems().handle},
    )
    return AsyncTestClient(app)


async def post(field, path, body, **query):
    async with client(field) as http:
        answer = await http.post(f"/api/v1/{path}", json=body, params=query)
    return answer.status_code, answer.json()


async def test_a_write(field):
    status, answer = await post(
        field, "write", {"signal": f"/{X}", "value": 7, "reason": "test", "id": "one"}
    )
    assert (status, answer) == (
        200,
        {
            "id": "one",
            "done": True,
            "status": "Good",
            "code": 0,
            "reason": "Written and read back.",
            "value": 7.0,
        },
    )
    (_, intent), _ = await field.events()
    assert (intent["actor"], intent["via"], intent["why"]) == ("anna", "http", "test")


async def test_a_refusal_is_an_answer(field):
    status, answer = await post(field, "write", {"signal": X, "value": 101})
    assert (status, answer["done"], answer["status"]) == (409, False, "BadOutOfRange")
    status, answer = await post(field, "write", {"signal": X, "value": 1}, door="cli")
    assert (status, answer["status"]) == (409, "BadUserAccessDenied")  # this house has no such door open


async def test_what_is_not_sure_is_no_success(field):
    field.line.values["x"], field.line.stuck = 3.0, True
    status, answer = await post(field, "write", {"signal": X, "value": 1})
    assert (status, answer["status"], answer["value"]) == (502, "Uncertain", 3.0)


async def test_only_looking(field):
    status, answer = await post(field, "write", {"signal": X, "value": 1}, dry_run="true")
    assert (status, answer["done"]) == (200, True)
    assert field.line.writes == []


@pytest.mark.parametrize(
    ("body", "query"),
    [
        ({"signal": X}, {}),
        ({"signal": X, "value": 1, "actor": "boss"}, {}),
        ({"signal": X, "value": 1, "via": "logic"}, {}),
        ({"signal": X, "value": 1}, {"door": "logic"}),
        ({"signal": X, "value": 1, "seconds": -1}, {}),
        ({"signal": X, "value": 1, "seconds": 1e9}, {}),
        ([1], {}),
    ],
)
async def test_what_is_no_command(field, body, query):
    status, _ = await post(field, "write", body, **query)
    assert status == 400
    assert field.line.writes == []


async def test_a_call(field):
    body = {"connection": "plc", "target": "robot", "method": "start", "arguments": [1]}
    assert (await post(field, "call", body))[1]["value"] == [42, 1]
    status, answer = await post(field, "call", {**body, "method": "stop"})
    assert (status, answer["status"]) == (409, "BadNotWritable")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("80", 80),
        ("-0.5", -0.5),
        ("true", True),
        ("auto", "auto"),
        ('"80"', "80"),
        ("[1, 2]", [1, 2]),
        ("null", "null"),
    ],
)
def test_how_the_command_line_reads_a_value(text, value):
    from weft.cli.write import plain

    assert plain(text) == value
    assert type(plain(text)) is type(value)
