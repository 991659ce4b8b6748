"""The buttons of approval cards: approve, deny, withdraw, undo, and the windows that some of them open."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from slack_bolt.async_app import AsyncApp

from bot.approvals.model import Approval, State, Verdict
from bot.approvals.service import ApprovalService
from bot.approvals.voting import Counted
from bot.errors import ConfirmationNeeded, ConfirmationWrong, StepUpNeeded
from bot.runner import Runner
from bot.tasks import Tasks
from handlers import cards, modals
from handlers.answering import Ack, Answering
from handlers.errors import words
from handlers.invitations import Invitations
from handlers.message import Message
from handlers.post import Post
from handlers.speaker import Speaker
from oauth import Evidence, Links, Principal


class StepUps(Protocol):
    """Where people authenticate once more, each for one decision."""

    async def start(self, principal: Principal, subject: str, about: str) -> str | None:
        """The address of a single-use link for this person and this subject; None where they have just got one."""

    async def withdraw(self, principal: Principal, subject: str) -> None:
        """The link has not reached them."""

    async def take(self, principal: Principal, subject: str) -> Evidence | None:
        """How they have authenticated for it, handed out once."""


log = structlog.get_logger(__name__)

_NO_DM = (
    "For this one you have to sign in once more. I cannot send you a direct message, and the way there goes nowhere "
    "else. Allow messages from this app, then press *Approve* again."
)
_NO_WINDOW = "I could not open the window to confirm it: that took too long. Press *Approve* again."


@dataclass(frozen=True, slots=True)
class ApprovalClicks:
    """Listeners. The clicker is resolved to a live link; of the button only an id is believed."""

    answering: Answering
    approvals: ApprovalService
    runner: Runner
    links: Links
    invitations: Invitations
    post: Post
    tasks: Tasks
    step_ups: StepUps | None = None

    def listen(self, bolt: AsyncApp) -> None:
        """Subscribe."""
        bolt.action(cards.APPROVE)(self.approve_clicked)
        bolt.action(cards.DENY)(self.deny_clicked)
        bolt.action(cards.WITHDRAW)(self.taken_back)
        bolt.action(cards.UNDO)(self.taken_back)
        bolt.view(modals.CONFIRM)(self.confirmed)
        bolt.view(modals.DENY_REASON)(self.reason_given)

    async def approve_clicked(self, ack: Ack, body: dict[str, Any], context: dict[str, Any]) -> None:
        """Somebody agrees."""
        who: Speaker = context["speaker"]
        await self.answering.click(ack, who, self._vote(who, _value(body), Verdict.APPROVE))

    async def deny_clicked(self, ack: Ack, body: dict[str, Any], context: dict[str, Any]) -> None:
        """Somebody does not."""
        who: Speaker = context["speaker"]
        await self.answering.click(ack, who, self._vote(who, _value(body), Verdict.DENY))

    async def taken_back(self, ack: Ack, body: dict[str, Any], context: dict[str, Any]) -> None:
        """Somebody withdraws what they asked for, or undoes what was agreed to."""
        who: Speaker = context["speaker"]
        await self.answering.click(ack, who, self._take_back(who, _value(body)))

    async def confirmed(self, ack: Ack, body: dict[str, Any], context: dict[str, Any]) -> None:
        """An approver has typed what the policy asks for."""
        who: Speaker = context["speaker"]
        view = body.get("view") or {}
        about = _about(view)
        work = self._confirm(who, about, modals.typed(view, modals.CONFIRMED))
        await self.answering.form(ack, who, work, modals.CONFIRMED)

    async def reason_given(self, ack: Ack, body: dict[str, Any], context: dict[str, Any]) -> None:
        """Whoever denied it says why."""
        who: Speaker = context["speaker"]
        view = body.get("view") or {}
        work = self._comment(who, str(_about(view).get("id", "")), modals.typed(view, modals.REASON))
        await self.answering.form(ack, who, work, modals.REASON)

    async def go_on(self, voter: Principal, clicked: Mapping[str, Any]) -> Message | None:
        """A click of somebody who was not linked then."""
        id_, verdict, where = str(clicked["approval"]), Verdict(clicked["verdict"]), clicked.get("where")
        try:
            self._settle(await self._counted(voter, id_, verdict, where))
        except StepUpNeeded:
            return await self._send_to_step_up(voter, id_, where)
        except Exception as error:
            return cards.note(words(error))
        return None

    async def _vote(self, who: Speaker, id_: str, verdict: Verdict) -> Message | None:
        """The vote is stored before Slack gets its ack: from then on no crash can lose it. All else comes after."""
        voter = await self.links.principal(who.slack)
        if voter is None:
            waiting = json.dumps({"approval": id_, "verdict": verdict, "where": who.channel})
            return await self.invitations.invite(who, waiting=waiting)
        try:
            counted = await self._counted(voter, id_, verdict, who.channel)
        except ConfirmationWrong:
            raise
        except ConfirmationNeeded as needed:
            return await self._ask_to_confirm(who, id_, needed.name)
        except StepUpNeeded:
            return await self._send_to_step_up(voter, id_, who.channel)
        self._settle(counted)
        if verdict is Verdict.DENY and counted.approval.policy.kind == "other":
            self.tasks.spawn(self._ask_why(who, counted.approval), "deny reason")
        return None

    async def _confirm(self, who: Speaker, about: Mapping[str, Any], typed: str) -> Message | None:
        voter = await self.links.principal(who.slack)
        if voter is None:
            return await self.invitations.invite(who)
        id_, where = str(about.get("id", "")), about.get("where")
        try:
            counted = await self._counted(voter, id_, Verdict.APPROVE, where, typed)
        except StepUpNeeded:
            self.tasks.spawn(self._send_to_step_up(voter, id_, where), "step-up")
            return None
        self._settle(counted)
        return None

    async def _counted(
        self, voter: Principal, id_: str, verdict: Verdict, where: str | None, typed: str | None = None
    ) -> Counted:
        """The vote, stored. Where it needs one more login, one of a moment ago that nobody took will do."""
        try:
            return await self.approvals.vote(voter, id_, verdict, where=where, typed=typed)
        except StepUpNeeded:
            evidence = await self.step_ups.take(voter, _subject(id_, where)) if self.step_ups else None
            if evidence is None:
                raise
        return await self.approvals.vote(voter, id_, verdict, where=where, evidence=evidence)

    async def stepped_up(self, voter: Principal, subject: str) -> Message | None:
        """Somebody has authenticated once more, for this decision: it is taken up, once."""
        id_, _, where = subject.partition(":")
        try:
            evidence = await self.step_ups.take(voter, subject) if self.step_ups else None
            if evidence is None:
                return None
            counted = await self.approvals.vote(voter, id_, Verdict.APPROVE, where=where or None, evidence=evidence)
        except Exception as error:
            return cards.note(words(error))
        self._settle(counted)
        return None

    async def _send_to_step_up(self, voter: Principal, id_: str, where: str | None) -> Message | None:
        """A link in the direct messages alone, as every link that is somebody's own."""
        if self.step_ups is None:
            raise StepUpNeeded
        approval, subject = await self.approvals.found(voter, id_), _subject(id_, where)
        url = await self.step_ups.start(voter, subject, f"Approve {approval.action}")
        try:
            if url is not None:
                await self.post.dm(voter.slack, cards.step_up_card(url, approval))
        except Exception as error:  # never posted elsewhere instead: whoever finds a link could try it
            log.warning("link_not_sent", kind=type(error).__name__)
            await self.step_ups.withdraw(voter, subject)
            return cards.note(_NO_DM)
        return cards.note("For this one you have to sign in once more. The way there is in our direct messages.")

    async def _comment(self, who: Speaker, id_: str, reason: str) -> Message | None:
        voter = await self.links.principal(who.slack)
        if voter is not None and reason.strip():
            await self.approvals.comment(voter, id_, reason)
        return None

    async def _take_back(self, who: Speaker, id_: str) -> Message | None:
        voter = await self.links.principal(who.slack)
        if voter is None:
            return await self.invitations.invite(who)
        self._follow_up(await self.approvals.take_back(voter, id_))
        return None

    async def _ask_to_confirm(self, who: Speaker, id_: str, name: str) -> Message | None:
        about = json.dumps({"id": id_, "where": who.channel})
        view = modals.confirm_modal("this", name, about)
        if who.trigger and await self.post.open_view(who.slack, who.trigger, view):
            return None
        return cards.note(_NO_WINDOW)

    async def _ask_why(self, who: Speaker, denied: Approval) -> None:
        about = json.dumps({"id": denied.id})
        if who.trigger:
            await self.post.open_view(who.slack, who.trigger, modals.deny_reason_modal(denied.action, about))

    def _settle(self, counted: Counted) -> None:
        """The entry is written at once, since nobody else writes it for a while; what follows waits for acks."""

        async def settle() -> None:
            self._follow_up(await self.approvals.settled(counted))

        self.tasks.spawn(settle(), f"counted:{counted.approval.id}")

    def _follow_up(self, decided: Approval) -> None:
        self.tasks.spawn(self.tasks.after_acks(self._go_on(decided)), f"decided:{decided.id}")

    async def _go_on(self, decided: Approval) -> None:
        """Whoever executes it shows it, too."""
        runs = decided.state is State.APPROVED and decided.audited
        if not (runs and await self.runner.resume(decided)):
            await self.approvals.speak(decided)


def _subject(id_: str, where: str | None) -> str:
    """What one more login counts for: this request, and where the vote was cast."""
    return f"{id_}:{where or ''}"


def _value(body: Mapping[str, Any]) -> str:
    """The id that a button carries; nothing else of it is believed."""
    value = next((a.get("value") for a in body.get("actions") or [] if isinstance(a, dict)), None)
    return value if isinstance(value, str) else ""


def _about(view: Mapping[str, Any]) -> dict[str, Any]:
    """What our own window carries along; it came back through Slack, signed."""
    try:
        found = json.loads(view.get("private_metadata") or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
