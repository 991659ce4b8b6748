"""Processes that are killed in the middle of a refresh: what `tests.faults.kills` finds, as a figure."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from tests.bench.figures import Bound, Figure, Sizes
from tests.bench.progress import say

_MODULE = "tests.faults.kills"
_ROOT = Path(__file__).parents[2]


async def kill(sizes: Sizes, directory: Path) -> AsyncIterator[Figure]:
    """Each flaw is a link that was lost although the overlap allowed to keep it, or one that acts as it should not."""
    if importlib.util.find_spec(_MODULE) is None:
        say(f"kill: {_MODULE} is not here")
        return
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", _MODULE, "--json", "--count", str(sizes.kills),
        cwd=_ROOT, env=os.environ | {"TMPDIR": str(directory)}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        said, _error = await process.communicate()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
            await process.wait()
    found = json.loads(said.decode().splitlines()[-1])
    yield Figure(
        "kill",
        Bound(found.pop("flaws"), exactly=0),
        "broken promises",
        f"kill -9 at {found['kills']} random moments of a refresh",
        also={"kills": Bound(found.pop("kills"), exactly=sizes.kills)},
        detail={name: value for name, value in found.items() if name != "figure"},
    )
