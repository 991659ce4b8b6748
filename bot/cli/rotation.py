"""`countersign keys rotate`: every stored secret comes under the first key, beside bots that go on."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import typer

from bot import keyring
from bot.cli.endings import FAILED
from bot.cli.operator import settings_of_the_bot
from bot.config import Settings
from bot.database import opened
from bot.errors import ConfigurationError
from bot.parts import audit_writer, vault
from oauth import Resealed, Resealer, SealedStore
from oauth.errors import StoreUnavailable
from oauth.resealing import Progress

_BATCH = 500


def rotate() -> int:
    """Seal everything anew and say what came of it; the exit code. Raises ConfigurationError."""
    settings = settings_of_the_bot()
    made = settings.data_dir / "token-keys.json"
    # Sealing under a key that is made here and now would be the opposite of what is wanted.
    if settings.token_keys is None and not made.is_file():
        raise ConfigurationError([f"TOKEN_KEYS: not set, and {made} is gone. Bring back the keys that seal."])
    try:
        resealed = asyncio.run(_rotated(settings))
    except StoreUnavailable:
        typer.echo("The database does not answer. What was done stays done: run this command again.", err=True)
        return FAILED
    return told(resealed, _others(settings))


async def _rotated(settings: Settings) -> Resealed:
    from bot.app import sealed_stores  # with Bolt in it, and slow to import

    async with opened(settings, borrow=True) as database:
        audit, sealing = audit_writer(settings, database), vault(settings)
        keepers = sealed_stores(database, sealing)
        await audit.append("keys.rotated", "ok", reason="begun")
        # Cut short it has no other entry: whatever ended it kept the database or this process from writing one.
        with await _progress(keepers) as step:
            resealed = await Resealer(keepers, sealing).run(step)
        reason = "not_opened" if resealed.broken else "others_seal" if resealed.left else "done"
        await audit.append("keys.rotated", "ok" if reason == "done" else "failed", reason=reason)
        return resealed


def told(resealed: Resealed, others: int) -> int:
    """Say what came of it, where `others` is how many keys there are beside the first; the exit code."""
    typer.echo(f"{_of(resealed.done, 'secret')} sealed anew under the first key of TOKEN_KEYS.")
    if resealed.broken:
        counted = Counter(collection for collection, _ in resealed.broken)
        named = ", ".join(f"{_of(counted[name], 'record')} of {name}" for name in sorted(counted))
        typer.echo(
            f"No key at hand opens what is sealed in {named}; nothing of that was changed. "
            "Put the old key back, behind the first of TOKEN_KEYS, and run this command again.",
            err=True,
        )
    if resealed.left:
        typer.echo(
            "Some bot goes on sealing under another key. Keep that key, start every bot with these TOKEN_KEYS, "
            "and run this command again.",
            err=True,
        )
    if resealed.broken or resealed.left:
        return FAILED
    typer.echo("Nothing is left under another key.")
    if others:
        old = "The old key" if others == 1 else "The old keys"
        typer.echo(
            f"{old} may be removed now, if every bot had these TOKEN_KEYS before this command began; "
            "else start them with these, and run it again."
        )
    return 0


def _others(settings: Settings) -> int:
    return len(keyring.token_keys(settings.token_keys, settings.data_dir)["keys"]) - 1


async def _progress(keepers: Sequence[SealedStore]) -> AbstractContextManager[Progress]:
    if not sys.stderr.isatty():
        return _lines()
    return _bar(sum([1 for keeper in keepers async for _ in keeper.secrets()]))


@contextmanager
def _lines() -> Iterator[Progress]:
    def step(done: int, seen: int) -> None:
        if seen % _BATCH == 0:
            typer.echo(f"{seen} secrets looked at, {done} sealed anew", err=True)

    yield step


@contextmanager
def _bar(total: int) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Sealing anew", total=total)
        yield lambda _, seen: bar.update(task, completed=seen)


def _of(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
