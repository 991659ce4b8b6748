"""What people asked before they were linked: handed out once, and not lost with a process."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from oauth import Principal
from oauth.errors import SealBroken
from oauth.questions import LEFT
from tests.fakes.house import ADA, ADA_MAIL, BOB, PEOPLE, House


async def linked(home: House, question: str) -> Principal:
    """Ada asked something, and then was linked."""
    secret = await home.start(waiting=question)
    returned = await home.rooms.linking.returned(**await home.sign_in(secret, ADA_MAIL))
    assert returned.principal is not None
    return returned.principal


def reminded(home: House) -> list[str]:
    """Whose questions somebody was reminded of."""
    return [event.slack.key for event in home.observer.told if event.type == LEFT and event.slack]


async def test_a_question_is_handed_out_once(home: House) -> None:
    """Of thirty who ask at three replicas one gets it; at rest it is sealed (guard: the match in `_taken`)."""
    ada = await linked(home, "canary")
    assert "canary" not in home.store.dump()
    homes = [home, home.replica(), home.replica()]
    got = await asyncio.gather(*(homes[n % 3].rooms.questions.take(ada) for n in range(30)))
    assert sorted(one for one in got if one is not None) == ["canary"]


async def test_the_last_question_before_the_link_goes_on(home: House) -> None:
    """A later one takes the place of an earlier one, also through the same link."""
    await home.rooms.linking.start(ADA, PEOPLE[ADA], waiting="first question")
    secret = await home.start(waiting="what I ask now")
    pointed = await home.rooms.linking.start(ADA, PEOPLE[ADA], waiting="and this \ud800")
    assert pointed.url is None
    returned = await home.rooms.linking.returned(**await home.sign_in(secret, ADA_MAIL))
    assert returned.principal is not None
    assert await home.rooms.questions.take(returned.principal) == "and this ?"


async def test_t74_a_question_outlives_the_process_that_made_the_link(home: House) -> None:
    """Killed between the link and the question: the round reminds of it, once it is nobody's (guard: `sweep`)."""
    ada = await linked(home, "refund")
    await home.rooms.questions.sweep()
    assert reminded(home) == []
    home.clock.forward(seconds=16)
    await home.rooms.questions.sweep()
    assert reminded(home) == [ADA.key]
    assert await home.rooms.questions.take(ada) == "refund"
    await home.rooms.questions.sweep()
    assert reminded(home) == [ADA.key]


async def test_a_question_is_for_the_link_that_came_of_it(home: House) -> None:
    """Neither another person's link nor a later one of the same person gets it (guard: the version in `take`)."""
    await linked(home, "refund")
    bob = await home.link(BOB)
    assert await home.rooms.questions.take(bob) is None
    later = replace(await linked(home, "another"), version=bob.version)
    assert await home.rooms.questions.take(later) is None


async def test_what_was_asked_under_a_link_that_is_gone_is_forgotten(home: House) -> None:
    """Ended by a logout before anybody took it: nobody is reminded, and it goes."""
    ada = await linked(home, "refund")
    await home.rooms.links.revoke_subject(ada.sub, "logout")
    home.clock.forward(seconds=16)
    await home.rooms.questions.sweep()
    assert reminded(home) == []
    assert home.store.kept_tickets[ADA.key].sealed_waiting is None


async def test_t34_a_question_that_does_not_open_is_not_asked(home: House) -> None:
    """Altered in the database, it is nobody's question; the link stands."""
    ada = await linked(home, "refund")
    home.store.kept_tickets[ADA.key] = replace(home.store.kept_tickets[ADA.key], sealed_waiting="altered")
    with pytest.raises(SealBroken):
        await home.rooms.questions.take(ada)
    assert await home.rooms.questions.take(ada) is None
