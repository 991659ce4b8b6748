"""Several replicas, each a process of its own, that end with whoever started them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.replica import Given

_ROOT = Path(__file__).parents[2]
_START, _STOP = 60, 15


@dataclass(frozen=True, slots=True)
class Fleet:
    """Where each replica listens, and the file in which all of them log."""

    addresses: tuple[str, ...]
    log: Path

    @property
    def said(self) -> str:
        """What they have logged: warnings and worse."""
        return self.log.read_text(encoding="utf-8")


@asynccontextmanager
async def fleet(count: int, given: Given, directory: Path) -> AsyncIterator[Fleet]:
    """So many replicas while they are needed."""
    log = directory / "replicas.log"
    async with AsyncExitStack() as stack:
        processes = [await stack.enter_async_context(_process(log)) for _ in range(count)]
        yield Fleet(tuple(await asyncio.gather(*(_told(process, given) for process in processes))), log)


@asynccontextmanager
async def _process(log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A replica that has been told nothing yet. The end of its input is its end; only one that hangs is killed."""
    with log.open("ab") as sink:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.replica", cwd=_ROOT,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=sink,
            start_new_session=True,  # Ctrl-C reaches the tests alone
        )  # fmt: skip
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _STOP)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _told(process: asyncio.subprocess.Process, given: Given) -> str:
    """Tell it what it works with; its address."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(given.as_line())
    await process.stdin.drain()
    line = await asyncio.wait_for(process.stdout.readline(), _START)
    assert line, "a replica has not started"
    return line.decode().strip()
