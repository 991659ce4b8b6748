"""Nothing tells whether an address has an account, and none is flooded with codes."""

from __future__ import annotations

import re

import pytest
from aiohttp import ClientResponse
from structlog.testing import capture_logs

from tests.conftest import HandClock
from tests.fakes.browser import Site, serve
from tests.fakes.house import ADA_MAIL, EVE_MAIL, House
from tests.fakes.own_login import own_login
from tests.fakes.typist import NOBODY, WRONG, newest, typist, waiting


@pytest.fixture
def home(clock: HandClock) -> House:
    """An empty house that takes codes on its own page."""
    return own_login(clock)


def seen(answer: ClientResponse, text: str, *addresses: str) -> tuple[object, ...]:
    """What of an answer could tell two apart, without what is random in each."""
    for address in addresses:
        text = text.replace(address, "ADDRESS")
    text = re.sub(r'value="[\w-]{43,}"', 'value="RANDOM"', text)
    headers = sorted((name, value) for name, value in answer.headers.items() if name not in {"Date", "Content-Length"})
    return answer.status, [(n, re.sub(r"=[\w-]{43};", "=RANDOM;", v)) for n, v in headers], text


async def told(home: House, email: str) -> list[object]:
    """Everything that a login with this address shows, from the wish to the fourth guess, and what lands on record."""
    shown: list[object] = []
    before, calls = len(home.observer.recorded), (len(home.provider.asked), len(home.provider.tried))
    async for site in serve(home):
        ada, secret = typist(site), await home.start()
        await ada.opens(f"/link/{secret}")
        data = ada.fields | {"way": "email", "email": email}
        posted = await ada.browser.send("POST", f"/link/{secret}", data=data)
        answers = [posted, await ada.opens("/link/code"), *[await ada.types(WRONG) for _ in range(4)]]
        shown += [seen(answer, await answer.text(), email) for answer in answers]
    shown += home.observer.entries()[before:]
    return [*shown, len(home.provider.asked) - calls[0], len(home.provider.tried) - calls[1]]


async def test_t58_whether_an_address_has_an_account_cannot_be_told(home: House) -> None:
    """With and without an account: the same status, headers, pages, entries, and calls to the provider (guard: one path
    for all in `Embedded.send`, one for every refusal in `Embedded.enter`)."""
    assert await told(home, EVE_MAIL) == await told(home, NOBODY)
    assert home.provider.mails[0][0] == EVE_MAIL
    assert len(home.provider.mails) == 1


async def test_t58_an_address_gets_five_codes_an_hour(home: House) -> None:
    """Whoever asks, by whatever link and in whatever case; the sixth wish looks like the others, and gives no further
    guesses at a code that is out already (guard: `take_place` in `Embedded.send`, and `asked` in `Embedded.enter`)."""
    usual = await told(home, EVE_MAIL)
    async for site in serve(home):
        for _ in range(4):
            await waiting(site, EVE_MAIL.upper())
        assert len(home.provider.mails) == 5
        still_good = newest(home)
        limited = await told(home, EVE_MAIL)
        # The pages are the same; only the trail says it, and that the provider was left in peace.
        entry = ("login.embedded", "denied", "otp_limited")
        assert [one for one in limited if one != entry][:-2] == usual[:-2]
        assert (limited.count(entry), limited[-2:]) == (1, [0, 0])
        mallory = await waiting(site, EVE_MAIL)
        assert (await mallory.types(still_good)).status == 403
        home.clock.forward(minutes=59)
        await waiting(site, EVE_MAIL)
        assert len(home.provider.mails) == 5
        home.clock.forward(minutes=1)
        eve = await waiting(site, EVE_MAIL)
        assert len(home.provider.mails) == 6
        assert (await eve.types(newest(home))).status == 200


async def test_t71_an_outage_is_said_as_it_is(site: Site) -> None:
    """Where the provider is away or overloaded the page says later, and names the way on."""
    ada, home = typist(site), site.home
    home.provider.away_to_send = True
    answer = await ada.asks(await home.start(), ADA_MAIL)
    assert answer.status == 503
    assert "cannot be finished now" in await answer.text()


async def test_t78_neither_address_nor_code_is_left_behind(site: Site) -> None:
    """Not in the database, whose other addresses Slack gave, not in the log, not on record."""
    ada, home = typist(site), site.home
    with capture_logs() as logs:
        await ada.asks(await home.start(), EVE_MAIL)
        await ada.types("000000")
        dump = home.store.dump()
        await ada.types(home.provider.mails[-1][1])
    code = home.provider.mails[-1][1]
    before_the_login = [event for event in home.observer.recorded if event.identity is None]
    for place in (dump, str(logs), repr(before_the_login)):
        assert EVE_MAIL not in place
        assert code not in place
        assert "000000" not in place
    assert code not in repr(home.observer.recorded)
