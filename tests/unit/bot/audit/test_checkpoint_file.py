"""The file of checkpoints: on disk before it counts, shared by replicas, and no hindrance to anything else."""

from __future__ import annotations

import asyncio
import fcntl
import os
import resource
import stat
import threading
from functools import partial
from pathlib import Path, PosixPath
from typing import Any, ClassVar

import pytest
import structlog

from bot.audit.chain import GENESIS, linked
from bot.audit.checkpoints import Checkpoints
from bot.audit.writer import AuditWriter
from oauth import SlackUser
from tests.conftest import HandClock
from tests.fakes.audit import MemoryAuditStore
from tests.fakes.runner import AUDIT_KEY, person

ADA = person("ada")


class House:
    """A store, its writer, and as many replicas on one file as are asked for."""

    def __init__(self, path: Path, clock: HandClock) -> None:
        self.path, self.clock = path, clock
        self.store = MemoryAuditStore()
        self.writer = AuditWriter(self.store, AUDIT_KEY, clock)

    def replica(self) -> Checkpoints:
        return Checkpoints(self.path, AUDIT_KEY, self.store, self.clock)

    async def write(self, count: int = 1, slack: SlackUser = ADA.slack) -> None:
        for _ in range(count):
            await self.writer.append("action.started", "ok", slack=slack)

    def forge(self, length: int) -> None:
        """The chain of Ada's workspace, made anew."""
        for place in [place for place in self.store._entries if place[0] == "T1"]:
            del self.store._entries[place]
        prev = GENESIS
        for seq in range(1, length + 1):
            entry = linked({"chain": "T1", "type": "forged", "at": "x", "outcome": "ok"}, seq=seq, prev=prev)
            self.store._entries["T1", seq], prev = entry, entry["hash"]

    @property
    def count(self) -> int:
        return len(self.path.read_bytes().splitlines())


@pytest.fixture
def house(tmp_path: Path, clock: HandClock) -> House:
    """An empty one."""
    return House(tmp_path / "checkpoints.jsonl", clock)


async def test_the_file_is_its_owners_alone(house: House) -> None:
    """As the keys beside it are, whatever the mask of the process says."""
    before = os.umask(0)
    try:
        await house.write()
        await house.replica().sign()
    finally:
        os.umask(before)
    assert stat.S_IMODE(house.path.stat().st_mode) == 0o600


class NotedPath(PosixPath):
    """Notes which thread reaches for the file."""

    threads: ClassVar[list[int]] = []

    def __fspath__(self) -> str:
        """Whoever opens it comes by here."""
        self.threads.append(threading.get_ident())
        return str(self)


async def test_the_loop_waits_for_no_disk(house: House) -> None:
    """Slack wants its answers within three seconds, whatever a disk does: reading and writing have threads."""
    NotedPath.threads.clear()
    house.path = NotedPath(house.path)
    await house.write()
    await house.replica().sign()
    assert len(NotedPath.threads) >= 2
    assert threading.get_ident() not in NotedPath.threads


async def test_what_is_not_on_disk_is_no_checkpoint(house: House) -> None:
    """A place that takes the line but cannot promise to keep it (here, one that keeps nothing) is an error."""
    house.path = Path("/dev/null")
    await house.write()
    replica = house.replica()
    with structlog.testing.capture_logs() as logs, pytest.raises(OSError, match="Invalid argument"):
        await replica.sign()
    assert logs == []


async def test_a_line_that_was_cut_short_is_written_again(house: House) -> None:
    """A disk that is full takes a part of it: an error, and the next round has the whole line on its own."""
    await house.write()
    replica = house.replica()
    await replica.sign()
    await house.write()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (house.path.stat().st_size + 10, hard))
    try:
        with structlog.testing.capture_logs() as logs, pytest.raises(OSError, match="No space left"):
            await replica.sign()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert logs == []
    await replica.sign()
    first, torn, last = house.path.read_bytes().splitlines()
    assert len(torn) == 10
    house.path.write_bytes(first + b"\n" + last + b"\n")
    assert sorted(replica.heads()["T1"]) == [1, 2]


def test_replicas_do_not_tear_each_others_lines(house: House) -> None:
    """Whatever they write in the same moment, every line stands whole and none is lost."""
    lines = [[f"{name}-{n}-" + "x" * 400 for n in range(50)] for name in range(4)]

    def write(mine: list[str]) -> None:
        replica = house.replica()
        for line in mine:
            replica._append(line)

    threads = [threading.Thread(target=write, args=(mine,)) for mine in lines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(house.path.read_text().splitlines()) == sorted(line for mine in lines for line in mine)


async def test_t52_a_replica_does_not_sign_against_what_another_signed(house: House) -> None:
    """One remembers an earlier head than the file has: the file's word counts, and the forgery is not signed."""
    one, two = house.replica(), house.replica()
    await house.write()
    await one.sign()
    stood = house.store._entries["T1", 1]
    await house.write(2)
    await two.sign()
    house.forge(4)
    house.store._entries["T1", 1] = stood
    prev = stood["hash"]
    for seq in (2, 3, 4):  # it follows from all that the first one knows
        house.store._entries["T1", seq] = linked({"chain": "T1", "type": "forged"}, seq=seq, prev=prev)
        prev = house.store._entries["T1", seq]["hash"]
    await one.sign()
    assert house.count == 2
    assert (one.broken["T1"].seq, one.broken["T1"].why) == (3, "differs from its signed checkpoint")


async def test_what_another_replica_signed_is_not_signed_again(house: House) -> None:
    """They share one file, so one line for each head is enough."""
    one, two = house.replica(), house.replica()
    for _ in range(3):
        await house.write()
        await one.sign()
        await two.sign()
    assert house.count == 3


async def test_t52_a_file_that_was_taken_away_is_not_forgotten(house: House) -> None:
    """A running process remembers what it signed, and signs no forgery because the file no longer knows."""
    replica = house.replica()
    await house.write(2)
    await replica.sign()
    house.path.unlink()
    house.forge(3)
    await replica.sign()
    assert not house.path.exists()
    assert replica.broken["T1"].seq == 2


async def test_a_file_that_was_put_aside_is_begun_anew(house: House) -> None:
    """What another replica writes into the new one is read from its beginning."""
    one, two = house.replica(), house.replica()
    await house.write(2)
    await one.sign()
    await house.write()
    await one.sign()
    await one.sign()
    house.path.unlink()
    await house.write()
    await two.sign()
    await one.sign()
    assert house.count == 1
    assert sorted(one.heads()["T1"]) == [4]


async def test_t52_a_refused_head_is_told_once_and_each_new_one_again(house: House) -> None:
    """A forged chain that goes on growing is named again with each head; one that rests does not fill the log."""
    replica = house.replica()
    await house.write(2)
    await replica.sign()
    told: list[Any] = []
    for length in (3, 3, 4, 4, 4):
        house.forge(length)
        with structlog.testing.capture_logs() as logs:
            await replica.sign()
        told.append([(one["event"], one["chain"], one["seq"], one["head"]) for one in logs])
    first, second = (("checkpoint_refused", "T1", 2, head) for head in (3, 4))
    assert told == [[first], [], [second], [], []]
    assert house.count == 1


async def test_t51_a_first_entry_that_does_not_hold_is_not_signed(house: House) -> None:
    """A chain without any checkpoint is followed from its beginning before it gets one."""
    await house.write(3)
    house.store._entries["T1", 1]["outcome"] = "denied"
    replica = house.replica()
    await replica.sign()
    assert not house.path.exists()
    assert (replica.broken["T1"].seq, replica.broken["T1"].why) == (1, "was altered")


async def test_t51_an_entry_altered_under_its_own_checkpoint_is_not_gone_on_from(house: House) -> None:
    """The signed entry keeps its hash and loses its content: nothing that follows is signed."""
    replica = house.replica()
    await house.write(2)
    await replica.sign()
    house.store._entries["T1", 2]["outcome"] = "denied"
    await house.write()
    await replica.sign()
    assert (house.count, replica.broken["T1"].seq) == (1, 2)


async def test_a_long_way_to_the_head_lets_others_go_on(house: House) -> None:
    """A chain is followed with pauses, since a store may hand out a thousand entries in a row."""
    await house.write(1000)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    task = asyncio.create_task(others())
    bad, reached = await house.replica()._followed("T1", (0, GENESIS))
    task.cancel()
    assert (bad, reached[0]) == (None, 1000)
    assert turns >= 9


@pytest.mark.parametrize("what", ["heads", "append"])
async def test_a_line_that_is_being_written_is_waited_for(house: House, what: str) -> None:
    """Half of it would be taken for a forgery by whoever verifies, and for a torn line by whoever writes."""
    await house.write()
    replica = house.replica()
    await replica.sign()
    line = house.path.read_bytes()
    with house.path.open("r+b", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(100)
        work = replica.heads if what == "heads" else partial(replica._append, "next")
        other = asyncio.create_task(asyncio.to_thread(work))
        for _ in range(5000):
            await asyncio.sleep(0)
            if other.done():
                break
        file.seek(0)
        file.write(line)
    await other
    assert house.path.read_bytes() == line + (b"next\n" if what == "append" else b"")


async def test_t52_the_furthest_head_counts_wherever_it_stands(house: House) -> None:
    """Lines in another order do not bring an earlier head back for a forgery to follow from."""
    replica = house.replica()
    await house.write()
    await replica.sign()
    stood = house.store._entries["T1", 1]
    await house.write()
    await replica.sign()
    house.path.write_bytes(b"".join(reversed(house.path.read_bytes().splitlines(keepends=True))))
    house.store._entries["T1", 2] = linked({"chain": "T1", "type": "forged"}, seq=2, prev=stood["hash"])
    replica = house.replica()
    await replica.sign()
    assert (house.count, replica.broken["T1"].seq) == (2, 2)
