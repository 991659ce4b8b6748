"""From the link over the login to the third party and back: only its own person, in one browser, each step once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
import structlog

from oauth import Vault
from oauth.accounts.errors import AccountDiffers, ConnectNotOffered, ConnectRefused, ConnectUnsure
from oauth.accounts.flow import CONNECTED
from oauth.accounts.tickets import Stage
from oauth.errors import (
    GrantDead,
    IdentityError,
    LoginRefused,
    NotLinked,
    ProviderUnavailable,
    SealBroken,
    StateUnknown,
    TicketUnknown,
    TicketUsed,
    TokenInvalid,
    WrongBrowser,
)
from tests.fakes.connecting import SCOPES, Errand
from tests.fakes.house import ADA, ADA_MAIL, BOB_MAIL, EVE_MAIL, House, token_keys
from tests.fakes.my_account import CONNECT, multi_resource
from tests.fakes.observer import TrailAway
from tests.fakes.provider import ISSUER

REFUSED = "link.refused"


def reasons(ada: Errand) -> list[str | None]:
    """Why something was refused."""
    return [reason for type_, _, reason in ada.entries() if type_ == REFUSED]


async def test_the_whole_way(ada: Errand) -> None:
    """Login, third party, back: the account is the linked person's, each step is on record, and it is told once."""
    secret = await ada.link()
    await ada.to_login(secret)
    assert ada.home.my_account.authorized[-1]["login_hint"] == ADA_MAIL
    step = await ada.signed_in()
    assert (step.onward or "").startswith(f"{CONNECT}?ticket=")
    assert ada.home.my_account.connects[-1]["scopes"] == SCOPES
    assert not ada.connected
    step = await ada.allowed()
    assert (step.onward, step.principal) == (None, ada.who)
    assert ada.home.my_account.accounts == {(ada.who.sub, "almanac"): SCOPES}
    assert ada.entries() == [
        ("link.started", "ok", "connect_almanac"),
        ("link.started", "ok", "connect_almanac_allowed"),
        ("link.completed", "ok", "connect_almanac"),
    ]
    told = [event for event in ada.home.observer.told if event.type == CONNECTED]
    assert [(event.slack, event.reason, event.principal) for event in told] == [(ADA, "almanac", ada.who)]


@pytest.mark.parametrize("away", [False, True])
async def test_the_token_of_the_account_before_is_let_go_of(ada: Errand, away: bool) -> None:
    """The next call has the new account's token (guard: `forget`); where that fails, it is connected all the same."""
    broker, provider = ada.home.rooms.broker, ada.home.provider
    provider.accounts[ada.who.sub, "almanac"] = SCOPES
    former = await broker.connected(ada.who, "almanac", SCOPES)
    await ada.at_third_party()
    if away:
        ada.home.store.fails["forget_access"] = 1
    await ada.allowed()
    assert ada.connected
    assert (await broker.connected(ada.who, "almanac", SCOPES) == former) is away


async def test_nobody_takes_it_for_a_new_link(ada: Errand) -> None:
    """Whoever hears of links hears nothing of a link that was made (guard: the types of `notify`)."""
    before = len(ada.home.observer.told)
    await ada.at_third_party()
    await ada.allowed()
    assert [event.type for event in ada.home.observer.told[before:]] == [CONNECTED]


# whose browser it is


@pytest.mark.parametrize("email", [EVE_MAIL, BOB_MAIL])
async def test_t12_a_forwarded_link_connects_nothing(ada: Errand, email: str) -> None:
    """Whom Ada sends her link to is not Ada at the provider: no session is begun, nothing of theirs becomes hers.

    Guard: the comparison of `iss` and `sub` in `_is_theirs`.
    """
    secret = await ada.link()
    await ada.to_login(secret, "victim")
    with pytest.raises(AccountDiffers):
        await ada.signed_in(email, "victim")
    assert ada.home.my_account.connects == []
    assert reasons(ada) == ["connect_almanac_account_differs"]


async def test_the_second_time_the_login_asks_who_it_is(ada: Errand) -> None:
    """Whoever is signed in at the provider as somebody else can sign in as themselves then (guard: `again`)."""
    secret = await ada.link()
    await ada.to_login(secret)
    assert "prompt" not in ada.home.my_account.authorized[-1]
    with pytest.raises(AccountDiffers):
        await ada.signed_in(EVE_MAIL)
    await ada.to_login(secret)
    assert ada.home.my_account.authorized[-1]["prompt"] == "login"
    assert (await ada.signed_in()).onward is not None


async def test_t12_the_third_partys_address_is_no_use_to_others(ada: Errand) -> None:
    """Ada shows who she is, and sends the address at the third party to somebody else: their yes comes back to us in a
    browser that did not begin, and their account is nobody's (guard: `compare_digest` in `returned`)."""
    await ada.at_third_party()
    for browser in ("victim", None):
        with pytest.raises(WrongBrowser):
            await ada.allowed(browser)  # type: ignore[arg-type]
    assert ada.home.my_account.completions == 0
    assert reasons(ada) == ["connect_almanac_wrong_browser"] * 2
    await ada.allowed()
    assert ada.connected


async def test_t18_the_login_of_another_browser_is_refused(ada: Errand) -> None:
    """The right state without the cookie that went with it costs nothing: the right browser can still finish."""
    await ada.to_login(await ada.link())
    brought = ada.home.my_account.sign_in(ADA_MAIL)
    for browser in ("another", "", None):
        with pytest.raises(WrongBrowser):
            await ada.back(browser, brought)
    assert (await ada.back("browser-1", brought)).onward is not None


async def test_t30_the_same_name_at_another_issuer_is_somebody_else(ada: Errand) -> None:
    """An identity is issuer and subject; a link from before the issuer was changed connects nothing."""
    kept = ada.home.store.kept_links
    link = kept[ADA.key]
    other = replace(link.principal, identity=replace(link.principal.identity, iss="https://former.example/"))
    kept[ADA.key] = replace(link, principal=other)
    await ada.to_login(await ada.link())
    with pytest.raises(AccountDiffers):
        await ada.signed_in()


@pytest.mark.parametrize(
    ("spoil", "error"),
    [({"nonce": "another"}, TokenInvalid), ({"aud": "another"}, TokenInvalid), ({"exp": 1}, TokenInvalid)],
)
async def test_t28_a_token_of_another_login_shows_nothing(
    ada: Errand, spoil: dict[str, Any], error: type[IdentityError]
) -> None:
    """The ID token is verified like that of any login, its nonce included (guard: `Verifier.id_token`)."""
    ada.home.my_account.spoil_id = spoil
    await ada.to_login(await ada.link())
    with pytest.raises(error):
        await ada.signed_in()
    assert ada.home.my_account.connects == []


async def test_t20_another_sessions_code_is_refused(ada: Errand) -> None:
    """Bob's code, carried into Ada's login, meets her verifier (guard: PKCE)."""
    await ada.to_login(await ada.link())
    state = ada.home.my_account.authorized[-1]["state"]
    await ada.to_login(await ada.link(connection="drive"), "browser-2")
    theirs = ada.home.my_account.sign_in(ADA_MAIL)["code"]
    with pytest.raises(LoginRefused):
        await ada.back("browser-1", {"state": state, "code": theirs})


@pytest.mark.parametrize("announces", [True, False])
async def test_t21_a_wrong_issuer_is_refused_before_any_token(ada: Errand, announces: bool) -> None:
    """At both steps; at the login also a missing one, where the provider announces it (RFC 9207)."""
    ada.home.my_account.announces_iss = announces
    secret = await ada.link()
    for iss in ("https://elsewhere.example/", *([None] if announces else [])):
        await ada.to_login(secret)
        with pytest.raises(TokenInvalid):
            await ada.signed_in(iss=iss)
    await ada.to_login(secret)
    await ada.signed_in(iss=ISSUER)
    with pytest.raises(TokenInvalid):
        await ada.allowed(iss="https://elsewhere.example/")
    assert ada.home.my_account.completions == 0


# once


async def test_t19_a_state_works_once(ada: Errand) -> None:
    """Both of them: twenty answers at once, and one goes on; a code shown again later is refused (guard: `_spend`)."""
    await ada.to_login(await ada.link())
    brought = ada.home.my_account.sign_in(ADA_MAIL)
    assert await once(ada, brought) == 1
    assert len(ada.home.my_account.connects) == 1
    agreed = ada.home.my_account.allow()
    assert await once(ada, agreed) == 1
    assert ada.home.my_account.completions == 1
    for answer in (brought, agreed):
        with pytest.raises(StateUnknown):
            await ada.back("browser-1", answer)
    assert ada.home.my_account.completions == 1


async def once(ada: Errand, brought: dict[str, str]) -> int:
    """The same answer twenty times at three replicas; how often it was taken."""
    homes = [ada.home, ada.home.replica(), ada.home.replica()]

    async def one(home: House) -> int:
        try:
            await replace(ada, home=home).back("browser-1", brought)
        except StateUnknown:
            return 0
        return 1

    return sum(await asyncio.gather(*(one(homes[n % 3]) for n in range(20))))


async def test_t19_an_unknown_state_is_on_record(ada: Errand) -> None:
    """It names nobody, so it is nobody's."""
    with pytest.raises(StateUnknown):
        await ada.back("browser-1", {"state": "x" * 43, "code": "c"})
    assert ada.entries()[-1] == (REFUSED, "denied", "connect_state_unknown")
    assert ada.home.observer.recorded[-1].slack is None


async def test_each_step_takes_its_own_answer_alone(ada: Errand) -> None:
    """A login's code ends no connection, a connect code no login (guard: the stage says which step it is)."""
    secret = await ada.link()
    await ada.to_login(secret)
    state = ada.home.my_account.authorized[-1]["state"]
    with pytest.raises(LoginRefused):
        await ada.back("browser-1", {"state": state, "connect_code": "c"})
    await ada.to_login(secret)
    await ada.signed_in()
    with pytest.raises(ConnectRefused):
        await ada.back("browser-1", {"state": ada.home.my_account.allow()["state"], "code": "c"})
    assert not ada.connected


async def test_of_several_browsers_the_last_one_counts(ada: Errand) -> None:
    """Whoever begins anew takes the link over, also while the first one is on its way to the third party."""
    secret = await ada.link()
    await ada.to_login(secret, "first")
    brought = ada.home.my_account.sign_in(ADA_MAIL)
    ada.home.my_account.hold = None

    async def second() -> None:
        await ada.to_login(secret, "second")

    ada.home.store.first["link"] = second
    with pytest.raises(TicketUnknown):
        await ada.back("first", brought)
    assert (await ada.signed_in(browser="second")).onward is not None


async def test_a_link_works_once(ada: Errand) -> None:
    """Afterwards its page says that it has done its work; a new one is made for what is asked later."""
    secret = await ada.at_third_party()
    await ada.allowed()
    with pytest.raises(TicketUsed):
        await ada.home.rooms.accounts.connecting.open(secret)
    assert await ada.link() != secret


@pytest.mark.parametrize("minutes", [10, 600])
async def test_t15_a_link_that_is_over_leads_nowhere(ada: Errand, minutes: int) -> None:
    """Whatever the sweep has removed by then (guard: `live`)."""
    secret = await ada.link()
    await ada.to_login(secret)
    ada.home.clock.forward(minutes=minutes)
    for step in (ada.home.rooms.accounts.connecting.open(secret), ada.to_login(secret)):
        with pytest.raises(TicketUnknown):
            await step
    with pytest.raises(StateUnknown):
        await ada.signed_in()


# the link in between


async def unlinked(ada: Errand) -> None:
    """The link ends."""
    await ada.home.rooms.links.unlink(ADA, "unlink")


async def relinked(ada: Errand) -> None:
    """The link ends, and the same person links the same account again."""
    await ada.home.link()


async def logged_out(ada: Errand) -> None:
    """The provider ends it."""
    await ada.home.rooms.links.revoke_subject(ada.who.sub, "logout")


@pytest.mark.parametrize("end", [unlinked, relinked, logged_out])
@pytest.mark.parametrize("step", ["login", "third party"])
async def test_t39_a_link_that_ends_in_between_connects_nothing(
    ada: Errand, end: Callable[[Errand], Awaitable[None]], step: str
) -> None:
    """Neither at the way back from the login nor at that from the third party (guard: `_live` at each step)."""
    secret = await ada.link()
    await ada.to_login(secret)
    if step == "third party":
        await ada.signed_in()
    await end(ada)
    with pytest.raises(NotLinked):
        await (ada.allowed() if step == "third party" else ada.signed_in())
    assert not ada.connected
    assert ada.home.my_account.completions == 0
    assert reasons(ada) == ["connect_almanac_not_linked"]


async def test_a_link_that_ends_while_the_provider_is_told(ada: Errand) -> None:
    """Nobody is told that it is connected, and nothing goes on (guard: the last `_live` in `_completed`)."""
    await ada.at_third_party()

    async def end() -> None:
        await unlinked(ada)

    ada.home.my_account.hold = end
    with pytest.raises(NotLinked):
        await ada.allowed()
    assert CONNECTED not in [event.type for event in ada.home.observer.told]


@pytest.mark.parametrize("step", ["login", "third party"])
async def test_t38_a_dead_grant_ends_the_link_and_connects_nothing(ada: Errand, step: str) -> None:
    """The provider refuses the token for its own API: the link is over, as with any action."""
    await ada.to_login(await ada.link())
    if step == "third party":
        await ada.signed_in()
        ada.home.clock.forward(minutes=9)
        ada.home.store.kept_links[ADA.key] = replace(ada.home.store.kept_links[ADA.key], access=())
    for grant in ada.home.provider.grants:
        grant.alive = False
    with pytest.raises(GrantDead):
        await (ada.allowed() if step == "third party" else ada.signed_in())
    assert await ada.home.rooms.links.principal(ADA) is None
    assert reasons(ada) == ["connect_almanac_grant_dead"]


async def test_a_tenant_that_is_not_set_up_is_said(home: House) -> None:
    """Its refresh tokens do not reach the My Account API, or that refuses the request: on record, in the log for the
    operator, and the link lives."""
    ada = Errand(home, await home.link())
    secret = await ada.link()
    await ada.to_login(secret)
    with structlog.testing.capture_logs() as logs, pytest.raises(ConnectNotOffered):
        await ada.signed_in()
    assert [(one["event"], one["step"]) for one in logs] == [("my_account_refused", "token")]
    multi_resource(home.provider)
    home.my_account.refuses = {"connect": 400}
    await ada.to_login(secret)
    with pytest.raises(ConnectNotOffered):
        await ada.signed_in()
    assert reasons(ada) == ["connect_almanac_connect_not_offered"] * 2
    assert await home.rooms.links.principal(ADA) == ada.who


# what others answer


async def test_t22_a_refusal_leaves_the_link_usable(ada: Errand) -> None:
    """Cancelled at the login, cancelled at the third party, refused by the provider: each on record, then it works."""
    secret = await ada.link()
    await ada.to_login(secret)
    state = str(ada.home.my_account.authorized[-1]["state"])
    with pytest.raises(LoginRefused) as cancelled:
        await ada.back("browser-1", {"state": state, "error": "<b>access_denied</b>"})
    assert cancelled.value.error == "baccess_deniedb"
    await ada.to_login(secret)
    await ada.signed_in()
    with pytest.raises(ConnectRefused) as refused:
        await ada.back("browser-1", ada.home.my_account.refuse("access_denied"))
    assert refused.value.error == "access_denied"
    ada.home.my_account.refuses = {"complete": 400}
    await ada.to_login(secret)
    await ada.signed_in()
    with pytest.raises(ConnectRefused):
        await ada.allowed()
    ada.home.my_account.refuses = {}
    await ada.to_login(secret)
    await ada.signed_in()
    await ada.allowed()
    assert ada.connected
    assert [entry[0] for entry in ada.entries()].count("link.completed") == 1
    assert reasons(ada) == ["connect_almanac_login_refused", *["connect_almanac_connect_refused"] * 2]


async def test_a_refused_link_does_not_live_longer_for_it(ada: Errand) -> None:
    """Somebody who cancels at the third party can begin again until the time that the step had (guard: `again`)."""
    secret = await ada.at_third_party()
    until = ada.home.account_store.kept[f"{ADA.key}:almanac"].expires_at
    ada.home.clock.forward(minutes=5)
    with pytest.raises(ConnectRefused):
        await ada.back("browser-1", ada.home.my_account.refuse())
    ticket = ada.home.account_store.kept[f"{ADA.key}:almanac"]
    assert (ticket.stage, ticket.expires_at) == (Stage.RETURNED, until)
    await ada.to_login(secret)


@pytest.mark.parametrize("away", ["authorize", "token", "connect"])
async def test_t71_a_provider_that_is_away_costs_nothing(ada: Errand, away: str) -> None:
    """Nothing is connected, the link lives, and later it works."""
    ada.home.my_account.away = {away}
    secret = await ada.link()
    if away != "authorize":
        await ada.to_login(secret)
    with pytest.raises(ProviderUnavailable):
        await (ada.to_login(secret) if away == "authorize" else ada.signed_in())
    ada.home.my_account.away = set()
    await ada.to_login(secret)
    await ada.signed_in()
    await ada.allowed()
    assert ada.connected


@pytest.mark.parametrize("lost", [True, False])
async def test_t71_an_answer_that_is_lost_is_found_out_later(ada: Errand, lost: bool) -> None:
    """Whether the account is connected nobody knows: it is said so, on record as unknown, and the round asks again."""
    await ada.at_third_party()
    ada.home.my_account.away, ada.home.my_account.lost = {"complete"}, lost
    with pytest.raises(ConnectUnsure):
        await ada.allowed()
    assert ada.connected is lost
    assert ada.entries()[-1] == (REFUSED, "unknown", "connect_almanac_connect_unsure")
    ada.home.clock.forward(seconds=61)
    await ada.home.rooms.accounts.sweep()
    assert ada.home.observer.told[-1].type == "account.waiting"
    assert await ada.home.rooms.accounts.asking.take(ada.who, "almanac") == "what was asked"


async def test_t54_without_an_entry_nothing_is_connected(ada: Errand) -> None:
    """The trail is away at the way back: nothing is completed, and with the trail back it can be done again."""
    secret = await ada.at_third_party()
    ada.home.observer.away = True
    with pytest.raises(TrailAway):
        await ada.allowed()
    assert ada.home.my_account.completions == 0
    ada.home.observer.away = False
    await ada.to_login(secret)
    await ada.signed_in()
    await ada.allowed()
    assert ada.connected


async def test_an_entry_that_is_lost_afterwards_is_in_the_log(ada: Errand) -> None:
    """It is connected, and that it began is on record: the person is told, and the operator can see it."""
    await ada.at_third_party()

    async def trail_ends() -> None:
        ada.home.observer.away = True

    ada.home.my_account.hold = trail_ends
    with structlog.testing.capture_logs() as logs:
        await ada.allowed()
    assert [one["event"] for one in logs] == ["audit_lost"]
    assert ada.home.observer.told[-1].type == CONNECTED


# at rest


async def test_t33_a_dump_holds_nothing_to_act_with(ada: Errand) -> None:
    """State, nonce, verifiers, session and cookie are sealed or hashed, and gone once they are of no use."""
    secret = await ada.link()
    await ada.to_login(secret)
    store, asked = ada.home.account_store, ada.home.my_account.authorized[-1]
    (ticket,) = store.kept.values()
    nonce, verifier = json.loads(ada.home.vault.open(ticket.sealed_login or "", record=ticket.record, name="login"))
    dump = store.dump()
    await ada.signed_in()
    (ticket,) = store.kept.values()
    assert ticket.sealed_login is None
    session, second = json.loads(ada.home.vault.open(ticket.sealed_session or "", record=ticket.record, name="session"))
    state = ada.home.my_account.connects[-1]["state"]
    dump += store.dump()
    for canary in (secret, "browser-1", nonce, verifier, session, second, str(asked["state"]), state):
        assert canary not in dump
    await ada.allowed()
    (ticket,) = store.kept.values()
    assert (ticket.sealed_login, ticket.sealed_session, ticket.state_hash) == (None, None, None)


@pytest.mark.parametrize("name", ["login", "session"])
async def test_t34_what_is_sealed_opens_in_its_own_ticket_alone(ada: Errand, name: str) -> None:
    """Moved there from another account's ticket of the same person, it does not open, and that is on record."""
    await ada.at_third_party(connection="drive")
    if name == "login":
        await ada.to_login(await ada.link(connection="files"), "browser-2")
    await ada.to_login(await ada.link())
    if name == "session":
        await ada.signed_in()
    kept = ada.home.account_store.kept
    mine, theirs = f"{ADA.key}:almanac", f"{ADA.key}:{'files' if name == 'login' else 'drive'}"
    kept[mine] = replace(kept[mine], **{f"sealed_{name}": getattr(kept[theirs], f"sealed_{name}")})
    with pytest.raises(SealBroken):
        await (ada.signed_in() if name == "login" else ada.allowed())
    assert reasons(ada)[-1] == "connect_almanac_seal_broken"


async def test_t35_a_new_key_is_no_hindrance(ada: Errand) -> None:
    """Sealed anew in the middle of it, everything goes on under the new key alone."""
    await ada.at_third_party()
    ada.home.vault = Vault(token_keys("k2", "k1"))
    assert (await ada.home.replica().rooms.reseal()).left == 0
    ada.home.vault = Vault(token_keys("k2"))
    later = replace(ada, home=ada.home.replica())
    await later.allowed()
    assert later.connected
    assert await later.home.rooms.accounts.asking.take(ada.who, "almanac") == "what was asked"
