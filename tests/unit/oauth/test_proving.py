"""Whoever signed in shows that they are the Slack person: by their address, or by a code carried by hand."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth import SlackProfile
from oauth.email_proof import same_address
from oauth.errors import (
    CodeExpired,
    CodeWrong,
    EmailDiffers,
    EmailUnknown,
    EmailUnverified,
    IdentityTaken,
    LinkError,
    NoCodePending,
    SealBroken,
    TicketUsed,
)
from tests.fakes.house import ADA, ADA_ELSEWHERE, ADA_MAIL, BOB, BOB_MAIL, EVE_MAIL, PEOPLE, House

MALLORY_MAIL = "mallory@corp.example"


async def guess(home: House, code: str) -> int:
    """How many guesses a wrong code leaves."""
    with pytest.raises(CodeWrong) as wrong:
        await home.rooms.linking.enter_code(ADA, code)
    return wrong.value.left


async def test_another_address_needs_the_code(home: House) -> None:
    """Nothing is linked by the login itself; the code from the page links, however it is typed."""
    returned = await home.return_as(ADA, EVE_MAIL)
    assert returned.principal is None
    assert await home.rooms.links.principal(ADA) is None
    principal = await home.rooms.linking.enter_code(ADA, str(returned.code).lower().replace("-", " "))
    assert principal.identity.email == EVE_MAIL
    assert len(home.provider.living) == 1


async def test_t12_a_forwarded_link_gives_the_sender_nothing(home: House) -> None:
    """Bob signs in through Ada's link: the code is in Bob's browser alone, and he is not linked by it either (guard:
    `email_problem` in `Proving._settle`)."""
    returned = await home.return_as(ADA, BOB_MAIL)
    assert await home.rooms.links.principal(ADA) is None
    assert await home.rooms.links.principal(BOB) is None
    with pytest.raises(NoCodePending):
        await home.rooms.linking.enter_code(BOB, str(returned.code))
    assert [await guess(home, "0000-0000") for _ in range(3)] == [2, 1, 0]
    assert home.provider.living == []


async def test_t13_a_stranger_in_my_link_is_shown_and_not_linked(home: House) -> None:
    """Mallory signs in through Ada's link: Ada can see whose account waits, and nothing is linked without her (guards:
    `email_problem` in `Proving._settle`, `Proving.pending`)."""
    await home.return_as(ADA, MALLORY_MAIL)
    waiting = await home.rooms.linking.pending(ADA)
    assert waiting is not None
    assert waiting.email == MALLORY_MAIL
    assert await home.rooms.links.principal(ADA) is None
    home.clock.forward(minutes=10)
    assert await home.rooms.linking.pending(ADA) is None
    assert await home.rooms.linking.pending(BOB) is None


@pytest.mark.parametrize(
    ("email", "verified", "slack_email"),
    [(ADA_MAIL, False, ADA_MAIL), (EVE_MAIL, True, ADA_MAIL), (ADA_MAIL, True, None), (ADA_MAIL, True, "")],
)
async def test_an_address_is_proof_only_if_both_sides_vouch_for_it(
    home: House, email: str, verified: bool, slack_email: str | None
) -> None:
    """Unverified at the provider, different, or not known to Slack: the code is asked for."""
    started = await home.rooms.linking.start(ADA, SlackProfile("Corp", "Ada", slack_email), fresh=True)
    secret = str(started.url).rpartition("/")[2]
    returned = await home.rooms.linking.returned(**await home.sign_in(secret, email, verified=verified))
    assert returned.principal is None
    assert returned.code is not None


@pytest.mark.parametrize(
    ("email", "verified", "slack_email", "reason"),
    [
        (ADA_MAIL, False, ADA_MAIL, EmailUnverified),
        (EVE_MAIL, True, ADA_MAIL, EmailDiffers),
        (ADA_MAIL, True, None, EmailUnknown),
    ],
)
async def test_with_proof_by_email_the_reason_is_told(
    home: House, email: str, verified: bool, slack_email: str | None, reason: type[LinkError]
) -> None:
    """Each has a code of its own, and the grant ends."""
    strict = home.replica(proof="email")
    started = await strict.rooms.linking.start(ADA, SlackProfile("Corp", "Ada", slack_email), fresh=True)
    secret = str(started.url).rpartition("/")[2]
    with pytest.raises(reason):
        await strict.rooms.linking.returned(**await strict.sign_in(secret, email, verified=verified))
    assert home.provider.living == []
    assert home.observer.entries()[-1] == ("link.refused", "denied", reason.code)


async def test_with_proof_by_code_an_address_is_not_enough(home: House) -> None:
    """The same verified address still asks for the code."""
    careful = home.replica(proof="code")
    assert (await careful.return_as(ADA, ADA_MAIL)).code is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada@strasse.example", "ada@straße.example"),
        ("aſa@corp.example", "asa@corp.example"),
        ("ada@\u212aorp.example", "ada@korp.example"),
        ("ada@corp.example", "ada@corp.example.evil.example"),
        ("ada@corp.example", "ada+x@corp.example"),
        ("ÀDA@corp.example", "àda@corp.example"),
    ],
)
def test_addresses_that_look_alike_are_two(one: str, other: str) -> None:
    """Unicode folding would make one address of two that belong to two people."""
    assert not same_address(one, other)
    assert not same_address(other, one)


@given(st.emails())
def test_an_address_is_itself_in_any_case(email: str) -> None:
    """Case and blanks around it do not matter."""
    assert same_address(email, f" {email.swapcase()} ")


async def test_t58_the_fourth_guess_is_refused_even_if_it_is_right(home: House) -> None:
    """Three wrong ones end the login and its grant, at whichever replica (guards: `GUESSES` in `Proving.by_code`, and
    the end of the ticket there)."""
    returned = await home.return_as(ADA, EVE_MAIL)
    assert [await guess(home.replica(), "0000-0000") for _ in range(3)] == [2, 1, 0]
    with pytest.raises(CodeExpired):
        await home.rooms.linking.enter_code(ADA, str(returned.code))
    assert home.provider.living == []
    reasons = [reason for type_, _, reason in home.observer.entries() if type_ == "link.refused"]
    assert reasons == ["code_wrong"] * 3 + ["code_expired"]


async def test_t58_guesses_at_once_are_no_more_than_three(home: House) -> None:
    """Fifty guesses in parallel, the right one last: at most three are looked at (guard: `count_guess` with
    `GUESSES` in `Proving.by_code`)."""
    returned = await home.return_as(ADA, EVE_MAIL)
    codes = ["0000-0000"] * 49 + [str(returned.code)]
    outcomes = await asyncio.gather(*(home.rooms.linking.enter_code(ADA, c) for c in codes), return_exceptions=True)
    assert len([o for o in outcomes if isinstance(o, CodeWrong)]) == 3
    assert await home.rooms.links.principal(ADA) is None
    assert home.provider.living == []


async def test_t58_an_expired_or_older_code_is_refused(home: House) -> None:
    """Ten minutes, and only the code of the last login (guards: `now` in `count_guess`, `same_code`)."""
    secret = await home.start()
    first = await home.rooms.linking.returned(**await home.sign_in(secret, EVE_MAIL))
    second = await home.rooms.linking.returned(**await home.sign_in(secret, EVE_MAIL))
    assert await guess(home, str(first.code)) == 2
    home.clock.forward(minutes=10)
    with pytest.raises(CodeExpired):
        await home.rooms.linking.enter_code(ADA, str(second.code))
    assert await home.rooms.links.principal(ADA) is None


async def test_a_code_without_a_login_is_told_apart(home: House) -> None:
    """Nobody has signed in, or the login is begun anew: there is no code to enter, and each try is on record."""
    with pytest.raises(NoCodePending):
        await home.rooms.linking.enter_code(ADA, "0000-0000")
    secret = await home.start()
    with pytest.raises(NoCodePending):
        await home.rooms.linking.enter_code(ADA, "0000-0000")
    returned = await home.rooms.linking.returned(**await home.sign_in(secret, EVE_MAIL))
    await home.rooms.linking.go_on(secret, "browser-2")
    with pytest.raises(NoCodePending):
        await home.rooms.linking.enter_code(ADA, str(returned.code))
    assert home.observer.entries().count(("link.refused", "denied", "no_code_pending")) == 3


async def test_t48_the_right_code_twice_at_once_links_once(home: House) -> None:
    """A double click at three replicas: one link, and the losers do not revoke the winner's grant."""
    returned = await home.return_as(ADA, EVE_MAIL)
    homes = [home, home.replica(), home.replica()]
    outcomes = await asyncio.gather(
        *(h.rooms.linking.enter_code(ADA, str(returned.code)) for h in homes), return_exceptions=True
    )
    assert len([o for o in outcomes if not isinstance(o, BaseException)]) == 1
    assert {type(o) for o in outcomes if isinstance(o, BaseException)} <= {TicketUsed, NoCodePending}
    assert len(home.provider.living) == 1
    assert home.provider.revoked == []


async def test_a_code_counts_for_its_own_grant_alone(home: House) -> None:
    """The browser begins anew and somebody else signs in, right between reading the code and using it."""
    secret = await home.start()
    returned = await home.rooms.linking.returned(**await home.sign_in(secret, EVE_MAIL))

    async def signs_in_again() -> None:
        other = home.replica()
        await other.rooms.linking.returned(**await other.sign_in(secret, MALLORY_MAIL))

    home.store.first["advance"] = signs_in_again
    with pytest.raises(CodeExpired):
        await home.rooms.linking.enter_code(ADA, str(returned.code))
    assert await home.rooms.links.principal(ADA) is None
    assert [g.person["email"] for g in home.provider.living] == [MALLORY_MAIL]


@pytest.mark.parametrize("name", ["sealed_code", "sealed_grant"])
async def test_t34_a_login_that_was_altered_is_refused_and_on_record(home: House, name: str) -> None:
    """A code or a grant that does not open links nobody, and one entry says why."""
    returned = await home.return_as(ADA, EVE_MAIL)
    home.store.kept_tickets[ADA.key] = replace(home.store.kept_tickets[ADA.key], **{name: "altered"})
    with pytest.raises(SealBroken):
        await home.rooms.linking.enter_code(ADA, str(returned.code))
    assert home.observer.entries()[-1] == ("link.refused", "denied", "seal_broken")


async def test_t34_the_grant_of_somebody_else_does_not_open(home: House) -> None:
    """Mallory, who can write the database, copies Ada's waiting grant into Bob's ticket."""
    ada = await home.return_as(ADA, EVE_MAIL)
    bob = await home.return_as(BOB, MALLORY_MAIL)
    stolen = home.store.kept_tickets[ADA.key].sealed_grant
    home.store.kept_tickets[BOB.key] = replace(home.store.kept_tickets[BOB.key], sealed_grant=stolen)
    with pytest.raises(SealBroken):
        await home.rooms.linking.enter_code(BOB, str(bob.code))
    assert await home.rooms.links.principal(BOB) is None
    assert (await home.rooms.linking.enter_code(ADA, str(ada.code))).identity.email == EVE_MAIL


async def test_t17_an_account_that_is_somebody_elses_is_refused_and_both_are_told(home: House) -> None:
    """The first link stays alive, the entry names the reason, the event names the other person (guards: `holder` in
    `Links.make`, and `Taken` of `add_link` again)."""
    first = await home.link(ADA)
    returned = await home.return_as(BOB, ADA_MAIL)
    with pytest.raises(IdentityTaken):
        await home.rooms.linking.enter_code(BOB, str(returned.code))
    assert await home.rooms.links.principal(ADA) == first
    assert await home.rooms.links.principal(BOB) is None
    assert [e.type for e in home.observer.recorded if e.slack == BOB] == ["link.started", "link.refused"]
    assert home.observer.entries()[-1] == ("link.refused", "denied", "identity_taken")
    assert (home.observer.told[-1].slack, home.observer.told[-1].other) == (BOB, ADA)
    assert home.provider.revoked == []


async def test_t17_two_who_take_one_account_at_once(home: House) -> None:
    """One of them gets through, however they race (guard: `Taken` of `add_link`, as the unique index has it)."""
    ada = await home.return_as(ADA, EVE_MAIL)
    bob = await home.return_as(BOB, EVE_MAIL)
    outcomes = await asyncio.gather(
        home.rooms.linking.enter_code(ADA, str(ada.code)),
        home.replica().rooms.linking.enter_code(BOB, str(bob.code)),
        return_exceptions=True,
    )
    assert sorted(type(o).__name__ for o in outcomes) == ["IdentityTaken", "Principal"]
    assert len([p async for p in home.rooms.links.principals()]) == 1


async def test_t59_one_account_in_two_workspaces(home: House) -> None:
    """Each workspace has a link of its own for the same identity (guard: the workspace that `Links.make` asks for)."""
    here, there = await home.link(ADA), await home.link(ADA_ELSEWHERE)
    assert here.identity == there.identity
    assert here.version != there.version
    assert [await home.rooms.links.principal(slack) for slack in (ADA, ADA_ELSEWHERE)] == [here, there]


async def test_t54_no_entry_no_link(home: House) -> None:
    """The entry comes before the link; failing it, nobody is linked, nobody told, and the grant ends."""
    returned = await home.return_as(ADA, EVE_MAIL)
    home.observer.away = True
    with pytest.raises(Exception, match=r"^$"):
        await home.rooms.linking.enter_code(ADA, str(returned.code))
    assert await home.rooms.links.principal(ADA) is None
    assert home.provider.living == []
    assert PEOPLE[ADA].email not in {e.identity.email for e in home.observer.told if e.identity}
