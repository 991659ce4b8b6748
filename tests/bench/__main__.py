"""`python -m tests.bench`: a line of JSON for each figure on standard output, what is going on on standard error.

Ends with 0 if every goal was met, else with 1.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path

from tests.bench.decisions import approval_kills, approval_races, clicks
from tests.bench.figures import QUICK, Figure, Sizes
from tests.bench.growth import links
from tests.bench.herd import herd
from tests.bench.kills import kill
from tests.bench.progress import say
from tests.bench.reads import valid_token
from tests.bench.rounds import rounds
from tests.bench.unlinking import unlink_race

Measure = Callable[[Sizes, Path], AsyncIterator[Figure]]

MEASURES: dict[str, Measure] = {
    "valid_token": valid_token,
    "links": links,
    "herd": herd,
    "rounds": rounds,
    "unlink_race": unlink_race,
    "kill": kill,
    "clicks": clicks,
    "approval_races": approval_races,
    "approval_kills": approval_kills,
}
_LONGEST, _LONGEST_QUICK = 9000.0, 900.0
_PATIENCE = 60.0


async def run(names: Sequence[str], sizes: Sizes, directory: Path, seconds: float) -> bool:
    """Print the figures; whether all goals were met."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    met = True
    async with asyncio.timeout(seconds):
        for name in names:
            met &= await _measured(name, sizes, directory / name)
    return met


async def _measured(name: str, sizes: Sizes, directory: Path) -> bool:
    """One failure does not keep the other figures from being seen."""
    say(f"{name}: begun; load {os.getloadavg()[0]:.2f}")
    began, met = time.monotonic(), []
    try:
        async for figure in MEASURES[name](sizes, directory):
            sys.stdout.write(figure.line() + "\n")
            sys.stdout.flush()
            met.append(figure.met is not False)
    except Exception:
        traceback.print_exc()
        met.append(False)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    say(f"{name}: {time.monotonic() - began:.0f} s")
    return bool(met) and all(met)


def main() -> None:
    """The command line."""
    whole = Sizes()
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=MEASURES, metavar="NAME", help=", ".join(MEASURES))
    parser.add_argument("--quick", action="store_true", help="fewer of everything: to see that it runs")
    parser.add_argument("--links", type=int, help=f"how many links the large database has ({whole.links})")
    parser.add_argument("--window", type=int, help=f"links at a time in each replica of the herd ({whole.window})")
    parser.add_argument("--delay", type=float, help=f"of the provider of the herd, in ms ({whole.delay * 1000:g})")
    asked = parser.parse_args()
    changes = {"links": asked.links, "window": asked.window, "delay": asked.delay and asked.delay / 1000}
    sizes = QUICK if asked.quick else whole
    sizes = replace(sizes, **{name: value for name, value in changes.items() if value is not None})
    seconds = _LONGEST_QUICK if asked.quick else _LONGEST
    with tempfile.TemporaryDirectory(prefix="countersign-bench-") as directory:
        _bound(Path(directory), seconds + _PATIENCE)
        names = dict.fromkeys(asked.only or MEASURES)
        for name in names:
            (Path(directory) / name).mkdir()
        try:
            met = asyncio.run(run(list(names), sizes, Path(directory), seconds))
        except (TimeoutError, asyncio.CancelledError, KeyboardInterrupt) as ended:
            sys.exit(f"not finished ({type(ended).__name__})")
    sys.exit(not met)


def _bound(directory: Path, seconds: float) -> None:
    """Whatever hangs ends by then; the other processes end with this one."""

    def end() -> None:
        with contextlib.suppress(OSError):
            shutil.rmtree(directory)
        os._exit(1)

    last = threading.Timer(seconds, end)
    last.daemon = True
    last.start()


if __name__ == "__main__":
    main()
