"""People leave, or the bot is removed from the one workspace of its settings: nothing of theirs goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from bot.audit.chain import Entry, first_bad
from bot.audit.store import MongoAuditStore
from bot.database import Database, opened
from tests.scenarios.test_workspaces import eventually
from tests.scenarios.town import ADA, BOB, CAROL, Town


async def deactivated(town: Town) -> None:
    """Two of three people lose their accounts at Slack."""
    for user in (ADA, CAROL):
        await town.slack.deactivate(user)


async def tokens_revoked(town: Town) -> None:
    """Somebody revokes the bot's token."""
    await town.slack.revoke_tokens()


async def uninstalled(town: Town) -> None:
    """Somebody removes the app."""
    await town.slack.uninstall()


@pytest.mark.parametrize(
    ("leave", "reason", "left"),
    [
        (deactivated, "deactivated", {"bob"}),
        (tokens_revoked, "uninstalled", set()),
        (uninstalled, "uninstalled", set()),
    ],
)
async def test_t61_who_leaves_leaves_nothing_behind(
    town: Town, leave: Callable[[Town], Awaitable[None]], reason: str, left: set[str]
) -> None:
    """Links and logins under way end, at the tenant too, and what was pending is cancelled; whoever stays goes on
    (guards: `LifeCycle.heard`, `OneDeparture`, `end_ticket` in `Links.unlink`; `cancel_of` in `Notices._ended`, and
    again in the sweep)."""
    await town.links(ADA, "ada")
    await town.links(BOB, "bob")
    await town.types(ADA, "run refund_order order_id=A-1001 amount=500")
    await town.sees_control(ADA, "approval.approve")
    await town.signs_in(await town.link_of(CAROL), "mallory")  # whose code nobody has typed yet
    assert granted(town) == {"ada", "bob", "mallory"}
    await leave(town)
    await eventually(lambda: granted(town) == left)
    async with opened(town.settings) as database:
        cancelled = await first_of(database, "approval.cancelled")
        assert [(entry["user"], entry["reason"]) for entry in cancelled] == [(ADA, "unlinked")]
        ended = {(entry["user"], entry["reason"]) for entry in await on_record(database, "link.revoked")}
        assert ended == {(user, reason) for user in ({ADA} if left else {ADA, BOB})}
        assert {link["user"] async for link in database["links"].find()} == ({BOB} if left else set())
        assert await database["tickets"].count_documents({"sealed_grant": {"$ne": None}}) == 0
        assert await database["approvals"].distinct("state") == ["cancelled"]
        assert first_bad([entry async for entry in MongoAuditStore(database).entries()]) is None
    assert town.calls() == []
    if left:
        await town.sees_after_typing(BOB, "run show_order order_id=A-1001")
        assert [call.sub for call in town.calls()] == ["auth0|bob"]


def granted(town: Town) -> set[str]:
    """Whose grants live at the tenant."""
    return {family.person for family in town.tenant.families()}


async def first_of(database: Database, type_: str) -> list[Entry]:
    """The entries of one type, once there is one."""
    async with asyncio.timeout(10):
        while not (found := await on_record(database, type_)):  # noqa: ASYNC110 - nobody announces it
            await asyncio.sleep(0.02)
    return found


async def on_record(database: Database, type_: str) -> list[Entry]:
    """The entries of one type."""
    return [entry async for entry in MongoAuditStore(database).entries() if entry["type"] == type_]
