"""What people are told of an account that was connected, and what goes on by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from handlers import cards
from handlers.message import Message
from handlers.notices import Notices
from handlers.one_workspace import OneWorkspace
from handlers.post import Post, client
from oauth import LinkEvent, Principal
from oauth.accounts.asking import LEFT
from oauth.accounts.flow import CONNECTED
from oauth.errors import SealBroken
from tests.fakes.reading import PRINCIPAL
from tests.unit.handlers.slack_api import SlackApi


@dataclass
class Waiting:
    """What waited for an account, as `Accounts`; and who goes on with it, as `Requests`."""

    question: str | Exception | None = '"what was asked"'
    said: Message | None = None
    taken: list[str] = field(default_factory=list)
    gone_on: list[object] = field(default_factory=list)

    async def take(self, principal: Principal, connection: str) -> str | None:
        """Hand it out, once."""
        self.taken.append(connection)
        if isinstance(self.question, Exception):
            raise self.question
        question, self.question = self.question, None
        return question

    async def go_on(self, principal: Principal, waiting: object) -> Message | None:
        """Do it."""
        self.gone_on.append(waiting)
        return self.said


@pytest.fixture
async def api() -> AsyncIterator[SlackApi]:
    """Slack."""
    made = SlackApi(
        conversations_open={"ok": True, "channel": {"id": "D1"}},
        chat_postMessage={"ok": True, "channel": "D1", "ts": "1.1"},
    )
    await made.server.start_server()
    yield made
    await made.server.close()


async def hears(api: SlackApi, waiting: Waiting, type_: str) -> list[str]:
    """The texts of the direct messages after such an event."""
    workspaces = OneWorkspace(client("xoxb-1", api.url), None)
    heard: Any = Notices(Post(workspaces), None, waiting, None, None, waiting, workspaces)  # type: ignore[arg-type]
    await heard.heard(
        LinkEvent(type_, "ok", PRINCIPAL.slack, PRINCIPAL.identity, "almanac", PRINCIPAL, frozenset({"events:read"}))
    )
    return [given["text"] for method, given in api.calls if method == "chat.postMessage"]


async def test_a_connected_account_is_said_and_what_waited_goes_on(api: SlackApi) -> None:
    """In this order; the answer of what went on comes after it."""
    waiting = Waiting(said=cards.note("the answer"))
    said = await hears(api, waiting, CONNECTED)
    assert said == [cards.account_connected("almanac").text, "the answer"]
    assert (waiting.taken, waiting.gone_on) == (["almanac"], ["what was asked"])


async def test_t74_what_a_dead_replica_left_goes_on_without_a_claim(api: SlackApi) -> None:
    """Nobody knows whether the account was connected, so nobody says so; trying shows it (guard: `told`)."""
    waiting = Waiting()
    assert await hears(api, waiting, LEFT) == []
    assert waiting.gone_on == ["what was asked"]


@pytest.mark.parametrize("question", [None, SealBroken()])
async def test_where_nothing_waits_nothing_goes_on(api: SlackApi, question: Exception | None) -> None:
    """Another replica was first, or what waited does not open: the account is connected all the same."""
    waiting = Waiting(question)
    assert len(await hears(api, waiting, CONNECTED)) == 1
    assert waiting.gone_on == []
