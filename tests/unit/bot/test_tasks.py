"""Background work: nothing is lost at shutdown, and a failure is not silent."""

from __future__ import annotations

import asyncio

import structlog

from bot.tasks import Tasks


async def test_draining_waits_for_work_in_hand() -> None:
    """What was started before shutdown is finished by it."""
    tasks, done = Tasks(), []

    async def work() -> None:
        await asyncio.sleep(0)
        done.append(True)

    tasks.spawn(work(), "work")
    assert await tasks.drain(5) == 0
    assert done == [True]
    assert len(tasks) == 0


async def test_draining_cancels_what_does_not_end() -> None:
    """Work that never ends is cancelled when the time is over."""
    tasks = Tasks()
    tasks.spawn(asyncio.Event().wait(), "endless")
    assert await tasks.drain(0) == 1


async def test_a_failure_is_logged_without_its_text() -> None:
    """The log names the kind of error and its place, never the message, which may hold a payload."""
    tasks = Tasks()

    async def work() -> None:
        raise ValueError("canary-token")

    with structlog.testing.capture_logs() as logs:
        tasks.spawn(work(), "work")
        await tasks.drain(5)
    assert [(entry["event"], entry["kind"]) for entry in logs] == [("task_failed", "ValueError")]
    assert "canary" not in str(logs)


async def test_what_running_work_starts_is_finished_too() -> None:
    """An answer that is begun while the process ends is still given."""
    tasks, release, answered = Tasks(), asyncio.Event(), []

    async def answer() -> None:
        for _ in range(20):  # turns of the loop, as a request to Slack takes some
            await asyncio.sleep(0)
        answered.append("answer")

    async def work() -> None:
        await release.wait()
        tasks.spawn(answer(), "answer")

    tasks.spawn(work(), "work")
    draining = asyncio.create_task(tasks.drain())
    await asyncio.sleep(0)
    release.set()
    assert await draining == 0
    assert answered == ["answer"]


async def test_what_follows_an_ack_begins_when_hardly_anybody_waits_for_one() -> None:
    """Two wait, so it does not begin; then one of them has its ack, and it does (guard: `_quiet`)."""
    tasks, begun = Tasks(), asyncio.Event()

    async def work() -> str:
        begun.set()
        return "done"

    with tasks.acking():
        with tasks.acking():
            after = tasks.spawn(tasks.after_acks(work()), "after")
            for _ in range(10):
                await asyncio.sleep(0)
            assert not begun.is_set()
        assert await after == "done"


async def test_a_few_begin_at_a_time_and_none_waits_for_one_that_lasts() -> None:
    """Four that last begin, and so does a fifth a moment later, though none of them has ended (guard: `_BEGINNING`)."""
    tasks, begun, end = Tasks(), asyncio.Queue[int](), asyncio.Event()

    async def work(number: int) -> None:
        begun.put_nowait(number)
        await end.wait()

    after = [tasks.spawn(tasks.after_acks(work(number)), "after") for number in range(5)]
    for _ in range(10):
        await asyncio.sleep(0)
    assert begun.qsize() == 4
    async with asyncio.timeout(10):
        assert [await begun.get() for _ in range(5)] == [0, 1, 2, 3, 4]
    end.set()
    await asyncio.gather(*after)


async def test_a_click_that_takes_its_time_holds_nothing_up() -> None:
    """It counts for a moment only (guard: `call_later`)."""
    tasks = Tasks()

    async def work() -> str:
        return "done"

    with tasks.acking(), tasks.acking():
        async with asyncio.timeout(0.9):  # less than the courtesy that is shown to quick ones
            assert await tasks.after_acks(work()) == "done"
