"""One click whose replica is killed at some moment after it, and what became of the request."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from bot.approvals.model import Approval, State
from bot.audit.chain import Entry
from oauth import Principal
from tests.faults.office.scene import Office

_ROOT = Path(__file__).parents[3]
LIMIT = 30.0  # seconds from the kill to the last true card
_LOOK = 0.25


class Nursery:
    """Where replicas come from that are to be killed; one order at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._turn = asyncio.Lock()

    async def spawn(self, environment: dict[str, str]) -> int:
        """One more, listening; its process id."""
        return int(await self._order(spawn=environment))

    async def kill(self, pid: int) -> None:
        """`kill -9`, and it is gone."""
        os.kill(pid, signal.SIGKILL)
        await self._order(bury=pid)

    async def _order(self, **order: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._turn:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            await self._process.stdin.drain()
            line = await self._process.stdout.readline()
        assert line, "the process that forks has ended"
        return json.loads(line)


@asynccontextmanager
async def nursery() -> AsyncIterator[Nursery]:
    """While it is needed. The end of its input is its end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.office.nursery", cwd=_ROOT,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert process.stdin is not None
    try:
        yield Nursery(process)
    finally:
        process.stdin.close()
        await process.wait()


class Phase(StrEnum):
    """How far it had come when its replica died."""

    PENDING = "pending"
    AGREED = "agreed"
    EXECUTING = "executing"
    ENDED = "ended"
    SAID = "said"


@dataclass(slots=True)
class Crash:
    """One request whose replica was killed: by the store's word right after it, and at the end.

    `seconds` is from the kill until everything was at its end and on every card; None if that took too long.
    """

    asked: Approval
    who: Principal
    phase: Phase
    killed_at: float
    seconds: float | None = None
    flaws: list[str] = field(default_factory=list)


def phase_of(found: Approval) -> Phase:
    """What had been stored by then."""
    if found.state is State.PENDING:
        return Phase.PENDING
    if found.state is State.APPROVED:
        return Phase.AGREED
    if found.state is State.EXECUTING:
        return Phase.EXECUTING
    return Phase.SAID if _true(found) else Phase.ENDED


async def followed(office: Office, crash: Crash) -> Approval:
    """Wait until others have brought it to its end; the request as it is then, or after the limit."""
    while True:
        found = await office.store.get(crash.asked.requester.workspace, crash.asked.id)
        assert found is not None
        if _true(found):
            crash.seconds = time.perf_counter() - crash.killed_at
            return found
        if time.perf_counter() > crash.killed_at + LIMIT:
            return found
        await asyncio.sleep(_LOOK)


def _true(found: Approval) -> bool:
    """Whether it is at its end, on record, on every card, and told."""
    shown = all(copy.posted and copy.shown == found.revision for copy in found.copies)
    return found.state.final and found.audited and shown and found.told


def flaws(
    office: Office, crash: Crash, found: Approval, entries: Sequence[Entry], *, idempotent: bool
) -> Iterator[str]:
    """What is not as it must be, once it has been followed."""
    if crash.seconds is None:
        yield f"is {found.state} and not told to all after {LIMIT:.0f} s"
    calls, kinds = office.ledger.arrivals.get(found.run, []), Counter(str(entry["type"]) for entry in entries)
    if len(calls) > 1 and not idempotent:
        yield f"was executed {len(calls)} times"
    if kinds["approval.requested"] != 1 or kinds["approval.approved"] != 1:
        yield f"{kinds['approval.approved']} entries of its verdict"
    begun, ended = kinds["action.started"], kinds["action.finished"]
    if begun < len(calls) or (begun > 1 and not idempotent):
        yield f"{len(calls)} calls and {begun} entries of a beginning"
    # Whoever died before it began left nothing to see; that it is unknown is an end of its own.
    if not ended or ended > max(begun, found.state is State.UNKNOWN):
        yield f"{begun} begun and {ended} ended on record"
    known = [entry["outcome"] for entry in entries if entry["type"] == "action.finished"]
    if found.state is State.DONE and "ok" not in known:
        yield "is done, and the trail does not say so"
    if found.state is State.UNKNOWN and idempotent:
        yield "is unknown, and could have been repeated"
    if found.state not in {State.DONE, State.UNKNOWN}:
        yield f"is {found.state}"
    yield from _on_the_card(office, crash, found)


def _on_the_card(office: Office, crash: Crash, found: Approval) -> Iterator[str]:
    """What Slack really shows."""
    slack, user = office.around.slack, crash.who.slack.user
    seen = slack.messages(slack.dm(user), user)
    marked = [m for m in seen if found.id in json.dumps(m.get("metadata") or {})]
    if len(marked) != 1:
        yield f"{len(marked)} cards"
    for card in marked:
        text = json.dumps(card)
        if "approval.approve" in text or ("is not known" in text) is not (found.state is State.UNKNOWN):
            yield "its card says something else"
