"""The workspace itself: who is there, what was said, what is open; each change wakes whoever waits for one."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from .connections import Connections
from .errors import NoSuchThing, SlackRefusal
from .model import Blocks, Channel, Message, ResponseUrl, Trigger, Upload, View
from .people import RESIDENTS, Person
from .team import FIRST, Team

Clock = Callable[[], datetime]
Found = TypeVar("Found")

TRIGGER_SECONDS = 3
RESPONSE_URL_MINUTES = 30
KEPT_MESSAGES = 2_000
CHANNELS = {"C0GENERAL": "Everybody, everything", "C0SUPPORT": "Orders, refunds and customers"}


def utc_now() -> datetime:
    """The real time."""
    return datetime.now(UTC)


class Workspace:
    """All state of a workspace, or of an organization. Changes happen in its methods, without awaiting, so each is
    seen whole. `team` is the workspace, or the first one of the organization."""

    def __init__(self, clock: Clock = utc_now, changed: Callable[[], None] = lambda: None, team: Team = FIRST) -> None:
        self.clock = clock
        self.team = team
        residents = RESIDENTS[team.home]
        self.people: dict[str, Person] = {}
        self.channels: dict[str, Channel] = {
            name: Channel(name, name[2:].lower(), {team.bot_user}, topic, creator=residents[0].id)
            for name, topic in CHANNELS.items()
        }
        self.messages: dict[str, list[Message]] = {}
        self.homes: dict[str, View] = {}
        self.stacks: dict[str, list[View]] = {}
        self.triggers: dict[str, Trigger] = {}
        self.response_urls: dict[str, ResponseUrl] = {}
        self.uploads: dict[str, Upload] = {}
        self.usergroups: dict[str, list[str]] = {}
        self.reads: dict[str, dict[str, str]] = {}
        self.streams: dict[tuple[str, str], Any] = {}  # of messages that are being streamed; none outlives a restart
        self.connections = Connections()
        self.revision = 0
        self._last_ts = 0
        self._waiters: set[asyncio.Future[None]] = set()
        self._changed = changed
        for person in residents:
            self.admit(person)

    # -- who and where

    def admit(self, person: Person) -> Person:
        """Let somebody in: into both channels, with direct messages of their own (`U0ADA` → `D0ADA`).

        A guest of a single channel is in the first one, a stranger in none.
        """
        self.people[person.id] = person
        for channel in list(CHANNELS)[: 0 if person.stranger else 1 if person.guest == "single" else None]:
            self.channels[channel].members.add(person.id)
            self.channels[channel].shared |= not self.team.holds(person.team)
        dm = f"D{person.id[1:]}"
        self.channels.setdefault(dm, Channel(dm, "directmessage", {person.id, self.team.bot_user}, user=person.id))
        self.touch()
        return person

    def person(self, who: str) -> Person:
        """By id (`U0ADA`) or name (`Ada`). Raises NoSuchThing."""
        for person in self.people.values():
            if who == person.id or who.lower() == person.name:
                return person
        raise NoSuchThing(f"no person {who}")

    def channel(self, where: str) -> Channel:
        """By id. Raises NoSuchThing."""
        try:
            return self.channels[where]
        except KeyError:
            raise NoSuchThing(f"no channel {where}") from None

    # -- messages

    def next_ts(self) -> str:
        """A ts later than every other, e.g. `1700000000.000100`."""
        at = int(self.clock().timestamp()) * 1_000_000 + 100
        self._last_ts = max(at, self._last_ts + 100)
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06}"

    def add_message(self, channel: str, user: str, text: str, blocks: Blocks | None, **more: Any) -> Message:
        """Append a message; `more` are further fields of Message."""
        message = Message(channel, self.next_ts(), user, text, blocks, **more)
        kept = self.messages.setdefault(channel, [])
        kept.append(message)
        del kept[:-KEPT_MESSAGES]
        self._stamp(message)
        return message

    def change_message(self, message: Message, **fields: Any) -> None:
        """Set fields of a message that is there."""
        for name, value in fields.items():
            setattr(message, name, value)
        self._stamp(message)

    def find(self, channel: str, ts: str) -> Message | None:
        """The message, also an ephemeral one; None where it is not or no longer there."""
        for message in reversed(self.messages.get(channel, [])):
            if message.ts == ts:
                return None if message.deleted else message
        return None

    def seen(self, channel: str, viewer: str | None) -> list[Message]:
        """What this person sees in a channel, oldest first."""
        return [message for message in self.messages.get(channel, []) if message.seen_by(viewer)]

    def unread(self, person: str) -> dict[str, int]:
        """How many messages of others this person has not looked at, by channel."""
        counts = {}
        for channel in self.channels.values():
            if person in channel.members:
                mark = self.reads.get(person, {}).get(channel.id, "")
                new = [m for m in self.seen(channel.id, person) if m.ts > mark and m.user != person]
                if new:
                    counts[channel.id] = len(new)
        return counts

    def mark_read(self, person: str, channel: str) -> None:
        """This person has seen all of the channel."""
        seen = self.seen(channel, person)
        marks = self.reads.setdefault(person, {})
        if seen and marks.get(channel, "") < seen[-1].ts:
            marks[channel] = seen[-1].ts
            self.touch()

    # -- triggers and response urls

    def new_trigger(self, user: str, view: str | None = None) -> str:
        """A trigger_id for something that this person just did."""
        now = self.clock()
        self.triggers = {k: t for k, t in self.triggers.items() if now - t.expires < timedelta(minutes=5)}
        name = f"{int(now.timestamp() * 1000)}.{secrets.randbelow(10**10)}.{secrets.token_hex(16)}"
        self.triggers[name] = Trigger(name, user, now + timedelta(seconds=TRIGGER_SECONDS), view)
        return name

    def use_trigger(self, name: str) -> Trigger:
        """Take it. SlackRefusal: `invalid_trigger_id`, `expired_trigger_id`, `exchanged_trigger_id`."""
        trigger = self.triggers.get(name)
        if trigger is None:
            raise SlackRefusal("invalid_trigger_id")
        if trigger.used:
            raise SlackRefusal("exchanged_trigger_id")
        if self.clock() > trigger.expires:
            raise SlackRefusal("expired_trigger_id")
        trigger.used = True
        return trigger

    def new_response_url(self, user: str, channel: str, message: Message | None = None) -> str:
        """The key of a new response url; the server knows the address before it."""
        now = self.clock().timestamp()
        self.response_urls = {k: u for k, u in self.response_urls.items() if now - u.expires < 3600}
        key = f"{secrets.randbelow(10**13)}/{secrets.token_urlsafe(18)}"
        self.response_urls[key] = ResponseUrl(
            key,
            user,
            channel,
            now + RESPONSE_URL_MINUTES * 60,
            ts=message.ts if message else None,
            thread_ts=message.thread_ts if message else None,
        )
        self.touch()
        return key

    # -- change

    def touch(self) -> None:
        """Something changed: wake who waits, and have it written down."""
        self.revision += 1
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._changed()

    async def moved(self) -> None:
        """Wait for the next change."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)

    async def until(self, predicate: Callable[[], Found | None], timeout: float = 5.0) -> Found:
        """What `predicate` returns, once that is true; it is asked again at each change.

        Raises TimeoutError after `timeout` seconds.
        """
        async with asyncio.timeout(timeout):
            while not (found := predicate()):
                await self.moved()
        return found

    def _stamp(self, message: Message) -> None:
        self.touch()
        message.rev = self.revision

    # -- to and from the file

    def snapshot(self) -> dict[str, Any]:
        """All that outlives a restart, as JSON."""
        return {
            "schema": 1,
            "revision": self.revision,
            "last_ts": self._last_ts,
            "people": [{**vars(person)} for person in self.people.values()],
            "messages": {name: [m.as_json() for m in some] for name, some in self.messages.items()},
            "homes": {name: {**vars(home)} for name, home in self.homes.items()},
            "response_urls": [{**vars(url)} for url in self.response_urls.values()],
            "reads": self.reads,
            "connections": self.connections.of,
        }

    def restore(self, found: dict[str, Any]) -> None:
        """Take over what snapshot() gave. Raises ValueError, with nothing changed, for anything else."""
        try:
            people = [Person(**person) for person in found["people"]]
            messages = {name: [Message(**m) for m in some] for name, some in found["messages"].items()}
            homes = {name: View(**home) for name, home in found["homes"].items()}
            urls = {each["key"]: ResponseUrl(**each) for each in found["response_urls"]}
            reads = {name: dict(marks) for name, marks in found["reads"].items()}
            connected = {str(name): bool(state) for name, state in found.get("connections", {}).items()}
            last, revision = int(found["last_ts"]), int(found["revision"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("not the state of a workspace") from error
        for person in people:
            self.admit(person)
        self.messages, self.homes, self.response_urls, self.reads = messages, homes, urls, reads
        self.connections.of = connected
        self._last_ts, self.revision = last, revision + 1
