"""No dead ends: one click on the page of a link that is over sends its person a fresh one."""

from __future__ import annotations

import asyncio

import pytest

from oauth import SlackProfile
from oauth.fresh import WANTED
from oauth.tickets import Stage
from tests.fakes.browser import Browser, Page, Site
from tests.fakes.house import ADA, ADA_MAIL, BOB, EVE_MAIL, House


async def asked(browser: Browser, secret: str) -> int:
    """Press the button on the link's page; the status of the answer."""
    page = Page(await (await browser.send("GET", f"/link/{secret}")).text())
    (form,) = page.all("form")
    assert form["action"] == f"/link/{secret}/again"
    return (await browser.send("POST", str(form["action"]), data={"csrf": page.csrf})).status


def wanted(home: House) -> list[str]:
    """For whom a fresh link was asked."""
    return [event.slack.key for event in home.observer.told if event.type == WANTED and event.slack]


async def asked_before(home: House) -> str | None:
    """What goes on now that Ada is linked."""
    ada = await home.rooms.links.principal(ADA)
    assert ada is not None
    return await home.rooms.questions.take(ada)


@pytest.mark.parametrize("state", ["expired", "superseded", "used", "unlinked"])
async def test_t15_one_click_asks_for_a_fresh_link(site: Site, state: str) -> None:
    """For the person whom the link was for, and never for who clicks (guard: `ticket_after`, for a superseded one)."""
    home, secret = site.home, await site.home.start()
    match state:
        case "expired":
            home.clock.forward(minutes=10)
        case "superseded":
            await home.start()
        case "used":
            await home.rooms.linking.returned(**await home.sign_in(secret, ADA_MAIL))
        case "unlinked":
            await home.rooms.links.unlink(ADA, "unlink")
    assert await asked(site.browser(), secret) == 200
    assert wanted(home) == [ADA.key]


async def test_t77_a_link_sends_no_flood(site: Site) -> None:
    """One in half a minute, five in an hour, from any number of browsers; others go on (guard: `take_place`)."""
    home, secret, other = site.home, await site.home.start(), await site.home.start(BOB)
    home.clock.forward(minutes=10)
    assert sorted(await asyncio.gather(*(asked(site.browser(), secret) for _ in range(5)))) == [200, 429, 429, 429, 429]
    for _ in range(8):
        home.clock.forward(seconds=31)
        await asked(site.browser(), secret)
    assert wanted(home) == [ADA.key] * 5
    assert await asked(site.browser(), other) == 200


async def test_a_link_that_nobody_remembers_leads_to_slack(site: Site) -> None:
    """There is nobody to send one to; the page says what to type, and offers no button again."""
    browser = site.browser()
    page = Page(await (await browser.send("GET", "/link/unknown")).text())
    answer = await browser.send("POST", "/link/unknown/again", data={"csrf": page.csrf})
    assert answer.status == 410
    assert not Page(await answer.text()).all("form")
    assert "<code>/agent link</code>" in await answer.text()
    assert wanted(site.home) == []


@pytest.mark.parametrize("form", [{}, {"csrf": "0" * 64}])
async def test_t57_a_fresh_link_is_asked_for_by_our_own_page(site: Site, form: dict[str, str]) -> None:
    """Without the page's token nothing is sent (guard: `own_form` in `Pages.ask_again`)."""
    secret = await site.home.start()
    site.home.clock.forward(minutes=10)
    browser = site.browser()
    await browser.send("GET", f"/link/{secret}")
    assert (await browser.send("POST", f"/link/{secret}/again", data=form)).status == 403
    assert wanted(site.home) == []


async def test_a_refused_login_is_one_click_from_its_link(site: Site) -> None:
    """Whoever cancelled at the provider opens the same link again, without a way through Slack."""
    browser, secret = site.browser(), await site.home.start()
    await browser.go_on(secret)
    state = site.home.provider.authorized[-1]["state"]
    answer = await browser.send("GET", "/oauth/callback", params={"state": str(state), "error": "access_denied"})
    (link,) = [one["href"] for one in Page(await answer.text()).all("a")]
    assert link == f"/link/{secret}"
    assert (await browser.send("GET", str(link))).status == 200


async def test_another_browser_is_shown_no_link(site: Site) -> None:
    """What a browser did not open itself, no page tells it."""
    secret = await site.home.start()
    await site.browser().go_on(secret)
    state = site.home.provider.authorized[-1]["state"]
    answer = await site.browser().send("GET", "/oauth/callback", params={"state": str(state), "code": "c"})
    assert secret not in await answer.text()
    assert not Page(await answer.text()).all("a")


# what was asked before


async def test_what_waited_goes_on_after_a_fresh_link(home: House) -> None:
    """The question that began it is not lost with the link that expired (guard: `Ticket.after`)."""
    await home.start(waiting="refund")
    home.clock.forward(minutes=10)
    secret = await home.start()
    await home.rooms.linking.returned(**await home.sign_in(secret, ADA_MAIL))
    assert await asked_before(home) == "refund"


async def test_what_waited_yesterday_does_not_go_on(home: House) -> None:
    """After an hour nobody expects it any more (guard: the age in `Ticket.after`)."""
    await home.start(waiting="refund")
    home.clock.forward(minutes=61)
    await home.link()
    assert await asked_before(home) is None


async def test_what_waited_before_an_unlink_does_not_go_on_after_it(home: House) -> None:
    """Whoever unlinks wants no more of what was asked before (guard: `sealed_waiting` in `Links.unlink`)."""
    await home.start(waiting="refund")
    await home.rooms.links.unlink(ADA, "unlink")
    await home.link()
    assert await asked_before(home) is None


async def test_five_former_links_are_remembered(home: House) -> None:
    """No more: the record of a person does not grow with the links that were sent."""
    secrets = [await home.start() for _ in range(8)]
    ticket = home.store.kept_tickets[ADA.key]
    assert len(ticket.former) == 5
    assert not [secret for secret in secrets if secret in home.store.dump()]


async def test_void_tickets_keep_what_waits(home: House) -> None:
    """Three wrong codes end the login, not the question."""
    secret = await home.start(waiting="refund")
    await home.rooms.linking.returned(**await home.sign_in(secret, EVE_MAIL))
    for _ in range(3):
        await asyncio.gather(home.rooms.linking.enter_code(ADA, "WRONG"), return_exceptions=True)
    assert home.store.kept_tickets[ADA.key].stage is Stage.VOID
    await home.rooms.linking.start(ADA, SlackProfile("Corp", "Ada", ADA_MAIL))
    assert home.store.kept_tickets[ADA.key].sealed_waiting is not None
