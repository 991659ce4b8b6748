"""Live links: how they end, everywhere and for everybody concerned."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from oauth.errors import (
    CodeExpired,
    GrantShared,
    LinkedElsewhere,
    NotLinked,
    StateUnknown,
    StoreUnavailable,
    TokenInvalid,
)
from oauth.models import SlackUser, Subject
from oauth.verify import Logout
from tests.fakes.house import ADA, ADA_ELSEWHERE, ADA_MAIL, BOB, BOB_MAIL, EVE_MAIL, House
from tests.fakes.observer import TrailAway
from tests.fakes.provider import AUDIENCE, SCOPES

ONE = frozenset({SCOPES[0]})


async def test_a_linked_person_is_a_principal(home: House) -> None:
    """One read says who it is; somebody not linked is nobody."""
    principal = await home.link()
    home.store.calls.clear()
    assert await home.rooms.links.principal(ADA) == principal
    assert home.store.calls.total() == 1
    assert await home.rooms.links.principal(BOB) is None


async def test_t59_a_link_counts_in_its_workspace_alone(home: House) -> None:
    """The same user id in another workspace is not linked by it (guard: the workspace in `SlackUser.key`)."""
    await home.link()
    assert await home.rooms.links.principal(ADA_ELSEWHERE) is None
    assert await home.rooms.links.principal(SlackUser("T1", "UADA", "E1")) is None


async def test_unlinking_ends_the_grant_and_tells(home: House) -> None:
    """The link is gone, the provider has revoked, one entry stands and people are told once."""
    principal = await home.link()
    assert await home.rooms.links.unlink(ADA, "unlink")
    assert not await home.rooms.links.unlink(ADA, "unlink")
    assert home.provider.living == []
    assert home.observer.entries()[-1] == ("link.revoked", "ok", "unlink")
    assert [(e.type, e.principal) for e in home.observer.told][-1] == ("link.revoked", principal)
    with pytest.raises(NotLinked):
        await home.rooms.broker.token(principal, ONE, AUDIENCE)


async def test_t15_unlinking_ends_a_login_that_is_under_way(home: House) -> None:
    """A link that was sent before leads nowhere after, and a grant that waits for its code is revoked (guard:
    `end_ticket` in `Links.unlink`)."""
    await home.return_as(ADA, EVE_MAIL)
    assert not await home.rooms.links.unlink(ADA, "deactivated")
    assert home.provider.living == []
    with pytest.raises(CodeExpired):
        await home.rooms.linking.enter_code(ADA, "0000-0000")
    assert await home.rooms.links.principal(ADA) is None


async def test_no_entry_no_end(home: House) -> None:
    """While the trail is away a link stays as it was, and nothing is revoked."""
    principal = await home.link()
    home.observer.away = True
    with pytest.raises(TrailAway):
        await home.rooms.links.unlink(ADA, "unlink")
    assert await home.rooms.links.principal(ADA) == principal
    assert len(home.provider.living) == 1


async def test_t39_a_token_that_was_refreshed_in_this_moment_ends_too(home: House) -> None:
    """Removal names the generation: the refresh of another replica in between makes it look again."""
    principal = await home.link()
    broker = home.replica().rooms.broker
    home.store.first["remove_link"] = lambda: broker.token(principal, ONE, AUDIENCE)
    assert await home.rooms.links.unlink(ADA, "unlink")
    assert home.provider.revoked[-1] == home.provider.grants[0].current
    assert await home.rooms.links.principal(ADA) is None


async def test_t74_a_crash_after_the_link_is_gone_still_revokes(home: House) -> None:
    """The note is written before the link goes, so any replica can finish."""
    await home.link()
    home.provider.away = True
    await home.rooms.links.unlink(ADA, "unlink")
    home.provider.away = False
    home.clock.forward(minutes=1)
    await home.replica().rooms.sweep()
    assert home.provider.living == []


async def test_t35_a_link_that_does_not_open_can_be_ended(home: House) -> None:
    """A broken seal must not keep a link alive."""
    await home.link()
    home.store.kept_links[ADA.key] = replace(home.store.kept_links[ADA.key], sealed_refresh="broken")
    assert await home.rooms.links.unlink(ADA, "unlink")
    assert await home.rooms.links.principal(ADA) is None


async def test_two_who_unlink_at_once_end_it_once(home: House) -> None:
    """Of two replicas one removes the link and tells people."""
    await home.link()
    ended = await asyncio.gather(*(home.replica().rooms.links.unlink(ADA, "unlink") for _ in range(3)))
    assert sorted(ended) == [False, False, True]
    assert [e.type for e in home.observer.told].count("link.revoked") == 1


async def test_an_operator_ends_all_links_of_an_identity(home: House) -> None:
    """In every workspace, and nobody else's."""
    await home.link(ADA)
    await home.link(BOB)
    await home.link(ADA_ELSEWHERE)
    assert await home.rooms.links.revoke_subject(Subject(f"auth0|{ADA_MAIL}"), "operator") == 2
    assert [p.slack async for p in home.rooms.links.principals()] == [BOB]


async def test_t61_leaving_a_workspace_ends_its_links_alone(home: House) -> None:
    """Uninstalled there: all links of that workspace end, those of others stay (guard: the workspace in
    `Links.unlink_workspace`)."""
    for person in (ADA, BOB, ADA_ELSEWHERE):
        await home.link(person)
    assert await home.rooms.links.unlink_workspace("T1", "uninstalled") == 2
    assert [p.slack async for p in home.rooms.links.principals()] == [ADA_ELSEWHERE]


async def test_linking_anew_to_the_same_account_takes_the_place_of_the_former_link(home: House) -> None:
    """The version changes, so nothing of before goes on; the new grant is alive."""
    first = await home.link()
    second = await home.link()
    assert second.version != first.version
    with pytest.raises(NotLinked):
        await home.rooms.broker.token(first, ONE, AUDIENCE)
    assert (await home.rooms.broker.token(second, ONE, AUDIENCE)).scopes == ONE
    assert ("link.revoked", "ok", "relinked") in home.observer.entries()
    assert len(home.provider.revoked) == 1
    assert len(home.provider.living) == 1


async def test_the_former_grant_is_revoked_even_if_the_provider_is_away_just_then(home: House) -> None:
    """The new link stands at once, and the round revokes what it replaced (guard: the note in `Links._cut`)."""
    await home.link()
    answer = await home.sign_in(await home.start(), ADA_MAIL)

    async def goes_away() -> None:
        home.provider.away = True

    home.provider.hold = goes_away
    assert (await home.rooms.linking.returned(**answer)).principal is not None
    assert len(home.provider.living) == 2
    home.provider.away = False
    home.clock.forward(minutes=2)
    await home.rooms.sweep()
    assert len(home.provider.living) == 1


async def test_a_provider_that_ends_both_grants_is_seen_at_once(home: House) -> None:
    """Whoever links again there is told to sign in once more, and then is linked (guard: `Links._survived`)."""
    home.provider.one_grant = True
    await home.link()
    with pytest.raises(GrantShared):
        await home.link()
    assert await home.rooms.links.principal(ADA) is None
    assert home.provider.living == []
    assert ("link.refused", "denied", "grant_shared") in home.observer.entries()
    again = await home.link()
    assert (await home.rooms.broker.token(again, ONE, AUDIENCE)).scopes == ONE


async def test_t17_a_linked_person_cannot_take_a_second_account(home: House) -> None:
    """The first link stays, and the second grant ends (guard: the comparison of identities in `Links.make`)."""
    first = await home.link()
    with pytest.raises(LinkedElsewhere):
        await home.link(ADA, EVE_MAIL)
    assert await home.rooms.links.principal(ADA) == first
    assert [g.person["email"] for g in home.provider.living] == [ADA_MAIL]
    assert home.observer.told[-1].reason == "linked_elsewhere"


def logout(home: House, jti: str = "jti-1", **whom: str) -> Logout:
    """A verified logout token."""
    sub = whom.get("sub")
    return Logout(Subject(sub) if sub else None, whom.get("sid"), jti, home.clock())


async def test_t32_a_logout_ends_the_links_of_its_person(home: House) -> None:
    """By `sub`, with the refresh token that the provider would have left alive; and nobody else's (guard: `_end_all`
    in `Links.logged_out`)."""
    await home.link(ADA)
    await home.link(BOB)
    await home.rooms.links.logged_out(logout(home, sub=f"auth0|{ADA_MAIL}"))
    assert [p.slack async for p in home.rooms.links.principals()] == [BOB]
    assert [g.person["email"] for g in home.provider.living] == [BOB_MAIL]
    assert ("logout.received", "ok", "backchannel") in home.observer.entries()


@pytest.mark.parametrize("sub", [None, f"auth0|{ADA_MAIL}"])
async def test_t32_a_logout_of_another_session_ends_nothing(home: House, sub: str | None) -> None:
    """Signed out in another browser: what came of this one's login goes on (guard: `_meant`)."""
    await home.link()
    await home.rooms.links.logged_out(logout(home, sid="another session", **({"sub": sub} if sub else {})))
    assert await home.rooms.links.principal(ADA) is not None


async def test_t32_a_link_of_no_known_session_ends_with_any(home: House) -> None:
    """Where the login named no session, a logout of its person ends it (guard: the last case of `_meant`)."""
    home.provider.spoil_id = {"sid": None}
    await home.link()
    await home.rooms.links.logged_out(logout(home, sub=f"auth0|{ADA_MAIL}", sid="any session"))
    assert await home.rooms.links.principal(ADA) is None


@pytest.mark.parametrize("whom", [{"sub": f"auth0|{EVE_MAIL}"}, {"sid": "session-1"}])
async def test_t32_a_logout_ends_a_login_that_waits_for_its_code(home: House, whom: dict[str, str]) -> None:
    """Signed in, signed out, and then the code: nobody is linked, and the grant has ended (guard: `tickets` in
    `Links.logged_out`)."""
    returned = await home.return_as(ADA, EVE_MAIL)
    await home.rooms.links.logged_out(logout(home, **whom))
    with pytest.raises(CodeExpired):
        await home.rooms.linking.enter_code(ADA, str(returned.code))
    assert home.provider.living == []


@pytest.mark.parametrize("whom", [{"sub": f"auth0|{ADA_MAIL}"}, {"sid": "session-1"}])
async def test_t32_a_logout_in_the_very_moment_of_the_login_ends_it(home: House, whom: dict[str, str]) -> None:
    """Heard between the provider's tokens and our link, when there was nothing to end yet (guard: `logged_out` in
    `Links.make`)."""
    answer = await home.sign_in(await home.start(), ADA_MAIL)

    async def is_logged_out() -> None:
        await home.rooms.links.logged_out(logout(home, **whom))

    home.provider.hold = is_logged_out
    with pytest.raises(StateUnknown):
        await home.rooms.linking.returned(**answer)
    assert await home.rooms.links.principal(ADA) is None
    assert home.provider.living == []


async def test_t32_a_logout_before_the_login_ends_nothing(home: House) -> None:
    """Whoever signed out first and then signs in is linked."""
    answer = await home.sign_in(await home.start(), ADA_MAIL)
    await home.rooms.links.logged_out(logout(home, sub=f"auth0|{ADA_MAIL}"))
    home.clock.forward(seconds=1)
    assert (await home.rooms.linking.returned(**answer)).principal is not None


async def test_an_operator_ends_logins_under_way(home: House) -> None:
    """`--sub` reaches what waits for a code as well (guard: `tickets` in `Links.revoke_subject`)."""
    returned = await home.return_as(ADA, EVE_MAIL)
    assert await home.rooms.links.revoke_subject(Subject(f"auth0|{EVE_MAIL}"), "operator") == 0
    with pytest.raises(CodeExpired):
        await home.rooms.linking.enter_code(ADA, str(returned.code))
    assert home.provider.living == []


async def test_a_provider_that_hangs_over_one_link_keeps_no_other_alive(home: House) -> None:
    """All links of an identity end before the first revocation is answered (guard: `together`)."""
    await home.link(ADA)
    await home.link(ADA_ELSEWHERE)
    answered = asyncio.Event()
    home.provider.revoking = answered.wait
    ending = asyncio.create_task(home.rooms.links.revoke_subject(Subject(f"auth0|{ADA_MAIL}"), "operator"))
    while [p async for p in home.rooms.links.principals()]:  # noqa: ASYNC110 - ends when both have gone
        await asyncio.sleep(0)
    assert len(home.provider.living) == 2
    answered.set()
    assert await ending == 2
    assert home.provider.living == []


async def test_t32_a_logout_may_name_the_session_alone(home: House) -> None:
    """The link remembers the session of its login (guards: `sid` in `Links.make`, and in `Links.logged_out`)."""
    await home.link()
    await home.rooms.links.logged_out(logout(home, sid="another session"))
    assert await home.rooms.links.principal(ADA) is not None
    await home.rooms.links.logged_out(logout(home, "jti-2", sid="session-1"))
    assert await home.rooms.links.principal(ADA) is None


async def test_t32_a_logout_token_works_once(home: House) -> None:
    """Replayed after linking anew it ends nothing (guard: `logout_spent` in `Links.logged_out`)."""
    await home.link()
    await home.rooms.links.logged_out(logout(home, sub=f"auth0|{ADA_MAIL}"))
    home.clock.forward(seconds=1)
    await home.link()
    with pytest.raises(TokenInvalid, match="jti"):
        await home.rooms.links.logged_out(logout(home, sub=f"auth0|{ADA_MAIL}"))
    assert await home.rooms.links.principal(ADA) is not None


@pytest.mark.parametrize("step", ["remove_link", "queue_revocation", "spend_logout"])
async def test_t32_a_logout_that_failed_can_be_sent_again(home: House, step: str) -> None:
    """Wherever the first try breaks off, the second does the work (guard: `spend_logout` comes last in
    `Links.logged_out`)."""
    await home.link()
    home.store.fails[step] = 1
    with pytest.raises(StoreUnavailable):
        await home.rooms.links.logged_out(logout(home, sub=f"auth0|{ADA_MAIL}"))
    await home.rooms.links.logged_out(logout(home, sub=f"auth0|{ADA_MAIL}"))
    assert await home.rooms.links.principal(ADA) is None
