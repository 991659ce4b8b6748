"""Login on our own page with the whole product: from `/agent link` to an action, by an address and a one-time code."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.audit.store import MongoAuditStore
from bot.database import connect
from bot.sandbox.demo import running
from bot.sandbox.tenant import Browser, PageRefused
from tests.scenarios.town import ADA, SUPPORT, Town

MAIL, STRANGER = "ada@example.com", "nobody@example.com"
WRONG = "000000"


@pytest.fixture
async def town(tmp_path: Path, database_settings: dict[str, str]) -> AsyncIterator[Town]:
    """Everything, running, with the embedded login on."""
    async with running(tmp_path, **database_settings, EMBEDDED_LOGIN="email") as (around, settings):
        yield Town(around, settings)


async def asks(town: Town, browser: Browser, email: str, link: str | None = None) -> tuple[str, int, str]:
    """Have a code sent, and be on its page."""
    return await browser.submit(link or await town.link_of(ADA), way="email", email=email)


async def types(town: Town, browser: Browser, code: str) -> tuple[str, int, str]:
    """Type a code into its page."""
    return await browser.submit(f"{town.settings.public_url}/link/code", way="code", otp=code)


def newest(town: Town, email: str = MAIL) -> str:
    """The code in the last mail to an address."""
    return str(town.tenant.mail(email)[-1].code)


async def on_record(town: Town) -> list[tuple[str, str, str | None]]:
    """Type, outcome and reason of all entries about logins, oldest first."""
    uri = town.settings.mongodb_uri
    assert uri is not None
    client, database = connect(uri.get_secret_value(), town.settings.mongodb_database)
    found = [entry async for entry in MongoAuditStore(database).entries()]
    client.close()
    return [
        (str(e["type"]), str(e["outcome"]), str(e["reason"]) if "reason" in e else None)
        for e in found
        if str(e["type"]).startswith(("link.", "login."))
    ]


async def test_an_address_and_its_code_link_and_the_agent_acts(town: Town) -> None:
    """The link leaves the address bar, and the next action runs in the name of whom the page has linked."""
    async with Browser() as browser:
        address, status, _ = await asks(town, browser, MAIL)
        assert (address, status) == (f"{town.settings.public_url}/link/code", 200)
        _, status, page = await types(town, browser, newest(town))
    assert status == 200
    assert "You are linked" in page
    await town.sees_control(ADA, "link.not_me")
    await town.types(ADA, "run list_orders")
    await town.sees(ADA, "A-1001", SUPPORT)
    (call,) = town.calls()
    assert (call.sub, call.scopes) == (town.tenant.state.people["ada"].sub, ("orders:read",))
    assert await on_record(town) == [
        ("link.started", "ok", None), ("login.embedded", "ok", None), ("link.completed", "ok", None),
    ]  # fmt: skip
    assert town.tenant.mail(MAIL)[-1].forwarded_for == "127.0.0.1"


async def test_t58_three_wrong_codes_are_enough(town: Town) -> None:
    """The right one is refused then, and not even sent on; the provider's page is open, and links (guard: the count in
    `Embedded._guess`)."""
    link = await town.link_of(ADA)
    async with Browser() as browser:
        await asks(town, browser, MAIL, link)
        for _ in range(3):
            assert (await types(town, browser, WRONG))[1] == 403
        assert (await types(town, browser, newest(town)))[1] == 403
        assert town.tenant.otp_calls == 3
        authorize, status, _ = await browser.submit(f"{town.settings.public_url}/link/code", way="provider")
        assert status == 303
        assert "You are linked" in (await browser.open(await browser.sign_in(authorize, "ada")))[1]
    wrong = ("login.embedded", "denied", "otp_wrong")
    assert (await on_record(town))[1:5] == [wrong, wrong, wrong, ("login.embedded", "denied", "otp_spent")]


async def test_t58_another_browser_cannot_use_the_code(town: Town) -> None:
    """Mallory has the code, and the link, and even the page's form: without the cookie of the browser that asked it is
    worth nothing (guard: the comparison in `Embedded.newest`)."""
    link = await town.link_of(ADA)
    async with Browser() as browser, Browser() as mallory:
        await asks(town, browser, MAIL, link)
        await mallory.open(link)
        with pytest.raises(PageRefused) as refused:
            await types(town, mallory, newest(town))
        assert refused.value.status == 403
        assert town.tenant.otp_calls == 0
        assert "You are linked" in (await types(town, browser, newest(town)))[2]


async def test_t58_an_older_and_an_expired_code_are_refused(town: Town) -> None:
    """Only the newest one counts, and for as long as the tenant says (guard: what `Embedded.enter` does with the
    tenant's `invalid_grant`)."""
    async with Browser() as browser:
        await asks(town, browser, MAIL)
        older = newest(town)
        # Another address in between, since the same one twice within seconds is a double click.
        await asks(town, browser, STRANGER, link := await town.link_of(ADA))
        await asks(town, browser, MAIL, link)
        assert older != newest(town)
        assert (await types(town, browser, older))[1] == 403
        town.tenant.passwordless.seconds = 0
        await asks(town, browser, STRANGER, again := await town.link_of(ADA))
        await asks(town, browser, MAIL, again)
        assert (await types(town, browser, newest(town)))[1] == 403
    assert town.tenant.families() == []


@pytest.mark.parametrize("signups", [True, False])
async def test_t58_an_address_without_an_account_looks_like_any_other(town: Town, signups: bool) -> None:
    """Also where the tenant refuses it: the same pages, the same number of calls, the same entries (guard: `send_code`
    returns for a 4xx as for a 2xx)."""
    town.tenant.passwordless.signups = signups
    pages: dict[str, list[tuple[int, str]]] = {}
    entries: list[list[tuple[str, str, str | None]]] = []
    for email in (MAIL, STRANGER):
        before = len(await on_record(town))
        async with Browser() as browser:
            told = [await asks(town, browser, email), *[await types(town, browser, WRONG) for _ in range(4)]]
        pages[email] = [(status, visible(text, email)) for _, status, text in told]
        entries.append((await on_record(town))[before:])
    assert pages[MAIL] == pages[STRANGER]
    assert entries[0] == entries[1]
    assert (town.tenant.passwordless_calls, town.tenant.otp_calls) == (2, 6)
    assert len(town.tenant.mail(STRANGER)) == int(signups)


def visible(text: str, email: str) -> str:
    """A page without its hidden fields, which are random, and without the address that was typed."""
    return "\n".join(line for line in text.splitlines() if 'type="hidden"' not in line).replace(email, "ADDRESS")


async def test_a_second_factor_is_given_at_the_provider(town: Town) -> None:
    """Where the code is not enough for the tenant, the same link goes on to its own page, and links."""
    town.tenant.require_mfa("ada")
    async with Browser() as browser:
        await asks(town, browser, MAIL)
        authorize, status, _ = await types(town, browser, newest(town))
        assert status == 303
        assert authorize.startswith(f"{town.tenant.issuer}authorize?")
        assert "login_hint=ada%40example.com" in authorize
        assert "You are linked" in (await browser.open(await browser.sign_in(authorize, "ada")))[1]
    kinds = await on_record(town)
    assert kinds[1:] == [("login.embedded", "denied", "mfa_required"), ("link.completed", "ok", None)]


async def test_t12_a_colleagues_link_and_ones_own_code_prove_nothing(town: Town) -> None:
    """Ada forwards her link to Bob, who signs in to it by his own address: his account is not hers until he has carried
    our code to Slack, and there it is hers alone to type (guard: `email_problem` in `Proving._settle`)."""
    async with Browser() as bob:
        await asks(town, bob, "bob@example.com")
        _, status, page = await types(town, bob, newest(town, "bob@example.com"))
    assert status == 200
    assert 'id="code"' in page
    assert "bob@example.com" in page
    await town.types(ADA, "run list_orders")
    assert town.calls() == []
