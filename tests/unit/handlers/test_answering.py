"""An ack in time, and the answer when it is ready."""

from __future__ import annotations

import asyncio
from typing import Any

from bot.tasks import Tasks
from handlers.answering import Answering
from handlers.message import Message
from handlers.speaker import Speaker
from oauth import SlackUser

ADA = Speaker(SlackUser("T1", "U0ADA"), "ada", external=False, response_url="https://hooks.example.com/1")


class Outbox:
    """Keeps what is sent; `taken` says whether Slack takes answers."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.taken = True

    async def answer(self, url: str, message: Message) -> bool:
        self.sent.append(("answer", message.text))
        return self.taken

    async def dm(self, slack: SlackUser, message: Message) -> tuple[str, str]:
        self.sent.append(("dm", message.text))
        return "D1", "1.1"


class Room:
    """Answering with an outbox, and an ack that writes itself down in the same order."""

    def __init__(self, patience: float = 5) -> None:
        self.tasks, self.outbox = Tasks(), Outbox()
        self.answering = Answering(self.tasks, self.outbox, patience)  # type: ignore[arg-type]

    async def ack(self, **answer: Any) -> None:
        self.outbox.sent.append(("ack", answer.get("text", "")))


async def said(text: str) -> Message:
    return Message(text)


async def test_a_quick_answer_is_in_the_ack() -> None:
    """One round trip where one is enough."""
    room = Room()
    await room.answering.command(room.ack, ADA, said("hello"))
    await room.tasks.drain()
    assert room.outbox.sent == [("ack", "hello")]


async def test_a_slow_answer_comes_after_the_ack() -> None:
    """Slack's three seconds are kept whatever the work does; its answer is not lost."""
    room, ready = Room(patience=0), asyncio.Event()

    async def slow() -> Message:
        await ready.wait()
        return Message("late")

    await room.answering.command(room.ack, ADA, slow())
    assert room.outbox.sent == [("ack", "")]
    ready.set()
    await room.tasks.drain()
    assert room.outbox.sent == [("ack", ""), ("answer", "late")]


async def test_a_click_is_acked_after_what_it_decided() -> None:
    """The verdict stands before Slack hears that the click arrived: no crash can lose it behind an ack."""
    room = Room()

    async def decide() -> None:
        room.outbox.sent.append(("decided", ""))

    await room.answering.click(room.ack, ADA, decide())
    await room.tasks.drain()
    assert room.outbox.sent == [("decided", ""), ("ack", "")]


async def test_work_that_calls_out_is_acked_first() -> None:
    """An action may take as long as its service does."""
    room = Room()
    await room.answering.after_ack(room.ack, ADA, said("result"))
    await room.tasks.drain()
    assert room.outbox.sent == [("ack", ""), ("answer", "result")]


async def test_an_answer_that_slack_does_not_take_goes_to_the_person() -> None:
    """A spent or expired response_url does not lose the result: it goes to the direct messages."""
    room = Room()
    room.outbox.taken = False
    await room.answering.after_ack(room.ack, ADA, said("result"))
    await room.tasks.drain()
    assert room.outbox.sent[-1] == ("dm", "result")


async def test_an_error_becomes_words() -> None:
    """Nothing escapes into Bolt, and the person hears what happened."""
    room = Room()

    async def fails() -> Message:
        raise RuntimeError("CANARY")

    await room.answering.command(room.ack, ADA, fails())
    assert "went wrong" in room.outbox.sent[0][1]
    assert "CANARY" not in str(room.outbox.sent)


async def test_a_form_shows_what_is_wrong_under_its_field() -> None:
    """A refusal keeps the form open; nothing to say closes it."""
    room = Room()
    acks: list[dict[str, Any]] = []

    async def ack(**answer: Any) -> None:
        acks.append(answer)

    async def fine() -> None:
        return None

    await room.answering.form(ack, ADA, said("not `this`"), "code")
    await room.answering.form(ack, ADA, fine(), "code")
    assert acks == [{"response_action": "errors", "errors": {"code": "not this"}}, {}]


async def test_a_form_that_takes_long_is_closed_in_time() -> None:
    """What it has to say comes as an answer then."""
    room, ready = Room(patience=0), asyncio.Event()

    async def slow() -> Message:
        await ready.wait()
        return Message("late")

    await room.answering.form(room.ack, ADA, slow(), "code")
    ready.set()
    await room.tasks.drain()
    assert room.outbox.sent == [("ack", ""), ("answer", "late")]
