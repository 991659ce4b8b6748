"""What stands on a link that has ended is cancelled by a round that reads no more than what has ended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.approvals import State
from bot.ended import EndedLinks
from oauth.models import LinkVersion
from tests.conftest import HandClock
from tests.fakes.runner import World


@pytest.fixture
def world(clock: HandClock) -> World:
    """Ada and Bob are linked, and one action can be asked for."""
    return World(clock)


def ended_links(world: World) -> EndedLinks:
    """A replica's round."""
    return EndedLinks(world.store, world.here.approvals, world.links, world.clock)


async def test_t49_what_was_asked_under_an_ended_link_is_cancelled_without_looking_at_everybody(world: World) -> None:
    """The first round looks at everybody, the next ones at whose link has ended (guards: `suspects`, `whole`)."""
    once = ended_links(world)
    await once()
    mine, others = await world.asked(), await world.asked(world.bob)
    world.store.away["links_in_use"] = 9
    world.links.unlink(world.ada)
    await once()
    assert (world.at_rest(mine).state, world.at_rest(others).state) == (State.CANCELLED, State.PENDING)
    assert world.at_rest(mine).reason == "unlinked"
    assert world.store.away["links_in_use"] == 9


async def test_what_is_asked_under_the_newer_link_goes_on(world: World) -> None:
    """Linked anew: the note of the former link ends nothing of the new one (guard: the version in `EndedLinks`)."""
    once = ended_links(world)
    await once()
    world.links.link(replace(world.ada, version=LinkVersion("2")))
    renewed = await world.asked(replace(world.ada, version=LinkVersion("2")))
    await once()
    assert world.at_rest(renewed).state is State.PENDING


async def test_a_link_that_is_about_to_end_is_looked_at_again(world: World) -> None:
    """Noted down and still there: the round after that finds it gone (guard: `_seen` only after it was)."""
    once = ended_links(world)
    await once()
    approval = await world.asked()
    world.links.gone.append((world.ada.slack, world.ada.version))
    await once()
    assert world.at_rest(approval).state is State.PENDING
    del world.links.live[world.ada.slack.key]
    await once()
    assert world.at_rest(approval).state is State.CANCELLED


async def test_what_ended_by_itself_is_found_within_minutes(world: World) -> None:
    """A link that somebody took out of the database leaves no note; everybody is looked at every five minutes."""
    once = ended_links(world)
    await once()
    approval = await world.asked()
    del world.links.live[world.ada.slack.key]
    await once()
    assert world.at_rest(approval).state is State.PENDING
    world.clock.forward(minutes=5)
    await once()
    assert world.at_rest(approval).state is State.CANCELLED


async def test_a_round_that_fails_is_made_up_for(world: World) -> None:
    """The store is away in the middle: the next round cancels it."""
    once = ended_links(world)
    await once()
    approval = await world.asked()
    world.links.unlink(world.ada)
    world.store.away["open_of"] = 1
    await once()
    assert world.at_rest(approval).state is State.PENDING
    await once()
    assert world.at_rest(approval).state is State.CANCELLED
