"""A refresh that is killed anywhere loses no link that the provider's overlap lets it keep (THREATS.md, 37 and 74)."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.database import EmbeddedServer
from tests.faults.aftermath import OF_A_REFRESH, SPENT, Phase
from tests.faults.kills import OVERLAP, at_each_suspension
from tests.faults.scene import scene
from tests.faults.tally import Tally

SECONDS = 120


@pytest.fixture
async def mongo(tmp_path: Path) -> AsyncIterator[str]:
    """A database server of this test alone."""
    server = EmbeddedServer(tmp_path / "database")
    try:
        yield await server.start()
    finally:
        await server.stop()


async def killed(mongo: str, directory: Path, overlap: int, capsys: pytest.CaptureFixture[str]) -> tuple[Tally, Tally]:
    """The first refresh of a link, and beside it the one of whoever takes over after a death."""
    async with (
        asyncio.timeout(SECONDS),
        scene(mongo, directory, overlap) as one,
        scene(mongo, directory, overlap) as other,
    ):
        first, second = await asyncio.gather(at_each_suspension(one), at_each_suspension(other, left=True))
    with capsys.disabled():
        sys.stdout.writelines(f"\n{tally.suspensions} suspensions: {tally.said}" for tally in (first, second))
    return first, second


async def test_t74_killed_at_each_await_no_link_is_lost_within_the_overlap(
    mongo: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor where the next one dies as well, nor where nobody asks (guards: `recover` in a round, `left` of a lease)."""
    first, second = await killed(mongo, tmp_path, OVERLAP, capsys)
    assert first.flaws + second.flaws == []
    assert set(first.phases) == OF_A_REFRESH
    assert set(second.phases) >= OF_A_REFRESH - {Phase.BEFORE_LEASE}
    assert all(outcome.kept for outcome in first.outcomes + second.outcomes)


async def test_t37_killed_at_each_await_without_an_overlap_a_link_lives_or_ends_once(
    mongo: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ends where the token was spent and nothing saved: one entry, one word (guard: `remove_link` in `bury`)."""
    first, second = await killed(mongo, tmp_path, 0, capsys)
    assert first.flaws + second.flaws == []
    assert set(first.phases) == OF_A_REFRESH
    assert {outcome.phase for outcome in first.outcomes if not outcome.kept} == SPENT
    assert {outcome.phase for outcome in first.outcomes if outcome.kept} == OF_A_REFRESH - SPENT
    assert set(second.phases) >= {Phase.LEASED, Phase.ANSWERED, Phase.ENDED}
    assert not any(outcome.kept for outcome in second.outcomes)
