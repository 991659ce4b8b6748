"""A grant that ends on the way to the call, and calls to APIs that the login was not for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.approvals import State
from bot.audit.chain import Entry
from bot.runner import Finished
from oauth.errors import NotLinked
from oauth.models import LinkVersion
from tests.conftest import HandClock
from tests.fakes.runner import ORIGIN, Deed, World, person

VALUES = {"order_id": "A-1", "amount": 5}
OTHER = "https://crm.example.com"


@pytest.fixture
def world(clock: HandClock) -> World:
    """`read_order` runs at once, `refund_order` after approval."""
    deed = Deed()
    reading = deed.action("read_order", approval="none", sensitive=False, scopes=frozenset({"orders:read"}))
    return World(clock, deed=deed, actions=[deed.action(), reading])


def ends_with_the_entry(world: World, linked_anew: bool) -> None:
    """The link ends, or becomes another one, while the entry of the beginning is being written."""
    append = world.audit.append

    async def slow(entries: list[Entry]) -> int:
        written = await append(entries)
        if entries[0]["type"] == "action.started":
            world.links.unlink(world.ada)
            if linked_anew:
                world.links.link(replace(world.ada, version=LinkVersion("2")))
        return written

    world.audit.append = slow  # type: ignore[method-assign]


@pytest.mark.parametrize("linked_anew", [False, True])
async def test_t39_a_grant_that_ends_while_the_entry_is_written_is_not_used(world: World, linked_anew: bool) -> None:
    """Entries can take seconds; the link is looked at once more right before the call, and the end is on record."""
    ends_with_the_entry(world, linked_anew)
    with pytest.raises(NotLinked):
        await world.here.runner.run(world.ada, "read_order", VALUES, ORIGIN)
    assert world.deed.calls == []
    assert world.audit.types() == ["action.started", "action.finished"]
    ended = world.audit.of("action.finished")[0]
    assert (ended["outcome"], ended["reason"]) == ("denied", "not_linked")


async def test_t49_the_same_after_an_approval(world: World) -> None:
    """The request ends as not carried out, and says so."""
    approval = await world.approved()
    ends_with_the_entry(world, linked_anew=False)
    await world.here.runner.resume(approval)
    assert world.deed.calls == []
    ended = world.at_rest(approval)
    assert (ended.state, ended.reason) == (State.FAILED, "not_linked")


async def test_the_scopes_of_another_api_are_for_the_provider_to_judge(world: World) -> None:
    """One login reaches several APIs by the provider's policies, and a link knows the scopes of one of them."""
    action = world.deed.action(
        "find_customer", approval="none", sensitive=False, scopes=frozenset({"crm:read"}), audience=OTHER
    )
    ada = person("ada", scopes=frozenset({"crm:read"}))
    world.links.link(ada)
    limited = replace(ada, scopes=frozenset())
    assert action.login_scopes == frozenset()
    world.tokens.reaches[OTHER] = frozenset({"crm:read"})
    assert isinstance(await world.replica([action]).runner.run(limited, "find_customer", VALUES, ORIGIN), Finished)
    assert [(one.audience, one.scopes) for one in world.tokens.given] == [(OTHER, {"crm:read"})]


async def test_a_token_lasts_until_the_call_begins(world: World) -> None:
    """The entry comes between the two, and may take seconds."""
    await world.here.runner.run(world.ada, "read_order", VALUES, ORIGIN)
    assert world.tokens.fresh_for == [10.0]
