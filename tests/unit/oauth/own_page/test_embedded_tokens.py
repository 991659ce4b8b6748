"""What a code was redeemed for: verified like any login, of the address that it went to, and proved like any other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from oauth.tickets import Stage
from tests.conftest import HandClock
from tests.fakes.browser import Site, serve
from tests.fakes.house import ADA, ADA_MAIL, EVE_MAIL, House
from tests.fakes.own_login import own_login
from tests.fakes.slack_openid import FakeSlackOpenId
from tests.fakes.typist import newest, typist, waiting


@pytest.fixture
def home(clock: HandClock) -> House:
    """An empty house that takes codes on its own page."""
    return own_login(clock)


@pytest.mark.parametrize(
    ("spoil", "claim"),
    [
        ({"email": EVE_MAIL}, "email"), ({"email": None}, "email"), ({"email_verified": False}, "email"),
        ({"email_verified": "true"}, "email"), ({"nonce": "of another login"}, "nonce"), ({"aud": "other"}, "aud"),
        ({"iss": "https://other.example/"}, "iss"), ({"exp": 1}, "exp"), ({"events": {}}, "events"),
    ],
)  # fmt: skip
async def test_t28_the_token_is_of_this_address_and_verified(site: Site, spoil: dict[str, Any], claim: str) -> None:
    """Whom the token names must own the address that the code went to, and the provider vouch for it; else the grant
    ends (guard: `Embedded._accepted`)."""
    ada, home = await waiting(site), site.home
    home.provider.spoil_id = spoil
    answer = await ada.types(newest(home))
    assert answer.status == 400
    assert f"token_invalid: {claim}" in await answer.text()
    assert home.provider.living == []
    assert home.observer.entries()[-1] == ("link.refused", "denied", "token_invalid")
    assert await home.rooms.links.principal(ADA) is None


@pytest.mark.parametrize("missing", ["refresh_token", "id_token"])
async def test_an_answer_without_its_tokens_is_refused(site: Site, missing: str) -> None:
    """As after a login at the provider."""
    ada, home = await waiting(site), site.home
    home.provider.omit = {missing}
    assert (await ada.types(newest(home))).status == 400
    assert home.provider.living == [] or missing == "refresh_token"
    assert await home.rooms.links.principal(ADA) is None


async def test_the_case_of_an_address_does_not_matter(site: Site) -> None:
    """Auth0 writes addresses small."""
    ada = await waiting(site, ADA_MAIL.upper())
    assert "You are linked" in await (await ada.types(newest(site.home))).text()


async def test_a_login_that_was_superseded_meanwhile_links_nobody(site: Site) -> None:
    """Another browser began while the code was redeemed: the grant ends (guard: the match in `Embedded._spend`)."""
    ada, home = await waiting(site), site.home
    other = typist(site)

    async def begins_anew() -> None:
        await other.asks(ada.fields["link"], EVE_MAIL)

    home.provider.hold = begins_anew
    assert (await ada.types(newest(home))).status == 410
    assert home.provider.living == []
    assert await home.rooms.links.principal(ADA) is None
    assert home.store.kept_tickets[ADA.key].stage is Stage.STARTED


@pytest.mark.parametrize("broken", ["trail", "store", "answer"])
async def test_a_grant_that_cannot_be_kept_ends(site: Site, broken: str) -> None:
    """Where the login cannot be written down, or its step is lost, nobody is linked and nothing stays alive (guard: the
    exception's branch of `Embedded._spend`)."""
    ada, home = await waiting(site), site.home

    async def breaks() -> None:
        home.observer.away = broken == "trail"
        if broken == "store":
            home.store.fails["advance"] = 1
        elif broken == "answer":
            home.store.loses_answer_of.add("advance")

    home.provider.hold = breaks
    assert (await ada.types(newest(home))).status == 503
    assert home.provider.living == []
    home.observer.away = False
    assert await home.rooms.links.principal(ADA) is None


async def test_t34_an_altered_address_is_refused_and_on_record(site: Site) -> None:
    """The code is not tried at an address that somebody has put there; asking anew seals it anew."""
    ada, home = await waiting(site), site.home
    ticket = home.store.kept_tickets[ADA.key]
    home.store.kept_tickets[ADA.key] = replace(ticket, sealed_address="altered")
    form = dict(ada.fields)
    assert (await ada.types(newest(home))).status == 503
    assert home.provider.tried == []
    assert home.observer.entries()[-1] == ("link.refused", "denied", "seal_broken")
    await ada.asks(form["link"], ADA_MAIL)
    assert "You are linked" in await (await ada.types(newest(home))).text()


async def test_whose_address_differs_proves_by_our_code(site: Site) -> None:
    """A login by code proves no more than any other: another address than Slack's gets our code to carry by hand."""
    ada, home = typist(site), site.home
    await ada.asks(await home.start(), EVE_MAIL)
    await ada.types(home.provider.mails[-1][1])
    assert await home.rooms.links.principal(ADA) is None
    assert EVE_MAIL in ada.page.text
    assert (await home.rooms.linking.enter_code(ADA, ada.page.by_id["code"])).identity.email == EVE_MAIL


async def test_whose_address_differs_is_refused_where_only_the_address_proves(home: House) -> None:
    """With the proof by address the grant ends, as after any login."""
    strict = home.replica(embedded_login=True, proof="email")
    async for site in serve(strict):
        ada = typist(site)
        await ada.asks(await strict.start(), EVE_MAIL)
        answer = await ada.types(home.provider.mails[-1][1])
        assert "These are two different people" in await answer.text()
        assert home.provider.living == []


async def test_whose_proof_is_slack_goes_on_to_slack(home: House, slack: FakeSlackOpenId) -> None:
    """After the code as after any login: the same browser shows there who it is, and only then is the link made."""
    proving = home.replica(embedded_login=True, **slack.settings)
    async for site in serve(proving):
        ada = typist(site)
        await ada.asks(await proving.start(), ADA_MAIL)
        on = await ada.types(newest(home))
        assert on.headers["Location"].startswith(f"{slack.issuer}/openid/connect/authorize?")
        assert await home.rooms.links.principal(ADA) is None
        brought = await slack.sign_in(on.headers["Location"], ADA)
        back = await ada.browser.send("GET", "/oauth/slack", params=brought)
        assert "You are linked" in await back.text()
    await proving.rooms.close()
