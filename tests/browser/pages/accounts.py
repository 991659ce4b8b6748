"""The ways to the pages of connecting an account. Each begins in Slack, with somebody who is linked."""

from __future__ import annotations

from tests.browser.pages.visitor import Visitor
from tests.browser.pages.ways import Way
from tests.scenarios.calendar import Calendar
from tests.scenarios.town import ADA


async def asks_for_link(visitor: Visitor) -> str:
    """Ask for something that needs the account, and the address behind the button in the direct message."""
    town = visitor.town
    town.tenant.application.rotation = False  # Token Vault does not work beside it
    await town.links(ADA, "ada")
    return await Calendar(town).link_after(ADA, "run list_events")


async def opens_link(visitor: Visitor) -> None:
    """The link's page."""
    await visitor.opens(await asks_for_link(visitor))


def signs_in_as(account: str) -> Way:
    """What comes after the login of this account through Ada's link."""

    async def way(visitor: Visitor) -> None:
        await opens_link(visitor)
        await visitor.goes_to_login()
        await visitor.signs_in(account)

    return way


async def stops_before_third_party(visitor: Visitor) -> None:
    """The page that goes on to the third party by itself, where that does not answer."""
    await visitor.stops_at("*/connected-accounts/connect?*", signs_in_as("ada")(visitor))


async def connects(visitor: Visitor) -> None:
    """The end of it."""
    await signs_in_as("ada")(visitor)
    await visitor.agrees_at_third_party("ada")


async def cancels(visitor: Visitor) -> None:
    """Somebody who turns round at the third party."""
    await signs_in_as("ada")(visitor)
    await visitor.cancels()


async def opens_expired(visitor: Visitor) -> None:
    """A link that has lain for too long."""
    link = await asks_for_link(visitor)
    await visitor.waits(minutes=11)
    await visitor.opens(link)


async def opens_used(visitor: Visitor) -> None:
    """A link that has done its work."""
    link = await asks_for_link(visitor)
    await Calendar(visitor.town).connects(link, "ada")
    await visitor.opens(link)


async def comes_back_elsewhere(visitor: Visitor) -> None:
    """A login that was begun in a browser with other cookies."""
    await opens_link(visitor)
    await visitor.goes_to_login()
    await visitor.context.clear_cookies(name="countersign-connect")
    await visitor.signs_in("ada")


async def reloads_the_end(visitor: Visitor) -> None:
    """The last page, loaded again."""
    await connects(visitor)
    await visitor.page.get_by_role("heading", name="Your almanac account is connected").wait_for()
    await visitor.page.reload()


async def unlinks_in_between(visitor: Visitor) -> None:
    """Somebody whose link ends while they are at the provider."""
    await opens_link(visitor)
    await visitor.goes_to_login()
    await visitor.town.types(ADA, "unlink")
    await visitor.signs_in("ada")


async def loses_the_answer(visitor: Visitor) -> None:
    """A provider whose last answer does not arrive."""
    visitor.town.tenant.fail("complete", lost=True)
    await connects(visitor)


async def signs_in_where_it_cannot_be(visitor: Visitor) -> None:
    """A tenant that does not let the application use its My Account API."""
    visitor.town.tenant.fail("connect", status=403)
    await signs_in_as("ada")(visitor)


async def signs_in_while_provider_fails(visitor: Visitor) -> None:
    """A provider that does not answer when the account is to be connected."""
    visitor.town.tenant.fail("connect", times=100)
    await signs_in_as("ada")(visitor)
