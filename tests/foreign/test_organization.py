"""An organization at a certified provider: members link, and whoever is none any more is unlinked at the next call."""

from __future__ import annotations

from pathlib import Path

from tests.foreign import rig
from tests.foreign.people import words
from tests.foreign.product import world
from tests.foreign.test_linking_again import SHOW, living, reasons
from tests.foreign.test_whole_job import asked, assert_trail_holds, card_for_refund, entries


async def test_who_leaves_the_organization_is_unlinked(mongo_uri: str, tmp_path: Path) -> None:
    """As a member Ada acts; once tokens name another organization the next one that she needs is not used: nothing is
    done, her link ends, at the provider too, what waited is cancelled, and she is told (guards: `organization` in
    `Verifier.access_token`, `_expel` in `Refresher._spend`)."""
    async with world(mongo_uri, tmp_path, organization="org_1") as built:
        ada = built.workspace.person("ada")
        await built.links(ada)
        assert "Countess" in await asked(ada, SHOW)
        agreed, waits = [await card_for_refund(ada, action) for action in ("refund_order", "refund_surely")]
        await built.provider.moves_everybody("org_2")
        await ada.clicks(agreed, "approval.approve")
        await ada.sees("no member of the organization", after=waits["ts"])
        assert "not linked" in await ada.types("status")
        assert {each["state"] for each in await built.provider.issued()} == {"gone"}

        async def cancelled() -> bool:
            return "Cancelled" in words(await ada.stands(waits))

        await rig.until(cancelled)
        assert await built.shop.refunds() == []
        assert await reasons(built, "link.revoked") == ["wrong_organization"]
        (refused,) = await entries(built, "action.refused")
        assert refused["reason"] == "wrong_organization"
        await assert_trail_holds(built)


async def test_who_is_no_member_is_not_linked(mongo_uri: str, tmp_path: Path) -> None:
    """A login in another organization ends on a page that says so, nothing is linked, and the grant is revoked
    (guard: `organization` in `Verifier.id_token`, and again in `Verifier.access_token`)."""
    async with world(mongo_uri, tmp_path, organization="org_1") as built:
        await built.provider.moves_everybody("org_2")
        ada = built.workspace.person("ada")
        page = await built.signs_in(await built.login_link(ada), "ada")
        assert (page.status, "wrong_organization" in page.text) == (403, True)
        assert "not linked" in await ada.types("status")
        assert await living(built) == [False]
        await built.provider.moves_everybody("org_1")
        await built.links(ada)
        assert "Countess" in await asked(ada, SHOW)
