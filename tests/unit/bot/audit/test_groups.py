"""Group commit: one round trip for all who wait, and each of them learns of its own entry and of nobody else's."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.audit.chain import Entry, first_bad, linked
from bot.audit.groups import GAP, HOLD, LARGEST, GroupCommit
from bot.audit.ports import Stands, Unsure
from bot.errors import AuditUnavailable
from tests.fakes.audit import MemoryAuditStore


class Seconds:
    """Time that passes only where a test, or a pause, lets it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def pause(self, seconds: float) -> None:
        """Over at once, and others get their turn."""
        self.pauses.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


@pytest.fixture
def seconds() -> Seconds:
    """The time of a test."""
    return Seconds()


@pytest.fixture
def store() -> MemoryAuditStore:
    """An empty trail."""
    return MemoryAuditStore()


def queue(store: MemoryAuditStore, seconds: Seconds, *, patience: float = math.inf) -> GroupCommit:
    """The chain T1, as one process writes it."""
    return GroupCommit("T1", store, patience=patience, now=seconds, pause=seconds.pause)


def fields(run: object, **more: Any) -> dict[str, Any]:
    """An entry that is told from others by `run`."""
    return {"chain": "T1", "type": "x", "run": str(run), **more}


async def written(chain: GroupCommit, *runs: object) -> list[Entry | BaseException]:
    """What each of these callers gets, all of them at once."""
    return await asyncio.gather(*(chain.write(fields(run)) for run in runs), return_exceptions=True)


async def trail(store: MemoryAuditStore) -> list[str]:
    """The runs in the chain's order; the chain holds."""
    entries = [entry async for entry in store.entries()]
    assert first_bad(entries) is None
    return [entry["run"] for entry in entries]


def runs(answers: list[Entry | BaseException]) -> list[str]:
    """Whose entries stand, and which callers were told that theirs do not."""
    return [answer["run"] if isinstance(answer, Mapping) else type(answer).__name__ for answer in answers]


class Held(MemoryAuditStore):
    """Each group is on its way until it is let through."""

    def __init__(self) -> None:
        super().__init__()
        self.on_its_way, self.through = asyncio.Event(), asyncio.Event()

    async def append(self, entries: list[Entry]) -> Stands | Unsure:
        """Behind the gate."""
        self.on_its_way.set()
        await self.through.wait()
        return await super().append(entries)


class Raced(MemoryAuditStore):
    """Another replica's entry gets in, `times` times, where so many of the group stand already."""

    def __init__(self, times: int = 1, *, after: int = 0) -> None:
        super().__init__()
        self.times, self.after = times, after

    async def append(self, entries: list[Entry]) -> Stands | Unsure:
        """It follows from what stands before it, as everything does."""
        if self.times:
            self.times -= 1
            prev = entries[self.after - 1]["hash"] if self.after else entries[0]["prev"]
            self._written([linked(fields("rival"), seq=entries[self.after]["seq"], prev=prev)])
        return await super().append(entries)


async def test_t53_all_who_wait_are_written_in_one_round_trip(store: MemoryAuditStore, seconds: Seconds) -> None:
    """In the order of their calls, each with its own entry, and no group is larger than one may be."""
    answers = await written(queue(store, seconds), *range(LARGEST * 2 + 10))
    assert runs(answers) == [str(n) for n in range(LARGEST * 2 + 10)] == await trail(store)
    assert store.groups == [LARGEST, LARGEST, 10]


async def test_who_comes_while_a_group_is_under_way_is_of_the_next(seconds: Seconds) -> None:
    """One at a time: a second group that follows from the same head would race the first."""
    store = Held()
    chain = queue(store, seconds)
    first = asyncio.create_task(chain.write(fields("first")))
    await store.on_its_way.wait()
    others = asyncio.create_task(written(chain, "a", "b", "c"))
    await asyncio.sleep(0)
    store.through.set()
    assert (await first)["seq"] == 1
    assert runs(await others) == ["a", "b", "c"]
    assert store.groups == [1, 3]
    assert await trail(store) == ["first", "a", "b", "c"]


@pytest.mark.parametrize("after", [0, 1, 2])
async def test_t53_what_stood_before_another_replica_took_a_place_counts(seconds: Seconds, after: int) -> None:
    """The rest is linked anew, behind the other's entry, and everybody gets the entry that stands."""
    store = Raced(after=after)
    answers = await written(queue(store, seconds), "a", "b", "c")
    expected = ["a", "b", "c"]
    assert runs(answers) == expected
    expected.insert(after, "rival")
    assert await trail(store) == expected
    assert answers == [entry async for entry in store.entries() if entry["run"] != "rival"]
    assert store.groups == [3, 3 - after]


async def test_t53_who_was_overtaken_goes_before_who_came_later(seconds: Seconds) -> None:
    """So no entry of a caller can pass one that the same caller wrote before."""
    store = Raced(2)
    answers = await written(queue(store, seconds), *range(LARGEST + 1))
    assert await trail(store) == ["rival", "rival", *(str(n) for n in range(LARGEST + 1))]
    assert runs(answers) == [str(n) for n in range(LARGEST + 1)]
    assert store.groups == [LARGEST] * 3 + [1]


async def test_t53_a_replica_that_others_overtake_often_gets_its_turn(seconds: Seconds) -> None:
    """A hundred others are first, and the entry is written after them: it is time that patience goes by, not tries."""
    store = Raced(100)
    assert runs(await written(queue(store, seconds, patience=100.0), "mine")) == ["mine"]
    assert await trail(store) == ["rival"] * 100 + ["mine"]


async def test_patience_is_each_callers_own(seconds: Seconds) -> None:
    """Who is overtaken for too long is told so; who came later still has its time."""

    class Slow(Raced):
        """The others take four seconds for each of theirs; after the first, `late` comes."""

        async def append(self, entries: list[Entry]) -> Stands | Unsure:
            if not tasks:
                tasks.append(asyncio.create_task(chain.write(fields("late"))))
            seconds.now += 4.0
            return await super().append(entries)

    store, tasks = Slow(2), list[asyncio.Task[Entry]]()
    chain = queue(store, seconds, patience=8.0)
    assert runs(await written(chain, "early")) == ["AuditUnavailable"]
    assert (await tasks[0])["seq"] == 3
    assert await trail(store) == ["rival", "rival", "late"]


async def test_t53_a_head_that_others_moved_is_looked_for_from_the_place_that_was_lost(seconds: Seconds) -> None:
    """What lies before it is not read again, so that a long chain makes nobody slow; and then it is known again."""

    class Watched(Raced):
        """Remembers what was asked."""

        asked: list[int] = []  # noqa: RUF012

        async def head(self, chain: str, *, from_seq: int = 0) -> tuple[int, str] | None:
            self.asked.append(from_seq)
            return await super().head(chain, from_seq=from_seq)

    store = Watched(0)
    chain = queue(store, seconds)
    await written(chain, "a", "b")
    store.times = 2
    await written(chain, "c")
    await written(chain, "d")
    assert store.asked == [0, 3, 4, 6]
    assert await trail(store) == ["a", "b", "rival", "rival", "c", "d"]


async def test_t53_where_others_write_too_the_head_is_looked_up_before_it_is_tried(seconds: Seconds) -> None:
    """Each of them is refused once at most, and whoever finds itself alone again goes on without looking.

    Guards: `_contested` when a place was lost, and when nobody was found.
    """

    class Watched(MemoryAuditStore):
        """Counts what was asked and what was refused."""

        looked = refused = 0

        async def head(self, chain: str, *, from_seq: int = 0) -> tuple[int, str] | None:
            self.looked += 1
            return await super().head(chain, from_seq=from_seq)

        async def append(self, entries: list[Entry]) -> Stands | Unsure:
            fate = await super().append(entries)
            self.refused += fate.count < len(entries)
            return fate

    store = Watched()
    ours, theirs = queue(store, seconds), queue(store, seconds)
    for run in range(4):
        await written(ours, f"ours {run}")
        await written(theirs, f"theirs {run}")
    assert len(await trail(store)) == 8
    assert store.refused == 2
    looked = store.looked
    await written(ours, "a")
    assert store.looked == looked + 1
    await written(ours, "b")
    await written(ours, "c")
    assert store.looked == looked + 2


async def test_t51_a_cut_tail_shows_also_where_the_head_is_looked_up(seconds: Seconds) -> None:
    """Ours is gone on from, and not what is left before it (guard: the place that the look begins from)."""
    store = Raced(0)
    chain = queue(store, seconds)
    await written(chain, "a", "b")
    store.times = 1
    await written(chain, "c")
    del store._entries["T1", 4]
    await written(chain, "d")
    bad = first_bad([entry async for entry in store.entries()])
    assert bad is not None
    assert (bad.seq, bad.why) == (4, "missing")


@pytest.mark.parametrize("cut", [0, 1, 2])
async def test_t67_exactly_those_are_refused_whose_entries_are_not_known_to_stand(
    store: MemoryAuditStore, seconds: Seconds, cut: int
) -> None:
    """The line goes dead in the middle of a group; the next goes on from the last that stands."""
    chain = queue(store, seconds)
    await written(chain, "before")
    store.cut = cut
    answers = await written(chain, "a", "b", "c")
    assert runs(answers) == ["a", "b", "c"][:cut] + ["AuditUnavailable"] * (3 - cut)
    assert runs(await written(chain, "after")) == ["after"]
    assert store.arrive() == 0  # their places are taken
    assert await trail(store) == ["before", *["a", "b", "c"][:cut], "after"]


async def test_t67_what_arrives_late_is_neither_doubled_nor_written_over(
    store: MemoryAuditStore, seconds: Seconds
) -> None:
    """Its callers were told that it is not known to stand, and nobody tries it again; the next goes behind it."""
    chain = queue(store, seconds)
    store.cut = 1
    assert runs(await written(chain, "a", "b", "c")) == ["a", "AuditUnavailable", "AuditUnavailable"]
    assert store.arrive() == 2
    assert runs(await written(chain, "after")) == ["after"]
    assert await trail(store) == ["a", "b", "c", "after"]


async def test_t67_entries_that_nobody_sees_are_not_written_again(store: MemoryAuditStore, seconds: Seconds) -> None:
    """Written, but neither the answer nor a look at them comes back: all are refused, and nothing is doubled."""
    chain = queue(store, seconds)
    store.silent = True
    assert runs(await written(chain, "a", "b")) == ["AuditUnavailable"] * 2
    store.silent = False
    assert runs(await written(chain, "after")) == ["after"]
    assert await trail(store) == ["a", "b", "after"]


async def test_t54_while_the_store_is_away_each_caller_waits_for_one_try(
    store: MemoryAuditStore, seconds: Seconds
) -> None:
    """Not for those of all who stand before it, one after the other; and afterwards it is written again."""
    chain = queue(store, seconds)
    store.away = True
    assert runs(await written(chain, *range(LARGEST))) == ["AuditUnavailable"] * LARGEST
    assert store.groups == []  # not even the head could be read
    store.away = False
    assert runs(await written(chain, "a")) == ["a"]
    store.away = True
    assert runs(await written(chain, *range(LARGEST))) == ["AuditUnavailable"] * LARGEST
    assert store.groups == [1, LARGEST]
    store.away = False
    assert runs(await written(chain, "b")) == ["b"]
    assert await trail(store) == ["a", "b"]


async def test_t51_a_database_that_was_restored_shows_as_a_gap(store: MemoryAuditStore, seconds: Seconds) -> None:
    """It was away for as long as that took, and what stood before is gone on from all the same."""
    chain = queue(store, seconds)
    await written(chain, "a", "b", "c")
    store.away = True
    await written(chain, "lost")
    store.away = False
    del store._entries["T1", 2], store._entries["T1", 3]
    await written(chain, "d")
    bad = first_bad([entry async for entry in store.entries()])
    assert bad is not None
    assert (bad.seq, bad.why) == (2, "missing")


class FailingOver(Raced):
    """Once another's head was read, the primary is lost, and with it all entries from `lost` on."""

    lost = 2

    async def head(self, chain: str, *, from_seq: int = 0) -> tuple[int, str] | None:
        """The last word of the old one."""
        found = await super().head(chain, from_seq=from_seq)
        if found and from_seq:
            self.away = True
            for place in [place for place in self._entries if place[1] >= self.lost]:
                del self._entries[place]
        return found


async def test_t67_what_a_failover_took_back_is_no_gap(seconds: Seconds) -> None:
    """Another's entry that was read once is not gone on from later: the new primary may never have had it."""
    store = FailingOver(0)
    chain = queue(store, seconds)
    await written(chain, "a")
    store.times = 1
    assert runs(await written(chain, "b")) == ["AuditUnavailable"]
    store.away = False
    assert runs(await written(chain, "c")) == ["c"]
    assert await trail(store) == ["a", "c"]


async def test_t51_a_failover_that_took_back_ours_is_a_gap(seconds: Seconds) -> None:
    """What the majority had confirmed cannot vanish in order, so it is not begun anew as if it had never been."""
    store = FailingOver(0)
    store.lost = 1
    chain = queue(store, seconds)
    await written(chain, "a")
    store.times = 1
    assert runs(await written(chain, "b")) == ["AuditUnavailable"]
    store.away = False
    assert [entry["seq"] for entry in await written(chain, "c") if isinstance(entry, Mapping)] == [2]


async def test_who_stops_waiting_before_its_group_is_not_written(seconds: Seconds) -> None:
    """And nobody else is disturbed by it."""
    store = Held()
    chain = queue(store, seconds)
    first = asyncio.create_task(chain.write(fields("first")))
    await store.on_its_way.wait()
    tasks = [asyncio.create_task(chain.write(fields(run))) for run in ("a", "b", "c")]
    await asyncio.sleep(0)
    tasks[1].cancel()
    store.through.set()
    assert runs(await asyncio.gather(first, *tasks, return_exceptions=True)) == ["first", "a", "CancelledError", "c"]
    assert await trail(store) == ["first", "a", "c"]


async def test_who_stops_waiting_under_way_leaves_the_others_alone(seconds: Seconds) -> None:
    """The entry was handed over, so it is followed up: it stands, and the next follows from it."""
    store = Held()
    chain = queue(store, seconds)
    tasks = [asyncio.create_task(chain.write(fields(run))) for run in ("a", "b", "c")]
    await store.on_its_way.wait()
    tasks[0].cancel()
    await asyncio.sleep(0)
    store.through.set()
    assert runs(await asyncio.gather(*tasks, return_exceptions=True)) == ["CancelledError", "b", "c"]
    assert runs(await written(chain, "after")) == ["after"]
    assert await trail(store) == ["a", "b", "c", "after"]
    assert store.groups == [3, 1]


async def test_a_group_whose_callers_are_all_gone_is_followed_up(seconds: Seconds) -> None:
    """Nobody waits, and still the next entry finds its place at the first try."""
    store = Held()
    chain = queue(store, seconds)
    tasks = [asyncio.create_task(chain.write(fields(run))) for run in ("a", "b")]
    await store.on_its_way.wait()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    store.through.set()
    assert runs(await written(chain, "after")) == ["after"]
    assert await trail(store) == ["a", "b", "after"]
    assert store.groups == [2, 1]


async def test_who_was_overtaken_and_stops_waiting_is_not_tried_again(seconds: Seconds) -> None:
    """It is known not to stand."""

    class Leaving(Raced):
        """While the other replica is first, the caller goes."""

        async def append(self, entries: list[Entry]) -> Stands | Unsure:
            fate = await super().append(entries)
            tasks[0].cancel()
            return fate

    store = Leaving()
    chain = queue(store, seconds)
    tasks = [asyncio.create_task(chain.write(fields(run))) for run in ("a", "b")]
    assert runs(await asyncio.gather(*tasks, return_exceptions=True)) == ["CancelledError", "b"]
    assert await trail(store) == ["rival", "b"]


async def test_what_has_no_digest_keeps_nobody_else(store: MemoryAuditStore, seconds: Seconds) -> None:
    """A number that RFC 8785 cannot write is its caller's own trouble, alone or in a group."""
    chain = queue(store, seconds)
    odd = chain.write(fields("odd", n=2**60))
    answers = await asyncio.gather(*(chain.write(fields("a")), odd, chain.write(fields("b"))), return_exceptions=True)
    assert runs(answers) == ["a", "ValueError", "b"]
    with pytest.raises(ValueError, match="RFC 8785"):
        await chain.write(fields("odd", n=2**60))
    assert await trail(store) == ["a", "b"]
    assert store.groups == [2]


async def test_t54_an_error_of_ours_refuses_all_who_wait_and_ends_nothing(seconds: Seconds) -> None:
    """Nobody hangs, the log has the kind of the error and no text of it, and the next entry is written."""

    class Broken(MemoryAuditStore):
        """Something that no store should raise."""

        async def append(self, entries: list[Entry]) -> Stands | Unsure:
            if not self.groups:
                self.groups.append(len(entries))
                raise RuntimeError("canary")
            return await super().append(entries)

    store = Broken()
    chain = queue(store, seconds)
    with capture_logs() as logs:
        assert runs(await written(chain, *range(LARGEST + 1))) == ["AuditUnavailable"] * (LARGEST + 1)
    assert [(log["event"], log["chain"], log["kind"]) for log in logs] == [("trail_failed", "T1", "RuntimeError")]
    assert "canary" not in str(logs)
    assert runs(await written(chain, "after")) == ["after"]


async def test_t54_the_end_of_the_loop_leaves_nobody_waiting(seconds: Seconds) -> None:
    """At the end of a process its tasks are cancelled; a caller that is shielded hears of it."""
    store = Held()
    chain = queue(store, seconds)
    caller = asyncio.create_task(chain.write(fields("a")))
    await store.on_its_way.wait()
    for task in asyncio.all_tasks():
        if task.get_name() == "trail:T1":
            task.cancel()
    with pytest.raises(AuditUnavailable):
        await caller


async def test_who_writes_without_a_rest_lets_go_from_time_to_time(seconds: Seconds) -> None:
    """A pause in which others find the new head, after each while of being first, and none before."""

    class Busy(MemoryAuditStore):
        """A group takes two fifths of the while, and as it is written the next is there already."""

        async def append(self, entries: list[Entry]) -> Stands | Unsure:
            if len(tasks) < 8:
                tasks.append(asyncio.create_task(chain.write(fields(len(tasks)))))
                await asyncio.sleep(0)
            seconds.now += HOLD * 0.4
            paused.append(len(seconds.pauses))
            return await super().append(entries)

    store, tasks, paused = Busy(), list[asyncio.Task[Entry]](), list[int]()
    chain = queue(store, seconds)
    await written(chain, "first")
    while not all(task.done() for task in tasks):
        await asyncio.gather(*tasks)
    assert set(seconds.pauses) == {GAP}
    assert paused == [0, 0, 0, 1, 1, 1, 2, 2, 2]


async def test_who_has_rested_anyway_need_not_let_go(store: MemoryAuditStore, seconds: Seconds) -> None:
    """Entries that come one by one, with time between them, never wait for others."""
    chain = queue(store, seconds)
    for n in range(20):
        await written(chain, n)
        seconds.now += GAP * 2
    assert seconds.pauses == []


async def test_who_was_overtaken_pauses_for_less_than_others_let_go(seconds: Seconds) -> None:
    """At random, so that two who were overtaken do not meet again, and soon enough to use the pause of the first."""
    store = Raced(50)
    await written(queue(store, seconds), "a")
    assert len(seconds.pauses) == len(set(seconds.pauses)) == 50
    assert max(seconds.pauses) < GAP / 2


async def test_t53_two_replicas_with_groups_fork_nothing(store: MemoryAuditStore, seconds: Seconds) -> None:
    """They are first by turns, and every caller of both gets its own entry."""
    one, two = queue(store, seconds), queue(store, seconds)
    mine = [f"one {n}" for n in range(LARGEST * 2)]
    theirs = [f"two {n}" for n in range(LARGEST * 2)]
    answers = await asyncio.gather(written(one, *mine), written(two, *theirs))
    assert [runs(answer) for answer in answers] == [mine, theirs]
    stand = await trail(store)
    assert [run for run in stand if run in set(mine)] == mine
    assert [run for run in stand if run in set(theirs)] == theirs
    assert len(stand) == LARGEST * 4
