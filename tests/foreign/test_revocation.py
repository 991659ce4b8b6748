"""A grant ends at the provider, by the operator, or in Slack: within five seconds no replica acts on it any more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tests.foreign.browser import Browser
from tests.foreign.deadline import Deadline
from tests.foreign.people import Message, Person, has_control, words
from tests.foreign.product import World, world
from tests.foreign.test_whole_job import asked, assert_trail_holds, card_for_refund, entries

PROMISED = 5.0
SHOW = "run show_order order_id=A-1"


@dataclass(frozen=True, slots=True)
class Scene:
    """Three replicas. Ada is linked through the first and has acted through each; a refund of hers waits. So is Bob."""

    built: World
    ada: list[Person]
    bob: list[Person]
    browser: Browser
    card: Message
    refresh_token: str

    async def ends_in_time(self, within: Deadline) -> None:
        """Each replica refuses, the card says that it is cancelled, and the provider knows the grant no more."""

        async def cancelled() -> bool:
            card = await self.ada[0].stands(self.card)
            return not has_control(card, "approval.approve") and "Cancelled" in words(card)

        async def revoked() -> bool:
            return not await self.built.provider.active(self.refresh_token)

        def refuses(person: Person) -> Callable[[], Awaitable[bool]]:
            async def refused() -> bool:
                return "You are not linked yet" in await asked(person, SHOW)

            return refused

        refusals = {f"replica {number} refuses": refuses(person) for number, person in enumerate(self.ada, 1)}
        await within.holds(refusals | {"the card is cancelled": cancelled, "the grant is revoked": revoked})

    async def stays_over(self) -> None:
        """Neither a question nor the old card moves anything at any replica, and Bob goes on at each."""
        calls = await self.built.shop.calls("person-ada")
        for person in self.ada:
            assert "not linked" in await asked(person, SHOW)
            await person.clicks(self.card, "approval.approve")
            await person.hears("not linked")
        assert await self.built.shop.calls("person-ada") == calls
        assert await self.built.shop.refunds() == []
        refused = await self.built.provider.asked(
            "token_endpoint", grant_type="refresh_token", refresh_token=self.refresh_token
        )
        assert refused["error"] == "invalid_grant"
        for person in self.bob:
            assert "Countess" in await asked(person, SHOW)
        await assert_trail_holds(self.built)

    async def reasons(self) -> list[str]:
        """Why Ada's links ended, as the trail has it."""
        return [each["reason"] for each in await entries(self.built, "link.revoked", None)]


@pytest.fixture
async def scene(mongo_uri: str, tmp_path: Path) -> AsyncIterator[Scene]:
    """Everything up to the moment in which the grant ends."""
    async with world(mongo_uri, tmp_path, replicas=3) as built, Browser() as browser:
        ada, bob = built.everywhere("ada"), built.everywhere("bob")
        await built.links(ada[0], browser)
        await built.links(bob[0])
        for person in ada:
            assert "Countess" in await asked(person, SHOW)
        card = await card_for_refund(ada[1])
        (token,) = [
            each["refresh_token"] for each in await built.provider.issued("person-ada") if each["state"] == "live"
        ]
        assert await built.provider.active(token)
        yield Scene(built, ada, bob, browser, card, token)


async def test_t32_a_logout_at_the_provider_reaches_every_replica(scene: Scene) -> None:
    """Ada signs out in her browser, the provider tells one replica, and within five seconds she is told and all of
    them refuse (guard: `_end_all` in `Links.logged_out`)."""
    await scene.browser.sign_out(scene.built.provider.issuer)
    within = Deadline(PROMISED)
    await scene.ends_in_time(within)
    assert [each["status"] for each in await scene.built.provider.told()] == [200]
    await scene.ada[0].sees("logged out at the identity provider", after=scene.card["ts"])
    await scene.stays_over()
    assert await scene.reasons() == ["logout"]


async def test_t32_the_operator_reaches_every_replica(scene: Scene) -> None:
    """`countersign links revoke --sub` beside the replicas: within five seconds all of them refuse, and Ada is told
    (guards: `unlink`, and `revoke_subject` again, in `_revoke`)."""
    code, said = await scene.built.product.command("links", "revoke", "--sub", "person-ada")
    within = Deadline(PROMISED)
    assert code == 0, said
    await scene.ends_in_time(within)
    await scene.ada[0].sees("has ended your link", after=scene.card["ts"])
    await scene.stays_over()
    assert await scene.reasons() == ["operator"]


async def test_t32_replicas_see_the_end_of_a_link_by_themselves(scene: Scene, tmp_path: Path) -> None:
    """The operator's command cannot read the actions file, so it tells nobody; the replicas find out within five
    seconds (guard: `end_with_links` in the sweep)."""
    broken = tmp_path / "broken.toml"
    broken.write_text("[[action]]\nname = 1", encoding="utf-8")
    code, said = await scene.built.product.command("links", "revoke", "--sub", "person-ada", ACTIONS_FILE=str(broken))
    within = Deadline(PROMISED)
    assert code == 0, said
    assert "Nobody will be told" in said
    await scene.ends_in_time(within)
    await scene.stays_over()


async def test_t32_unlinking_at_one_replica_reaches_every_other(scene: Scene) -> None:
    """`/agent unlink` at another replica than the one that linked: within five seconds all of them refuse (guard:
    `remove_link` in `Links._cut`)."""
    assert "You are unlinked" in await scene.ada[2].types("unlink")
    within = Deadline(PROMISED)
    await scene.ends_in_time(within)
    await scene.stays_over()
    assert await scene.reasons() == ["unlink"]


async def test_t32_a_replayed_logout_token_is_refused_by_every_replica(mongo_uri: str, tmp_path: Path) -> None:
    """The provider's own logout token, sent again: 400 everywhere, and the link that Ada has made since lives on
    (guards: `logout_spent` in `Links.logged_out`, and `spend_logout` again)."""
    async with world(mongo_uri, tmp_path, replicas=3) as built, Browser() as browser:
        ada = built.everywhere("ada")
        await built.links(ada[0], browser)
        await browser.sign_out(built.provider.issuer)
        (told,) = await built.provider.told()
        assert told["status"] == 200
        await built.links(ada[0], browser)
        form = {"logout_token": told["logout_token"]}
        for replica in built.replicas:
            async with aiohttp.ClientSession() as session:
                again = await session.post(f"{replica.url}/oauth/backchannel-logout", data=form)
                assert again.status == 400
        for person in ada:
            assert "Countess" in await asked(person, SHOW)
