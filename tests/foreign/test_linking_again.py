"""Linking again at a provider that gives one grant to all logins of a session (npm `oidc-provider`)."""

from __future__ import annotations

from pathlib import Path

from tests.foreign.browser import Browser
from tests.foreign.product import World, world
from tests.foreign.test_whole_job import asked, assert_trail_holds, entries

SHOW = "run show_order order_id=A-1"


async def living(built: World) -> list[bool]:
    """What introspection says of each refresh token that Ada's logins and refreshes brought, the oldest first."""
    return [await built.provider.active(each["refresh_token"]) for each in await built.provider.issued("person-ada")]


async def reasons(built: World, kind: str) -> list[str]:
    """The reasons of the entries of this type about Ada."""
    return [each["reason"] for each in await entries(built, kind, None)]


async def test_again_in_the_same_session(mongo_uri: str, tmp_path: Path) -> None:
    """The former link's end takes the new grant along, so Ada is told to link once more, and then is linked (guard:
    `_survived` in `Links.make`)."""
    async with world(mongo_uri, tmp_path) as built, Browser() as browser:
        ada = built.workspace.person("ada")
        await built.links(ada, browser)
        assert await living(built) == [True]
        page = await built.signs_in(await built.login_link(ada), "ada", browser)
        assert "ended this login together with it" in await asked(ada, f"code {page.code}")
        assert await living(built) == [False, False]
        assert "not linked" in await asked(ada, "status")
        await built.links(ada, browser)
        assert "Countess" in await asked(ada, SHOW)
        assert await living(built) == [False, False, False, True]
        assert await reasons(built, "link.revoked") == ["relinked", "grant_dead"]
        assert await reasons(built, "link.refused") == ["grant_shared"]
        await assert_trail_holds(built)


async def test_again_in_another_session(mongo_uri: str, tmp_path: Path) -> None:
    """A login in another browser has a grant of its own: Ada is linked at once, and the former grant is dead (guard:
    `_cut` in `Links.make`)."""
    async with world(mongo_uri, tmp_path) as built:
        ada = built.workspace.person("ada")
        await built.links(ada)
        await built.links(ada)
        former, *_, last = await living(built)
        assert (former, last) == (False, True)
        assert "Countess" in await asked(ada, SHOW)
        assert await reasons(built, "link.revoked") == ["relinked"]
        await assert_trail_holds(built)
