"""One replica as a process of its own: the identity rooms behind their pages, and the two commands that lead to a link.

Its first line of input says what it works with, its first line of output where it listens. It ends when its input
does, however whoever started it has ended.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from aiohttp import web

import oauth
from bot import logs
from bot.audit.links import LinkTrail
from bot.audit.store import MongoAuditStore
from bot.audit.writer import AuditWriter
from bot.database import connect
from bot.tasks import Tasks
from oauth import IdentityError, IdentitySettings, Linking, SlackProfile, SlackUser, Vault, utc_now

_SWEEP = 3.0
_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Given:
    """What all replicas share. Keys are a JWK Set and a JWK."""

    mongo_uri: str
    database: str
    public_url: str
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    audience: str
    scopes: tuple[str, ...]
    token_keys: dict[str, Any] = field(repr=False)
    audit_key: dict[str, Any] = field(repr=False)

    def as_line(self) -> bytes:
        """For the pipe."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: str) -> Given:
        """What `as_line` wrote."""
        fields = json.loads(line)
        return cls(**fields | {"scopes": tuple(fields["scopes"])})

    @property
    def identity(self) -> IdentitySettings:
        """The part that the identity rooms know."""
        return IdentitySettings(
            public_url=self.public_url,
            issuer=self.issuer,
            client_id=self.client_id,
            client_secret=self.client_secret,
            audience=self.audience,
            scopes=self.scopes,
        )


@dataclass(frozen=True, slots=True)
class Typed:
    """`/agent link` and `/agent code`, with Slack's signature and envelope left out."""

    linking: Linking

    def add_to(self, app: web.Application) -> None:
        """Mount the routes."""
        app.router.add_post("/typed/link", self.link)
        app.router.add_post("/typed/code", self.code)

    async def link(self, request: web.Request) -> web.Response:
        """Always a new link; `url` is what the direct message would hold."""
        said = await request.json()
        who, profile = SlackUser(said["team"], said["user"]), SlackProfile(said["team"], said["user"], said["email"])
        started = await self.linking.start(who, profile, fresh=True)
        return web.json_response({"url": started.url})

    async def code(self, request: web.Request) -> web.Response:
        """The version of the link that comes of it, or why there is none."""
        said = await request.json()
        try:
            principal = await self.linking.enter_code(SlackUser(said["team"], said["user"]), said["code"])
        except IdentityError as refused:
            return web.json_response({"refused": refused.code}, status=403)
        return web.json_response({"version": principal.version})


async def serve(given: Given) -> None:
    """Until the input ends."""
    gone, loop = asyncio.Event(), asyncio.get_running_loop()
    watch = threading.Thread(target=_watch, args=(lambda: loop.call_soon_threadsafe(gone.set),), daemon=True)
    watch.start()
    client, database = connect(given.mongo_uri, given.database)
    trail = MongoAuditStore(database)
    tasks = Tasks()
    observer = LinkTrail(AuditWriter(trail, given.audit_key, utc_now), tasks)
    rooms = oauth.build(given.identity, database=database, vault=Vault(given.token_keys), observer=observer)
    app = web.Application()
    rooms.pages.add_to(app)
    Typed(rooms.linking).add_to(app)
    runner = web.AppRunner(app, access_log=None)
    try:
        await rooms.start()
        await trail.ensure_indexes()
        tasks.every(_SWEEP, rooms.sweep, "revocations")
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        sys.stdout.write(f"http://127.0.0.1:{runner.addresses[0][1]}\n")
        sys.stdout.flush()
        await gone.wait()
    finally:
        await runner.cleanup()
        await tasks.drain()
        await rooms.close()
        client.close()


def _watch(gone: Callable[[], object]) -> None:
    """Wait for the end of the input. What does not stop in order after that is stopped all the same."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    last = threading.Timer(_PATIENCE, os._exit, (1,))
    last.daemon = True
    last.start()
    gone()


if __name__ == "__main__":
    logs.configure("warning", "json")
    asyncio.run(serve(Given.from_line(sys.stdin.readline())))
