"""From the link over the login and back: only its own person, freshly, with a second factor, in one browser, once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from oauth import Evidence, Vault
from oauth.accounts.errors import AccountDiffers
from oauth.errors import (
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
    WrongOrganization,
)
from oauth.step_up.asking import STEPPED_UP
from oauth.step_up.errors import LoginTooOld, SecondFactorMissing
from oauth.step_up.model import Stage
from tests.fakes.house import ADA, ADA_MAIL, BOB, BOB_MAIL, EVE_MAIL, House, token_keys
from tests.fakes.observer import TrailAway
from tests.fakes.provider import ISSUER
from tests.fakes.step_up import SUBJECT, Errand

KEY = f"{ADA.key}:{SUBJECT}"


def now_of(ada: Errand) -> int:
    """Seconds since 1970."""
    return int(ada.home.clock().timestamp())


async def test_the_whole_way(ada: Errand) -> None:
    """Link, login, back: there is evidence, once, and it is told once; nothing was refused."""
    secret = await ada.link()
    await ada.to_login(secret)
    assert ada.login.authorized[-1]["login_hint"] == ADA_MAIL
    assert await ada.take() is None
    step = await ada.signed_in()
    assert (step.principal, step.ticket.subject) == (ada.who, SUBJECT)
    told = [event for event in ada.home.observer.told if event.type == STEPPED_UP]
    assert [(event.slack, event.reason, event.principal) for event in told] == [(ADA, SUBJECT, ada.who)]
    assert await ada.take() == Evidence(now_of(ada), ("mfa",))
    assert await ada.take() is None
    assert ada.entries() == [("link.started", "ok", "step_up")]


# who it was


@pytest.mark.parametrize("email", [EVE_MAIL, BOB_MAIL])
async def test_t12_somebody_elses_login_does_not_count(ada: Errand, email: str) -> None:
    """Whom Ada sends her link to is not Ada at the provider (guard: the comparison of `iss` and `sub`)."""
    await ada.to_login(await ada.link(), "other")
    with pytest.raises(AccountDiffers):
        await ada.signed_in(email, "other")
    assert await ada.take() is None
    assert ada.reasons() == ["step_up_account_differs"]
    assert ada.home.observer.recorded[-1].slack == ADA


async def test_t30_the_same_name_at_another_issuer_is_somebody_else(ada: Errand) -> None:
    """An identity is issuer and subject."""
    await ada.to_login(await ada.link())
    kept = ada.home.store.kept_links
    who = kept[ADA.key].principal
    elsewhere = replace(who, identity=replace(who.identity, iss="https://former.example/"))
    kept[ADA.key] = replace(kept[ADA.key], principal=elsewhere)
    with pytest.raises(AccountDiffers):
        await ada.signed_in()


async def test_a_link_is_for_one_identity(ada: Errand) -> None:
    """Also where the record of the Slack person's link says something else by now (guard: `ticket.sub`)."""
    await ada.to_login(await ada.link())
    kept = ada.home.store.kept_links
    who = kept[ADA.key].principal
    bobs = replace(who, identity=replace(who.identity, sub=f"auth0|{BOB_MAIL}"))  # type: ignore[arg-type]
    kept[ADA.key] = replace(kept[ADA.key], principal=bobs)
    with pytest.raises(AccountDiffers):
        await ada.signed_in(BOB_MAIL)


# how, and when


@pytest.mark.parametrize("amr", [None, [], ["pwd"], ["pwd", "otp"], ["MFA"]])
async def test_without_a_second_factor_it_does_not_count(ada: Errand, amr: list[str] | None) -> None:
    """`amr` has to say `mfa`, and nothing like it will do (guard: `mfa` in `_evidence`)."""
    ada.login.says = {"amr": amr}
    await ada.to_login(await ada.link())
    with pytest.raises(SecondFactorMissing):
        await ada.signed_in()
    assert await ada.take() is None
    assert ada.reasons() == ["step_up_second_factor_missing"]


@pytest.mark.parametrize("amr", ["mfa", {"mfa": 1}, ["mfa", 7], ["mfa", ""], ["mfa", "x" * 65], ["mfa"] * 21])
async def test_t27_methods_that_are_no_few_names_are_refused(ada: Errand, amr: Any) -> None:
    """What is kept goes into the trail and into receipts (guard: `authentication` in oauth/verify.py)."""
    ada.login.says = {"amr": amr}
    await ada.to_login(await ada.link())
    with pytest.raises(TokenInvalid, match="amr"):
        await ada.signed_in()


@pytest.mark.parametrize(("seconds", "counts"), [(0, True), (300, True), (301, False), (-60, True), (-61, False)])
async def test_only_the_last_five_minutes_count(ada: Errand, seconds: int, counts: bool) -> None:
    """With a minute for the provider's clock (guard: `fresh` in `_evidence`)."""
    ada.login.says = {"auth_time": now_of(ada) - seconds}
    await ada.to_login(await ada.link())
    if counts:
        await ada.signed_in()
        assert await ada.take() == Evidence(now_of(ada) - seconds, ("mfa",))
        return
    with pytest.raises(LoginTooOld):
        await ada.signed_in()
    assert await ada.take() is None
    assert ada.reasons() == ["step_up_login_too_old"]


@pytest.mark.parametrize("auth_time", [None, "1", True, float("nan"), 10**400])
async def test_t27_without_a_time_nobody_knows(ada: Errand, auth_time: Any) -> None:
    """`auth_time` has to be there, and a number (guard: `_number` in `authentication`)."""
    ada.login.says = {"auth_time": auth_time}
    await ada.to_login(await ada.link())
    with pytest.raises(TokenInvalid, match="auth_time"):
        await ada.signed_in()
    assert ada.reasons() == ["step_up_token_invalid"]


@pytest.mark.parametrize(
    ("spoil", "error"),
    [({"nonce": "another"}, TokenInvalid), ({"aud": "another"}, TokenInvalid), ({"exp": 1}, TokenInvalid)],
)
async def test_t28_a_token_of_another_login_shows_nothing(
    ada: Errand, spoil: dict[str, Any], error: type[IdentityError]
) -> None:
    """The ID token is verified like that of any login, its nonce included (guard: `Verifier.id_token`)."""
    ada.login.says = spoil
    await ada.to_login(await ada.link())
    with pytest.raises(error):
        await ada.signed_in()
    assert await ada.take() is None


@pytest.mark.parametrize(("org", "counts"), [("org_corp", True), ("org_other", False), (None, False)])
async def test_only_members_count_where_one_organization_is_required(
    ada: Errand, org: str | None, counts: bool
) -> None:
    """`org_id` is compared as at any login (guard: `organization` in oauth/verify.py)."""
    members = replace(ada, home=ada.home.replica(organization="org_corp"))
    ada.login.says = {"org_id": org}
    await members.to_login(await members.link())
    if counts:
        await members.signed_in()
        return
    with pytest.raises(WrongOrganization):
        await members.signed_in()
    assert await ada.take() is None


# which browser, and once


async def test_t18_another_browser_does_not_count(ada: Errand) -> None:
    """The right state without the cookie that went with it costs nothing: the right browser can still finish.

    Guard: `compare_digest` in `returned`.
    """
    await ada.to_login(await ada.link())
    brought = ada.login.sign_in(ADA_MAIL)
    for browser in ("another", "", None):
        with pytest.raises(WrongBrowser):
            await ada.back(browser, brought)
    assert await ada.take() is None
    assert ada.reasons() == ["step_up_wrong_browser"] * 3
    await ada.back("browser-1", brought)
    assert await ada.take() is not None


async def test_t19_a_state_works_once(ada: Errand) -> None:
    """Twenty answers at once at three replicas, and one is taken; shown again later it is refused (guard: the stage in
    `returned`)."""
    await ada.to_login(await ada.link())
    brought = ada.login.sign_in(ADA_MAIL)
    homes = [ada.home, ada.home.replica(), ada.home.replica()]

    async def one(home: House) -> int:
        try:
            await replace(ada, home=home).back("browser-1", brought)
        except StateUnknown:
            return 0
        return 1

    assert sum(await asyncio.gather(*(one(homes[n % 3]) for n in range(20)))) == 1
    assert ada.login.exchanges == 1
    with pytest.raises(StateUnknown):
        await ada.back("browser-1", brought)


async def test_a_login_that_was_begun_anew_is_not_spent_by_the_former_answer(ada: Errand) -> None:
    """They press the button again in the moment in which the former answer comes back (guard: the match in
    `returned`)."""
    secret = await ada.link()
    await ada.to_login(secret)
    brought = ada.login.sign_in(ADA_MAIL)

    async def again() -> None:
        await ada.to_login(secret)

    ada.home.step_up_store.first["advance"] = again
    with pytest.raises(StateUnknown):
        await ada.back("browser-1", brought)
    await ada.signed_in()
    assert await ada.take() is not None


async def test_evidence_is_handed_out_once(ada: Errand) -> None:
    """Twenty at three replicas want it, and one gets it (guard: the match in `take`)."""
    await ada.stepped_up()
    homes = [ada.home, ada.home.replica(), ada.home.replica()]
    found = await asyncio.gather(*(replace(ada, home=homes[n % 3]).take() for n in range(20)))
    assert len([one for one in found if one is not None]) == 1


async def test_t19_an_unknown_state_is_on_record(ada: Errand) -> None:
    """It names nobody, so it is nobody's."""
    with pytest.raises(StateUnknown):
        await ada.back("browser-1", {"state": "x" * 43, "code": "c"})
    assert ada.entries()[-1] == ("link.refused", "denied", "step_up_state_unknown")
    assert ada.home.observer.recorded[-1].slack is None


async def test_t20_another_sessions_code_is_refused(ada: Errand) -> None:
    """A code of another login meets this one's verifier (guard: PKCE)."""
    await ada.to_login(await ada.link())
    state = ada.login.authorized[-1]["state"]
    await ada.to_login(await ada.link("other:"), "browser-2")
    theirs = ada.login.sign_in(ADA_MAIL)["code"]
    with pytest.raises(LoginRefused):
        await ada.back("browser-1", {"state": state, "code": theirs})
    assert await ada.take() is None


@pytest.mark.parametrize("announces", [True, False])
async def test_t21_a_wrong_issuer_is_refused_before_any_token(ada: Errand, announces: bool) -> None:
    """Also a missing one, where the provider announces it (RFC 9207)."""
    ada.login.announces_iss = announces
    secret = await ada.link()
    for iss in ("https://elsewhere.example/", *([None] if announces else [])):
        await ada.to_login(secret)
        with pytest.raises(TokenInvalid, match="iss"):
            await ada.signed_in(iss=iss)
    assert ada.login.exchanges == 0
    await ada.to_login(secret)
    await ada.signed_in(iss=ISSUER)


async def test_t22_a_no_of_the_provider_counts_for_nothing(ada: Errand) -> None:
    """One entry, and the link leads to another login while it is good."""
    secret = await ada.link()
    await ada.to_login(secret)
    with pytest.raises(LoginRefused):
        await ada.signed_in(error="access_denied")
    assert ada.reasons() == ["step_up_login_refused"]
    await ada.to_login(secret)
    await ada.signed_in()
    assert await ada.take() is not None


async def test_t71_a_provider_that_does_not_answer_is_no_refusal_for_good(ada: Errand) -> None:
    """Neither on the way there nor on the way back."""
    secret = await ada.link()
    ada.login.away = {"authorize"}
    with pytest.raises(ProviderUnavailable):
        await ada.to_login(secret)
    ada.login.away = {"token"}
    await ada.to_login(secret)
    with pytest.raises(ProviderUnavailable):
        await ada.signed_in()
    ada.login.away = set()
    await ada.to_login(secret)
    await ada.signed_in()


async def test_of_several_browsers_the_last_one_counts(ada: Errand) -> None:
    """Whoever begins anew takes the link over, also while the first one is on its way back (guard: the stage that
    evidence is stored from)."""
    secret = await ada.link()
    await ada.to_login(secret, "first")
    brought = ada.login.sign_in(ADA_MAIL)

    async def second() -> None:
        await ada.to_login(secret, "second")

    ada.home.store.first["link"] = second
    with pytest.raises(TicketUnknown):
        await ada.back("first", brought)
    assert await ada.take() is None
    await ada.signed_in(browser="second")
    assert await ada.take() is not None


async def test_a_link_works_once(ada: Errand) -> None:
    """Afterwards it says so, whether the evidence was taken or not (guard: `DONE` in `open`)."""
    secret = await ada.stepped_up()
    for _ in range(2):
        with pytest.raises(TicketUsed):
            await ada.home.rooms.step_ups.stepping.open(secret)
        with pytest.raises(TicketUsed):
            await ada.to_login(secret)
        await ada.take()


async def test_t15_the_newest_link_is_the_only_one(ada: Errand) -> None:
    """Asked again, the former one leads nowhere, and neither does a login that was begun with it."""
    former = await ada.link()
    await ada.to_login(former)
    brought = ada.login.sign_in(ADA_MAIL)
    await ada.link()
    with pytest.raises(TicketUnknown):
        await ada.to_login(former)
    with pytest.raises(StateUnknown):
        await ada.back("browser-1", brought)


async def test_t69_a_link_is_good_for_five_minutes(ada: Errand) -> None:
    """Whatever an index has removed by then (guard: `opens`)."""
    secret = await ada.link()
    ada.home.clock.forward(minutes=5)
    for step in (ada.home.rooms.step_ups.stepping.open(secret), ada.to_login(secret)):
        with pytest.raises(TicketUnknown):
            await step


async def test_t69_a_login_that_was_begun_has_five_minutes_more_and_no_longer(ada: Errand) -> None:
    """Who opens the link late has time for the second factor (guard: `awaited`)."""
    secret = await ada.link()
    ada.home.clock.forward(minutes=4)
    await ada.to_login(secret)
    ada.home.clock.forward(minutes=4)
    await ada.signed_in()
    secret = await ada.link("other:")
    await ada.to_login(secret)
    ada.home.clock.forward(minutes=5)
    with pytest.raises(TicketUnknown):
        await ada.signed_in()
    assert ada.reasons() == ["step_up_ticket_unknown"]
    assert await ada.take("other:") is None


# the link of the identity


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
async def test_t49_a_link_that_ends_meanwhile_counts_for_nothing(
    ada: Errand, end: Callable[[Errand], Awaitable[None]]
) -> None:
    """Before the login, and before its return (guard: `_live`)."""
    secret = await ada.link()
    await ada.to_login(secret)
    await end(ada)
    with pytest.raises(NotLinked):
        await ada.signed_in()
    with pytest.raises(NotLinked):
        await ada.to_login(secret)
    assert ada.login.exchanges == 0
    assert ada.reasons() == ["step_up_not_linked"]


async def test_t49_evidence_is_of_one_link(ada: Errand) -> None:
    """Linked anew since: what was shown under the former link is not handed out (guard: `of` in `take`)."""
    await ada.stepped_up()
    assert await ada.take(who=await ada.home.link()) is None


async def test_evidence_is_of_one_person_and_one_decision(ada: Errand) -> None:
    """Bob gets none of Ada's, and Ada none for anything else."""
    bob = await ada.home.link(BOB)
    await ada.stepped_up()
    assert await ada.take(who=bob) is None
    assert await ada.take("another:C1") is None
    assert await ada.take() is not None


async def test_evidence_that_was_not_taken_grows_old(ada: Errand) -> None:
    """Five minutes after they have signed in (guard: `fresh` in `take`)."""
    await ada.stepped_up()
    ada.home.clock.forward(minutes=5, seconds=1)
    assert await ada.take() is None


# what rests


async def test_t34_evidence_that_was_moved_or_made_up_is_none(ada: Errand) -> None:
    """Whoever writes the database can neither carry it to another decision or person, nor write it anew.

    Guard: the record's name in the seal.
    """
    await ada.stepped_up()
    kept = ada.home.step_up_store.kept
    await ada.link("another:C1")
    for key, changes in (
        (f"{ADA.key}:another:C1", {"stage": Stage.DONE, "sealed_evidence": kept[KEY].sealed_evidence}),
        (f"{ADA.key}:another:C1", {"stage": Stage.DONE, "sealed_evidence": '{"auth_time": 1, "amr": ["mfa"]}'}),
    ):
        kept[key] = replace(kept[key], **changes)  # type: ignore[arg-type]
        assert await ada.take("another:C1") is None


async def test_t33_a_dump_shows_no_way_in(ada: Errand) -> None:
    """Neither the link, nor the state, nor the browser's secret, nor the nonce."""
    secret = await ada.link()
    await ada.to_login(secret, "canary-browser")
    asked = ada.login.authorized[-1]
    for value in (secret, asked["state"], asked["nonce"], "canary-browser"):
        assert str(value) not in ada.home.step_up_store.dump()
    await ada.signed_in(browser="canary-browser")
    assert "amr" not in ada.home.step_up_store.dump()


async def test_t35_keys_are_changed_under_it(ada: Errand) -> None:
    """Evidence and a login under way are sealed under the new key, and go on (guard: `resealer` in oauth/rooms.py)."""
    await ada.stepped_up()
    await ada.to_login(await ada.link("other:"))
    both = House.replica(replace(ada.home, vault=Vault(token_keys("k2", "k1"))))
    assert (await both.rooms.reseal()).left == 0
    only = replace(ada, home=House.replica(replace(ada.home, vault=Vault(token_keys("k2")))))
    assert await only.take() is not None
    await only.signed_in()
    assert await only.take("other:") is not None


async def test_t35_a_login_whose_key_is_gone_counts_for_nothing(ada: Errand) -> None:
    """Closed, and on record."""
    await ada.to_login(await ada.link())
    blind = replace(ada, home=House.replica(replace(ada.home, vault=Vault(token_keys("k9")))))
    with pytest.raises(SealBroken):
        await blind.signed_in()
    assert ada.reasons() == ["step_up_seal_broken"]


# the trail, and what a process leaves


async def test_t54_without_the_trail_there_is_no_link(ada: Errand) -> None:
    """Nor one that a second click would be pointed to (guard: the `except` in `start`)."""
    ada.home.observer.away = True
    with pytest.raises(TrailAway):
        await ada.link()
    (kept,) = ada.home.step_up_store.kept.values()
    assert kept.stage is Stage.VOID
    ada.home.observer.away = False
    await ada.to_login(await ada.link())


async def test_a_double_click_makes_one_link(ada: Errand) -> None:
    """At three replicas at once: one link, one entry; pressed again a little later, or once the first was opened, there
    is another (guard: `since` in `start`)."""
    homes = [ada.home, ada.home.replica(), ada.home.replica()]
    asking = [home.rooms.step_ups.asking for home in homes]
    made = await asyncio.gather(*(asking[n % 3].start(ada.who, SUBJECT, "Approve") for n in range(20)))
    (url,) = [one for one in made if one is not None]
    assert len(ada.entries()) == 1
    await ada.to_login(url.rpartition("/")[2])
    await ada.link()
    ada.home.clock.forward(seconds=10)
    await ada.link()
    assert len(ada.entries()) == 3


async def test_a_link_that_did_not_reach_its_person_leads_nowhere(ada: Errand) -> None:
    """Guard: `withdraw`."""
    secret = await ada.link()
    await ada.home.rooms.step_ups.asking.withdraw(ada.who, SUBJECT)
    with pytest.raises(TicketUnknown):
        await ada.to_login(secret)


async def test_t74_what_a_dead_process_left_is_told_again(ada: Errand) -> None:
    """Stored and never told: the round of another replica tells, until somebody takes it (guard: `sweep`)."""
    await ada.stepped_up()
    other = ada.home.replica()

    async def told() -> int:
        ada.home.observer.told.clear()
        await other.rooms.step_ups.sweep()
        return len([event for event in ada.home.observer.told if event.type == STEPPED_UP])

    assert await told() == 0  # whoever stored it is about to tell
    ada.home.clock.forward(seconds=11)
    assert [await told(), await told()] == [1, 1]
    assert await ada.take() is not None
    assert await told() == 0


async def test_t74_nothing_is_told_under_another_link(ada: Errand) -> None:
    """Nor after its time (guards: the version in `sweep`, and `since` in `untaken`)."""
    await ada.stepped_up()
    ada.home.observer.told.clear()
    ada.home.clock.forward(minutes=5)
    await ada.home.rooms.step_ups.sweep()
    assert ada.home.observer.told == []
    await ada.stepped_up()
    await ada.home.link()
    ada.home.observer.told.clear()
    ada.home.clock.forward(seconds=11)
    await ada.home.rooms.step_ups.sweep()
    assert ada.home.observer.told == []
