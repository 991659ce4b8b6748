"""Linking: one browser, one person, one link, whoever opens, forwards, repeats or races."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from oauth import SlackProfile
from oauth.errors import (
    EmailDiffers,
    IdentityError,
    LoginRefused,
    ProviderUnavailable,
    SealBroken,
    StateUnknown,
    StoreUnavailable,
    TicketUnknown,
    TicketUsed,
    TokenInvalid,
    WrongBrowser,
)
from oauth.tickets import Stage
from tests.fakes.house import ADA, ADA_MAIL, BOB, BOB_MAIL, EVE_MAIL, PEOPLE, PUBLIC_URL, House
from tests.fakes.observer import TrailAway
from tests.fakes.provider import ISSUER


async def outcome(home: House, answer: dict[str, object]) -> type[BaseException] | None:
    """What a callback ends in: an error's class, or None for a link or a code."""
    try:
        await home.rooms.linking.returned(**answer)  # type: ignore[arg-type]
    except IdentityError as error:
        return type(error)
    return None


# the link


async def test_a_person_links_by_their_own_address(home: House) -> None:
    """The same verified e-mail is proof; the entry names both accounts and people are told afterwards."""
    returned = await home.return_as(ADA, ADA_MAIL)
    assert returned.principal is not None
    assert (returned.principal.slack, returned.principal.identity.email) == (ADA, ADA_MAIL)
    assert home.observer.entries() == [("link.started", "ok", None), ("link.completed", "ok", None)]
    assert home.observer.told[-1].principal == await home.rooms.links.principal(ADA)


async def test_what_was_asked_before_goes_on_after(home: House) -> None:
    """`waiting` comes back with the event, sealed until then; a later question takes its place."""
    await home.rooms.linking.start(ADA, PEOPLE[ADA], waiting="first question")
    assert "question" not in home.store.dump()
    secret = await home.start(waiting="what I ask now")
    pointed = await home.rooms.linking.start(ADA, PEOPLE[ADA], waiting="and this \ud800")
    assert pointed.url is None
    await home.rooms.linking.returned(**await home.sign_in(secret, ADA_MAIL))
    assert home.observer.told[-1].waiting == "and this ?"


async def test_a_second_question_is_pointed_to_the_live_link(home: House) -> None:
    """One login message for one live link, also for three replicas at once; when it is over there is a new one."""
    homes = [home, home.replica(), home.replica()]
    started = await asyncio.gather(*(h.rooms.linking.start(ADA, PEOPLE[ADA]) for h in homes))
    assert len([s for s in started if s.url]) == 1
    assert len(home.observer.recorded) == 1
    home.clock.forward(minutes=10)
    assert (await home.rooms.linking.start(ADA, PEOPLE[ADA])).url


async def test_no_entry_no_link(home: House) -> None:
    """If the entry fails nobody got the link, so the next request must get one and not be pointed to it."""
    home.observer.away = True
    with pytest.raises(TrailAway):
        await home.rooms.linking.start(ADA, PEOPLE[ADA])
    home.observer.away = False
    assert (await home.rooms.linking.start(ADA, PEOPLE[ADA])).url


async def test_t11_looking_at_a_link_changes_nothing(home: House) -> None:
    """Previews and scanners may fetch it any number of times: `open_ticket` only reads."""
    secret = await home.start()
    before = home.store.dump()
    for _ in range(20):
        await home.rooms.linking.open_ticket(secret)
    assert home.store.dump() == before
    assert await outcome(home, await home.sign_in(secret, ADA_MAIL)) is None


async def test_t16_the_database_knows_no_secret_of_a_login(home: House) -> None:
    """Ticket, browser, state, nonce, verifier, code, and tokens: hashed or sealed at every stage."""
    secret = await home.start()
    answer = await home.sign_in(secret, EVE_MAIL)
    nonce, verifier = home.opened(ADA, "login")
    dumps = [home.store.dump()]
    returned = await home.rooms.linking.returned(**answer)
    dumps.append(home.store.dump())
    known = [secret, "browser-1", answer["state"], answer["code"], nonce, verifier]
    known += [str(returned.code), home.provider.grants[0].current]
    assert not [value for value in known for dump in dumps if value in dump]


@pytest.mark.parametrize("end", ["expired", "superseded", "unlinked", "void", "unknown"])
async def test_t15_a_link_that_is_over_leads_nowhere(home: House, end: str) -> None:
    """`open_ticket` refuses it before a login begins, and the callback of one that had begun is refused too."""
    secret = await home.start()
    answer = await home.sign_in(secret, ADA_MAIL)
    match end:
        case "expired":
            home.clock.forward(minutes=10)
        case "superseded":
            await home.start()
        case "unlinked":
            await home.rooms.links.unlink(ADA, "deactivated")
        case "void":
            home.store.kept_tickets[ADA.key] = replace(home.store.kept_tickets[ADA.key], stage=Stage.VOID)
        case "unknown":
            home.store.kept_tickets.clear()
    with pytest.raises(TicketUnknown):
        await home.rooms.linking.open_ticket(secret)
    with pytest.raises(TicketUnknown):
        await home.rooms.linking.go_on(secret, "browser-1")
    assert await outcome(home, answer) is StateUnknown
    assert home.provider.exchanges == 0
    assert home.observer.entries()[-1] == ("link.refused", "denied", "state_unknown")


async def test_a_link_that_has_done_its_work_says_so(home: House) -> None:
    """It works once, and tells used from unknown."""
    secret = await home.start()
    await home.rooms.linking.returned(**await home.sign_in(secret, ADA_MAIL))
    with pytest.raises(TicketUsed):
        await home.rooms.linking.go_on(secret, "browser-2")


# the way back


async def test_t10_one_of_a_hundred_redemptions_wins(home: House) -> None:
    """The same answer at three replicas, a hundred times at once: the spending of the state lets one through."""
    answer = await home.sign_in(await home.start(), ADA_MAIL)
    homes = [home, home.replica(), home.replica()]
    outcomes = await asyncio.gather(*(outcome(homes[n % 3], answer) for n in range(100)))
    assert outcomes.count(None) == 1
    assert set(outcomes) == {None, StateUnknown}
    assert (home.provider.exchanges, len(home.provider.living)) == (1, 1)


@pytest.mark.parametrize("browser", [None, "", "browser-2", "\ud800"])
async def test_t18_an_answer_in_another_browser_is_refused(home: House, browser: str | None) -> None:
    """The comparison with the cookie's hash refuses it before any call, and leaves the login to the right browser."""
    answer = await home.sign_in(await home.start(), ADA_MAIL)
    assert await outcome(home, answer | {"browser": browser}) is WrongBrowser
    assert home.provider.exchanges == 0
    assert home.observer.entries()[-1] == ("link.refused", "denied", "wrong_browser")
    assert await outcome(home, answer) is None


async def test_t19_a_state_works_once_and_for_its_own_login(home: House) -> None:
    """Replayed it is spent; swapped with somebody else's it meets the wrong browser; invented it is unknown."""
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
    """PKCE: the provider does not give tokens for a code to who lacks its verifier."""
    ada = await home.sign_in(await home.start(ADA), ADA_MAIL)
    bob = await home.sign_in(await home.start(BOB), BOB_MAIL)
    assert await outcome(home, ada | {"code": bob["code"]}) is LoginRefused
    assert await home.rooms.links.principal(ADA) is None


async def test_t20_tokens_of_another_login_are_refused(home: House) -> None:
    """Even from a provider that forgot PKCE: the nonce of the ID token is not this login's, and its grant ends."""
    answer = await home.sign_in(await home.start(), ADA_MAIL)
    home.provider.spoil_id = {"nonce": "of another login"}
    assert await outcome(home, answer) is TokenInvalid
    assert home.provider.living == []


@pytest.mark.parametrize(("announced", "iss"), [(True, None), (True, ISSUER[:-1]), (False, "https://mallory.example/")])
async def test_t21_a_wrong_or_missing_issuer_stops_before_the_token_call(
    home: House, announced: bool, iss: str | None
) -> None:
    """RFC 9207: `iss` is compared to the letter wherever it is sent, and missed where it was announced."""
    home.provider.announces_iss = announced
    answer = await home.sign_in(await home.start(), ADA_MAIL)
    assert await outcome(home, answer | {"iss": iss}) is TokenInvalid
    assert home.provider.exchanges == 0


async def test_t21_the_right_issuer_goes_on(home: House) -> None:
    """Announced and sent, or neither."""
    home.provider.announces_iss = True
    answer = await home.sign_in(await home.start(), ADA_MAIL)
    assert await outcome(home, answer | {"iss": ISSUER}) is None


async def test_t22_a_refused_login_can_be_begun_anew(home: House) -> None:
    """`error` spends the state and not the link; the error's name is cut to safe letters."""
    secret = await home.start()
    answer = await home.sign_in(secret, ADA_MAIL)
    with pytest.raises(LoginRefused) as refused:
        await home.rooms.linking.returned(**answer | {"error": "access_denied<script>", "code": None})
    assert refused.value.error == "access_deniedscript"
    assert home.store.kept_tickets[ADA.key].stage is Stage.RETURNED
    assert await outcome(home, answer) is StateUnknown
    assert await outcome(home, await home.sign_in(secret, ADA_MAIL)) is None


async def test_t22_an_answer_with_nothing_in_it_is_refused(home: House) -> None:
    """Neither code nor error."""
    answer = await home.sign_in(await home.start(), ADA_MAIL)
    assert await outcome(home, answer | {"code": None}) is LoginRefused


async def test_t24_each_login_has_secrets_of_its_own(home: House) -> None:
    """State, nonce and challenge are fresh with each beginning, also of the same link."""
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


async def test_t34_a_question_that_does_not_open_ends_the_login(home: House) -> None:
    """The grant of a ticket that was tampered with is revoked, and not lost in it."""
    answer = await home.sign_in(await home.start(waiting="question"), ADA_MAIL)
    home.store.kept_tickets[ADA.key] = replace(home.store.kept_tickets[ADA.key], sealed_waiting="altered")
    assert await outcome(home, answer) is SealBroken
    assert home.provider.living == []
    assert await home.rooms.links.principal(ADA) is None


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
    """Fewer scopes than were asked for make a smaller grant; identity scopes are no part of it."""
    answer = await home.sign_in(await home.start(), ADA_MAIL, scopes=("orders:read",))
    returned = await home.rooms.linking.returned(**answer)
    assert returned.principal is not None
    assert returned.principal.scopes == {"orders:read"}


# crashes


@pytest.mark.parametrize("step", ["advance", "holder", "add_link"])
@pytest.mark.parametrize("email", [ADA_MAIL, EVE_MAIL])
async def test_t74_a_store_that_fails_leaves_no_grant_behind(home: House, step: str, email: str) -> None:
    """Wherever linking breaks off after the exchange, nobody is linked and the grant ends."""
    answer = await home.sign_in(await home.start(), email)

    async def fails_from_now_on() -> None:
        home.store.fails[step] = 1

    home.provider.hold = fails_from_now_on
    if email == ADA_MAIL or step == "advance":
        with pytest.raises(StoreUnavailable):
            await home.rooms.linking.returned(**answer)
    else:
        returned = await home.rooms.linking.returned(**answer)
        with pytest.raises(StoreUnavailable):
            await home.rooms.linking.enter_code(ADA, str(returned.code))
    assert await home.rooms.links.principal(ADA) is None
    assert home.provider.living == []


async def test_t74_a_grant_ends_even_while_the_store_is_away(home: House) -> None:
    """What cannot be noted is revoked at once; if that fails too, the failure is told."""
    answer = await home.sign_in(await home.start(), ADA_MAIL)

    async def store_away() -> None:
        home.store.away = True

    home.provider.hold = store_away
    with pytest.raises(StoreUnavailable):
        await home.rooms.linking.returned(**answer)
    assert home.provider.living == []


async def test_t74_a_link_that_stands_outlives_a_crash_right_after(home: House) -> None:
    """The grant is still in the ticket, but the sweep sees that it did become the link and revokes nothing."""
    answer = await home.sign_in(await home.start(), ADA_MAIL)
    home.store.loses_answer_of.add("add_link")

    async def crash() -> None:
        raise SystemExit

    home.store.first["queue_revocation"] = crash
    with pytest.raises(SystemExit):
        await home.rooms.linking.returned(**answer)
    home.clock.forward(minutes=11)
    await home.replica().rooms.sweep()
    assert await home.rooms.links.principal(ADA) is not None
    assert len(home.provider.living) == 1
    assert home.store.kept_tickets[ADA.key].sealed_grant is None


async def test_t74_a_claim_without_a_link_is_made_good(home: House) -> None:
    """Killed between claiming the ticket and making the link: the sweep revokes what was left in it."""
    answer = await home.sign_in(await home.start(), ADA_MAIL)

    async def crash() -> None:
        raise SystemExit

    home.store.first["holder"] = crash
    home.store.first["queue_revocation"] = crash
    with pytest.raises(SystemExit):
        await home.rooms.linking.returned(**answer)
    assert len(home.provider.living) == 1
    home.clock.forward(minutes=11)
    await home.replica().rooms.sweep()
    assert home.provider.living == []


async def test_old_names_and_addresses_do_not_stay(home: House) -> None:
    """A ticket is forgotten a day after its time."""
    await home.start()
    home.clock.forward(days=1, minutes=11)
    await home.rooms.sweep()
    assert home.store.kept_tickets == {}


async def test_the_link_is_built_on_the_configured_address(home: House) -> None:
    """Nothing of a request decides where a link points to."""
    started = await home.rooms.linking.start(ADA, SlackProfile("https://evil.example", "x"))
    assert started.url is not None
    assert started.url.startswith(f"{PUBLIC_URL}/link/")
    assert started.url not in repr(started)


async def test_with_proof_by_email_another_address_is_refused(home: House) -> None:
    """No code is offered, and the grant ends."""
    strict = home.replica(proof="email")
    assert await outcome(strict, await strict.sign_in(await strict.start(), EVE_MAIL)) is EmailDiffers
    assert home.provider.living == []
