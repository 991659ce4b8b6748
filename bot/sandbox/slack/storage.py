"""Keeping a state in one JSON file, so that a start finds what the last one left."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

log = structlog.get_logger(__name__)

_REST = 9.0


def load(path: Path) -> dict[str, Any] | None:
    """What the file holds; None where there is none, or where it does not hold a state."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def put_aside(path: Path) -> None:
    """Keep a file that cannot be used under another name, where the next save will not overwrite it."""
    log.warning("sandbox.state_unreadable", file=path.name)
    with contextlib.suppress(OSError):
        os.replace(path, path.with_name(f"{path.name}.unreadable"))


def save(path: Path, text: str) -> None:
    """Put `text` in place of the file at once: a reader, or a crash, meets the old or the new, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".new")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


class Keeper:
    """Writes the state soon after each change; changes during a write go into the next one together.

    Between two writes it rests nine times as long as one takes: a workspace with much to remember stays quick.
    """

    def __init__(self, path: Path, snapshot: Callable[[], dict[str, Any]]) -> None:
        self._path = path
        self._snapshot = snapshot
        self._dirty = asyncio.Event()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def mark(self) -> None:
        """Something changed."""
        self._dirty.set()

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run(), name="sandbox-slack-keeper")

    async def stop(self) -> None:
        """Write what is left and end."""
        self._closing.set()
        self._dirty.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        while self._dirty.is_set() or not self._closing.is_set():
            await self._dirty.wait()
            self._dirty.clear()
            began = clock()
            # ASCII only: half a surrogate pair is a string in JSON, and nothing that UTF-8 can write.
            text = json.dumps(self._snapshot())
            try:
                await asyncio.to_thread(save, self._path, text)
            except OSError as error:
                log.warning("sandbox.state_not_written", error=type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), _REST * (clock() - began))
