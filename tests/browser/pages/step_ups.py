"""The ways to the pages of signing in once more. Each begins in Slack, with a card that asks for it."""

from __future__ import annotations

import re

from tests.browser.pages.visitor import Visitor
from tests.browser.pages.ways import Way
from tests.scenarios.town import ADA, controls


async def asks_for_link(visitor: Visitor) -> str:
    """Approve what takes one more login, and the address behind the button in the direct message."""
    town = visitor.town
    await town.links(ADA, "ada")
    await town.types(ADA, "run refund_order order_id=A-1001 amount=5000")
    await town.clicks(ADA, await town.sees_control(ADA, "approval.approve"), "approval.approve")
    card = await town.sees_control(ADA, "approval.step_up")
    return str(next(e["url"] for e in controls(card) if e.get("action_id") == "approval.step_up"))


async def opens_link(visitor: Visitor) -> None:
    """The link's page."""
    await visitor.opens(await asks_for_link(visitor))


def signs_in_as(account: str) -> Way:
    """What comes after the login of this account, with its second factor, through Ada's link."""

    async def way(visitor: Visitor) -> None:
        await opens_link(visitor)
        await visitor.goes_to_login()
        await visitor.signs_in(account)
        await visitor.shows_second_factor(account)

    return way


async def signs_in_without_factor(visitor: Visitor) -> None:
    """Somebody who takes the wish for a second factor out of the address."""
    await visitor.meddles("*/authorize?*", lambda url: re.sub(r"acr_values=[^&]*&?", "", url))
    await opens_link(visitor)
    await visitor.goes_to_login()
    await visitor.signs_in("ada")


async def signs_in_at_a_clock_of_before(visitor: Visitor) -> None:
    """A provider that says that it was eight minutes ago."""
    await opens_link(visitor)
    await visitor.waits(minutes=4)
    await visitor.goes_to_login()
    await visitor.waits(minutes=4)
    await visitor.signs_in("ada")
    await visitor.shows_second_factor("ada")


async def signs_in_while_provider_fails(visitor: Visitor) -> None:
    """A provider that does not answer when it is asked who it was."""
    await opens_link(visitor)
    await visitor.goes_to_login()
    await visitor.signs_in("ada")
    visitor.town.tenant.fail("token", times=100)
    await visitor.shows_second_factor("ada")
