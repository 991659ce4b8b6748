"""An organization at a certified provider: members link, and whoever is none any more is unlinked at the next call."""

from __future__ import annotations

from pathlib import Path

from tests.foreign.product import world
from tests.foreign.test_linking_again import SHOW, living, reasons
from tests.foreign.test_whole_job import asked, assert_trail_holds, card_for_refund, entries


async def test_who_leaves_the_organization_is_unlinked(mongo_uri: str, tmp_path: Path) -> None:
    """As a member Ada acts; once tokens name another organization her next call is refused and her link ends, at the
    provider too; what waited is cancelled, and she is told (guards: `organization` in `Verifier.access_token`, `_expel` in `Refresher._spend`)."""
    async with world(mongo_uri, tmp_path, organization="org_1") as built:
        ada = built.workspace.person("ada")
        await built.links(ada)
        card = await card_for_refund(ada)
        await built.provider.moves_everybody("org_2")
        assert "nothing was done" in await asked(ada, SHOW)
        assert "not linked" in await ada.types("status")
        await ada.sees("no member of the organization", after=card["ts"])
        assert await living(built) == [False, False]
        await ada.clicks(card, "approval.approve")
        await ada.hears("not linked")
        assert await built.shop.calls() == []
        assert await reasons(built, "link.revoked") == ["wrong_organization"]
        assert [each["reason"] for each in await entries(built, "action.refused", "show_order")] == [
            "wrong_organization"
        ]
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
