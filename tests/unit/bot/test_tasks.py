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
