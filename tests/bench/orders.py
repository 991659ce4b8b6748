"""What a process of the benchmark is told, a line at a time: each order is answered with one line."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]
_LONGEST_LINE = 64 * 1024 * 1024
_STOP = 15

Job = Callable[..., Any]


class Child:
    """A process that carries out orders, from the side of whoever gives them."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def __call__(self, job: str, **given: Any) -> Any:
        """Have one thing done; what came of it. Raises ChildProcessError where the process has ended instead."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"job": job, **given}).encode() + b"\n")
        await self._process.stdin.drain()
        line = await self._process.stdout.readline()
        if not line:
            raise ChildProcessError(f"a process has ended while it was to do this: {job}")
        return json.loads(line)


@asynccontextmanager
async def child(module: str) -> AsyncIterator[Child]:
    """A process that runs `module`. The end of its input is its end; only one that hangs is killed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, cwd=_ROOT, limit=_LONGEST_LINE,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C reaches the benchmark alone
    )  # fmt: skip
    try:
        yield Child(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _STOP)
        except TimeoutError:
            process.kill()
            await process.wait()


async def carried_out(jobs: Mapping[str, Job]) -> None:
    """The other side of `child`: do what is ordered until the input ends, however whoever gave it has ended."""
    loop, orders = asyncio.get_running_loop(), asyncio.Queue[str]()
    me = asyncio.current_task()
    assert me is not None

    def listen() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(orders.put_nowait, line)
        last = threading.Timer(_STOP - 5, os._exit, (1,))
        last.daemon = True
        last.start()
        loop.call_soon_threadsafe(me.cancel)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        order = json.loads(await orders.get())
        answer = jobs[order.pop("job")](**order)
        if inspect.isawaitable(answer):
            answer = await answer
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
