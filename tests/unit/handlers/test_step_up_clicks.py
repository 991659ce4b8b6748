"""Approve, where it takes one more login: the link, the evidence that waits, and what is told."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings

from bot.approvals import Approval, State
from bot.tasks import Tasks
from handlers import cards
from handlers.answering import Answering
from handlers.approvals import ApprovalClicks
from handlers.message import Message
from handlers.notices import Notices
from handlers.speaker import Speaker
from oauth import Evidence, LinkEvent, Principal
from oauth.step_up.asking import STEPPED_UP
from tests.conftest import HandClock
from tests.fakes.reading import ASKED, NASTY, assert_sound, buttons_of, said
from tests.fakes.runner import World


@dataclass
class StepUps:
    """Hands out links, and what evidence a test has put there, once."""

    waiting: dict[tuple[str, str], Evidence] = field(default_factory=dict)
    started: list[tuple[str, str, str]] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)

    async def start(self, principal: Principal, subject: str, about: str) -> str | None:
        """One link for each."""
        if subject in [known for _, known, _ in self.started]:
            return None
        self.started.append((principal.slack.key, subject, about))
        return f"https://bot.example/step-up/SECRET-{len(self.started)}"

    async def withdraw(self, principal: Principal, subject: str) -> None:
        """It is nobody's."""
        self.withdrawn.append(subject)

    async def take(self, principal: Principal, subject: str) -> Evidence | None:
        """Hand it out, once."""
        return self.waiting.pop((principal.slack.key, subject), None)


@dataclass
class Post:
    """Keeps what is sent; `closed` is a person who takes no direct messages."""

    closed: bool = False
    sent: list[Message] = field(default_factory=list)

    async def dm(self, slack: object, message: Message) -> tuple[str, str]:
        """To their messages."""
        if self.closed:
            raise RuntimeError("cannot_dm_user")
        self.sent.append(message)
        return "D1", "1.1"

    async def answer(self, url: str, message: Message) -> bool:
        """Where they pressed."""
        self.sent.append(message)
        return True


@dataclass
class Room:
    """The listeners in a world where one action takes one more login."""

    world: World
    step_ups: StepUps = field(default_factory=StepUps)
    post: Post = field(default_factory=Post)

    def __post_init__(self) -> None:
        self.world.actions = [self.world.deed.action(step_up=True)]
        self.world.here = self.world.replica()
        here, self.tasks, post = self.world.here, Tasks(), self.post
        answering = Answering(self.tasks, post)  # type: ignore[arg-type]
        links: Any = self.world.links
        invitations: Any = None
        self.clicks = ApprovalClicks(
            answering,
            here.approvals,
            here.runner,
            links,
            invitations,
            post,
            self.tasks,
            self.step_ups,  # type: ignore[arg-type]
        )

    async def approves(self, approval: Approval, channel: str | None = "D1") -> list[str]:
        """Ada presses Approve there; what she then has before her."""
        before = len(self.post.sent)
        who = Speaker(
            self.world.ada.slack, "ada", external=False, channel=channel, response_url="https://hooks.example/1"
        )

        async def ack(**_: object) -> None:
            pass

        await self.clicks.approve_clicked(ack, {"actions": [{"value": approval.id}]}, {"speaker": who})
        await self.tasks.drain()
        return [said(message) for message in self.post.sent[before:]]

    async def hears(self, subject: str) -> list[str]:
        """Word that there is evidence; what Ada is then told."""
        before = len(self.post.sent)
        ada = self.world.ada
        rooms: Any = None
        notices = Notices(self.post, rooms, rooms, self.clicks, rooms, rooms, rooms)  # type: ignore[arg-type]
        await notices.heard(LinkEvent(STEPPED_UP, "ok", ada.slack, ada.identity, subject, ada))
        await self.tasks.drain()
        return [said(message) for message in self.post.sent[before:]]

    def evidence(
        self, approval: Approval, *, where: str = "D1", ago: int = 10, amr: tuple[str, ...] = ("mfa",)
    ) -> None:
        """Ada has signed in for it."""
        auth_time = int(self.world.clock().timestamp()) - ago
        self.step_ups.waiting[self.world.ada.slack.key, f"{approval.id}:{where}"] = Evidence(auth_time, amr)

    def state(self, approval: Approval) -> State:
        """How it stands."""
        return self.world.at_rest(approval).state


@given(NASTY)
@settings(max_examples=50)
def test_t50_the_card_is_inert_and_fits(name: str) -> None:
    """Whatever the action is called; the link is behind its one button alone."""
    card = cards.step_up_card("https://bot.example/step-up/SECRET", replace(ASKED, action=name or "x"))
    assert_sound(card)
    assert "SECRET" not in said(card) + card.text
    assert [(id_, one["url"]) for id_, one in buttons_of(card).items()] == [
        ("approval.step_up", "https://bot.example/step-up/SECRET")
    ]
    for words in ("second factor", "five minutes", "Never forward"):
        assert words in said(card)


@pytest.fixture
def room(clock: HandClock) -> Room:
    """Ada is linked, and one action can be asked for."""
    return Room(World(clock))


async def test_a_click_leads_to_a_link_in_the_direct_messages(room: Room) -> None:
    """Nothing is counted; the link is on its card alone, and what is said where they pressed does not hold it."""
    approval = await room.world.asked()
    card, note = await room.approves(approval)
    assert room.step_ups.started == [(room.world.ada.slack.key, f"{approval.id}:D1", "Approve refund_order")]
    assert "Sign in once more to approve" in card
    assert "The way there is in our direct messages" in note
    assert "SECRET" not in card + note  # it is behind the button
    assert room.state(approval) is State.PENDING
    assert room.world.deed.calls == []
    assert room.world.audit.of("action.refused") == []


async def test_a_double_click_sends_one_link(room: Room) -> None:
    """And says where it is, both times."""
    approval = await room.world.asked()
    assert len(await room.approves(approval)) == 2
    (note,) = await room.approves(approval)
    assert "The way there is in our direct messages" in note


async def test_evidence_is_taken_up_and_the_call_is_made(room: Room) -> None:
    """Told of it, the vote counts, with how they signed in on record; told twice, once."""
    approval = await room.world.asked()
    await room.approves(approval)
    room.evidence(approval)
    assert await room.hears(f"{approval.id}:D1") == []
    assert await room.hears(f"{approval.id}:D1") == []
    assert room.state(approval) is State.DONE
    assert len(room.world.deed.calls) == 1
    (entry,) = room.world.audit.of("approval.approved")
    assert entry["approver"]["amr"] == ["mfa"]
    assert entry["approver"]["auth_time"] == int(room.world.clock().timestamp()) - 10


async def test_t74_evidence_that_nobody_was_told_of_is_used_at_the_next_click(room: Room) -> None:
    """The process that stored it is dead: they press Approve again, and need not sign in again (guard: `_decided`)."""
    approval = await room.world.asked()
    await room.approves(approval)
    room.evidence(approval)
    assert await room.approves(approval) == []
    assert len(room.step_ups.started) == 1
    assert room.state(approval) is State.DONE


@pytest.mark.parametrize(("ago", "amr"), [(301, ("mfa",)), (10, ("pwd",)), (10, ())])
async def test_evidence_that_does_not_hold_is_none(room: Room, ago: int, amr: tuple[str, ...]) -> None:
    """Whoever made it: what the states see is what counts (guard: `stepped_up` in bot/approvals/states.py)."""
    approval = await room.world.asked()
    room.evidence(approval, ago=ago, amr=amr)
    assert "Press *Approve* again" in "".join(await room.hears(f"{approval.id}:D1"))
    assert room.state(approval) is State.PENDING
    assert room.world.deed.calls == []


async def test_evidence_of_another_request_does_not_count(room: Room) -> None:
    """Each decision takes a login of its own."""
    one, other = await room.world.asked(), await room.world.asked()
    room.evidence(one)
    await room.approves(other)
    assert room.state(other) is State.PENDING
    assert [subject for _, subject, _ in room.step_ups.started] == [f"{other.id}:D1"]


async def test_t49_what_is_over_meanwhile_is_said(room: Room) -> None:
    """It has expired while they signed in."""
    approval = await room.world.asked()
    await room.approves(approval)
    room.world.clock.forward(minutes=15)
    room.evidence(approval)
    assert "expired" in "".join(await room.hears(f"{approval.id}:D1"))
    assert room.world.deed.calls == []


async def test_t73_without_direct_messages_there_is_no_link(room: Room) -> None:
    """It is said where they pressed, and the link that nobody got is withdrawn (guard: the `except` in
    `_send_to_step_up`)."""
    approval = await room.world.asked()
    room.post.closed = True
    (note,) = await room.approves(approval)
    assert "I cannot send you a direct message" in note
    assert room.step_ups.withdrawn == [f"{approval.id}:D1"]
