"""The collections `installs` and `install_states`: where the bot is installed, and who is about to install it."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import ReturnDocument
from pymongo.errors import PyMongoError
from slack_sdk.oauth.installation_store import Bot, Installation
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore
from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore

from handlers.installs.records import (
    SCHEMA,
    Document,
    Installed,
    document_of,
    installed,
    installed_of,
    key_of,
    record_of,
    tokens_of,
)
from oauth import Clock, StoredSecret, Vault
from oauth.errors import StoreUnavailable

STATE_LIFETIME = timedelta(minutes=10)
_SEALED = ("token", "refresh")


class MongoInstallationStore(AsyncInstallationStore):
    """Each change is one atomic update. In the words of Slack's SDK where it needs them, else in our own."""

    def __init__(self, database: AsyncIOMotorDatabase[Document], vault: Vault) -> None:
        self._installs = database["installs"]
        self._vault = vault

    async def ensure_indexes(self) -> None:
        """Create what is missing; safe at every start, in every replica."""
        await self._installs.create_index([("expires_at", 1)], name="by_end", sparse=True)

    # as the SDK asks for it

    async def async_save(self, installation: Installation) -> None:
        """A new installation, or the same workspace once more. Raises ValueError where there is no bot token."""
        await self.add(installed(installation, self._vault))

    async def async_save_bot(self, bot: Bot) -> None:
        """As `async_save`."""
        await self.add(installed(bot, self._vault))

    async def async_find_bot(
        self, *, enterprise_id: str | None, team_id: str | None, is_enterprise_install: bool | None = False
    ) -> Bot | None:
        """The installation with its token open. Raises SealBroken."""
        found = await self.find([key_of(enterprise_id, team_id, is_enterprise_install)])
        return found.as_bot(self._vault) if found else None

    async def async_find_installation(
        self,
        *,
        enterprise_id: str | None,
        team_id: str | None,
        user_id: str | None = None,
        is_enterprise_install: bool | None = False,
    ) -> Installation | None:
        """None: nothing of a person's is kept here, and what is the bot's gives `async_find_bot`."""
        return None

    async def async_delete_bot(self, *, enterprise_id: str | None, team_id: str | None) -> None:
        """Remove one workspace's, or without a team one organization's."""
        await self._installs.delete_one({"_id": key_of(enterprise_id, team_id, team_id is None)})

    async def async_delete_installation(
        self, *, enterprise_id: str | None, team_id: str | None, user_id: str | None = None
    ) -> None:
        """Nothing of a person's is kept."""

    # as we do

    async def add(self, new: Installed) -> None:
        """Keep it, in the place of an earlier one."""
        await self._installs.update_one(
            {"_id": new.key},
            {
                "$set": {**document_of(new), "schema": SCHEMA, "lease": None, "left_at": None},
                "$inc": {"generation": 1},
            },
            upsert=True,
        )

    async def find(self, keys: list[str]) -> Installed | None:
        """The first of these that is installed and has not left; one read."""
        found = {one["_id"]: one async for one in self._installs.find({"_id": {"$in": keys}, "left_at": None})}
        return next((installed_of(found[key]) for key in keys if key in found), None)

    async def lease(self, key: str, owner: str, now: datetime, until: datetime) -> Installed | None:
        """Take the right to rotate its tokens, or to end it, unless somebody has it; as it is at that moment."""
        found = await self._installs.find_one_and_update(
            {"_id": key, "$or": [{"lease": None}, {"lease.until": {"$lte": now}}]},
            {"$set": {"lease": {"owner": owner, "until": until}}},
            return_document=ReturnDocument.AFTER,
        )
        return installed_of(found) if found else None

    async def release(self, key: str, owner: str) -> None:
        """Give the lease back."""
        await self._installs.update_one({"_id": key, "lease.owner": owner}, {"$set": {"lease": None}})

    async def rotated(self, was: Installed, bot: Bot) -> bool:
        """Keep new tokens and end the lease; False if it was installed anew meanwhile."""
        done = await self._installs.update_one(
            {"_id": was.key, "generation": was.generation},
            {"$set": {**tokens_of(installed(bot, self._vault)), "lease": None}, "$inc": {"generation": 1}},
        )
        return done.matched_count == 1

    async def leave(self, key: str, now: datetime, since: datetime) -> bool:
        """From now on it is no installation; False if it was made after `since`, and so is another one."""
        query = {"_id": key, "left_at": None, "installed_at": {"$lte": since}}
        done = await self._installs.update_one(query, {"$set": {"left_at": now, "lease": None}})
        return done.matched_count == 1

    async def left(self) -> AsyncIterator[Installed]:
        """Those that have been left, whose people are still to be seen to."""
        async for found in self._installs.find({"left_at": {"$ne": None}}):
            yield installed_of(found)

    async def forget(self, left: Installed) -> None:
        """Remove what was left, unless it was installed anew."""
        await self._installs.delete_one({"_id": left.key, "left_at": {"$ne": None}, "generation": left.generation})

    async def ending(self, before: datetime) -> list[str]:
        """The keys of those whose tokens end before then; a hundred at most."""
        found = self._installs.find({"expires_at": {"$lt": before}, "left_at": None}, {"_id": 1}).limit(100)
        return [one["_id"] async for one in found]

    # sealing under another key

    async def secrets(self) -> AsyncIterator[StoredSecret]:
        """Every sealed value, also of what has been left and is not forgotten yet."""
        try:
            async for found in self._installs.find({}, dict.fromkeys(_SEALED, 1)).sort("_id", 1):
                for name in _SEALED:
                    if found.get(name) is not None:
                        place = ("installs", found["_id"], name)
                        yield StoredSecret(place, record_of(found["_id"]), name, str(found[name]))
        except PyMongoError:
            raise StoreUnavailable from None

    async def swap(self, secret: StoredSecret, sealed: str) -> bool:
        """Put another sealed form in its place, if it has not changed since it was read."""
        _, key, name = secret.place
        try:
            done = await self._installs.update_one({"_id": key, name: secret.sealed}, {"$set": {name: sealed}})
        except PyMongoError:
            raise StoreUnavailable from None
        return done.matched_count == 1


class MongoStateStore(AsyncOAuthStateStore):
    """`state` of installations under way (RFC 6749 section 10.12): 256 bits, kept as a hash, good once."""

    def __init__(self, database: AsyncIOMotorDatabase[Document], clock: Clock) -> None:
        self._states = database["install_states"]
        self._clock = clock

    async def ensure_indexes(self) -> None:
        """Those that nobody came back with go by themselves."""
        await self._states.create_index("expires_at", expireAfterSeconds=3600, name="over")

    async def async_issue(self, *args: object, **kwargs: object) -> str:
        """A new one."""
        state = secrets.token_urlsafe(32)
        ends = self._clock() + STATE_LIFETIME
        await self._states.insert_one({"_id": _hashed(state), "schema": SCHEMA, "expires_at": ends})
        return state

    async def async_consume(self, state: str) -> bool:
        """Whether it was issued, is not over, and was not used before."""
        found = await self._states.find_one_and_delete({"_id": _hashed(state), "expires_at": {"$gt": self._clock()}})
        return found is not None


def _hashed(state: str) -> str:
    return hashlib.sha256(str(state).encode("utf-8", "surrogatepass")).hexdigest()
