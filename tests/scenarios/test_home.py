"""The Home tab, by its own buttons: link, run, decide, read, unlink; and what others press there."""

from __future__ import annotations

import json
import re
import secrets
from typing import Any

import pytest

from bot.audit.store import MongoAuditStore
from bot.database import connect
from bot.sandbox.slack import APP, TEAM
from tests.scenarios.town import ADA, BOB, CAROL, Town, controls, words


@pytest.fixture
async def town(town: Town) -> Town:
    """Ada, Bob and Carol have the tab before them."""
    for user in (ADA, BOB, CAROL):
        await town.slack.open_home(user)
    return town


def home(town: Town, user: str) -> dict[str, Any]:
    """What is published to a person's tab; nothing yet is an empty one."""
    return town.slack.home_for(user) or {"id": "", "blocks": []}


def every(town: Town, user: str) -> list[tuple[str, dict[str, Any]]]:
    """The controls of a tab, each with the id of its block."""
    return [
        (block["block_id"], each)
        for block in home(town, user)["blocks"]
        for each in [*(block.get("elements") or []), block.get("accessory")]
        if isinstance(each, dict) and "action_id" in each
    ]


async def reads(town: Town, user: str, pattern: str) -> str:
    """Wait until the tab says it (a regular expression); all that the tab says."""
    return await town.slack.until(
        lambda: text if re.search(pattern, text := words(home(town, user)["blocks"])) else None, 10
    )


async def presses(town: Town, user: str, action_id: str, value: str | None = None) -> None:
    """Press a button of the tab, the one with this value where there are several; wait until it is there."""

    def there() -> str | None:
        fits = [b for b, e in every(town, user) if e["action_id"] == action_id and value in (None, e.get("value"))]
        return fits[0] if fits else None

    block = await town.slack.until(there, 10)
    delivery = await town.slack.gestures.click_view(user, home(town, user)["id"], action_id, block_id=block)
    assert delivery.failure is None, delivery


async def forges(
    town: Town, user: str, action_id: str, value: str = "", *, trigger: str = "", team: str = TEAM
) -> None:
    """A rightly signed click in this person's own tab, with a value or a trigger of somebody's choice."""
    payload = {
        "type": "block_actions",
        "api_app_id": APP,
        "team": {"id": TEAM},
        "user": {"id": user, "username": user.lower(), "team_id": team},
        "container": {"type": "view", "view_id": "V0FORGED"},
        "view": {"id": "V0FORGED", "type": "home", "hash": "1.forged"},
        "trigger_id": trigger or secrets.token_hex(8),
        "actions": [{"type": "button", "block_id": "b", "action_id": action_id, "value": value}],
    }
    delivery = await town.slack.dispatch.interaction(payload)
    assert delivery.failure is None, delivery


async def asks(town: Town, user: str, **values: str) -> str:
    """Ask for a refund by the form of the tab; the id of the request, as the tab's button carries it."""
    before = {e.get("value") for _, e in every(town, user) if e["action_id"] == "approval.approve"}
    await presses(town, user, "home.run", "refund_order")
    form = await town.slack.until(lambda: town.slack.view_for(user))
    done = await town.slack.submit(user, form["id"], {"order_id": "A-1001", "amount": "500"} | values)
    assert done.errors == {}

    def there() -> str | None:
        now = {str(e.get("value")) for _, e in every(town, user) if e["action_id"] == "approval.approve"} - before
        return now.pop() if now else None

    return await town.slack.until(there, 10)


def refunds(town: Town) -> list[Any]:
    """The refunds that the shop was asked for."""
    return [call for call in town.calls() if call.path.endswith("/refund")]


async def test_the_tab_is_enough_for_the_whole_job(town: Town) -> None:
    """Link, run, approve, read and unlink by its buttons alone, and each shows what it did without being asked."""
    await town.slack.open_home(ADA)
    await reads(town, ADA, "You are not linked")
    await presses(town, ADA, "home.link")
    await reads(town, ADA, "I sent you a login link in our direct messages, valid until")
    card = await town.sees_control(ADA, "link.open")
    link = next(e["url"] for e in controls(card) if e["action_id"] == "link.open")
    assert link not in json.dumps(home(town, ADA))
    assert '"url"' not in json.dumps(home(town, ADA))
    await town.signs_in(link, "ada")
    assert "Nothing waits for your decision" in await reads(town, ADA, "ada@example.com")

    await presses(town, ADA, "home.run", "list_orders")
    form = await town.slack.until(lambda: town.slack.view_for(ADA))
    await town.slack.submit(ADA, form["id"], {})
    await town.slack.until(lambda: "A-1006" in json.dumps(home(town, ADA)) or None, 10)

    request = await asks(town, ADA, reason="Arrived too late")
    shown = words(home(town, ADA)["blocks"])
    assert "Arrived too late" in shown
    assert refunds(town) == []
    await presses(town, ADA, "approval.approve", request)
    await reads(town, ADA, "`refund_order` is done")
    assert [(call.sub, call.status, call.scopes) for call in refunds(town)] == [("auth0|ada", 200, ("orders:refund",))]
    await reads(town, ADA, "Nothing waits for your decision")

    await presses(town, ADA, "home.trail")
    trail = await town.slack.until(lambda: town.slack.view_for(ADA))
    assert "Approved `refund_order`" in words(trail["blocks"])

    await presses(town, ADA, "home.unlink")
    assert "You are unlinked" in await reads(town, ADA, "You are not linked")
    assert town.tenant.families("ada") == []
    assert "home.run" not in [e["action_id"] for _, e in every(town, ADA)]


async def test_what_happens_elsewhere_shows_in_the_tab(town: Town) -> None:
    """A decision on the card and an unlinking by command are seen there without a click."""
    await town.links(ADA, "ada")
    await reads(town, ADA, "ada@example.com")
    await town.types(ADA, "run refund_order order_id=A-1001 amount=500")
    await reads(town, ADA, "Approve “refund_order”")
    await town.clicks(ADA, await town.sees_control(ADA, "approval.approve"), "approval.approve")
    await reads(town, ADA, "`refund_order` is done")
    await town.types(ADA, "run refund_order order_id=A-1002 amount=500")
    await reads(town, ADA, "Approve “refund_order”")
    await town.types(ADA, "unlink")
    await reads(town, ADA, "You are not linked")
    assert len(refunds(town)) == 1


async def test_of_two_requests_each_has_its_own_buttons(town: Town) -> None:
    """One is denied and the other approved; each does what its own button says."""
    await town.links(ADA, "ada")
    first = await asks(town, ADA)
    second = await asks(town, ADA, order_id="A-1002")
    await presses(town, ADA, "approval.deny", first)
    await reads(town, ADA, "`refund_order` was denied")
    await presses(town, ADA, "approval.approve", second)
    await reads(town, ADA, "`refund_order` is done")
    assert [call.path for call in refunds(town)] == ["/orders/A-1002/refund"]


async def test_t45_another_persons_click_in_their_own_tab_is_refused(town: Town) -> None:
    """Bob's tab cannot decide Ada's request, and says so to him alone (guard: NotYours in decide)."""
    await town.links(ADA, "ada")
    await town.links(BOB, "bob")
    request = await asks(town, ADA)
    for action_id in ("approval.approve", "approval.deny"):
        await forges(town, BOB, action_id, request)
        await reads(town, BOB, "Only the person who asked can decide this one")
        await presses(town, BOB, "home.refresh")
        await town.slack.until(lambda: "Only the person" not in words(home(town, BOB)["blocks"]) or None, 10)
    assert refunds(town) == []
    assert "Only the person" not in words(home(town, ADA)["blocks"])
    await presses(town, ADA, "approval.approve", request)
    await reads(town, ADA, "`refund_order` is done")


async def test_t40_who_is_not_linked_decides_and_runs_nothing_in_the_tab(town: Town) -> None:
    """Both end in a login link in the direct messages (guard: `principal is None` in both listeners)."""
    await town.links(ADA, "ada")
    request = await asks(town, ADA)
    await forges(town, CAROL, "approval.approve", request)
    await reads(town, CAROL, "Your login link is in|I sent you a login link")
    await town.sees_control(CAROL, "link.open")
    await forges(town, BOB, "home.run", "list_orders")
    await reads(town, BOB, "Your login link is in|I sent you a login link")
    assert town.slack.view_for(BOB) is None
    assert town.calls() == []


async def test_t48_a_second_click_in_the_tab_changes_nothing(town: Town) -> None:
    """The first verdict stands, and the second click is told so in the tab."""
    await town.links(ADA, "ada")
    request = await asks(town, ADA)
    await presses(town, ADA, "approval.deny", request)
    await reads(town, ADA, "`refund_order` was denied")
    await forges(town, ADA, "approval.approve", request)
    await reads(town, ADA, "It was denied already")
    assert refunds(town) == []


async def test_a_window_that_cannot_be_opened_is_said_in_the_tab(town: Town) -> None:
    """A trigger is good for three seconds; after them the tab tells another way."""
    await town.links(ADA, "ada")
    await reads(town, ADA, "ada@example.com")
    await forges(town, ADA, "home.run", "refund_order", trigger="1.expired")
    await reads(town, ADA, "I could not open the window.*`/agent run refund_order`")
    await forges(town, ADA, "home.trail", trigger="1.expired")
    await reads(town, ADA, "I could not open the window.*`/agent audit`")
    assert town.slack.view_for(ADA) is None


async def test_an_action_that_is_gone_is_said_in_the_tab(town: Town) -> None:
    """The tab may be older than the configuration."""
    await town.links(ADA, "ada")
    await forges(town, ADA, "home.run", "refund_ordr")
    await reads(town, ADA, "There is no action “refund.*ordr”.* Did you mean `refund_order`")


async def test_a_code_is_entered_from_the_tab(town: Town) -> None:
    """Carol signs in with an address that Slack does not know: the tab names it, and takes the code."""
    await town.slack.open_home(CAROL)
    await presses(town, CAROL, "home.link")
    card = await town.sees_control(CAROL, "link.open")
    page = await town.signs_in(next(e["url"] for e in controls(card) if e["action_id"] == "link.open"), "mallory")
    code = re.search(r'id="code">([^<]+)<', page)
    assert code is not None
    await presses(town, CAROL, "home.refresh")
    await reads(town, CAROL, "`mallory@elsewhere.example` has signed in through your login link")
    await presses(town, CAROL, "link.enter_code")
    form = await town.slack.until(lambda: town.slack.view_for(CAROL))
    done = await town.slack.submit(CAROL, form["id"], {"code": code[1]})
    assert done.errors == {}
    await reads(town, CAROL, "You are linked in Sandbox.* as `mallory@elsewhere.example`")


async def test_what_slack_does_not_show_is_told_in_the_direct_messages(town: Town) -> None:
    """A click is answered also while views.publish fails, and the tab is true again afterwards."""
    await town.links(ADA, "ada")
    await reads(town, ADA, "ada@example.com")
    town.slack.fail("views.publish", times=1_000)
    await forges(town, ADA, "approval.approve", "abc123")
    await town.sees(ADA, "There is no such request")
    town.slack.api.faults.clear()
    await town.types(ADA, "unlink")
    await reads(town, ADA, "You are not linked")


async def test_t60_people_from_outside_have_no_button_and_press_none(town: Town) -> None:
    """Their tab says why; a click of theirs does nothing (guards: `_is_outsider`, and `who.external` in the gate)."""
    eve = town.slack.add_person("Eve", team="T0OTHER")
    await town.slack.open_home(eve.id)
    await reads(town, eve.id, "Only members of this workspace")
    assert every(town, eve.id) == []
    for action_id in ("home.link", "home.run", "approval.approve"):
        await forges(town, eve.id, action_id, "list_orders", team="T0OTHER")
    client, database = connect(town.settings.mongodb_uri.get_secret_value(), town.settings.mongodb_database)  # type: ignore[union-attr]
    turned_away = await MongoAuditStore(database).of_person(TEAM, eve.id, 50)
    client.close()
    assert [entry["reason"] for entry in turned_away] == ["external_user"] * 3
    await town.links(ADA, "ada")
    assert town.slack.messages(town.slack.dm(eve.id)) == []
    assert town.slack.view_for(eve.id) is None
    assert town.calls() == []
