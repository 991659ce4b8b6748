"""`countersign audit`: whether the trail holds, and the trail itself."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, aclosing, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta

import typer

from bot.audit.chain import Entry, first_bad
from bot.audit.store import MongoAuditStore
from bot.cli.endings import FAILED, quiet
from bot.cli.operator import settings_of_the_bot
from bot.config import Settings
from bot.database import opened
from bot.parts import checkpoints

_BATCH = 500
_AGE = re.compile(r"(\d{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

Step = Callable[[int], None]


def verify() -> int:
    """Print one line about the whole trail; the exit code."""
    line, code = asyncio.run(verdict(settings_of_the_bot(data_only=True)))
    try:
        typer.echo(line)
    except BrokenPipeError:
        quiet()  # the exit code says it as well
    return code


def export(since: str | None, sub: str | None) -> None:
    """Print the entries, until there are no more or nobody reads on."""
    start = None if since is None else moment(since, datetime.now(UTC))
    try:
        asyncio.run(_print(lines(settings_of_the_bot(data_only=True), start, sub)))
        sys.stdout.flush()
    except BrokenPipeError:
        quiet()


def moment(text: str, now: datetime) -> str:
    """An RFC 3339 time or an age such as 30d, as the time of an entry is written."""
    try:
        if age := _AGE.fullmatch(text.strip()):
            at = now - timedelta(**{_UNITS[age[2]]: int(age[1])})
        else:
            at = datetime.fromisoformat(text.strip())
        if at.tzinfo is None:
            raise ValueError("no offset")
        at = at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            "must be a time such as 2030-01-02T12:00:00Z, or an age such as 30d, 12h or 45m.", param_hint="--since"
        ) from None
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


async def verdict(settings: Settings) -> tuple[str, int]:
    """One line about the whole trail, and the exit code that goes with it."""
    async with opened(settings, borrow=True) as database:
        signed = checkpoints(settings, database)
        try:
            # Read before the entries: what is signed meanwhile would be missed among those already read.
            heads = signed.heads()
        except ValueError as error:
            return f"bad: {error}", FAILED
        store = MongoAuditStore(database)
        loop = asyncio.get_running_loop()
        seen = _Seen()
        with _progress(await _total(store) if sys.stderr.isatty() else None) as step:
            passing = seen.counted(_pulled(loop, store.entries()), step)
            bad = await asyncio.to_thread(first_bad, passing, heads)
    if bad is not None:
        return f"bad: chain {bad.chain}, entry {bad.seq}: {bad.why}", FAILED
    entries, chains = _of(seen.entries, "entry", "entries"), _of(len(seen.chains), "chain", "chains")
    heads_signed = _of(sum(len(of) for of in heads.values()), "signed checkpoint", "signed checkpoints")
    return f"ok: {entries} in {chains}, {heads_signed}", 0


async def lines(settings: Settings, since: str | None, sub: str | None) -> AsyncGenerator[str, None]:
    """The entries as JSON, by chain and place; `since` is a time as entries have it."""
    async with opened(settings, borrow=True) as database:
        async for entry in MongoAuditStore(database).entries(since=since, sub=sub):
            yield json.dumps(entry, default=str)


async def _print(found: AsyncGenerator[str, None]) -> None:
    async with aclosing(found):  # the database is let go of, also when nobody reads on
        async for line in found:
            sys.stdout.write(line + "\n")


class _Seen:
    """Counts what passes by."""

    def __init__(self) -> None:
        self.entries = 0
        self.chains: set[str] = set()

    def counted(self, entries: Iterator[Entry], step: Step) -> Iterator[Entry]:
        for entry in entries:
            self.entries += 1
            self.chains.add(str(entry.get("chain")))
            if self.entries % _BATCH == 0:
                step(self.entries)
            yield entry


def _pulled(loop: asyncio.AbstractEventLoop, entries: AsyncIterator[Entry]) -> Iterator[Entry]:
    """The entries for a thread beside the loop, a batch at a time: a trail may be larger than memory."""
    while batch := asyncio.run_coroutine_threadsafe(_some(entries), loop).result():
        yield from batch


async def _some(entries: AsyncIterator[Entry]) -> list[Entry]:
    batch: list[Entry] = []
    async for entry in entries:
        batch.append(entry)
        if len(batch) == _BATCH:
            break
    return batch


async def _total(store: MongoAuditStore) -> int:
    heads = [await store.head(chain) for chain in await store.chains()]
    return sum(head[0] for head in heads if head)


def _of(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _progress(total: int | None) -> AbstractContextManager[Step]:
    return nullcontext(lambda _: None) if total is None else _bar(total)


@contextmanager
def _bar(total: int) -> Iterator[Step]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Checking entries", total=total)
        yield lambda done: progress.update(task, completed=done)
