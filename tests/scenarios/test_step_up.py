"""One more login for one decision: whole ways from the card over the provider's second factor to the call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
import jwt
import pytest
from aiohttp import web
from bson import encode

from bot.audit.chain import first_bad
from bot.sandbox.demo import AUDIENCE, free_ports, running
from bot.sandbox.tenant import Browser, PageRefused
from tests.scenarios.calendar import heading
from tests.scenarios.test_connected_accounts import database_of, entries
from tests.scenarios.test_home import presses, reads
from tests.scenarios.town import ADA, BOB, CAROL, SUPPORT, Shown, Town, controls, words

ACTION = """
[[action]]
name = "%s"
description = "Give money of one order back to its customer"
method = "POST"
url = "http://127.0.0.1:%d/orders/{order_id}/refund"
scopes = ["orders:refund"]
audience = "https://shop.example.com"
%s
[action.parameters.order_id]
type = "string"
[action.parameters.amount]
type = "integer"
minimum = 1
"""
POLICIES = {
    "by_bob": 'approval = "other"\napprovers = ["U0BOB"]\nstep_up = true',
    "by_two": 'approval = "other"\napprovers = ["U0BOB", "U0CAROL"]\nquorum = 2\nstep_up = true',
    "in_channel": f'approval = "other"\nchannel = "{SUPPORT}"\nstep_up = true',
    "sure": 'confirm = "order_id"\nstep_up = true',
    "by_amount": '[[action.rules]]\nwhen = "arguments.amount >= 500"\nstep_up = true',
}
RECEIVED = """
[[action]]
name = "receive"
description = "Show what a call carries"
method = "POST"
url = "http://127.0.0.1:%d/receive"
audience = "https://shop.example.com"
step_up = true
"""


@pytest.fixture
async def received() -> AsyncIterator[tuple[int, list[str]]]:
    """An API that keeps the receipts of its calls; its port, and they."""
    kept: list[str] = []

    async def receive(request: web.Request) -> web.Response:
        kept.append(request.headers["Approval-Receipt"])
        return web.json_response({})

    app = web.Application()
    app.router.add_post("/receive", receive)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1], kept
    await runner.cleanup()


@pytest.fixture
async def town(
    tmp_path: Path, database_settings: dict[str, str], received: tuple[int, list[str]]
) -> AsyncIterator[Town]:
    """Everything, running, with an action for each policy; Ada, Bob and Carol are linked."""
    ports = free_ports(5)
    text = "".join(ACTION % (name, ports[3], policy) for name, policy in POLICIES.items()) + RECEIVED % received[0]
    (tmp_path / "policies.toml").write_text(text, encoding="utf-8")
    settings = {**database_settings, "ACTIONS_FILE": str(tmp_path / "policies.toml")}
    async with running(tmp_path / "data", ports, **settings) as (around, found):
        made = Town(around, found)
        for user, account in ((ADA, "ada"), (BOB, "bob"), (CAROL, "carol")):
            await made.links(user, account)
        yield made


async def asks(town: Town, action: str, amount: int = 100) -> None:
    """Ada asks for it."""
    await town.types(ADA, f"run {action} order_id=A-1001 amount={amount}")


async def approves(town: Town, user: str, card: Shown | None = None) -> str:
    """Press Approve, and give the address of the link that it leads to."""
    before = town.latest(user)
    await town.clicks(user, card or await town.sees_control(user, "approval.approve"), "approval.approve")
    return address(await town.sees_control(user, "approval.step_up", after=before))


def address(card: Shown) -> str:
    """The address behind the button."""
    return str(next(e["url"] for e in controls(card) if e.get("action_id") == "approval.step_up"))


async def goes_to_login(browser: Browser, link: str) -> str:
    """Press the button of the link's page; where the provider's login is."""
    login, status, text = await browser.submit(link)
    assert status == 303, (status, text)
    return login


async def signs_in(town: Town, browser: Browser, login: str, account: str) -> str:
    """Sign in there with the code on the phone; where the browser then comes back, unvisited."""
    return await browser.sign_in(login, account, lambda: str(town.tenant.phone(account)[-1].code))


async def steps_up(town: Town, link: str, account: str) -> str:
    """Follow a link to its end in a new browser; the text of the page there."""
    async with Browser() as own:
        return (await own.open(await signs_in(town, own, await goes_to_login(own, link), account)))[1]


def without(url: str, *names: str) -> str:
    """The address without these parameters, as somebody may change it in their own browser."""
    parts = urlsplit(url)
    kept = [(name, value) for name, value in parse_qsl(parts.query) if name not in names]
    return parts._replace(query=urlencode(kept)).geturl()


async def reasons(town: Town) -> list[str]:
    """Why something of this was refused."""
    return [e["reason"] for e in await entries(town) if e["type"] == "link.refused"]


async def test_who_approves_signs_in_once_more_and_it_counts(town: Town) -> None:
    """Approve, the link in the direct messages, password and second factor, and the call is made; when and how Bob
    signed in stands in the trail."""
    await asks(town, "by_bob")
    link = await approves(town, BOB)
    assert town.calls() == []
    assert heading(await steps_up(town, link, "bob")) == "You have signed in"
    await town.sees(ADA, r"is done, approved by <@U0BOB>")
    (call,) = town.calls()
    assert call.sub == "auth0|ada"
    found = await entries(town)
    assert first_bad(found) is None
    (approved,) = [e for e in found if e["type"] == "approval.approved"]
    assert (approved["approver"]["user"], approved["approver"]["sub"]) == (BOB, "auth0|bob")
    assert approved["approver"]["amr"] == ["mfa"]
    assert abs(approved["approver"]["auth_time"] - town.tenant.state.clock().timestamp()) < 300
    about = [(e["type"], e["outcome"], e["user"]) for e in found if e.get("reason", "").startswith("step_up")]
    assert about == [("link.started", "ok", BOB)]
    assert "You were asked to sign in once more" in await town.types(BOB, "audit")


async def test_the_receipt_says_when_and_how(town: Town, received: tuple[int, list[str]]) -> None:
    """An API can insist on it."""
    await town.types(ADA, "run receive")
    await steps_up(town, await approves(town, ADA), "ada")
    await town.sees(ADA, "is done")
    keys = f"{town.around.public_url}/.well-known/jwks.json"
    async with aiohttp.ClientSession() as session, session.get(keys) as answer:
        key = jwt.PyJWKSet.from_dict(await answer.json()).keys[0]
    claims = jwt.decode(received[1][0], key, algorithms=["EdDSA"], audience=AUDIENCE, issuer=town.around.public_url)
    (approver,) = claims["approvers"]
    assert (approver["sub"], approver["amr"]) == ("auth0|ada", ["mfa"])
    assert abs(approver["auth_time"] - claims["iat"]) < 300


async def test_two_approvers_have_a_login_each(town: Town) -> None:
    """One's counts for one: the other's link is their own."""
    await asks(town, "by_two")
    await steps_up(town, await approves(town, BOB), "bob")
    await town.sees(CAROL, "1 of 2: <@U0BOB>")
    assert town.calls() == []
    await steps_up(town, await approves(town, CAROL), "carol")
    await town.sees(ADA, "is done, approved by <@U0BOB> and <@U0CAROL>")
    approved = [e["approver"] for e in await entries(town) if e["type"] == "approval.approved"]
    assert [(one["user"], one["amr"]) for one in approved] == [(BOB, ["mfa"]), (CAROL, ["mfa"])]


async def test_the_link_of_a_channels_card_is_in_the_direct_messages(town: Town) -> None:
    """Nobody in the channel sees it, and the vote counts as one that was cast there."""
    await asks(town, "in_channel")
    card = await town.sees(ADA, "Approve", SUPPORT)
    link = await approves(town, BOB, card)
    assert "/step-up/" not in json.dumps(town.seen(ADA, SUPPORT) + town.seen(BOB, SUPPORT))
    await steps_up(town, link, "bob")
    await town.sees(ADA, "is done, approved by <@U0BOB>")


async def test_the_value_is_typed_first(town: Town) -> None:
    """The window, then the login, and nothing of it twice."""
    await asks(town, "sure")
    await town.clicks(ADA, await town.sees_control(ADA, "approval.approve"), "approval.approve")
    view = town.slack.view_for(ADA)
    assert view is not None
    await town.slack.submit(ADA, view["id"], {"confirm": "A-1001"})
    await steps_up(town, address(await town.sees_control(ADA, "approval.step_up")), "ada")
    await town.sees(ADA, "is done")
    assert len(town.calls()) == 1


async def test_a_rule_asks_for_it_by_amount(town: Town) -> None:
    """Small ones need no more than a click."""
    await asks(town, "by_amount", 499)
    await town.clicks(ADA, await town.sees_control(ADA, "approval.approve"), "approval.approve")
    first = await town.sees(ADA, "is done")
    await asks(town, "by_amount", 500)
    card = await town.sees_control(ADA, "approval.approve", after=first["ts"])
    await steps_up(town, await approves(town, ADA, card), "ada")
    await town.sees(ADA, "is done", after=card["ts"])
    assert len(town.calls()) == 2


async def test_who_is_not_linked_is_led_through_both(town: Town) -> None:
    """First the login link, then the other, and the click goes on."""
    await asks(town, "by_bob")
    card = await town.sees_control(BOB, "approval.approve")
    await town.types(BOB, "unlink")
    before = town.latest(BOB)
    await town.clicks(BOB, card, "approval.approve")
    login = await town.sees_control(BOB, "link.open", after=before)
    await town.signs_in(next(e["url"] for e in controls(login) if e.get("action_id") == "link.open"), "bob")
    link = address(await town.sees_control(BOB, "approval.step_up", after=login["ts"]))
    await steps_up(town, link, "bob")
    await town.sees(ADA, "is done, approved by <@U0BOB>")


async def test_the_home_tab_leads_there_too(town: Town) -> None:
    """It says that the link is in the direct messages, never holds it, and shows what came of it."""
    await town.slack.open_home(ADA)
    await asks(town, "by_amount", 500)
    before = town.latest(ADA)
    await presses(town, ADA, "approval.approve")
    await reads(town, ADA, "The way there is in our direct messages")
    assert "/step-up/" not in str(town.slack.home_for(ADA))
    await steps_up(town, address(await town.sees_control(ADA, "approval.step_up", after=before)), "ada")
    await reads(town, ADA, "`by_amount` is done")
    assert len(town.calls()) == 1


async def test_a_double_click_sends_one_link(town: Town) -> None:
    """Which works; a press a little later would send another."""
    await asks(town, "by_bob")
    card = await town.sees_control(BOB, "approval.approve")
    await asyncio.gather(*(town.clicks(BOB, card, "approval.approve") for _ in range(2)))
    shown = await town.sees_control(BOB, "approval.step_up")
    assert len([one for one in town.seen(BOB) if '"approval.step_up"' in json.dumps(one)]) == 1
    await steps_up(town, address(shown), "bob")
    await town.sees(ADA, "is done, approved by <@U0BOB>")


# who must not count


async def test_t12_somebody_elses_login_does_not_count(town: Town) -> None:
    """Bob sends his link to Carol, who signs in as herself: she is told whose it is, and nothing is approved."""
    await asks(town, "by_bob")
    link = await approves(town, BOB)
    with pytest.raises(PageRefused) as caught:
        await steps_up(town, link, "carol")
    assert (caught.value.status, heading(caught.value.text)) == (403, "This link is another person's")
    assert await reasons(town) == ["step_up_account_differs"]
    assert town.calls() == []
    await steps_up(town, link, "bob")
    await town.sees(ADA, "is done, approved by <@U0BOB>")


async def test_t18_another_browser_does_not_count(town: Town) -> None:
    """The address with the code is worth nothing elsewhere; the right browser can still finish."""
    await asks(town, "by_bob")
    link = await approves(town, BOB)
    async with Browser() as right, Browser() as wrong:
        back = await signs_in(town, right, await goes_to_login(right, link), "bob")
        with pytest.raises(PageRefused) as caught:
            await wrong.open(back)
        assert heading(caught.value.text) == "This is another browser"
        assert town.calls() == []
        await right.open(back)
    await town.sees(ADA, "is done, approved by <@U0BOB>")


async def test_without_the_second_factor_it_does_not_count(town: Town) -> None:
    """Whoever takes the wish for it out of the address signs in without one, and that is seen."""
    await asks(town, "by_bob")
    link = await approves(town, BOB)
    async with Browser() as own:
        login = without(await goes_to_login(own, link), "acr_values")
        with pytest.raises(PageRefused) as caught:
            await own.open(await own.sign_in(login, "bob"))
    assert (caught.value.status, heading(caught.value.text)) == (403, "A second factor is needed")
    assert await reasons(town) == ["step_up_second_factor_missing"]
    assert town.calls() == []


async def test_a_login_of_before_does_not_count(town: Town) -> None:
    """Whoever takes `max_age` out goes on with the session of an hour ago, and that is seen."""
    await asks(town, "by_bob")
    link = await approves(town, BOB)
    async with Browser() as own:
        await own.sign_in(without(await goes_to_login(own, link), "acr_values"), "bob")
        times = town.tenant.state.auth_times
        times.update({sid: at.replace(year=at.year - 1) for sid, at in times.items()})
        login = without(await goes_to_login(own, link), "max_age")
        with pytest.raises(PageRefused) as caught:
            await own.open(await signs_in(town, own, login, "bob"))
        assert (caught.value.status, heading(caught.value.text)) == (403, "You signed in too long ago")
        assert await reasons(town) == ["step_up_login_too_old"]
        assert town.calls() == []
        await own.open(await signs_in(town, own, await goes_to_login(own, link), "bob"))
    await town.sees(ADA, "is done, approved by <@U0BOB>")


async def test_t19_a_link_and_its_answer_work_once(town: Town) -> None:
    """The same answer again, with cookie and all, and the same link again: refused, and one call is made."""
    await asks(town, "by_two")
    link = await approves(town, BOB)
    async with Browser() as own:
        back = await signs_in(town, own, await goes_to_login(own, link), "bob")
        cookies = [(c.key, c.value) for c in own.cookies]
        await own.open(back)
        own.cookies.update_cookies(dict(cookies))
        with pytest.raises(PageRefused) as caught:
            await own.open(back)
        assert heading(caught.value.text) == "This step is over"
        with pytest.raises(PageRefused) as caught:
            await own.open(link)
        assert (caught.value.status, heading(caught.value.text)) == (410, "This link has done its work")
    await town.sees(CAROL, "1 of 2: <@U0BOB>")
    assert town.calls() == []


async def test_t22_a_no_of_the_provider_is_a_page(town: Town) -> None:
    """Cancelled there: nothing is approved, and the link can be opened again."""
    await asks(town, "by_bob")
    link = await approves(town, BOB)
    async with Browser() as own:
        back = await own.cancel(await goes_to_login(own, link))
        with pytest.raises(PageRefused) as caught:
            await own.open(back.replace("access_denied", "<script>alert(1)</script>"))
    assert heading(caught.value.text) == "You were not signed in"
    assert "<script>alert" not in caught.value.text
    assert await reasons(town) == ["step_up_login_refused"]
    await steps_up(town, link, "bob")
    await town.sees(ADA, "is done, approved by <@U0BOB>")


async def test_t49_a_link_that_ended_does_not_count(town: Town) -> None:
    """Unlinked while the browser is at the provider: the page says so, and nothing is approved."""
    await asks(town, "by_bob")
    link = await approves(town, BOB)
    async with Browser() as own:
        back = await signs_in(town, own, await goes_to_login(own, link), "bob")
        await town.types(BOB, "unlink")
        with pytest.raises(PageRefused) as caught:
            await own.open(back)
    assert heading(caught.value.text) == "You are not linked any more"
    assert town.calls() == []


async def test_t49_an_approval_that_is_over_stays_over(town: Town) -> None:
    """Withdrawn meanwhile: Bob signs in, and hears that it was cancelled."""
    await asks(town, "by_bob")
    link = await approves(town, BOB)
    await town.clicks(ADA, await town.sees_control(ADA, "approval.withdraw"), "approval.withdraw")
    before = town.latest(BOB)
    await steps_up(town, link, "bob")
    assert "cancelled" in words(await town.sees(BOB, "It was cancelled", after=before))
    assert town.calls() == []


async def test_t73_without_direct_messages_there_is_no_link(town: Town) -> None:
    """It is said where they pressed, and the link that nobody got leads nowhere."""
    await asks(town, "in_channel")
    card = await town.sees(ADA, "Approve", SUPPORT)
    town.slack.fail("chat.postMessage", "channel_not_found", times=1)
    await town.clicks(BOB, card, "approval.approve")
    await town.sees(BOB, "I cannot send you a direct message", SUPPORT)
    client, database = await database_of(town)
    assert [one["stage"] async for one in database["step_ups"].find()] == ["void"]
    client.close()


async def test_t11_a_preview_changes_nothing(town: Town) -> None:
    """Fetched ten times by somebody without cookies, the link's record and the trail are as before."""
    await asks(town, "by_bob")
    link = await approves(town, BOB)
    client, database = await database_of(town)

    async def state() -> Any:
        return await database["step_ups"].find_one(), await database["audit"].count_documents({})

    before = await state()
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        for _ in range(10):
            async with session.get(link) as page:
                assert page.status == 200
    assert await state() == before
    client.close()


async def test_t33_a_dump_holds_nothing_of_it(town: Town) -> None:
    """Neither the link, nor a step under way, nor what it brought lies there in the clear; and the provider has kept no
    further grant of anybody's."""
    grants = len(town.tenant.families())
    await asks(town, "by_two")
    link = await approves(town, BOB)
    await steps_up(town, await approves(town, CAROL), "carol")
    async with Browser() as own:
        login = await goes_to_login(own, link)
        query = dict(parse_qsl(urlsplit(login).query))
        client, database = await database_of(town)
        dump = b"".join([encode(one) async for one in database["step_ups"].find()])
        client.close()
        secrets = [link.rpartition("/")[2], query["state"], query["nonce"], '"amr"']
        secrets += [cookie.value for cookie in own.cookies if "countersign" in cookie.key]
    assert (query["scope"], query["max_age"], query["code_challenge_method"]) == ("openid", "0", "S256")
    for secret in secrets:
        assert len(secret) >= 5
        assert secret.encode() not in dump
    assert len(town.tenant.families()) == grants
