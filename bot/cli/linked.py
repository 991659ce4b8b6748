"""`countersign links`: who is linked, and the end of a link by the operator."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import typer

from bot.audit.links import LinkTrail
from bot.cli.endings import FAILED, quiet
from bot.cli.operator import settings_of_the_bot
from bot.config import Settings
from bot.database import opened
from bot.errors import ConfigurationError
from bot.parts import audit_writer, identity_rooms
from oauth import IdentityError, IdentityRooms, Principal, SlackUser, Subject, utc_now

_EVER = timedelta(days=3650)
_PATIENCE = 10.0  # seconds for Slack; the end of the links waits for nothing
_SENTENCES = {
    "store_unavailable": "The database does not answer, so nothing is certain. Try again.",
    "provider_unavailable": "The provider does not answer. Try again.",
    "provider_refused": "The provider refuses the application. Look at AUTH0_CLIENT_ID and its secret or key.",
}


def show() -> None:
    """Print a line for each link."""
    settings = settings_of_the_bot()
    try:
        asyncio.run(_show(settings))
        sys.stdout.flush()
    except BrokenPipeError:
        quiet()


def revoke(user: str | None, sub: str | None) -> int:
    """End the links of a Slack person (TEAM:USER) or of a subject at the provider; the exit code."""
    person = None if user is None else _slack(user)
    settings = settings_of_the_bot()
    try:
        return asyncio.run(_revoke(settings, person, sub))
    except IdentityError as error:
        typer.echo(_SENTENCES.get(error.code, f"Refused: {error.code}."), err=True)
        return FAILED


async def _show(settings: Settings) -> None:
    async with _rooms(settings) as rooms:
        async for who in rooms.links.principals():
            since = who.linked_at.strftime("%Y-%m-%dT%H:%M:%SZ")
            fields = (who.slack.key, who.sub, who.identity.email or "-", since, " ".join(sorted(who.scopes)))
            typer.echo("\t".join(_plain(field) for field in fields))


async def _revoke(settings: Settings, person: SlackUser | None, sub: str | None) -> int:
    async with _telling(settings) as rooms:
        before = await _owed(rooms)
        found = [who async for who in rooms.links.principals(Subject(sub) if sub else None) if _meant(who, person)]
        ended = [who for who in found if await rooms.links.unlink(who.slack, "operator")]
        # Logins that are under way end too.
        if not found and person is not None:
            await rooms.links.unlink(person, "operator")
        if sub is not None:
            await rooms.links.revoke_subject(Subject(sub), "operator")
        owed = await _owed(rooms) - before
    for who in ended:
        typer.echo(f"{_plain(who.slack.key)}: no longer linked to {_plain(who.sub)}")
    if owed:
        typer.echo(
            "The provider could not be told yet. A running bot goes on trying; no bot uses these grants any more.",
            err=True,
        )
        return FAILED
    if not ended:
        name = sub if person is None else f"{person.team}:{person.user}"
        typer.echo(f"Nobody is linked as {_plain(name or '')}. “countersign links list” names everybody.", err=True)
        return FAILED
    return 0


@asynccontextmanager
async def _rooms(settings: Settings) -> AsyncIterator[IdentityRooms]:
    """The identity rooms beside a bot that may be running: what they do is recorded, and told to nobody."""
    async with opened(settings, borrow=True) as database:
        rooms = identity_rooms(settings, database, observer=LinkTrail(audit_writer(settings, database)))
        try:
            yield rooms
        finally:
            await rooms.close()


@asynccontextmanager
async def _telling(settings: Settings) -> AsyncIterator[IdentityRooms]:
    """A whole bot that listens to nobody: whoever is cut off is told, and what they had pending is cancelled.

    An actions file that is wrong must not keep the operator from cutting somebody off; then nobody is told.
    """
    from bot.app import build  # with Bolt in it, which no other command needs

    async with opened(settings, borrow=True) as database:
        try:
            bot = await build(settings, database)
        except ConfigurationError as error:
            typer.echo(f"Nobody will be told in Slack: {error.problems[0]}", err=True)
            rooms = identity_rooms(settings, database, observer=LinkTrail(audit_writer(settings, database)))
            try:
                yield rooms
            finally:
                await rooms.close()
            return
        try:
            yield bot.identity
            await bot.finish(_PATIENCE)
        finally:
            await bot.close()


async def _owed(rooms: IdentityRooms) -> set[str]:
    """The names of the revocations that the provider has not been told of, whenever they are due."""
    return {name for name, _ in await rooms.store.revocations(utc_now() + _EVER)}


def _slack(text: str) -> SlackUser:
    team, _, user = text.strip().partition(":")
    if not team or not user or ":" in user:
        raise typer.BadParameter("must be TEAM:USER, e.g. T012:U034.", param_hint="--user")
    return SlackUser(team=team, user=user)


def _meant(who: Principal, person: SlackUser | None) -> bool:
    """By team or, in an Enterprise Grid, by organization, as the list has it."""
    return person is None or person.key in {who.slack.key, f"{who.slack.team}:{who.slack.user}"}


def _plain(text: str) -> str:
    """On one line, without anything that a terminal would obey."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
