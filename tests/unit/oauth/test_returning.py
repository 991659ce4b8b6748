"""The way back from the provider: one browser, one state, one login."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from oauth.errors import (
    LoginRefused,
    ProviderUnavailable,
    SealBroken,
    StateUnknown,
    TicketUnknown,
    TokenInvalid,
    WrongBrowser,
)
from oauth.tickets import Stage
from tests.fakes.house import ADA, ADA_MAIL, BOB, BOB_MAIL, House, outcome
from tests.fakes.provider import ISSUER


async def test_t10_one_of_a_hundred_redemptions_wins(home: House) -> None:
    """The same answer at three replicas, a hundred times at once: one is let through (guard: the step that spends the
    state in `Linking.returned`)."""
    answer = await home.sign_in(await home.start(), ADA_MAIL)
    homes = [home, home.replica(), home.replica()]
    outcomes = await asyncio.gather(*(outcome(homes[n % 3], answer) for n in range(100)))
    assert outcomes.count(None) == 1
    assert set(outcomes) == {None, StateUnknown}
    assert (home.provider.exchanges, len(home.provider.living)) == (1, 1)


@pytest.mark.parametrize("browser", [None, "", "browser-2", "\ud800"])
async def test_t18_an_answer_in_another_browser_is_refused(home: House, browser: str | None) -> None:
    """Refused before any call, and the login is left to the right browser (guard: `compare_digest` of the browser in
    `Linking._begun`)."""
    answer = await home.sign_in(await home.start(), ADA_MAIL)
    assert await outcome(home, answer | {"browser": browser}) is WrongBrowser
    assert home.provider.exchanges == 0
    assert home.observer.entries()[-1] == ("link.refused", "denied", "wrong_browser")
    assert await outcome(home, answer) is None


async def test_t19_a_state_works_once_and_for_its_own_login(home: House) -> None:
    """Replayed it is spent; swapped with somebody else's it meets the wrong browser; invented it is unknown (guards: in
    `Linking._begun` the ticket of the state, its stage and its browser; what is spent in `Linking.returned` again)."""
    ada = await home.sign_in(await home.start(ADA), ADA_MAIL, browser="of-ada")
    bob = await home.sign_in(await home.start(BOB), BOB_MAIL, browser="of-bob")
    assert await outcome(home, ada | {"state": bob["state"]}) is WrongBrowser
    assert await outcome(home, ada | {"state": "invented"}) is StateUnknown
    assert home.provider.exchanges == 0
    assert await outcome(home, ada) is None
    assert await outcome(home, ada) is StateUnknown
    assert home.provider.exchanges == 1
    assert [e.slack for e in home.observer.recorded if e.type == "link.refused"] == [BOB, None, ADA]


async def test_t20_a_code_of_another_login_is_refused(home: House) -> None:
    """PKCE: the provider does not give tokens for a code to who lacks its verifier (guard: a verifier of its own for
    each login in `Logins.begin`)."""
    ada = await home.sign_in(await home.start(ADA), ADA_MAIL)
    bob = await home.sign_in(await home.start(BOB), BOB_MAIL)
    assert await outcome(home, ada | {"code": bob["code"]}) is LoginRefused
    assert await home.rooms.links.principal(ADA) is None


async def test_t20_tokens_of_another_login_are_refused(home: House) -> None:
    """Even from a provider that forgot PKCE: the nonce of the ID token is not this login's, and its grant ends (guards:
    `one_time` in verify.py, `discard` in `Logins.accepted`)."""
    answer = await home.sign_in(await home.start(), ADA_MAIL)
    home.provider.spoil_id = {"nonce": "of another login"}
    assert await outcome(home, answer) is TokenInvalid
    assert home.provider.living == []


@pytest.mark.parametrize(("announced", "iss"), [(True, None), (True, ISSUER[:-1]), (False, "https://mallory.example/")])
async def test_t21_a_wrong_or_missing_issuer_stops_before_the_token_call(
    home: House, announced: bool, iss: str | None
) -> None:
    """RFC 9207: `iss` is compared to the letter wherever it is sent, and missed where it was announced (guard: the
    comparison in `code_of`)."""
    home.provider.announces_iss = announced
    answer = await home.sign_in(await home.start(), ADA_MAIL)
    assert await outcome(home, answer | {"iss": iss}) is TokenInvalid
    assert home.provider.exchanges == 0


async def test_t21_the_right_issuer_goes_on(home: House) -> None:
    """Announced and sent, or sent although nobody announced it (guard: the comparison in `code_of`, which must not
    refuse all)."""
    for announced in (True, False):
        home.provider.announces_iss = announced
        answer = await home.sign_in(await home.start(), ADA_MAIL)
        assert await outcome(home, answer | {"iss": ISSUER}) is None


async def test_t22_a_refused_login_can_be_begun_anew(home: House) -> None:
    """`error` spends the state and not the link; the error's name is cut to safe letters (guards: the stage in
    `Linking._begun`, what is spent in `Linking.returned`; the cut in `LoginRefused`)."""
    secret = await home.start()
    answer = await home.sign_in(secret, ADA_MAIL)
    with pytest.raises(LoginRefused) as refused:
        await home.rooms.linking.returned(**answer | {"error": "access_denied<script>", "code": None})
    assert refused.value.error == "access_deniedscript"
    assert home.store.kept_tickets[ADA.key].stage is Stage.RETURNED
    assert await outcome(home, answer) is StateUnknown
    assert await outcome(home, await home.sign_in(secret, ADA_MAIL)) is None


async def test_t22_an_answer_with_nothing_in_it_is_refused(home: House) -> None:
    """Neither code nor error, or an error beside a code: no call (guard: the look at both in `code_of`)."""
    for odd in ({"code": None}, {"error": "access_denied"}):
        answer = await home.sign_in(await home.start(), ADA_MAIL)
        assert await outcome(home, answer | odd) is LoginRefused
    assert home.provider.exchanges == 0


async def test_t24_each_login_has_secrets_of_its_own(home: House) -> None:
    """State, nonce and challenge are fresh with each beginning, also of the same link (guard: `new_secret` in
    `Logins.begin`)."""
    secret = await home.start()
    for browser in ("browser-1", "browser-2", "browser-3"):
        await home.rooms.linking.go_on(secret, browser)
    for name in ("state", "nonce", "challenge"):
        assert len({str(login[name]) for login in home.provider.authorized}) == 3
        assert all(len(str(login[name])) == 43 for login in home.provider.authorized)
    assert {login["login_hint"] for login in home.provider.authorized} == {ADA_MAIL}


async def test_the_last_browser_owns_the_link(home: House) -> None:
    """Of two that began, the first one's answer is refused."""
    secret = await home.start()
    first = await home.sign_in(secret, ADA_MAIL, browser="browser-1")
    second = await home.sign_in(secret, ADA_MAIL, browser="browser-2")
    assert await outcome(home, first) is StateUnknown
    assert await outcome(home, second) is None


async def test_a_login_that_was_superseded_during_its_exchange_links_nobody(home: House) -> None:
    """The match on the browser stops it, although a second login through this link has come as far as it has."""
    secret = await home.start()
    first = await home.sign_in(secret, ADA_MAIL, browser="browser-1")

    async def second_comes_back() -> None:
        second = await home.sign_in(secret, ADA_MAIL, browser="browser-2")
        assert await outcome(home, second | {"error": "access_denied"}) is LoginRefused

    home.provider.hold = second_comes_back
    assert await outcome(home, first) is TicketUnknown
    assert await home.rooms.links.principal(ADA) is None
    assert home.provider.living == []


async def test_t34_a_login_that_does_not_open_is_refused_and_on_record(home: House) -> None:
    """What was stored for the way back was altered: no call, one entry, the person is told."""
    answer = await home.sign_in(await home.start(), ADA_MAIL)
    home.store.kept_tickets[ADA.key] = replace(home.store.kept_tickets[ADA.key], sealed_login="altered")
    assert await outcome(home, answer) is SealBroken
    assert home.provider.exchanges == 0
    assert home.observer.entries()[-1] == ("link.refused", "denied", "seal_broken")


@pytest.mark.parametrize("missing", ["refresh_token", "id_token"])
async def test_an_answer_without_its_tokens_is_refused(home: House, missing: str) -> None:
    """Without a refresh token there is nothing to keep, without an ID token nobody to link."""
    home.provider.omit = {missing}
    answer = await home.sign_in(await home.start(), ADA_MAIL)
    assert await outcome(home, answer) is TokenInvalid
    assert home.provider.living == [] or missing == "refresh_token"


async def test_a_grant_whose_tokens_do_not_verify_ends(home: House) -> None:
    """A false access token, or keys that cannot be had just now: the refresh token is revoked."""
    home.provider.spoil_access = {"sub": "auth0|eve"}
    assert await outcome(home, await home.sign_in(await home.start(), ADA_MAIL)) is TokenInvalid
    home.provider.spoil_access, home.provider.away_for_keys = {}, True
    replica = home.replica()
    assert await outcome(replica, await replica.sign_in(await replica.start(), ADA_MAIL)) is ProviderUnavailable
    assert home.provider.living == []


async def test_the_grant_is_what_the_person_agreed_to(home: House) -> None:
    """Fewer scopes than were asked for make a smaller grant; identity scopes and unasked ones are no part."""
    answer = await home.sign_in(await home.start(), ADA_MAIL, scopes=("orders:read", "openid", "admin:everything"))
    returned = await home.rooms.linking.returned(**answer)
    assert returned.principal is not None
    assert returned.principal.scopes == {"orders:read"}
