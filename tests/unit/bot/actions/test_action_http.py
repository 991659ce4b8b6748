"""An action that is one HTTP call: what goes out, under whose token, and what is said of what comes back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot import __version__
from bot.actions import ActionResult, Call
from bot.actions.http import Http
from oauth import AccessToken
from tests.fakes.runner import person

TOKEN = "canary.token/with+signs"
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Api:
    """A server on a free port that notes what it is sent and answers what it is told to."""

    url: str = ""
    answer: Answer | None = None
    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Note it, then answer."""
        self.seen.append((request.method, request.raw_path, dict(request.headers), await request.read()))
        if self.answer is None:
            return web.json_response({"done": True})
        return await self.answer(request)

    @property
    def paths(self) -> list[str]:
        """What was asked for."""
        return [path for _, path, _, _ in self.seen]


async def _serving(api: Api) -> web.AppRunner:
    server = web.Server(api.handle)
    runner = web.ServerRunner(server)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, shutdown_timeout=0.1)
    await site.start()
    api.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    return runner  # type: ignore[return-value]


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """The protected API."""
    found = Api()
    runner = await _serving(found)
    yield found
    await runner.cleanup()


@pytest.fixture
async def elsewhere() -> AsyncIterator[Api]:
    """Another origin."""
    found = Api()
    runner = await _serving(found)
    yield found
    await runner.cleanup()


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    """The caller of actions, with little patience."""
    async with aiohttp.ClientSession() as session:
        yield Http(session, timeout=5.0)


def call(**arguments: Any) -> Call:
    now = datetime.now(UTC)
    token = AccessToken(TOKEN, "https://api.example.com", frozenset(), now, now + timedelta(minutes=5))
    return Call(person("ada"), arguments, token, "run-1")


async def answered(http: Http, api: Api, method: str, *, body: bytes = b"", **response: Any) -> ActionResult:
    """What is said of such an answer."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body, **response)

    api.answer = answer
    return await http.caller(method, f"{api.url}/x")(call())


async def test_the_headers_of_every_call(http: Http, api: Api) -> None:
    """The person's token, the run as `Idempotency-Key`, and who calls."""
    await http.caller("POST", f"{api.url}/x")(call())
    headers = api.seen[0][2]
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["Idempotency-Key"] == "run-1"
    assert headers["User-Agent"] == f"countersign/{__version__}"


async def test_an_approval_has_its_receipt_and_nothing_else_has_one(http: Http, api: Api) -> None:
    """`Approval-Receipt`, where somebody had to agree."""
    await http.caller("POST", f"{api.url}/x")(call())
    await http.caller("POST", f"{api.url}/x")(replace(call(), receipt="e30.e30.e30"))
    assert [headers.get("Approval-Receipt") for _, _, headers, _ in api.seen] == [None, "e30.e30.e30"]


@pytest.mark.parametrize("method", ["GET", "DELETE", "HEAD"])
async def test_the_rest_goes_to_the_query(http: Http, api: Api, method: str) -> None:
    """What is not in the path is a query parameter, encoded, and there is no body."""
    await http.caller(method, f"{api.url}/orders/{{id}}?fixed=1")(call(id="A 1", text="a&b=c#d", ok=True, n=5))
    verb, path, _, body = api.seen[0]
    assert (verb, path, body) == (method, "/orders/A%201?fixed=1&text=a%26b%3Dc%23d&ok=true&n=5", b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_the_rest_goes_to_the_body(http: Http, api: Api, method: str) -> None:
    """What is not in the path is one JSON object, with its types."""
    await http.caller(method, f"{api.url}/orders/{{id}}")(call(id="A-1", amount=5, note="ä", ok=False, many=[1]))
    verb, path, headers, body = api.seen[0]
    assert (verb, path) == (method, "/orders/A-1")
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body) == {"amount": 5, "note": "ä", "ok": False, "many": [1]}


@given(value=st.text(min_size=1).filter(lambda text: text not in {".", ".."} and text.isprintable()))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_t46_a_value_is_one_segment(value: str) -> None:
    """Slashes, dots, question marks and whatever else stay inside the segment that they were meant for."""
    from bot.actions.http import _address

    address = _address("https://api.example.com/orders/{id}/refund", {"id"}, {"id": value})
    assert len(address.raw_path.split("/")) == 4
    assert address.raw_path.endswith("/refund")
    assert (address.host, address.raw_query_string, address.raw_fragment) == ("api.example.com", "", "")


@pytest.mark.parametrize("value", ["../admin", "a/b", "a?b", "a#b", "a%2Fb", "%2e%2e", "a b", "ü", "a\r\nX: y", "//x"])
async def test_t46_the_wire_shows_one_segment(http: Http, api: Api, value: str) -> None:
    """Neither aiohttp nor yarl undoes the encoding on the way."""
    await http.caller("GET", f"{api.url}/orders/{{id}}/refund")(call(id=value))
    (path,) = api.paths
    assert path.count("/") == 3
    assert path.startswith("/orders/")
    assert path.endswith("/refund")
    assert set(api.seen[0][2]) >= {"Authorization"}
    assert "X" not in api.seen[0][2]


@pytest.mark.parametrize("value", ["", ".", ".."])
async def test_a_value_of_dots_is_not_sent(http: Http, api: Api, value: str) -> None:
    """A segment that would vanish, or climb, is refused before anything is sent."""
    result = await http.caller("GET", f"{api.url}/orders/{{id}}/refund")(call(id=value))
    assert (result.ok, result.unknown, api.seen) == (False, False, [])
    assert "nothing was done" in result.text


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_t43_no_redirect_to_another_origin_is_followed(
    http: Http, api: Api, elsewhere: Api, method: str, status: int
) -> None:
    """The other origin, which is another port here, hears nothing at all: the token went no further."""
    result = await answered(http, api, method, status=status, headers={"Location": f"{elsewhere.url}/take"})
    assert elsewhere.seen == []
    assert not result.ok
    assert "redirect" in result.text
    assert len(api.seen) == 1


@pytest.mark.parametrize(
    "location",
    ["//127.0.0.1:{port}/take", "http://127.0.0.1:{port}", "HTTP://127.0.0.1:{port}/", "http://[::1", "http://x:y/"],
)
async def test_t43_no_spelling_of_another_origin_is_followed(
    http: Http, api: Api, elsewhere: Api, location: str
) -> None:
    """Without its scheme, in capitals, or broken: it is still not ours."""
    port = elsewhere.url.rpartition(":")[2]
    await answered(http, api, "GET", status=302, headers={"Location": location.replace("{port}", port)})
    assert elsewhere.seen == []
    assert len(api.seen) == 1


async def test_t43_a_second_hop_elsewhere_is_not_followed(http: Http, api: Api, elsewhere: Api) -> None:
    """An open redirect behind a harmless one: the first stays, the second would leave."""

    async def answer(request: web.Request) -> web.StreamResponse:
        onward = "/open" if request.path == "/x" else f"{elsewhere.url}/take"
        return web.Response(status=302, headers={"Location": onward})

    api.answer = answer
    result = await http.caller("GET", f"{api.url}/x")(call())
    assert api.paths == ["/x", "/open"]
    assert elsewhere.seen == []
    assert not result.ok


async def test_a_reading_call_follows_its_own_origin(http: Http, api: Api) -> None:
    """A missing slash at the end of a path is no reason to fail."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/x":
            return web.Response(status=308, headers={"Location": "/x/"})
        return web.json_response({"order": "A-1"})

    api.answer = answer
    result = await http.caller("GET", f"{api.url}/x")(call())
    assert result.ok
    assert api.paths == ["/x", "/x/"]


async def test_what_changes_something_is_sent_once(http: Http, api: Api) -> None:
    """No redirect at all is followed where the call has an effect."""
    result = await answered(http, api, "POST", status=307, headers={"Location": "/again"})
    assert not result.ok
    assert api.paths == ["/x"]


async def test_a_circle_of_redirects_ends(http: Http, api: Api) -> None:
    """Three hops are enough for anything honest."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": "/b" if request.path == "/a" else "/a"})

    api.answer = answer
    result = await http.caller("GET", f"{api.url}/a")(call())
    assert not result.ok
    assert len(api.seen) == 4


ENDINGS = [
    (401, "did not accept your token"),
    (403, "may not do this"),
    (404, "does not know"),
    (409, "does not fit the present state"),
    (422, "The service refused. (HTTP 422)"),
    (429, "asked too often"),
    (500, "The service failed. (HTTP 500)"),
    (503, "The service failed. (HTTP 503)"),
]


@pytest.mark.parametrize(("status", "words"), ENDINGS)
async def test_a_refusal_is_a_sentence_and_what_the_service_says(http: Http, api: Api, status: int, words: str) -> None:
    """Each status that people meet has words, beside the service's own."""
    body = b'{"error":"too much"}'
    result = await answered(http, api, "POST", status=status, body=body, content_type="application/json")
    assert (result.ok, result.unknown, result.status) == (False, False, status)
    assert words in result.text
    assert "error: too much" in result.text


async def test_a_third_party_that_takes_the_token_no_more_is_said(http: Http, api: Api) -> None:
    """To link again would change nothing: it is the account there that is to be connected anew."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=401)

    api.answer = answer
    one = call()
    of_account = replace(one, token=replace(one.token, audience="connection:almanac"))
    result = await http.caller("GET", f"{api.url}/x")(of_account)
    assert "connect the account anew" in result.text
    assert "/agent link" not in result.text


@pytest.mark.parametrize("status", [502, 504])
async def test_a_gateway_does_not_know_what_was_done(http: Http, api: Api, status: int) -> None:
    """Its answer to a call with an effect is none: unknown. A reading call has only failed."""
    assert (await answered(http, api, "POST", status=status)).unknown
    assert not (await answered(http, api, "GET", status=status)).unknown


@pytest.mark.parametrize("status", [200, 500])
async def test_a_web_page_is_not_shown(http: Http, api: Api, status: int) -> None:
    """HTML, said to be or not, is no answer for people in Slack."""
    page = b"<!DOCTYPE html><h1>canary</h1>"
    for content_type in ("text/html", "text/plain"):
        result = await answered(http, api, "POST", status=status, body=page, content_type=content_type)
        assert result.status == status
        assert "canary" not in result.text
        assert str(status) in result.text


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("DELETE", 204), ("POST", 200)])
async def test_an_empty_answer_says_that_it_is_done(http: Http, api: Api, method: str, status: int) -> None:
    """There is always something to read."""
    result = await answered(http, api, method, status=status)
    assert (result.ok, result.text) == (True, f"Done (HTTP {status}), with nothing to show.")


async def test_an_answer_in_many_pieces_is_read_whole(http: Http, api: Api) -> None:
    """One read gives what has arrived so far; the answer is all of it."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in (b'{"order', b'":', b' "A-1"}'):
            await response.write(piece)
            for _ in range(20):  # the client reads what is there before more comes
                await asyncio.sleep(0)
        return response

    api.answer = answer
    result = await http.caller("GET", f"{api.url}/x")(call())
    assert result.text == "order: A-1"


async def test_t66_an_answer_without_end_is_cut(http: Http, api: Api) -> None:
    """After a mebibyte nobody reads on: the connection is closed, and the cut is said."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65_536)

    api.answer = answer
    result = await http.caller("GET", f"{api.url}/x")(call())
    assert result.ok
    assert result.text.endswith("… (cut)")
    assert len(result.text) < 3_000


async def test_an_answer_that_is_no_utf_8_is_shown_as_far_as_it_is(http: Http, api: Api) -> None:
    """Bytes that are no text become the sign for that."""
    result = await answered(http, api, "GET", body=b"caf\xe9 \xff", content_type="text/plain")
    assert result.text == "caf� �"


@pytest.mark.parametrize(
    "body",
    [
        TOKEN.encode(),
        json.dumps({"token": TOKEN}).encode(),
        json.dumps({"token": TOKEN}).replace("/", "\\/").encode(),
        ('{"token": "' + "".join(f"\\u{ord(letter):04x}" for letter in TOKEN) + '"}').encode(),
    ],
    ids=["bare", "in JSON", "with escaped slashes", "all escaped"],
)
@pytest.mark.parametrize("status", [200, 400])
async def test_t78_the_token_is_cut_out_of_the_answer(http: Http, api: Api, status: int, body: bytes) -> None:
    """A service that repeats it does not put it into Slack, however it spells it."""
    result = await answered(http, api, "POST", status=status, body=body, content_type="application/json")
    assert TOKEN not in result.text
    assert "[token]" in result.text


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_was_never_sent_was_not_done(http: Http, unused_tcp_port: int, method: str) -> None:
    """Nobody listens there: that is known, and not `unknown`."""
    result = await http.caller(method, f"http://127.0.0.1:{unused_tcp_port}/x")(call())
    assert (result.ok, result.unknown) == (False, False)
    assert "nothing was done" in result.text


@pytest.mark.parametrize(("method", "unknown"), [("POST", True), ("PUT", True), ("DELETE", True), ("GET", False)])
async def test_t71_a_service_that_hangs_leaves_it_unknown(api: Api, method: str, unknown: bool) -> None:
    """Sent and never answered: with an effect it is unknown, a reading call has only failed."""
    never = asyncio.Event()

    async def answer(_: web.Request) -> web.StreamResponse:
        await never.wait()
        return web.Response()

    api.answer = answer
    async with aiohttp.ClientSession() as session:
        result = await Http(session, timeout=0.3).caller(method, f"{api.url}/x")(call())
    never.set()
    assert (result.ok, result.unknown) == (False, unknown)


async def test_a_connection_that_breaks_after_sending_leaves_it_unknown(http: Http, api: Api) -> None:
    """The request arrived, the answer did not."""

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    api.answer = answer
    assert (await http.caller("POST", f"{api.url}/x")(call())).unknown
    assert len(api.seen) == 1


async def test_json_is_laid_out_and_long_json_is_cut(http: Http, api: Api) -> None:
    """People get lines, and not more of them than fit a message."""
    result = await answered(http, api, "GET", body=b'{"a":[1,2]}', content_type="application/json")
    assert result.text == "a:\n  - 1\n  - 2"
    many = json.dumps(list(range(5000))).encode()
    assert len((await answered(http, api, "GET", body=many)).text) < 3_000


async def test_t66_json_nested_without_end_is_shown_as_text(http: Http, api: Api) -> None:
    """A hundred thousand brackets bring nothing down."""
    result = await answered(http, api, "GET", body=b"[" * 100_000, content_type="application/json")
    assert result.ok
    assert result.text.startswith("[[[")
