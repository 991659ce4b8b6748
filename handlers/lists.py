"""Lists: what can be done, what waits, and what is on record about a person."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from bot.actions.model import Action, Schema
from bot.approvals.model import Approval, State
from handlers.account_cards import your_account
from handlers.approval_words import asked
from handlers.blocks import code, day, line, listed, section, short
from handlers.message import Message
from oauth import Principal, SlackUser

_SOME = 10
_WORDS = {
    "integer": "whole number",
    "number": "number",
    "boolean": "yes or no",
    "array": "list",
    "object": "JSON object",
}
_STANDS = {State.PENDING: "waits for your decision", State.APPROVED: "is approved and begins in a moment"}
_TYPES = {
    "link.started": "A login link was sent",
    "link.completed": "Your account was linked",
    "link.refused": "A login was refused",
    "link.revoked": "Your link ended",
    "token.refreshed": "Your login was renewed",
    "token.refused": "Your login could not be used",
    "approval.requested": "Your approval was asked for",
    "approval.approved": "Approved",
    "approval.denied": "Denied",
    "approval.expired": "Expired without a decision",
    "approval.cancelled": "Cancelled",
    "action.started": "Began",
    "action.finished": "Ended",
    "action.refused": "Refused",
    "login.embedded": "A one-time code was used to sign in",
    "logout.received": "The identity provider logged you out",
    "install.added": "The app was installed",
    "install.removed": "The app was removed",
    "keys.rotated": "The keys were changed",
    "checkpoint": "A checkpoint was signed",
}
# The same types where it is about an account at a third party: the reason begins with this.
_CONNECT = "connect_"
_CONNECTS = {
    "link.started": "Connecting another account",
    "link.completed": "Another account was connected",
    "link.refused": "Another account was not connected",
}
# And where it is about signing in once more for one decision: the reason is this, or begins with it.
_STEP_UP = "step_up"
_STEP_UPS = {
    "link.started": "You were asked to sign in once more",
    "link.refused": "Signing in once more did not count",
}
_OUTCOMES = {"denied": "refused", "failed": "failed", "unknown": "outcome not known"}
# One action leaves several entries; the latest says how it stands.
_DEEDS = {
    "approval.requested": "⏳ {action} waits for your approval",
    "approval.approved": "⏳ {action} was approved",
    "approval.denied": "✗ {action} was denied",
    "approval.expired": "✗ {action} expired without a decision",
    "approval.cancelled": "✗ {action} was cancelled",
    "action.started": "⏳ {action} began",
    "action.finished": "✓ {action} is done",
    "action.refused": "✗ {action} was refused",
}
_ENDED = {"failed": "✗ {action} failed", "unknown": "⚠ {action}: whether it was done is not known"}
_MARKS = {"ok": "✓", "unknown": "⚠"}
_QUIET = {"token.refreshed"}


def actions_list(actions: list[Action], principal: Principal | None) -> Message:
    """What the agent can do, and what of it needs approval or more rights."""
    if not actions:
        return Message("No actions are set up here yet. Whoever runs the bot can add some.")
    top = section(
        "*What I can do for you*\nRun one with `/agent run ACTION name=value`; what is missing, a form asks for."
    )
    more = "… and {count} more. `/agent run ACTION` runs them too."
    rows = [_action(one, principal) for one in actions]
    count = f"{len(actions)} action" + ("s" if len(actions) > 1 else "")
    return Message(f"{count} can be run here.", (top, *listed(rows, more, taken=4)))


def approvals_list(approvals: list[Approval], viewer: SlackUser) -> Message:
    """What waits for the viewer, and what they wait for, as given. Values are on the cards alone."""
    if not approvals:
        return Message("Nothing waits for you.")
    rows = [
        f"{code(one.action[:64])} {_standing(one, viewer)}\n"
        f"asked {day(one.created_at)} · open until {day(one.expires_at)}"
        for one in approvals
    ]
    count = "1 request is open." if len(approvals) == 1 else f"{len(approvals)} requests are open."
    top = section(f"*{count}* Their cards are in our direct messages.")
    return Message(count, (top, *listed(rows, "… and {count} more.", taken=2)))


def _standing(one: Approval, viewer: SlackUser) -> str:
    if one.requester.key != viewer.key:
        return f"waits for your decision, asked by <@{line(one.requester.user, 64)}>"
    if one.policy.kind == "other" and one.state is State.PENDING:
        return f"waits for the approval of {asked(one)}"
    return _STANDS.get(one.state, f"is {one.state.value}")


def audit_list(entries: list[dict[str, Any]]) -> Message:
    """A person's audit entries (the contract's form), newest first."""
    if not entries:
        return Message("Nothing is on record about you yet.")
    count = f"Your latest {len(entries)} entries in the audit trail" if len(entries) > 1 else "Your audit trail"
    top = section(f"*{count}*, newest first.")
    return Message(f"{count}.", (top, *listed(trail(entries), "… and {count} older ones.", taken=2)))


def trail(entries: list[dict[str, Any]]) -> list[str]:
    """Audit entries in words, each a line of mrkdwn, newest first."""
    return [_entry(one) for one in sorted(entries, key=_place, reverse=True)]


def deeds(entries: list[dict[str, Any]], most: int) -> list[str]:
    """What was done, newest first, at most so many lines of mrkdwn: of one action its latest entry alone."""
    found: list[str] = []
    seen: set[str] = set()
    for entry in sorted(entries, key=_place, reverse=True):
        run = str(entry.get("run") or "")
        if run in seen or entry.get("type") in _QUIET:
            continue
        seen |= {run} if run else set()
        found.append(_deed(entry))
    return found[:most]


def _action(action: Action, principal: Principal | None) -> str:
    marks = ["asks for your approval first"] if action.policy.kind != "none" else []
    if action.connection is not None:
        marks.append(f"with {your_account(action.connection)}")
    if principal is not None and (beyond := sorted(action.login_scopes - principal.scopes)):
        marks.append(f"beyond your login: {_some(map(code, (short(one, 80) for one in beyond)), len(beyond))}")
    rows = [f"{code(short(action.name, 64))} – {line(action.description, 500)}"]
    rows += [f"• {code(short(name, 64))} {_parameter(schema)}" for name, schema in [*action.parameters.items()][:_SOME]]
    if len(action.parameters) > _SOME:
        rows.append(f"• … and {len(action.parameters) - _SOME} more")
    if marks:
        rows.append(f"→ {'; '.join(marks)}")
    return "\n".join(rows)


def _parameter(schema: Schema) -> str:
    kind = schema.get("type")
    words = [_WORDS.get(kind, "text") if isinstance(kind, str) else "value"]
    allowed = schema.get("enum")
    if isinstance(allowed, list) and allowed:
        words = [f"one of {_some((code(short(_text(one), 40)) for one in allowed), len(allowed))}"]
    if isinstance(schema.get("description"), str):
        words.append(line(schema["description"], 120))
    if "default" in schema:
        words.append(f"optional, else {code(short(_text(schema['default']), 40))}")
    return " · ".join(words)


def _some(words: Any, count: int) -> str:
    shown = [word for word, _ in zip(words, range(_SOME), strict=False)]
    return ", ".join(shown) + (f" and {count - _SOME} more" if count > _SOME else "")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _entry(entry: Mapping[str, Any]) -> str:
    type_, outcome, reason = (_text(entry.get(name) or "") for name in ("type", "outcome", "reason"))
    words = _happened(type_, reason)
    action = f" {_named(entry)}" if entry.get("action") else ""
    ending = [_OUTCOMES[outcome]] if outcome in _OUTCOMES else []
    ending += [_reason(reason)] if reason else []
    return f"{_at(entry.get('at'))} · {words}{action}" + (f" ({', '.join(ending)})" if ending else "")


def _deed(entry: Mapping[str, Any]) -> str:
    type_, outcome, reason = (_text(entry.get(name) or "") for name in ("type", "outcome", "reason"))
    if type_ in _DEEDS and entry.get("action"):
        sentence = _ENDED.get(outcome) if type_ == "action.finished" else None
        words = (sentence or _DEEDS[type_]).format(action=_named(entry))
    else:
        words = f"{_MARKS.get(outcome, '✗')} {_happened(type_, reason)}"
    return f"{words}{f' ({_reason(reason)})' if reason else ''} · {_at(entry.get('at'))}"


def _happened(type_: str, reason: str) -> str:
    words = _CONNECTS.get(type_) if reason.startswith(_CONNECT) else None
    words = _STEP_UPS.get(type_) if reason.startswith(_STEP_UP) else words
    return words or _TYPES.get(type_) or code(type_[:64])


def _named(entry: Mapping[str, Any]) -> str:
    return code(short(_text(entry["action"]), 64))


def _reason(reason: str) -> str:
    return line(reason.removeprefix(_CONNECT).removeprefix(f"{_STEP_UP}_").replace("_", " "), 100)


def _at(value: object) -> str:
    try:
        at = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
        return day(at if at.tzinfo else at.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return line(str(value or "at some time"), 40)


def _place(entry: Mapping[str, Any]) -> tuple[int, str]:
    seq = entry.get("seq")
    return (seq if isinstance(seq, int) else 0, str(entry.get("at") or ""))
