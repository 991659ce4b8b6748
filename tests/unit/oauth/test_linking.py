"""The login link: one live link for a person, whoever looks at it, and none that outlives its time."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from oauth.errors import (
    StateUnknown,
    TicketUnknown,
    TicketUsed,
)
from oauth.tickets import Stage
from tests.fakes.house import ADA, ADA_MAIL, EVE_MAIL, PEOPLE, House, outcome
from tests.fakes.observer import TrailAway


async def test_a_person_links_by_their_own_address(home: House) -> None:
    """The same verified e-mail is proof; the entry names both accounts and people are told afterwards."""
    returned = await home.return_as(ADA, ADA_MAIL)
    assert returned.principal is not None
    assert (returned.principal.slack, returned.principal.identity.email) == (ADA, ADA_MAIL)
    assert home.observer.entries() == [("link.started", "ok", None), ("link.completed", "ok", None)]
    assert home.observer.told[-1].principal == await home.rooms.links.principal(ADA)


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
    """Previews and scanners may fetch it any number of times (guard: `Linking.open_ticket` only reads)."""
    secret = await home.start()
    before = home.store.dump()
    for _ in range(20):
        await home.rooms.linking.open_ticket(secret)
    assert home.store.dump() == before
    assert await outcome(home, await home.sign_in(secret, ADA_MAIL)) is None


async def test_t16_the_database_knows_no_secret_of_a_login(home: House) -> None:
    """Ticket, browser, state, nonce, verifier, code, and tokens: hashed or sealed at every stage (guards: `hashed` in
    tickets, `Vault.seal`)."""
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
    """It is refused before a login begins, and the callback of one that had begun is refused too (guards: `live` in
    `Linking.open_ticket` and in `Linking._begun`)."""
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
