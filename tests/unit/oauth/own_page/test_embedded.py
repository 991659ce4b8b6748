"""What a one-time code is worth: three guesses, the newest, once, and a link has three of them."""

from __future__ import annotations

import asyncio

import pytest

from tests.conftest import HandClock
from tests.fakes.browser import LOGIN, Site, serve
from tests.fakes.house import ADA, ADA_MAIL, BOB, BOB_MAIL, EVE_MAIL, House
from tests.fakes.own_login import own_login
from tests.fakes.typist import NOBODY, WRONG, Typist, denied, newest, typist, waiting


@pytest.fixture
def home(clock: HandClock) -> House:
    """An empty house that takes codes on its own page."""
    return own_login(clock)


async def test_a_whole_login_by_code(site: Site) -> None:
    """An address, the code from its mail, and the link is made; a login by code is on record; the cookie is gone."""
    ada, home = typist(site), site.home
    page = await ada.asks(await home.start(), ADA_MAIL)
    assert page.status == 200
    (otp,) = [one for one in ada.page.all("input") if one.get("name") == "otp"]
    assert (otp["autocomplete"], otp["inputmode"]) == ("one-time-code", "numeric")
    done = await ada.types(home.provider.mails[-1][1])
    assert done.status == 200
    assert "You are linked" in await done.text()
    assert LOGIN not in ada.browser.cookies
    principal = await home.rooms.links.principal(ADA)
    assert principal is not None
    assert (principal.identity.email, principal.scopes) == (ADA_MAIL, {"orders:read", "orders:refund"})
    assert [entry[:2] for entry in home.observer.entries()] == [
        ("link.started", "ok"), ("login.embedded", "ok"), ("link.completed", "ok"),
    ]  # fmt: skip
    assert home.observer.recorded[1].identity == principal.identity


async def test_t58_the_fourth_guess_is_refused(site: Site) -> None:
    """After three wrong ones not even the right code is sent on; a new code can be had, and the provider's page (guard:
    the count in `Embedded._guess`)."""
    ada, home = await waiting(site), site.home
    said = [await (await ada.types(WRONG)).text() for _ in range(3)]
    for text, left in zip(said, ("2 guesses are left", "One guess is left", "no more guesses"), strict=True):
        assert left in text
    fourth = await ada.types(newest(home))
    assert fourth.status == 403
    assert "three guesses" in await fourth.text()
    assert len(home.provider.tried) == 3
    assert denied(home) == ["otp_wrong"] * 3 + ["otp_spent"]
    assert await home.rooms.links.principal(ADA) is None
    assert [one["value"] for one in ada.page.all("button")] == ["again", "provider"]
    await ada.chooses("again")
    home.clock.forward(seconds=30)
    await ada.chooses("again")
    assert "You are linked" in await (await ada.types(newest(home))).text()


async def test_t58_three_of_many_guesses_at_once_go_on(site: Site) -> None:
    """Ten at the same time, at two replicas: three are tried, the others are refused (guard: the match on `guesses` in
    `Embedded._guess`)."""
    ada, home = await waiting(site), site.home
    async for second in serve(home.replica(embedded_login=True)):
        hands = [Typist(replica.browser(), dict(ada.fields)) for replica in (site, second) for _ in range(5)]
        for one in hands:
            one.browser.cookies = dict(ada.browser.cookies)
        answers = await asyncio.gather(*(one.types(WRONG) for one in hands))
    assert {answer.status for answer in answers} == {403}
    assert len(home.provider.tried) == 3
    assert sorted(denied(home)) == ["otp_spent"] * 7 + ["otp_wrong"] * 3


async def test_a_guess_counts_before_it_is_made(site: Site) -> None:
    """A provider that does not answer may have looked at the code all the same, so three is three."""
    ada, home = await waiting(site), site.home
    home.provider.away = True
    for _ in range(3):
        assert (await ada.types(WRONG)).status == 503
    home.provider.away = False
    assert (await ada.types(newest(home))).status == 403
    assert len(home.provider.tried) == 3


async def test_t58_an_older_code_is_refused(site: Site) -> None:
    """The provider takes the newest only, and a form of an older one does not even reach it (guard: the look at `start`
    in `Embedded.claimed`)."""
    ada, home = await waiting(site), site.home
    older, form = newest(home), dict(ada.fields)
    home.clock.forward(seconds=30)
    await ada.chooses("again")
    assert (await ada.types(older)).status == 403
    assert denied(home) == ["otp_wrong"]
    fresh, ada.fields = ada.fields, form
    answer = await ada.types(newest(home))
    assert answer.status == 409
    assert "A newer code was sent" in await answer.text()
    assert (len(home.provider.tried), denied(home)) == (1, ["otp_wrong", "otp_replaced"])
    assert ada.fields == fresh
    assert "You are linked" in await (await ada.types(newest(home))).text()


async def test_t58_an_expired_code_is_refused(site: Site) -> None:
    """By the provider after its three minutes, in the words of any wrong code; by us when the link is over (guard: the
    reading of the link anew in `Embedded.newest`)."""
    ada, home = await waiting(site), site.home
    home.clock.forward(minutes=3)
    assert (await ada.types(newest(home))).status == 403
    assert denied(home) == ["otp_wrong"]
    home.clock.forward(minutes=7)
    late = await ada.types(newest(home))
    assert late.status == 410
    assert "/agent link" in await late.text()
    assert home.observer.entries()[-1] == ("link.refused", "denied", "ticket_unknown")
    assert len(home.provider.tried) == 1


async def test_t58_a_code_works_once(site: Site) -> None:
    """The form sent again finds a link that has done its work (guard: the stage in `Linking.open_ticket`)."""
    ada, home = await waiting(site), site.home
    cookies = dict(ada.browser.cookies)
    await ada.types(newest(home))
    ada.browser.cookies = cookies
    assert (await ada.types(newest(home))).status == 410
    assert (len(home.provider.tried), len(home.provider.living)) == (1, 1)


async def test_a_link_sends_three_codes(site: Site) -> None:
    """The fourth wish is refused beside the field, on either page; the provider's page stays (guard: the count in
    `Embedded.send`)."""
    ada, home = await waiting(site), site.home
    for _ in range(2):
        home.clock.forward(seconds=30)
        assert (await ada.chooses("again")).status == 200
    assert [one["value"] for one in ada.page.all("button")] == ["code", "provider"]
    home.clock.forward(seconds=30)
    assert (await ada.chooses("again")).status == 429
    secret = ada.fields["link"]
    again = await ada.asks(secret, EVE_MAIL)
    assert again.status == 429
    assert "this link sends no more" in await again.text()
    assert len(home.provider.asked) == 3
    assert denied(home) == ["otp_sends_spent"] * 2
    assert "formnovalidate" in ada.page.all("button")[-1]
    await ada.opens("/link/code")
    assert "You are linked" in await (await ada.types(newest(home))).text()


async def test_a_link_that_sends_no_more_takes_no_code_from_an_address(site: Site) -> None:
    """Wishes that are refused do not count against Bob, who gets his code by his own link (guard: the count before
    `take_place` in `Embedded.send`)."""
    ada, home = await waiting(site), site.home
    secret = ada.fields["link"]
    for email in (EVE_MAIL, ADA_MAIL, *[BOB_MAIL] * 5):
        await ada.asks(secret, email)
    await typist(site).asks(await home.start(BOB), BOB_MAIL)
    assert [mail[0] for mail in home.provider.mails] == [ADA_MAIL, EVE_MAIL, ADA_MAIL, BOB_MAIL]


async def test_a_link_sends_three_codes_also_at_once(site: Site) -> None:
    """Ten wishes of ten browsers at the same time: three mails (guard: the count in the claim of `Embedded.send`)."""
    home, secret = site.home, await site.home.start()
    people = [typist(site) for _ in range(10)]
    mails = [f"{number}@corp.example" for number in range(10)]
    answers = await asyncio.gather(*(one.asks(secret, mail) for one, mail in zip(people, mails, strict=True)))
    assert len(home.provider.asked) == 3
    assert [answer.status for answer in answers].count(429) == 7
    assert home.store.kept_tickets[ADA.key].otp_sends == 3


async def test_two_clicks_get_one_code(site: Site) -> None:
    """The same address within seconds: one mail, one of the three, and the code in it works in the browser that asked
    last (guard: `Embedded._just_sent`)."""
    first, second, home = typist(site), typist(site), site.home
    secret = await home.start()
    await first.asks(secret, ADA_MAIL)
    await first.types(WRONG)
    await second.asks(secret, ADA_MAIL)
    assert len(home.provider.mails) == 1
    ticket = home.store.kept_tickets[ADA.key]
    assert (ticket.otp_sends, ticket.guesses) == (1, 1)
    assert (await first.types(newest(home))).status == 403
    assert "You are linked" in await (await second.types(newest(home))).text()


async def test_another_address_gets_a_code_at_once(site: Site) -> None:
    """A typing error in the first one is mended without waiting, and its guesses are not taken over."""
    ada, home = typist(site), site.home
    secret = await home.start()
    await ada.asks(secret, NOBODY)
    await ada.types(WRONG)
    await ada.asks(secret, ADA_MAIL)
    assert [asked[0] for asked in home.provider.asked] == [NOBODY, ADA_MAIL]
    assert home.store.kept_tickets[ADA.key].guesses == 0
    assert "You are linked" in await (await ada.types(newest(home))).text()


async def test_without_the_store_no_code_is_sent(site: Site) -> None:
    """What cannot be remembered could not be taken either."""
    ada, home = typist(site), site.home
    secret = await home.start()
    home.store.fails["take_place"] = 1
    assert (await ada.asks(secret, ADA_MAIL)).status == 503
    assert home.provider.asked == []
