"""The main job: link, act, approve, account for it; through signed requests and real servers."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from bson import encode

from bot.audit.chain import first_bad
from bot.audit.store import MongoAuditStore
from bot.database import connect
from bot.parts import vault
from bot.sandbox.demo import free_ports, running
from bot.sandbox.tenant import Browser, PageRefused
from oauth.records import link_secrets
from tests.scenarios.town import ADA, BOB, CAROL, SUPPORT, Town, controls, eventually, words


def value_of(card: dict[str, Any]) -> str:
    """The id that the approve button of a card carries."""
    return str(next(e["value"] for e in controls(card) if e.get("action_id") == "approval.approve"))


def url_of(card: dict[str, Any]) -> str:
    """The address behind the login button."""
    return str(next(e["url"] for e in controls(card) if e.get("action_id") == "link.open"))


async def entries(town: Town) -> list[dict[str, object]]:
    """The whole trail."""
    client, database = connect(town.settings.mongodb_uri.get_secret_value(), town.settings.mongodb_database)  # type: ignore[union-attr]
    found = [entry async for entry in MongoAuditStore(database).entries()]
    client.close()
    return found


async def test_the_tour(town: Town) -> None:
    """Link, run, approve, read the trail: each under one's own name, each call with its own scope alone."""
    await town.links(ADA, "ada")
    await town.types(ADA, "run list_orders")
    await town.sees(ADA, "A-1001", SUPPORT)
    await town.types(ADA, "run refund_order order_id=A-1001 amount=500 reason=“too late”")
    card = await town.sees_control(ADA, "approval.approve")
    assert re.search("A-1001", words(card))
    assert re.search("too late", words(card))
    assert not any(c.path.endswith("/refund") for c in town.calls())
    await town.clicks(ADA, card, "approval.approve")
    await town.sees(ADA, "(?i)done", after=card["ts"])
    refunds = [c for c in town.calls("auth0|ada") if c.path.endswith("/refund")]
    assert [(c.status, c.scopes) for c in refunds] == [(200, ("orders:refund",))]
    assert "approval.approve" not in str(town.seen(ADA)[-2])
    audit = await town.types(ADA, "audit")
    assert "refund_order" in audit
    found = await entries(town)
    assert first_bad(found) is None
    kinds = [e["type"] for e in found if e.get("action") == "refund_order"]
    assert kinds == ["approval.requested", "approval.approved", "action.started", "action.finished"]
    started = next(e for e in found if e["type"] == "action.started" and e["action"] == "refund_order")
    assert started["token_jti"] == refunds[0].jti


async def test_t40_who_is_not_linked_acts_only_after_linking(town: Town) -> None:
    """No call without a link; what was asked goes on by itself afterwards (guard: `principal is None` in Requests)."""
    assert "login link" in (await town.sees_after_typing(BOB, "run list_orders"))
    assert town.calls() == []
    card = await town.sees_control(BOB, "link.open")
    link = url_of(card)
    await town.signs_in(link, "bob")
    await town.sees(BOB, "A-1001")
    assert [(c.sub, c.status) for c in town.calls()] == [("auth0|bob", 200)]


async def test_one_login_message_for_a_live_link(town: Town) -> None:
    """Asking twice sends one link and points to it; `/agent link` makes a new one, and the old one is void."""
    await town.sees_after_typing(BOB, "run list_orders")
    card = await town.sees_control(BOB, "link.open")
    await town.sees_after_typing(BOB, "run list_orders")
    assert town.latest(BOB) == card["ts"]
    first = url_of(card)
    await town.link_of(BOB)
    async with Browser() as browser:
        with pytest.raises(PageRefused) as refused:
            await browser.open(first)
    assert refused.value.status == 410


async def test_t42_two_people_act_under_their_own_tokens(town: Town) -> None:
    """In one channel each acts as themselves (guard: the principal of the speaker)."""
    await town.links(ADA, "ada")
    await town.links(BOB, "bob")
    for user in (ADA, BOB, ADA):
        await town.sees_after_typing(user, "run show_order order_id=A-1001")
    assert [c.sub for c in town.calls()] == ["auth0|ada", "auth0|bob", "auth0|ada"]


async def test_t12_a_forwarded_link_gives_the_sender_nothing(town: Town) -> None:
    """Bob signs in through Ada's link: his address is not hers, so a code is asked that Ada never sees.

    Guard: `email_problem` in `Proving._settle`. Until somebody types the code as Ada, nothing is linked; and Bob typing
    it changes nothing.
    """
    page = await town.signs_in(await town.link_of(ADA), "bob")
    code = re.search(r'id="code">([^<]+)<', page)
    assert code is not None
    assert "not linked" in await town.types(ADA, "status")
    assert "signed in" in await town.types(BOB, f"code {code[1]}")
    assert "not linked" in await town.types(BOB, "status")


async def test_a_code_carried_back_by_hand_links(town: Town) -> None:
    """Where the addresses differ, the code from the page, typed in Slack, is the proof; a wrong one costs a guess."""
    page = await town.signs_in(await town.link_of(CAROL), "mallory")
    code = re.search(r'id="code">([^<]+)<', page)
    assert code is not None
    assert "2 tries" in await town.types(CAROL, "code 0000-0000")
    assert "linked" in await town.types(CAROL, f"code {code[1].lower()}")
    await town.sees(CAROL, "mallory@elsewhere.example")


async def test_a_form_asks_for_what_is_missing(town: Town) -> None:
    """`run` with values missing opens a form; wrong values get a sentence each, before anything is called."""
    await town.links(ADA, "ada")
    await town.types(ADA, "run refund_order order_id=A-1001")
    view = await town.slack.until(lambda: town.slack.view_for(ADA))
    blocks = {b["block_id"]: b for b in view["blocks"] if b["type"] == "input"}
    assert set(blocks) == {"order_id", "amount", "reason"}
    assert blocks["order_id"]["element"]["initial_value"] == "A-1001"
    wrong = await town.slack.submit(ADA, view["id"], {"order_id": "???", "amount": "500"})
    assert set(wrong.errors) == {"order_id"}
    assert town.calls() == []
    await town.slack.submit(ADA, view["id"], {"order_id": "A-1002", "amount": "500"})
    assert "A-1002" in words(await town.sees_control(ADA, "approval.approve"))


async def test_wrong_values_and_names_are_said_before_anything_is_called(town: Town) -> None:
    """Each mistake gets its sentence and the next step."""
    await town.links(ADA, "ada")
    assert "whole number" in await town.sees_after_typing(ADA, "run refund_order order_id=A-1001 amount=lots")
    assert "refund_order" in await town.sees_after_typing(ADA, "run refund_ordr order_id=A-1001")
    assert "not a parameter" in await town.sees_after_typing(ADA, "run show_order order_id=A-1001 user=U0BOB")
    assert "name=value" in await town.sees_after_typing(ADA, "run show_order what is this")
    assert town.calls() == []


async def test_t48_a_double_click_refunds_once(town: Town) -> None:
    """Two clicks on one card, and a deny behind them: one verdict, one call (guard: the atomic move)."""
    await town.links(ADA, "ada")
    await town.types(ADA, "run refund_order order_id=A-1001 amount=500")
    card = await town.sees_control(ADA, "approval.approve")
    await asyncio.gather(
        town.clicks(ADA, card, "approval.approve"),
        town.clicks(ADA, card, "approval.approve"),
        town.clicks(ADA, card, "approval.deny"),
    )
    await town.sees(ADA, "(?i)done|denied", after=card["ts"])
    found = await entries(town)
    verdicts = [e["type"] for e in found if e["type"] in {"approval.approved", "approval.denied"}]
    assert len(verdicts) == 1
    assert len([c for c in town.calls() if c.path.endswith("/refund")]) == verdicts.count("approval.approved")


async def test_deny_ends_it(town: Town) -> None:
    """After a denial nothing is called, the card says so, and no token was made."""
    await town.links(ADA, "ada")
    await town.types(ADA, "run refund_order order_id=A-1001 amount=500")
    card = await town.sees_control(ADA, "approval.approve")
    refreshes = town.tenant.refresh_calls
    await town.clicks(ADA, card, "approval.deny")
    await town.sees(ADA, "(?i)denied")
    assert town.calls() == []
    assert town.tenant.refresh_calls == refreshes


async def test_t45_somebody_else_cannot_decide(town: Town) -> None:
    """Bob presses Ada's button with a payload of his own: refused, said to him alone (guard: NotYours in decide)."""
    await town.links(ADA, "ada")
    await town.links(BOB, "bob")
    await town.types(ADA, "run refund_order order_id=A-1001 amount=500")
    card = await town.sees_control(ADA, "approval.approve")
    await town.forges_click(BOB, value_of(card))
    await town.sees(BOB, "Only the person who asked")
    assert town.calls() == []
    assert "approval.approve" in str(await town.sees_control(ADA, "approval.approve"))


async def test_unlinking_ends_access_and_what_was_waiting(town: Town) -> None:
    """Unlink revokes at the provider, cancels the card, and the agent can do nothing more."""
    await town.links(ADA, "ada")
    await town.types(ADA, "run refund_order order_id=A-1001 amount=500")
    card = await town.sees_control(ADA, "approval.approve")
    assert "unlinked" in await town.types(ADA, "unlink")
    assert town.tenant.families("ada") == []
    await town.sees(ADA, "(?i)cancelled")
    await town.forges_click(ADA, value_of(card))
    await town.sees(ADA, "login link")
    assert town.calls() == []


async def test_this_was_not_me_revokes_at_once(town: Town) -> None:
    """The receipt's button undoes the link, here and at the provider."""
    await town.links(ADA, "ada")
    receipt = await town.sees_control(ADA, "link.not_me")
    await town.clicks(ADA, receipt, "link.not_me")
    await town.slack.until(lambda: not town.tenant.families("ada") or None)
    assert "not linked" in await town.types(ADA, "status")


async def test_t17_an_identity_that_is_taken_tells_both(town: Town) -> None:
    """Carol signs in as Ada and carries the code back herself: refused, and both are told (guards: `holder`
    in `Links.make`, and the unique index again)."""
    await town.links(ADA, "ada")
    page = await town.signs_in(await town.link_of(CAROL), "ada")
    code = re.search(r'id="code">([^<]+)<', page)
    assert code is not None
    before = town.latest(ADA)
    assert "somebody else" in await town.types(CAROL, f"code {code[1]}")
    await town.sees(ADA, "(?i)somebody|another", after=before)
    assert "not linked" in await town.types(CAROL, "status")
    await town.sees_after_typing(ADA, "run show_order order_id=A-1001")
    assert [(c.sub, c.status) for c in town.calls()] == [("auth0|ada", 200)]


async def test_t33_a_dump_holds_no_token_and_no_ticket(town: Town) -> None:
    """Whoever reads the database finds nothing to act with (guard: sealing, and the ticket's hash)."""
    ticket = (await town.link_of(BOB)).rsplit("/", 1)[1]
    await town.links(ADA, "ada")
    await town.types(ADA, "run list_orders")
    await town.sees(ADA, "A-1001", SUPPORT)
    await town.types(ADA, "run refund_order order_id=A-1001 amount=500 reason=CANARY")
    await town.sees_control(ADA, "approval.approve")
    settings = town.settings
    client, database = connect(settings.mongodb_uri.get_secret_value(), settings.mongodb_database)  # type: ignore[union-attr]
    dump = b"".join(
        [encode(one) for name in await database.list_collection_names() async for one in database[name].find()]
    )
    link = await database["links"].find_one({"user": ADA})
    client.close()
    assert link is not None
    opened = [vault(settings).open(one.sealed, record=one.record, name=one.name) for one in link_secrets(link)]
    assert len(opened) == 2
    for secret in [*opened, ticket.encode(), b"CANARY"]:
        assert len(secret) > 5
        assert secret not in dump
    assert re.search(rb"eyJ[\w-]+\.eyJ", dump) is None, "a signed token lies in the database"


async def test_a_second_start_finds_everybody_linked(tmp_path: Path) -> None:
    """With the embedded database and the keys under DATA_DIR, a stop and a start lose nothing; a click counts then."""
    ports = free_ports(4)
    async with running(tmp_path, ports) as (around, settings):
        town = Town(around, settings)
        await town.links(ADA, "ada")
        await town.types(ADA, "run refund_order order_id=A-1001 amount=500")
        card = await town.sees_control(ADA, "approval.approve")
    async with running(tmp_path, ports) as (around, settings):
        town = Town(around, settings)
        assert "ada@example.com" in await town.types(ADA, "status")
        await town.clicks(ADA, card, "approval.approve")
        await town.sees(ADA, "(?i)done", after=card["ts"])
        assert [c.status for c in town.calls("auth0|ada")] == [200]


async def test_the_home_tab_says_who_you_are_and_what_waits(town: Town) -> None:
    """Whoever looks at the app sees their link, what waits for them and what was done under their name."""
    await town.slack.open_home(ADA)
    assert "not linked" in words(await town.slack.until(lambda: town.slack.home_for(ADA)))
    await town.links(ADA, "ada")
    await town.types(ADA, "run refund_order order_id=A-1001 amount=500")
    await town.sees_control(ADA, "approval.approve")
    await town.slack.open_home(ADA)
    shown = await town.slack.until(
        lambda: found if "refund_order" in (found := words(town.slack.home_for(ADA))) else None
    )
    assert "ada@example.com" in shown


async def test_writing_to_the_bot_is_answered(town: Town) -> None:
    """A direct message gets the login link first and help afterwards; a mention is answered in its thread."""
    await town.slack.say(BOB, town.slack.dm(BOB), "hello")
    await town.sees_control(BOB, "link.open")
    await town.links(BOB, "bob")
    before = town.latest(BOB)
    await town.slack.say(BOB, town.slack.dm(BOB), "hello")
    await town.sees(BOB, "/agent run", after=before)
    ts = await town.slack.say(BOB, SUPPORT, "<@U0BOT> refund everything")
    answer = await town.sees(BOB, "/agent help", SUPPORT, after=ts)
    assert answer["thread_ts"] == ts
    assert town.calls() == []


async def test_t32_a_logout_at_the_provider_ends_the_link(town: Town) -> None:
    """Back-channel logout reaches the bot: the link is gone, and the person is told (guard:
    `Links.logged_out`)."""
    await town.links(ADA, "ada")
    before = town.latest(ADA)
    assert await town.tenant.logout("ada") == [200]
    await town.sees(ADA, "(?i)sign|logged|link", after=before)
    assert "not linked" in await town.types(ADA, "status")
    assert town.tenant.families("ada") == []


async def test_t13_whoever_is_to_prove_sees_whose_account_it_is(town: Town) -> None:
    """Mallory signs in through Carol's link and asks her for the code's sake: the form names Mallory's account.

    Guard: `pending` in code_wanted.
    """
    link = await town.link_of(CAROL)
    await town.signs_in(link, "mallory")
    await town.clicks(CAROL, await town.sees_control(CAROL, "link.enter_code"), "link.enter_code")
    view = await town.slack.until(lambda: town.slack.view_for(CAROL))
    assert "mallory@elsewhere.example" in words(view)
    assert "not linked" in await town.types(CAROL, "status")


async def test_t17_a_second_account_is_refused_and_said(town: Town) -> None:
    """Ada is linked and signs in as Mallory, code and all: the first link stays, and she is told what to do (guard: the
    comparison of identities in `Links.make`)."""
    await town.links(ADA, "ada")
    page = await town.signs_in(await town.link_of(ADA), "mallory")
    code = re.search(r'id="code">([^<]+)<', page)
    assert code is not None
    assert "/agent unlink" in await town.types(ADA, f"code {code[1]}")
    assert "ada@example.com" in await town.types(ADA, "status")


@pytest.mark.parametrize("guest", ["multi", "single"])
async def test_t60_a_guest_is_sent_no_link(town: Town, guest: str) -> None:
    """Neither where they ask nor in their direct messages (guard: `is_outside` in `People.profile`)."""
    town.slack.add_person("Eve", guest=guest)
    assert "no guests" in await town.types("U0EVE", "link", "C0GENERAL")
    assert town.seen("U0EVE") == []


async def test_t60_a_member_who_becomes_a_guest_is_unlinked(town: Town) -> None:
    """At the tenant too, and they are told why (guard: `LifeCycle._changed`)."""
    await town.links(BOB, "bob")
    await town.slack.change_person(BOB, guest="single")
    await town.sees(BOB, "You are a guest")
    await eventually(lambda: not town.tenant.families("bob"))


async def test_t60_somebody_from_elsewhere_in_a_shared_channel_is_denied(town: Town) -> None:
    """Their mention and their command get no link, no call and no answer that others see; each is on record (guards:
    `who.external`, and `Installation.holds`, in `Gate.admit`)."""
    mallory = town.slack.add_person("Mallory", team="T0OTHER")
    await town.links(ADA, "ada")
    asked = await town.slack.say(mallory.id, SUPPORT, "<@U0BOT> run list_orders")
    assert await town.types(mallory.id, "link") == ""
    refused: set[object] = set()
    async with asyncio.timeout(10):
        while len(refused) < 2:
            await asyncio.sleep(0.02)
            refused = {e["reason"] for e in await entries(town) if e["type"] == "action.refused"}
    assert refused == {"external_user", "foreign_origin"}
    assert town.latest(mallory.id) == ""
    assert town.seen(ADA, SUPPORT)[-1]["ts"] == asked
    assert town.calls() == []


async def test_t15_an_expired_link_is_one_click_from_a_fresh_one(town: Town) -> None:
    """The page of a link that was replaced sends another to the same person's direct messages, and that one works
    (guard: `ticket_after` in `FreshLinks.ask`)."""
    old = await town.link_of(ADA)
    await town.link_of(ADA)
    before = town.latest(ADA)
    async with Browser() as browser:
        async with aiohttp.ClientSession(cookie_jar=browser.cookies) as session, session.get(old) as answer:
            page = await answer.text()
        action, csrf = re.search(r'action="([^"]+/again)"', page), re.search(r'name="csrf" value="([^"]+)"', page)
        assert action, page
        assert csrf
        async with (
            aiohttp.ClientSession(cookie_jar=browser.cookies) as session,
            session.post(f"{town.around.public_url}{action[1]}", data={"csrf": csrf[1]}) as answer,
        ):
            assert "A fresh link is on its way" in await answer.text()
    card = await town.sees_control(ADA, "link.open", after=before)
    fresh = next(e["url"] for e in controls(card) if e.get("action_id") == "link.open")
    assert "You are linked" in await town.signs_in(fresh, "ada")


async def test_t45_a_large_refund_of_the_demo_is_for_somebody_else_to_agree_to(town: Town) -> None:
    """Ada asks, Bob agrees, and the shop takes the receipt that says so (guard: the first rule of the demo's file)."""
    await town.links(ADA, "ada")
    await town.links(BOB, "bob")
    await town.types(ADA, "run refund_order order_id=A-1006 amount=20000")
    card = await town.sees_control(BOB, "approval.approve")
    await town.clicks(BOB, card, "approval.approve")
    await town.sees(ADA, r"is done, approved by <@U0BOB>")
    (call,) = [one for one in town.calls() if one.path.endswith("/refund")]
    assert (call.sub, call.status) == ("auth0|ada", 200)
