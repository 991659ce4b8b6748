"""A service that has taken a call and works on it is asked how far it is, with a token that is good."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from aiohttp import web

from bot.actions import ActionResult, Call
from bot.actions.http import Http
from bot.actions.progress import Progress
from oauth import AccessToken
from oauth.errors import NotLinked
from tests.fakes.runner import person


def token(name: str) -> AccessToken:
    now = datetime.now(UTC)
    return AccessToken(name, "https://api.example.com", frozenset(), now, now + timedelta(minutes=5))


@dataclass
class Watched:
    """Notes what is reported, and gives a new token each time, as long as the link stands."""

    progress: Progress = field(default_factory=Progress)
    reported: list[float | None] = field(default_factory=list)
    linked: bool = True
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(2))

    def show(self, progress: Progress) -> None:
        self.progress = progress
        self.reported.append(progress.fraction)

    async def fresh_token(self) -> AccessToken:
        if not self.linked:
            raise NotLinked
        return token(f"token-{next(self._numbers)}")


class Service:
    """Takes a refund, and answers questions about it one after the other."""

    def __init__(self, *answers: web.Response | Callable[[], web.Response]) -> None:
        self.answers = list(answers)
        self.first = web.json_response({}, status=202, headers={"Location": "/jobs/1", "Retry-After": "2"})
        self.seen: list[tuple[str, str, str]] = []
        self.keys: list[str | None] = []
        self.url = ""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.seen.append((request.method, request.path, request.headers["Authorization"]))
        self.keys.append(request.headers.get("Idempotency-Key"))
        if request.method == "POST":
            return self.first
        answer = self.answers.pop(0)
        return answer if isinstance(answer, web.Response) else answer()


Runs = Callable[[Service], Awaitable[ActionResult]]


@pytest.fixture
def pauses() -> list[float]:
    """How long the caller waited."""
    return []


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
async def runs(pauses: list[float], watched: Watched) -> AsyncIterator[Runs]:
    """Ada refunds an order at such a service."""
    async with aiohttp.ClientSession() as session:

        async def pause(seconds: float) -> None:
            pauses.append(seconds)
            assert len(pauses) < 20, "asked without end"

        async def at(service: Service) -> ActionResult:
            runner = web.ServerRunner(web.Server(service.handle))
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0, shutdown_timeout=0.1).start()
            service.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            call = Call(person("ada"), {}, token("token-1"), "run-1", work=watched)
            try:
                return await Http(session, timeout=5.0, pause=pause).caller("POST", f"{service.url}/refund")(call)
            finally:
                await runner.cleanup()

        yield at


def going_on(percent: float | None = None, **headers: str) -> web.Response:
    """It is not done yet."""
    return web.json_response({} if percent is None else {"percentComplete": percent}, status=202, headers=headers)


async def test_it_is_asked_until_it_is_done(runs: Runs, pauses: list[float], watched: Watched) -> None:
    """As often as it likes, each time with a token that is good now; people see how far it is."""
    service = Service(going_on(25, **{"Retry-After": "7"}), going_on(75), web.json_response({"refunded": 5}))
    result = await runs(service)
    assert (result.ok, result.data) == (True, {"refunded": 5})
    assert service.seen == [
        ("POST", "/refund", "Bearer token-1"),
        ("GET", "/jobs/1", "Bearer token-2"),
        ("GET", "/jobs/1", "Bearer token-3"),
        ("GET", "/jobs/1", "Bearer token-4"),
    ]
    assert service.keys == ["run-1", None, None, None]
    assert pauses == [2.0, 7.0, 5.0]
    assert watched.reported == [None, 0.25, 0.75]


async def test_what_came_of_it_may_be_elsewhere_at_the_same_service(runs: Runs) -> None:
    """303 See Other."""
    service = Service(web.Response(status=303, headers={"Location": "/refunds/9"}), web.json_response({"id": 9}))
    result = await runs(service)
    assert result.data == {"id": 9}
    assert service.seen[-1][1] == "/refunds/9"


@pytest.mark.parametrize("headers", [{}, {"Location": "/jobs/1"}, {"Retry-After": "1"}])
async def test_a_service_that_asks_for_no_patience_is_left_alone(runs: Runs, headers: dict[str, str]) -> None:
    """202 alone says that it was taken, and that is the result."""
    service = Service()
    service.first = web.Response(status=202, headers=headers)
    result = await runs(service)
    assert result.ok
    assert len(service.seen) == 1


@pytest.mark.parametrize("place", ["http://127.0.0.2:1/x", "https://user@127.0.0.1/x", "//evil.example/x", "http://["])
async def test_t43_no_token_goes_to_another_origin(runs: Runs, place: str) -> None:
    """The first answer is the result then (guard: `same_origin`)."""
    service = Service()
    service.first = web.Response(status=202, headers={"Location": place, "Retry-After": "1"})
    assert (await runs(service)).ok
    assert len(service.seen) == 1


async def test_t43_nor_later(runs: Runs) -> None:
    """A monitor that leads elsewhere is not followed, and nobody knows what came of it."""
    service = Service(going_on(None, Location="https://evil.example/x"))
    result = await runs(service)
    assert (result.ok, result.unknown) == (False, True)


@pytest.mark.parametrize("status", [400, 401, 404, 410, 500])
async def test_a_monitor_that_fails_leaves_it_unknown(runs: Runs, status: int) -> None:
    """The work was taken: that its monitor is gone does not say that nothing was done."""
    result = await runs(Service(web.Response(status=status)))
    assert (result.ok, result.unknown, result.status) == (False, True, status)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_monitor_that_is_busy_is_asked_again(runs: Runs, status: int, pauses: list[float]) -> None:
    """As late as it says."""
    result = await runs(Service(web.Response(status=status, headers={"Retry-After": "9"}), web.json_response({})))
    assert result.ok
    assert pauses == [2.0, 9.0]


async def test_nobody_waits_for_hours_between_two_questions(runs: Runs, pauses: list[float]) -> None:
    """Half a minute at most, a second at least; a date is taken for a few seconds."""
    waits = ["86400", "0", "Wed, 21 Oct 2026 07:28:00 GMT"]
    await runs(Service(*(going_on(None, **{"Retry-After": wait}) for wait in waits), web.json_response({})))
    assert pauses == [2.0, 30.0, 1.0, 5.0]


async def test_t44_no_question_after_the_link_has_ended(runs: Runs, watched: Watched) -> None:
    """Not even how far it is is asked in the name of somebody whose link has ended."""
    watched.linked = False
    service = Service()
    with pytest.raises(NotLinked):
        await runs(service)
    assert len(service.seen) == 1


def test_a_call_can_be_copied_with_its_work(watched: Watched) -> None:
    """The door gives each call its work that way."""
    call = Call(person("ada"), {}, token("token-1"), "run-1")
    assert replace(call, work=watched).work is watched
