"""Replicas that live until they are killed: whole bots, forked from a process that has imported everything once.

They make no rounds: one that takes up what another has left and is killed over it would put that off without end.
Each line of input is an order: `{"spawn": environment}` gives the new process's id once it listens, `{"bury": pid}`
waits for its end.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import signal
import sys
import traceback

from bot import config, logs
from bot.database import connect
from bot.serving import serving
from bot.tasks import Tasks

_LATE = ("anyio._backends._asyncio", "h11", "httpcore2", "truststore")  # imported at the first call otherwise
_LONGEST = 60  # seconds that one may live


def main() -> None:
    """Carry out what is ordered, one at a time, before there is a loop, a thread or a connection."""
    for name in _LATE:
        importlib.import_module(name)
    for line in sys.stdin:
        order = json.loads(line)
        if "spawn" in order:
            answer: int | None = _spawned(order["spawn"])
        else:
            os.waitpid(order["bury"], 0)
            answer = None
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _spawned(environment: dict[str, str]) -> int:
    listening, tell = os.pipe()
    child = os.fork()
    if not child:
        _live(environment, tell)
    os.close(tell)
    if not os.read(listening, 1):
        sys.exit("a replica has ended by itself")
    os.close(listening)
    return child


def _live(environment: dict[str, str], tell: int) -> None:
    """The child's whole life."""
    signal.alarm(_LONGEST)
    try:
        logs.configure("critical", "json")
        Tasks.every = lambda *_: None  # type: ignore[method-assign]
        asyncio.run(_serve(environment, tell))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


async def _serve(environment: dict[str, str], tell: int) -> None:
    settings = config.load(environment)
    _client, database = connect(environment["MONGODB_URI"], environment["MONGODB_DATABASE"])
    async with serving(settings, database):
        os.write(tell, b".")
        await asyncio.Event().wait()


if __name__ == "__main__":
    main()
