"""The ways to the product's pages. Each begins in Slack and ends with the page in the visitor's window."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from bot.sandbox.tenant.model import Person
from tests.browser.pages.visitor import Visitor
from tests.scenarios.town import ADA, BOB

Way: TypeAlias = Callable[[Visitor], Awaitable[None]]

LONG_NAME = "Adalheidis-Wilhelmina Wolfeschlegelsteinhausenbergerdorffwelchevoraltern von Lindqvist"
LONG_ADDRESS = "adalheidis.wolfeschlegelsteinhausenbergerdorffwelchevoraltern@department-of-orders.example.com"


async def opens_link(visitor: Visitor) -> None:
    """The link page."""
    await visitor.opens(await visitor.asks_for_link())


def signs_in(account: str, user: str = ADA) -> Way:
    """What comes after the login of this account through the link of this Slack person."""

    async def way(visitor: Visitor) -> None:
        await visitor.opens(await visitor.asks_for_link(user))
        await visitor.goes_to_login()
        await visitor.signs_in(account)

    return way


def as_long_name(way: Way) -> Way:
    """The same for somebody whose name and address are as long as they come."""

    async def longer(visitor: Visitor) -> None:
        visitor.renames(real_name=LONG_NAME, email=LONG_ADDRESS)
        people = visitor.town.tenant.state.people
        people["ada"] = Person("ada", LONG_NAME, LONG_ADDRESS)
        await way(visitor)

    return longer


async def opens_expired(visitor: Visitor) -> None:
    """A link that has lain for too long."""
    link = await visitor.asks_for_link()
    await visitor.waits(minutes=11)
    await visitor.opens(link)


async def opens_superseded(visitor: Visitor) -> None:
    """A link of two, and the older one."""
    older = await visitor.asks_for_link()
    await visitor.asks_for_link()
    await visitor.opens(older)


async def opens_used(visitor: Visitor) -> None:
    """A link that has linked its person already."""
    link = await visitor.asks_for_link()
    await visitor.opens(link)
    await visitor.goes_to_login()
    await visitor.signs_in("ada")
    await visitor.page.get_by_role("heading", name="You are linked").wait_for()
    await visitor.opens(link)


async def reloads_the_end(visitor: Visitor) -> None:
    """The last page of a login, loaded again."""
    await signs_in("ada")(visitor)
    await visitor.page.get_by_role("heading", name="You are linked").wait_for()
    await visitor.page.reload()


async def comes_back_elsewhere(visitor: Visitor) -> None:
    """A login that was begun in a browser with other cookies."""
    await opens_link(visitor)
    await visitor.goes_to_login()
    await visitor.context.clear_cookies(name="countersign")
    await visitor.signs_in("ada")


async def sends_without_cookies(visitor: Visitor) -> None:
    """The link page's form, where cookies are blocked."""
    await opens_link(visitor)
    await visitor.loses_cookies()
    await visitor.presses("Continue to sign in")


async def asks_for_otp(visitor: Visitor) -> None:
    """The page that takes the one-time code, with the code under way."""
    await opens_link(visitor)
    await visitor.presses("Send me a code")
    await visitor.page.get_by_label("One-time code").wait_for()


async def mistypes_address(visitor: Visitor) -> None:
    """Something that is no address, in a browser that does not look at it by itself."""
    await opens_link(visitor)
    await visitor.page.evaluate("document.forms[0].noValidate = true")
    await visitor.types("Your e-mail address", "ada at example.com")
    await visitor.presses("Send me a code")
    await visitor.page.get_by_role("alert").wait_for()


async def asks_for_too_many_otps(visitor: Visitor) -> None:
    """The link page, after three codes that never came."""
    link = await visitor.asks_for_link()
    for _ in range(4):
        await visitor.opens(link)
        await visitor.presses("Send me a code")
        await visitor.page.get_by_label("One-time code").or_(visitor.page.get_by_role("alert")).wait_for()
        await visitor.waits(minutes=1)
    await visitor.page.get_by_role("alert").wait_for()


def guesses(times: int) -> Way:
    """The code's page after so many wrong codes."""

    async def way(visitor: Visitor) -> None:
        await asks_for_otp(visitor)
        right = visitor.reads_code("ada@example.com")
        for _ in range(times):
            await visitor.types("One-time code", "000000" if right != "000000" else "111111")
            await visitor.presses("Sign in")
            await visitor.page.get_by_role("alert").wait_for()

    return way


async def signs_in_by_otp(visitor: Visitor) -> None:
    """In by the code from the mail."""
    await asks_for_otp(visitor)
    await visitor.types("One-time code", visitor.reads_code("ada@example.com"))
    await visitor.presses("Sign in")


def asks_for_fresh(times: int) -> Way:
    """What follows the button of a link that is over, pressed so many times."""

    async def way(visitor: Visitor) -> None:
        link = await visitor.asks_for_link()
        await visitor.waits(minutes=11)
        for _ in range(times):
            await visitor.opens(link)
            await visitor.presses("Send me a fresh link in Slack")
            await visitor.page.get_by_role("button").wait_for(state="detached")

    return way


async def asks_for_fresh_of_none(visitor: Visitor) -> None:
    """The same button, below a link that never was."""
    await visitor.opens(f"{visitor.town.settings.public_url}/link/{'x' * 43}")
    await visitor.presses("Send me a fresh link in Slack")


async def cancels(visitor: Visitor) -> None:
    """A login that was not wanted after all."""
    await opens_link(visitor)
    await visitor.goes_to_login()
    await visitor.cancels()


async def signs_in_unconfirmed(visitor: Visitor) -> None:
    """Somebody whose address Slack has not confirmed."""
    visitor.renames(confirmed=False)
    await signs_in("ada")(visitor)


async def signs_in_outside(visitor: Visitor) -> None:
    """Somebody who takes the organization out of the provider's address, and is no member."""
    await visitor.meddles("*/authorize?*", lambda url: url.replace("organization=org_sandbox", "organization="))
    await signs_in("mallory")(visitor)


async def comes_back_with_long_error(visitor: Visitor) -> None:
    """A refusal whose code at the provider is as long as we let it be."""
    await visitor.meddles("*/oauth/callback?*", lambda url: url.replace("access_denied", "not_" + "very" * 20))
    await cancels(visitor)


def signs_in_at_slack(user: str) -> Way:
    """Ada's link and Ada's account, in the browser of this Slack person."""

    async def way(visitor: Visitor) -> None:
        await signs_in("ada")(visitor)
        await visitor.signs_in_to_slack(user)

    return way


async def stops_before_slack(visitor: Visitor) -> None:
    """The page that goes on to Slack by itself, where that does not answer."""
    await visitor.stops_at("*/openid/connect/authorize?*", signs_in("ada")(visitor))


async def signs_in_as_taken(visitor: Visitor) -> None:
    """The account of somebody who is linked, through another person's link with the same address."""
    await visitor.town.links(ADA, "ada")
    visitor.renames(BOB, email="ada@example.com")
    await signs_in("ada", BOB)(visitor)


async def signs_in_with_second_account(visitor: Visitor) -> None:
    """Another account of the same address, while the first is linked."""
    await visitor.town.links(ADA, "ada")
    visitor.town.tenant.state.people["ada-by-google"] = Person("ada-by-google", "Ada Lindqvist", "ada@example.com")
    await signs_in("ada-by-google")(visitor)


async def links_again_where_grants_are_one(visitor: Visitor) -> None:
    """Linking anew at a provider that ends the new grant together with the old one."""
    tenant = visitor.town.tenant
    await visitor.town.links(ADA, "ada")
    revoked = tenant.hold("revoke", answered=True)
    await signs_in("ada")(visitor)
    await revoked.arrival()
    await tenant.revoke_grants("ada")
    revoked.release()


def installs(where: str) -> Way:
    """The end of an installation in a workspace or an organization."""

    async def way(visitor: Visitor) -> None:
        await visitor.opens(f"{visitor.town.settings.public_url}/slack/install")
        await visitor.chooses(visitor.page.locator(f'[name="workspace"][value="{where}"]'))
        await visitor.presses("Allow")

    return way


async def cancels_installation(visitor: Visitor) -> None:
    """An installation that was not wanted after all."""
    await visitor.opens(f"{visitor.town.settings.public_url}/slack/install")
    await visitor.presses("Cancel")


async def reloads_installed(visitor: Visitor) -> None:
    """The end of an installation, loaded again."""
    await installs("T0SECOND")(visitor)
    await visitor.page.get_by_role("heading", name="Countersign is installed").wait_for()
    await visitor.page.reload()


async def signs_in_while_provider_fails(visitor: Visitor) -> None:
    """A provider that does not answer when the code is exchanged."""
    visitor.town.tenant.fail("token", times=100)
    await signs_in("ada")(visitor)


async def comes_back_from_elsewhere(visitor: Visitor) -> None:
    """An answer that names another provider than the one that was asked."""
    await visitor.meddles("*/oauth/callback?*", lambda url: f"{url}&iss=https://elsewhere.example/")
    await signs_in("ada")(visitor)
