"""The program as users run it: a process of its own, stopped in order and killed without warning."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from bot import config
from bot.sandbox.demo import Surroundings, free_ports, surroundings
from tests.scenarios.town import ADA, BOB, SUPPORT, Town

_ENVIRONMENT = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}


class Process:
    """`python -m bot run` with this environment and no other settings."""

    def __init__(self, environment: Mapping[str, str], directory: Path) -> None:
        self._environment = {**_ENVIRONMENT, "PYTHONPATH": str(Path.cwd()), **environment}
        self._directory = directory
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it and wait until it is ready."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "run", env=self._environment, cwd=self._directory
        )
        async with asyncio.timeout(30), aiohttp.ClientSession() as session:
            while not await self._ready(session):
                assert self._process.returncode is None, "the bot ended by itself"

    async def end(self, number: int = signal.SIGTERM) -> int:
        """Send it a signal and wait for its end; gives its exit code."""
        if self._process is None:
            return 0
        if self._process.returncode is None:
            self._process.send_signal(number)
        return await asyncio.wait_for(self._process.wait(), 30)

    async def _ready(self, session: aiohttp.ClientSession) -> bool:
        try:
            async with session.get(f"{self._environment['PUBLIC_URL']}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False


@asynccontextmanager
async def town_of(
    around: Surroundings, more: Mapping[str, str], directory: Path
) -> AsyncIterator[tuple[Town, Process]]:
    """People around a bot in a process of its own."""
    environment = {**around.environment, **more}
    process = Process(environment, directory)
    await process.start()
    try:
        yield Town(around, config.load(environment)), process
    finally:
        await process.end()


async def test_t74_a_click_survives_a_kill(tmp_path: Path, database_settings: dict[str, str]) -> None:
    """Killed right after the ack of a click, and started again: the verdict is carried out, once.

    Guard: the verdict is stored before the ack, and the sweep of the next start picks it up.
    """
    async with surroundings(tmp_path) as around, town_of(around, database_settings, tmp_path) as (town, process):
        await town.links(ADA, "ada")
        await town.types(ADA, "run refund_order order_id=A-1001 amount=500")
        card = await town.sees_control(ADA, "approval.approve")
        await town.clicks(ADA, card, "approval.approve")
        await process.end(signal.SIGKILL)
        await process.start()
        await town.sees(ADA, "(?i)done|may or may not", after=card["ts"], within=45)
        refunds = [c for c in town.calls("auth0|ada") if c.path.endswith("/refund")]
        assert len(refunds) <= 1
        audit = await town.types(ADA, "audit")
        assert "approved" in audit.lower()
        assert "ada@example.com" in await town.types(ADA, "status")


async def killed_in_mid_refresh(town: Town, process: Process) -> str:
    """Ada approves; the bot is killed when the tenant has rotated her token and before the answer comes.

    Gives the ts of her card.
    """
    await town.links(ADA, "ada")
    await town.types(ADA, "run refund_order order_id=A-1001 amount=500")
    card = await town.sees_control(ADA, "approval.approve")
    rotated = town.tenant.hold("token", answered=True)
    await town.clicks(ADA, card, "approval.approve")
    await rotated.arrival()
    await process.end(signal.SIGKILL)
    rotated.release()
    await process.start()
    return str(card["ts"])


async def test_t37_a_kill_in_mid_refresh_is_survived_within_the_overlap(
    tmp_path: Path, database_settings: dict[str, str]
) -> None:
    """The former token is used once more, the link lives, and the approved refund is carried out once.

    Either the round uses it, and the refund refreshes for itself after that, or the refund is first.
    Guard: the former token stays in the link until the next one is saved.
    """
    async with surroundings(tmp_path) as around, town_of(around, database_settings, tmp_path) as (town, process):
        card = await killed_in_mid_refresh(town, process)
        await town.sees(ADA, "(?i)is done", after=card, within=45)
        assert town.tenant.refresh_calls in {2, 3}
        assert [c.status for c in town.calls("auth0|ada")] == [200]
        assert "ada@example.com" in await town.types(ADA, "status")


async def test_t37_without_an_overlap_the_person_is_asked_to_link_again(
    tmp_path: Path, database_settings: dict[str, str]
) -> None:
    """The provider ends the grant, so the link ends, nothing is done, and one message says how to go on.

    Guard: `_bury`, which ends the link; without it the dead token would be tried for ever.
    """
    async with (
        surroundings(tmp_path, overlap=0) as around,
        town_of(around, database_settings, tmp_path) as (town, process),
    ):
        card = await killed_in_mid_refresh(town, process)
        await town.sees(ADA, "/agent link", after=card, within=45)
        await town.sees(ADA, "(?i)nothing was done", after=card, within=45)
        assert town.calls() == []
        assert town.tenant.refresh_calls == 2
        assert "not linked" in await town.types(ADA, "status")


async def test_t76_sigterm_finishes_what_was_acknowledged(tmp_path: Path, database_settings: dict[str, str]) -> None:
    """What was acked before SIGTERM is answered before the process ends, with exit code 0 (guard: Tasks.drain)."""
    async with surroundings(tmp_path) as around, town_of(around, database_settings, tmp_path) as (town, process):
        await town.links(BOB, "bob")
        await town.types(BOB, "run list_orders")
        assert await process.end() == 0
        await town.sees(BOB, "A-1001", SUPPORT)


async def test_the_embedded_database_ends_with_the_bot(tmp_path: Path) -> None:
    """Without MONGODB_URI a killed bot leaves no server behind, and the next start finds the link."""
    async with surroundings(tmp_path, free_ports(4)) as around, town_of(around, {}, tmp_path) as (town, process):
        await town.links(ADA, "ada")
        await process.end(signal.SIGKILL)
        await process.start()
        assert "ada@example.com" in await town.types(ADA, "status")
        # As the README says it: beside the running bot, with nothing but the place of its data.
        verify = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "audit", "verify", cwd=Path.cwd(),
            env={**_ENVIRONMENT, "DATA_DIR": str(tmp_path)}, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        said = (await asyncio.wait_for(verify.communicate(), 30))[0].decode()
        assert (verify.returncode, said[:3]) == (0, "ok:"), said


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"AUTH0_ISSUER": "", "AUTH0_CLIENT_ID": "", "PORT": "many"}, ["AUTH0_DOMAIN", "AUTH0_CLIENT_ID", "PORT"]),
        ({"SLACK_BOT_TOKEN": "xoxb-wrong"}, ["SLACK_BOT_TOKEN"]),
        ({"ACTIONS_FILE": "no-such.toml"}, ["ACTIONS_FILE"]),
        ({"MONGODB_URI": "nonsense"}, ["MONGODB_URI"]),
        ({"TOKEN_KEYS": "{}"}, ["TOKEN_KEYS"]),
        ({"AUTH0_CLIENT_KEY": "nonsense"}, ["AUTH0_CLIENT_KEY"]),
    ],
)
async def test_wrong_settings_are_a_line_each(
    tmp_path: Path, database_settings: dict[str, str], changes: dict[str, str], named: list[str]
) -> None:
    """Exit 2, every problem named, no traceback."""
    async with surroundings(tmp_path) as around:
        environment = {
            **_ENVIRONMENT,
            "PYTHONPATH": str(Path.cwd()),
            **around.environment,
            **database_settings,
            **changes,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "run", env=environment, cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said = (await asyncio.wait_for(process.communicate(), 30))[0].decode()
    assert process.returncode == 2, said
    assert "Traceback" not in said
    for name in named:
        assert name in said
