"""Links that another version of the program has written, beside this one or before it (THREATS.md, row 75)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.database import Database
from oauth import utc_now
from oauth.models import Lease
from oauth.store import MongoLinkStore
from tests.contracts.test_link_store import ADA, link_of


@pytest.fixture
async def store(mongo_database: Database) -> MongoLinkStore:
    """A store with Ada's link in it."""
    store = MongoLinkStore(mongo_database)
    await store.ensure_indexes()
    await store.add_link(link_of())
    return store


async def written(mongo_database: Database, change: dict[str, Any]) -> None:
    """What the other version did to Ada's link."""
    assert (await mongo_database["links"].update_one({"_id": ADA.key}, change)).modified_count == 1


async def test_t75_what_a_newer_replica_adds_is_passed_over_and_kept(
    mongo_database: Database, store: MongoLinkStore
) -> None:
    """Fields that this version does not know, in the link, its lease or a token, keep nobody from refreshing; those of
    the link outlive a save (guards: the names in `link_of`, and `$set` in `MongoLinkStore.save`)."""
    await written(mongo_database, {"$set": {"hue": "blue", "access.0.hue": "red", "lease": None}})
    assert await store.link(ADA) == link_of()
    leased = await store.lease(link_of().principal, "owner")
    assert leased is not None
    await written(mongo_database, {"$set": {"lease.hue": "green"}})
    assert (await store.link(ADA)) == replace(link_of(), lease=Lease("owner"))
    assert await store.save(leased)
    found = await mongo_database["links"].find_one({"_id": ADA.key})
    assert found is not None
    assert (found["hue"], found["lease"], found["generation"]) == ("blue", None, 1)


async def test_t75_what_an_older_replica_left_out_has_its_plain_value(
    mongo_database: Database, store: MongoLinkStore
) -> None:
    """A link from before generations, sessions, leases and kept tokens is read, refreshed, and can be ended.

    Guards: the plain values in `link_of`, and the generation in `_same`.
    """
    await written(
        mongo_database, {"$unset": dict.fromkeys(("generation", "sid", "lease", "access", "org", "name"), "")}
    )
    plain = link_of()
    plain = replace(
        plain, access=(), principal=replace(plain.principal, identity=replace(plain.principal.identity, org=None))
    )
    assert await store.link(ADA) == plain
    leased = await store.lease(plain.principal, "owner")
    assert leased is not None
    assert await store.save(replace(leased, sealed_refresh="second"))
    assert not await store.save(replace(leased, sealed_refresh="third"))
    await written(mongo_database, {"$unset": {"generation": ""}})
    there = await store.link(ADA)
    assert there is not None
    assert (there.sealed_refresh, there.lease) == ("second", None)
    assert await store.remove_link(there)


@pytest.mark.parametrize(("until", "over"), [(-60, True), (60, False)])
async def test_t75_a_lease_of_a_former_version_is_over_when_it_says(
    mongo_database: Database, store: MongoLinkStore, until: int, over: bool
) -> None:
    """It names its end instead of its beginning (guard: `$ifNull` in `_over`)."""
    lease = {"owner": "old", "until": utc_now() + timedelta(seconds=until)}
    await written(mongo_database, {"$set": {"lease": lease}})
    assert await store.lease(link_of().principal, "early") is None
    taken = await store.take_over(link_of().principal, "new", 6.0)
    assert (taken.lease if taken else None) == (Lease("new", left=True) if over else None)
