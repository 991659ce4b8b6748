"""Approvals by others, with holds and with second thoughts: whole ways through signed requests, at a real shop."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.sandbox.demo import free_ports, running
from tests.scenarios.town import SUPPORT, Town, eventually, words

ADA, BOB, CAROL = "U0ADA", "U0BOB", "U0CAROL"
ACTION = """
[[action]]
name = "%s"
description = "Give money of one order back to its customer"
method = "POST"
url = "http://127.0.0.1:%d/orders/{order_id}/refund"
scopes = ["orders:read", "orders:refund"]
audience = "https://shop.example.com"
%s
[action.parameters.order_id]
type = "string"
[action.parameters.amount]
type = "integer"
minimum = 1
"""
POLICIES = {
    "by_bob": 'approval = "other"\napprovers = ["U0BOB"]',
    "by_two": 'approval = "other"\napprovers = ["S0FINANCE"]\nquorum = 2',
    "in_channel": f'approval = "other"\nchannel = "{SUPPORT}"',
    "held": 'approval = "self"\nhold = "1h"',
    "sure": 'approval = "self"\nconfirm = "order_id"',
    "explained": 'approval = "self"\nreason = true',
    "looked": 'preview = "http://127.0.0.1:%d/orders/{order_id}"\npreview_fields = ["customer", "nothing.there"]',
    "by_amount": 'approvers = ["U0BOB"]\n[[action.rules]]\nwhen = "arguments.amount >= 500"\napproval = "other"',
}

NOTED = """
[[action]]
name = "noted"
description = "Put a note to an order"
method = "POST"
url = "http://127.0.0.1:%d/orders/{order_id}/notes"
scopes = ["orders:read", "orders:refund"]
audience = "https://shop.example.com"
[action.parameters.order_id]
type = "string"
[action.parameters.note]
type = "string"
"""


class Notes:
    """A service that takes notes; `server` is where."""

    def __init__(self) -> None:
        self.arrived: list[str] = []
        app = web.Application()
        app.router.add_post("/orders/{id}/notes", self._take)
        self.server = TestServer(app)

    async def _take(self, request: web.Request) -> web.Response:
        self.arrived.append((await request.json())["note"])
        return web.json_response({"noted": True})


@pytest.fixture
async def notes() -> AsyncIterator[Notes]:
    """It, running."""
    made = Notes()
    async with made.server:
        yield made


@pytest.fixture
async def town(tmp_path: Path, database_settings: dict[str, str], notes: Notes) -> AsyncIterator[Town]:
    """Everything, running, with an action for each policy; Ada, Bob and Carol are linked."""
    ports = free_ports(5)
    text = "".join(
        ACTION % (name, ports[3], policy % ports[3] if "%d" in policy else policy) for name, policy in POLICIES.items()
    )
    text += NOTED % notes.server.port
    (tmp_path / "policies.toml").write_text(text, encoding="utf-8")
    settings = {**database_settings, "ACTIONS_FILE": str(tmp_path / "policies.toml")}
    async with running(tmp_path / "data", ports, **settings) as (around, found):
        made = Town(around, found)
        made.slack.workspace.usergroups["S0FINANCE"] = [BOB, CAROL]
        for user, account in ((ADA, "ada"), (BOB, "bob"), (CAROL, "carol")):
            await made.links(user, account)
        yield made


def entries(town: Town, user: str) -> str:
    """What `/agent audit` would show, from the direct messages."""
    return "\n".join(words(one) for one in town.seen(user))


async def asks(town: Town, action: str, amount: int = 100) -> str:
    """Ada asks for it; what the answer says."""
    return await town.types(ADA, f"run {action} order_id=A-1001 amount={amount}")


async def test_t45_somebody_else_approves_and_the_requester_hears_who(town: Town) -> None:
    """The card is in Bob's messages alone, the call is under Ada's token, and she hears that it was Bob."""
    said = await asks(town, "by_bob")
    assert "needs the approval of" in said
    card = await town.sees_control(BOB, "approval.approve")
    assert "A-1001" in words(card)
    own = await town.sees_control(ADA, "approval.withdraw")
    assert "approval.approve" not in json.dumps(own)
    await town.clicks(BOB, card, "approval.approve")
    await town.sees(ADA, r"is done, approved by <@U0BOB>")
    (call,) = town.calls()
    assert call.sub == "auth0|ada"
    await town.sees(BOB, "Approved by <@U0BOB>")
    await town.sees(ADA, "Approved by <@U0BOB>")


async def test_t45_the_requester_is_never_among_the_approvers(town: Town) -> None:
    """With a payload of her own making, for her own request: refused, and nothing runs."""
    await asks(town, "by_bob")
    card = await town.sees_control(BOB, "approval.approve")
    value = next(e["value"] for b in card["blocks"] for e in b.get("elements", []) if "value" in e)
    await town.forges_click(ADA, value)
    await town.sees(ADA, "not yours to decide")
    assert town.calls() == []


async def test_two_have_to_agree_and_one_counts_once(town: Town) -> None:
    """A group of two, a quorum of two: the first vote shows on both cards, the same person's second does not count."""
    await asks(town, "by_two")
    bobs, carols = [await town.sees_control(who, "approval.approve") for who in (BOB, CAROL)]
    await town.clicks(BOB, bobs, "approval.approve")
    await town.sees(CAROL, "1 of 2: <@U0BOB>")
    await town.clicks(BOB, bobs, "approval.approve")
    await town.sees(BOB, "counted already")
    assert town.calls() == []
    await town.clicks(CAROL, carols, "approval.approve")
    await town.sees(ADA, "is done, approved by <@U0BOB> and <@U0CAROL>")
    assert len(town.calls()) == 1


async def test_t45_who_has_left_the_group_decides_nothing(town: Town) -> None:
    """Membership is looked up when they click, not when they were asked."""
    await asks(town, "by_two")
    card = await town.sees_control(BOB, "approval.approve")
    town.slack.workspace.usergroups["S0FINANCE"] = [CAROL]
    await town.clicks(BOB, card, "approval.approve")
    await town.sees(BOB, "not yours to decide")


async def test_one_denies_and_says_why(town: Town) -> None:
    """The denial stands at once; the reason follows it to the requester."""
    await asks(town, "by_bob")
    card = await town.sees_control(BOB, "approval.deny")
    await town.clicks(BOB, card, "approval.deny")
    await town.sees(ADA, "was denied by <@U0BOB>")
    view = town.slack.view_for(BOB)
    assert view is not None
    await town.slack.submit(BOB, view["id"], {"reason": "Ask <!channel> first"})
    shown = await town.sees(ADA, "Their reason: “Ask")
    assert "<!channel>" not in json.dumps(shown)
    assert town.calls() == []


async def test_in_a_channel_whoever_sees_the_card_decides_but_not_who_asked(town: Town) -> None:
    """One card there; Ada's click is refused, Bob's counts."""
    await asks(town, "in_channel")
    card = await town.sees(ADA, "Approve", SUPPORT)
    await town.clicks(ADA, card, "approval.approve")
    await town.sees(ADA, "not yours to decide", SUPPORT)
    await town.clicks(BOB, card, "approval.approve")
    await town.sees(ADA, "is done, approved by <@U0BOB>")
    await town.sees(CAROL, "Approved by <@U0BOB>", SUPPORT)


async def test_who_asked_withdraws_it(town: Town) -> None:
    """Bob's card says so, and his click comes too late."""
    await asks(town, "by_bob")
    bobs = await town.sees_control(BOB, "approval.approve")
    own = await town.sees_control(ADA, "approval.withdraw")
    await town.clicks(ADA, own, "approval.withdraw")
    await town.sees(BOB, "Withdrawn by <@U0ADA>")
    value = next(e["value"] for b in bobs["blocks"] for e in b.get("elements", []) if "value" in e)
    await town.forges_click(BOB, value)
    await town.sees(BOB, "cancelled")
    assert town.calls() == []


async def test_what_is_held_can_be_undone(town: Town) -> None:
    """Agreed to, and not begun: one click takes it back."""
    await asks(town, "held")
    await town.clicks(ADA, await town.sees_control(ADA, "approval.approve"), "approval.approve")
    card = await town.sees(ADA, "can be undone until then")
    await town.clicks(ADA, card, "approval.undo")
    await town.sees(ADA, "undone by <@U0ADA> before it began")
    assert town.calls() == []


async def test_the_value_has_to_be_typed(town: Town) -> None:
    """The wrong one is refused in the window, the right one approves."""
    await asks(town, "sure")
    await town.clicks(ADA, await town.sees_control(ADA, "approval.approve"), "approval.approve")
    view = town.slack.view_for(ADA)
    assert view is not None
    wrong = await town.slack.submit(ADA, view["id"], {"confirm": "A-1002"})
    assert "not the value" in json.dumps(wrong.errors)
    assert town.calls() == []
    await town.slack.submit(ADA, view["id"], {"confirm": "A-1001"})
    await town.sees(ADA, "is done")
    assert len(town.calls()) == 1


async def test_a_reason_is_asked_for(town: Town) -> None:
    """A form asks why, and the card says it, inert."""
    await town.types(ADA, "run explained order_id=A-1001 amount=100")
    view = await town.slack.until(lambda: town.slack.view_for(ADA), 10)
    given = {"order_id": "A-1001", "amount": "100", "approval.reason": "Broken <@U0BOB>"}
    await town.slack.submit(ADA, view["id"], given)
    card = await town.sees_control(ADA, "approval.approve")
    assert "Broken" in words(card)
    assert "mrkdwn" not in json.dumps([b for b in card["blocks"] if "Broken" in json.dumps(b)])


async def test_the_card_shows_what_the_call_would_touch(town: Town) -> None:
    """Read under Ada's own token, on record as a call, and shown field by field."""
    await asks(town, "looked")
    card = await town.sees_control(ADA, "approval.approve")
    assert "customer" in words(card)
    assert "(not there)" in words(card)
    assert [call.sub for call in town.calls()] == ["auth0|ada"]


async def test_a_rule_escalates_by_amount(town: Town) -> None:
    """Small ones are Ada's own, large ones need Bob."""
    await asks(town, "by_amount", 499)
    assert await town.sees_control(ADA, "approval.approve")
    await asks(town, "by_amount", 500)
    assert await town.sees_control(BOB, "approval.approve")


async def test_an_approver_who_is_not_linked_links_first_and_the_click_goes_on(town: Town) -> None:
    """A login link instead of a refusal, and after it the click counts."""
    await asks(town, "by_bob")
    card = await town.sees_control(BOB, "approval.approve")
    await town.types(BOB, "unlink")
    before = town.latest(BOB)
    await town.clicks(BOB, card, "approval.approve")
    login = await town.sees_control(BOB, "link.open", after=before)
    url = next(e["url"] for b in login["blocks"] for e in b.get("elements", []) if e.get("action_id") == "link.open")
    await town.signs_in(url, "bob")
    await town.sees(ADA, "is done, approved by <@U0BOB>")


async def test_t72_a_card_whose_answer_is_lost_is_not_posted_twice(town: Town) -> None:
    """Slack took it and the answer never came: the next attempt finds the card that is there."""
    town.slack.fail("chat.postMessage", "lost", times=1)
    await asks(town, "by_bob")
    await town.sees_control(ADA, "approval.withdraw")

    def cards() -> int:
        both = [*town.seen(ADA), *town.seen(BOB)]
        return sum('"approval.withdraw"' in json.dumps(m) or '"approval.approve"' in json.dumps(m) for m in both)

    await town.sees_control(BOB, "approval.approve")
    await town.clicks(BOB, await town.sees_control(BOB, "approval.approve"), "approval.approve")
    await town.sees(ADA, "is done, approved by <@U0BOB>")
    await eventually(lambda: cards() == 0)


async def test_what_waits_for_whom_is_listed(town: Town) -> None:
    """`/agent approvals` tells Bob what waits for him, and Ada what she waits for."""
    await asks(town, "by_bob")
    await town.sees_control(BOB, "approval.approve")
    assert "waits for your decision, asked by <@U0ADA>" in await town.types(BOB, "approvals")
    assert "waits for the approval of <@U0BOB>" in await town.types(ADA, "approvals")
    assert "Nothing waits" in await town.types(CAROL, "approvals")


async def test_t73_a_card_that_cannot_be_sent_is_posted_nowhere_else(town: Town) -> None:
    """Bob's direct messages are out of reach: nobody else sees the values, and Ada can still withdraw.

    Guard: a copy of the card goes to its own person's direct messages alone (`SlackCards._shown`).
    """
    del town.slack.workspace.channels[town.slack.dm(BOB)]
    await asks(town, "by_bob")
    own = await town.sees_control(ADA, "approval.withdraw")
    elsewhere = {
        channel: shown
        for channel, messages in town.slack.workspace.messages.items()
        for shown in messages
        if channel != town.slack.dm(ADA) and shown.only_for != ADA and "A-1001" in json.dumps(shown.as_json())
    }
    assert elsewhere == {}
    await town.clicks(ADA, own, "approval.withdraw")
    await town.sees(ADA, r"was withdrawn")
    assert town.calls() == []


async def test_t50_what_no_card_has_room_for_is_attached_and_runs_whole(town: Town, notes: Notes) -> None:
    """Ada sees the file, then the card that points to it; what the service gets is what the file holds."""
    note = "".join(f"{number}:<!channel>" for number in range(1_300))
    assert "needs your approval" in await town.types(ADA, f"run noted order_id=A-1001 note={note}")
    card = await town.sees_control(ADA, "approval.approve")
    above = [one for one in town.seen(ADA) if one.get("files")]
    assert [one["files"][0]["preview"] for one in above] == [note]
    assert above[0]["ts"] < card["ts"]
    assert f"<{above[0]['files'][0]['permalink']}|2-note.txt>" in words(card)
    await town.clicks(ADA, card, "approval.approve")
    await town.sees(ADA, "is done")
    assert notes.arrived == [note]
    assert len([one for one in town.seen(ADA) if one.get("files")]) == 1


async def test_where_files_are_not_allowed_nothing_is_asked(town: Town) -> None:
    """The app was installed before it attached files: the person hears so at once, and nothing waits."""
    town.slack.api.scopes = tuple(scope for scope in town.slack.api.scopes if scope != "files:write")
    said = await town.sees_after_typing(ADA, f"run noted order_id=A-1001 note={'x' * 14_000}")
    assert "I may not attach files" in said
    assert "Nothing waits" in await town.types(ADA, "approvals")
    assert town.calls() == []
