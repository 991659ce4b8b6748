"""An account at a third party: connected once, by its own person alone, and what was asked for goes on by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from bson import encode

from bot.audit.chain import first_bad
from bot.audit.store import MongoAuditStore
from bot.database import connect
from bot.sandbox.demo import running
from bot.sandbox.tenant import Browser, PageRefused
from tests.scenarios.calendar import Calendar, address, heading, query
from tests.scenarios.test_home import presses, reads
from tests.scenarios.town import ADA, BOB, SUPPORT, Town, controls, eventually, words

EVENT = "run add_event title=Dentist date=2030-05-06"


@pytest.fixture
async def calendar(tmp_path: Path, database_settings: dict[str, str]) -> AsyncIterator[Calendar]:
    """Everything, running, at a tenant as Token Vault needs it."""
    async with running(tmp_path, rotation=False, **database_settings) as (around, settings):
        yield Calendar(Town(around, settings))


@pytest.fixture
async def town(calendar: Calendar) -> Town:
    """The same, with Ada linked."""
    await calendar.town.links(ADA, "ada")
    return calendar.town


def connected(town: Town, *people: str) -> list[tuple[str, str]]:
    """Who has connected which account of the calendar's."""
    found = [one for person in people or ("ada", "bob", "mallory") for one in town.tenant.vault.accounts(person)]
    return [(one.person, one.account) for one in found]


async def database_of(town: Town) -> Any:
    """A connection of its own to the bot's database."""
    uri = town.settings.mongodb_uri
    assert uri is not None
    return connect(uri.get_secret_value(), town.settings.mongodb_database)


async def entries(town: Town) -> list[dict[str, Any]]:
    """The whole trail."""
    client, database = await database_of(town)
    found = [entry async for entry in MongoAuditStore(database).entries()]
    client.close()
    return found


async def test_what_was_asked_for_goes_on_once_the_account_is_connected(calendar: Calendar, town: Town) -> None:
    """Ask, connect in the browser, and read one's own calendar in Slack; asked again it needs nothing more."""
    await town.types(ADA, "run list_events")
    card = await town.sees_control(ADA, "account.connect")
    await town.clicks(ADA, card, "account.connect")  # the browser opens by itself; Slack tells the bot all the same
    link, before = address(card), town.latest(ADA)
    assert calendar.almanac.journal == []
    assert heading(await calendar.connects(link, "ada")) == "Your almanac account is connected"
    await town.sees(ADA, "account is connected", after=before)
    await town.sees(ADA, "`list_events` is done", after=before)
    assert [(c.account, c.status) for c in calendar.almanac.journal] == [("ada", 200)]
    before = town.latest(ADA)
    await town.types(ADA, "run list_events")
    await town.sees(ADA, "`list_events` is done", SUPPORT)
    assert town.latest(ADA) == before
    found = await entries(town)
    assert first_bad(found) is None
    about = [(e["type"], e["outcome"], e.get("reason")) for e in found if "connect" in e.get("reason", "")]
    assert about == [
        ("token.refused", "denied", "account_not_connected"),
        ("action.refused", "denied", "account_not_connected"),
        ("link.started", "ok", "connect_almanac"),
        ("link.started", "ok", "connect_almanac_allowed"),
        ("link.completed", "ok", "connect_almanac"),
    ]


async def test_the_account_need_not_have_the_same_name(calendar: Calendar, town: Town) -> None:
    """Who Ada is at the calendar is her own affair: only at the provider must she be herself."""
    link = await calendar.link_after(ADA, "run list_events")
    await calendar.connects(link, "ada", theirs="carol")
    await town.sees(ADA, "`list_events` is done")
    assert connected(town) == [("ada", "carol")]


async def test_whoever_is_not_even_linked_is_led_through_both(calendar: Calendar) -> None:
    """First the login link, then the other account, and then what was asked for at the beginning."""
    town = calendar.town
    await town.types(BOB, "run list_events")
    login = await town.sees_control(BOB, "link.open")
    await town.signs_in(next(e["url"] for e in controls(login) if e.get("action_id") == "link.open"), "bob")
    link = address(await town.sees_control(BOB, "account.connect", after=login["ts"]))
    await calendar.connects(link, "bob")
    await town.sees(BOB, "`list_events` is done")
    assert "I sent you a link" not in words(town.seen(BOB))  # the link itself says that, right there
    assert [(c.account, c.status) for c in calendar.almanac.journal] == [("bob", 200)]


async def test_nobody_is_asked_to_approve_what_cannot_be_done_yet(calendar: Calendar, town: Town) -> None:
    """First the account, then the card, which names it; approved, the event is in the person's own calendar, once."""
    link = await calendar.link_after(ADA, EVENT)
    assert "approval.approve" not in str(town.seen(ADA))
    before = town.latest(ADA)
    await calendar.connects(link, "ada")
    card = await town.sees_control(ADA, "approval.approve", after=before)
    assert "with your `almanac` account" in words(card)
    assert "Dentist" in words(card)
    assert [c for c in calendar.almanac.journal if c.method == "POST"] == []
    await town.clicks(ADA, card, "approval.approve")
    await town.sees(ADA, "`add_event` is done", after=card["ts"])
    assert [e.title for e in calendar.almanac.events("ada") if e.token is not None] == ["Dentist"]


async def test_the_form_leads_there_too(calendar: Calendar, town: Town) -> None:
    """What is typed into the window waits for the account as what is typed in a line does."""
    await town.types(ADA, "run add_event title=Dentist")
    form = await town.slack.until(lambda: town.slack.view_for(ADA))
    await town.slack.submit(ADA, form["id"], {"date": "2030-05-06"})
    link = address(await town.sees_control(ADA, "account.connect"))
    await calendar.connects(link, "ada")
    assert "2030-05-06" in words(await town.sees_control(ADA, "approval.approve"))


async def test_the_home_tab_leads_there_too(calendar: Calendar, town: Town) -> None:
    """It says whose account is used, and after the click that the link is in the direct messages; it never holds it."""
    await town.slack.open_home(ADA)
    assert "with your `almanac` account" in await reads(town, ADA, "list_events")
    await presses(town, ADA, "home.run", "list_events")
    form = await town.slack.until(lambda: town.slack.view_for(ADA))
    await town.slack.submit(ADA, form["id"], {})
    await reads(town, ADA, "I sent you a link in our direct messages")
    assert "/connect/" not in str(town.slack.home_for(ADA))
    await calendar.connects(address(await town.sees_control(ADA, "account.connect")), "ada")
    await town.sees(ADA, "`list_events` is done")


async def test_one_message_for_a_live_link(calendar: Calendar, town: Town) -> None:
    """Asked twice, in a channel: one link, in the direct messages; the channel never sees it; the last question goes
    on."""
    link = await calendar.link_after(ADA, "run list_events")
    before = town.latest(ADA)
    assert "the link is in our direct messages" in await town.sees_after_typing(ADA, EVENT)
    assert town.latest(ADA) == before
    assert "/connect/" not in str(town.seen(ADA, SUPPORT))
    await calendar.connects(link, "ada")
    assert "Dentist" in words(await town.sees_control(ADA, "approval.approve"))
    assert [c for c in calendar.almanac.journal if c.method == "GET"] == []


async def test_who_has_allowed_less_is_asked_again(calendar: Calendar, town: Town) -> None:
    """Reading alone is enough for reading; for writing a new link asks for all of it, and then it goes on."""
    link = await calendar.link_after(ADA, "run list_events")
    async with Browser() as own:
        back = await own.connect(await calendar.signs_in(own, link, "ada"), "ada", without=["events:write"])
        await own.open(back)
    await town.sees(ADA, "`list_events` is done")
    link = await calendar.link_after(ADA, EVENT)
    await calendar.connects(link, "ada")
    await town.sees_control(ADA, "approval.approve")


async def test_two_people_use_their_own_accounts(calendar: Calendar, town: Town) -> None:
    """In one channel each reads their own calendar (row 42, with a third party's tokens)."""
    await town.links(BOB, "bob")
    for user, account in ((ADA, "ada"), (BOB, "bob")):
        await calendar.connects(await calendar.link_after(user, "run list_events"), account)
        await town.sees(user, "`list_events` is done")
    for user in (ADA, BOB, ADA):
        await town.sees_after_typing(user, "run list_events")
    assert [c.account for c in calendar.almanac.journal] == ["ada", "bob", "ada", "bob", "ada"]


# who must not get anything


async def test_t12_a_forwarded_connect_link_connects_nothing(calendar: Calendar, town: Town) -> None:
    """Bob opens Ada's link and signs in as himself: he is told whose it is, and nobody's calendar is connected.

    Guard: the comparison of identities in `Connecting._is_theirs`.
    """
    link = await calendar.link_after(ADA, "run list_events")
    async with Browser() as bob:
        with pytest.raises(PageRefused) as caught:
            await bob.open(await calendar.signs_in(bob, link, "bob"))
    assert (caught.value.status, heading(caught.value.text)) == (403, "This link is another person's")
    assert town.tenant.vault.connect_calls == 0
    assert connected(town) == []
    assert "connect_almanac_account_differs" in [e.get("reason") for e in await entries(town)]


async def test_t12_an_address_at_the_third_party_is_no_use_to_others(calendar: Calendar, town: Town) -> None:
    """Ada shows who she is and sends Bob on from there: he agrees with his calendar, and it is not connected to hers.

    Guard: the browser's cookie in `Connecting.returned`.
    """
    link = await calendar.link_after(ADA, "run list_events")
    async with Browser() as ada, Browser() as bob:
        login = await calendar.signs_in(ada, link, "ada")
        onward = await calendar.is_sent_to(ada, login)
        assert "/connected-accounts/connect?ticket=" in onward
        back = await bob.connect(onward, "bob")
        with pytest.raises(PageRefused) as caught:
            await bob.open(back)
        assert heading(caught.value.text) == "This is another browser"
        assert query(back)["connect_code"] not in caught.value.text
    assert town.tenant.vault.complete_calls == 0
    assert connected(town) == []


async def test_t18_another_browser_cannot_finish_the_login(calendar: Calendar, town: Town) -> None:
    """Nor go on from there: the address of the callback works in the browser that began (guard: as above)."""
    link = await calendar.link_after(ADA, "run list_events")
    async with Browser() as right, Browser() as wrong:
        login = await calendar.signs_in(right, link, "ada")
        with pytest.raises(PageRefused) as caught:
            await wrong.open(login)
        assert heading(caught.value.text) == "This is another browser"
        await right.open(await right.connect(login, "ada"))
    assert connected(town) == [("ada", "ada")]


async def test_t19_an_answer_works_once(calendar: Calendar, town: Town) -> None:
    """Login and connect code shown again, with state and cookie and all: refused, and no further call is made (guard:
    `_spend`)."""
    link = await calendar.link_after(ADA, "run list_events")
    async with Browser() as own:
        login = await calendar.signs_in(own, link, "ada")
        back = await own.connect(login, "ada")
        cookies = [(c.key, c.value) for c in own.cookies]
        await own.open(back)
        own.cookies.update_cookies(dict(cookies))
        for again in (login, back):
            with pytest.raises(PageRefused) as caught:
                await own.open(again)
            assert caught.value.status == 400
    assert (town.tenant.vault.connect_calls, town.tenant.vault.complete_calls) == (1, 1)


@pytest.mark.parametrize("end", ["unlink", "logout", "relink"])
async def test_t39_a_link_that_ends_in_between_connects_nothing(calendar: Calendar, town: Town, end: str) -> None:
    """While the browser is at the third party: the page says so, and what waited does not go on (guard: `_live`)."""
    link = await calendar.link_after(ADA, "run list_events")
    async with Browser() as own:
        back = await own.connect(await calendar.signs_in(own, link, "ada"), "ada")
        match end:
            case "unlink":
                await town.types(ADA, "unlink")
            case "logout":
                await town.tenant.logout("ada")
                await eventually(lambda: not town.tenant.families("ada"))
            case _:
                await town.links(ADA, "ada")
        with pytest.raises(PageRefused) as caught:
            await own.open(back)
    assert heading(caught.value.text) == "You are not linked any more"
    assert town.tenant.vault.complete_calls == 0
    assert connected(town) == []
    assert calendar.almanac.journal == []


async def test_t11_a_preview_changes_nothing(calendar: Calendar, town: Town) -> None:
    """Fetched ten times by somebody without cookies, the link's record and the trail are as before."""
    link = await calendar.link_after(ADA, "run list_events")
    client, database = await database_of(town)
    before = await database["account_tickets"].find_one(), await database["audit"].count_documents({})
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        for _ in range(10):
            async with session.get(link) as page:
                assert page.status == 200
    assert (await database["account_tickets"].find_one(), await database["audit"].count_documents({})) == before
    client.close()
    assert heading(await calendar.connects(link, "ada")) == "Your almanac account is connected"


async def test_t22_a_no_at_the_third_party_is_a_page_and_the_link_lives(calendar: Calendar, town: Town) -> None:
    """What it says is not repeated as HTML; the same link can be opened again."""
    link = await calendar.link_after(ADA, "run list_events")
    async with Browser() as own:
        back = await own.connect(await calendar.signs_in(own, link, "ada"), "ada", action="cancel")
        with pytest.raises(PageRefused) as caught:
            await own.open(back.replace("access_denied", "<script>alert(1)</script>"))
        assert heading(caught.value.text) == "The account was not connected"
        assert "<script>alert" not in caught.value.text
        assert heading(await calendar.connects(link, "ada", browser=own)) == "Your almanac account is connected"
    assert connected(town) == [("ada", "ada")]


async def test_t33_a_dump_holds_no_token_of_the_third_party(calendar: Calendar, town: Town) -> None:
    """Neither its tokens, nor a link, nor what waited, nor anything of a step under way lies there in the clear."""
    await calendar.connects(await calendar.link_after(ADA, "run list_events"), "ada")
    await town.sees(ADA, "`list_events` is done")
    (account,) = town.tenant.vault.accounts("ada")
    await town.links(BOB, "bob")
    link = await calendar.link_after(BOB, "run add_event title=CANARY date=2030-05-06")
    async with Browser() as own:
        back = await own.connect(await calendar.signs_in(own, link, "bob"), "bob")
        client, database = await database_of(town)
        names = await database.list_collection_names()
        dump = b"".join([encode(one) for name in names async for one in database[name].find()])
        client.close()
        secrets = [account.tokens.access_token, link.rpartition("/")[2], query(back)["state"], "CANARY"]
        secrets += [cookie.value for cookie in own.cookies if "countersign" in cookie.key]
    for secret in secrets:
        assert len(secret) > 5
        assert secret.encode() not in dump


async def test_t71_a_provider_that_does_not_answer_is_no_refusal(calendar: Calendar, town: Town) -> None:
    """While the account cannot be asked for, nobody is sent a link; when the answer to the last step is lost, the page
    says so, and what is asked for next finds the account connected."""
    link = await calendar.link_after(ADA, "run list_events")
    async with Browser() as own:
        back = await own.connect(await calendar.signs_in(own, link, "ada"), "ada")
        town.tenant.fail("complete", lost=True)
        with pytest.raises(PageRefused) as caught:
            await own.open(back)
    assert heading(caught.value.text) == "Whether it is connected is not known yet"
    assert connected(town) == [("ada", "ada")]
    town.tenant.fail("vault", times=50)
    before = town.latest(ADA)
    assert "identity provider does not answer" in await town.sees_after_typing(ADA, "run list_events")
    assert town.latest(ADA) == before


async def test_an_account_that_was_disconnected_there_is_said(calendar: Calendar, town: Town) -> None:
    """Ada has let go of it in her calendar's own settings: the call fails, and what she can do is said."""
    await calendar.connects(await calendar.link_after(ADA, "run list_events"), "ada")
    await town.sees(ADA, "`list_events` is done")
    calendar.almanac.disconnect("ada")
    assert "does not accept the access to your account" in await town.sees_after_typing(ADA, "run list_events")
