"""The card of a request: everything that is agreed to, whole and inert; and how it ended."""

from __future__ import annotations

import json
from typing import Any

from bot.actions.model import ActionResult
from bot.approvals.model import Approval, State
from bot.errors import TooLargeToShow
from handlers.account_cards import your_account
from handlers.blocks import (
    MOST_BLOCKS,
    MOST_TOGETHER,
    button,
    buttons,
    code,
    context,
    day,
    fields,
    header,
    line,
    moment,
    mrkdwn,
    paragraph,
    passages,
    plain,
    preformatted,
    section,
    together,
)
from handlers.inert import inert
from handlers.message import Block, Message

APPROVE = "approval.approve"
DENY = "approval.deny"

_SHORT = 150
_NAME = 100
_FIELD = 2000
_KINDS = {bool: "yes or no", int: "number", float: "number", list: "list", dict: "object", type(None): "nothing"}
_REASONS = {
    "unlinked": "the account was unlinked",
    "not_linked": "the account was unlinked",
    "changed_since_asked": "the action was changed since it was shown",
    "seal_broken": "its values cannot be opened any more",
    "too_late": "it could not be begun in time",
    "expired": "nobody decided in time",
    "grant_dead": "the login is no longer valid at the identity provider; `/agent link` renews it",
    "grant_refused": "the identity provider does not allow it any more",
    "wrong_organization": "you are no member of the organization any more",
    "account_not_connected": "the account that it needs is not connected any more; ask again, and you can connect it",
    "scope_refused": "the login does not allow this; if it should, `/agent link` and allow it there",
    "provider_unavailable": "the identity provider did not answer",
    "provider_refused": "the identity provider refuses the bot itself; whoever runs it has to mend that",
    "token_invalid": "the identity provider gave a token that cannot be trusted",
    "audit_unavailable": "the audit trail could not be written",
    "internal": "something in the bot failed",
    "no_answer": "the service did not answer",
    "interrupted": "the bot was stopped in mid-call",
}


def approval_card(approval: Approval, *, acting_as: str | None = None) -> Message:
    """The card as the request stands. `acting_as` is the account it runs under. Raises TooLargeToShow."""
    name = approval.action
    if len(inert(name)) > _NAME:
        raise TooLargeToShow
    pending = approval.state is State.PENDING
    blocks = [
        header(f"Approve “{name}”?" if pending else f"“{name}”"),
        *[paragraph(text) for text in passages(approval.description) if text],
        *_arguments(approval),
        *_facts(approval, acting_as),
        _ending(approval),
    ]
    if len(blocks) > MOST_BLOCKS or together(blocks) > MOST_TOGETHER:
        raise TooLargeToShow
    return Message(f"Approve {code(name)}?" if pending else f"{code(name)}: {_stands(approval)}", tuple(blocks))


def waiting_note(approval: Approval) -> Message:
    """For where the request was made."""
    return Message(
        f"{_name(approval.action)} needs your approval. "
        f"The card is in our direct messages, open until {moment(approval.expires_at)}."
    )


def outcome(approval: Approval) -> Message:
    """Tell the requester how it ended, with what the service said."""
    name = _name(approval.action)
    why = _why(approval.reason)
    sentences = {
        State.DONE: f"✓ {name} is done.",
        State.FAILED: f"✗ {name} failed{why}.",
        State.UNKNOWN: f"{name}: whether it was done is not known{why}. Look there before you ask again.",
        State.DENIED: f"✗ {name} was denied{_by(approval)}. Nothing was done.",
        State.EXPIRED: f"✗ {name} has expired: nobody decided in time. Nothing was done; you can ask again.",
        State.CANCELLED: f"✗ {name} was cancelled{why}. Nothing was done.",
    }
    said = sentences.get(approval.state) or f"{name}: {_stands(approval)}"
    ran = approval.state in {State.DONE, State.FAILED, State.UNKNOWN}
    return _told(said, approval.result if ran else None)


def result_card(action: str, result: ActionResult) -> Message:
    """The same for an action that needed no approval."""
    name = _name(action)
    if result.unknown:
        return _told(f"{name}: whether it was done is not known. Look there before you ask again.", result.text)
    return _told(f"✓ {name} is done." if result.ok else f"✗ {name} failed.", result.text)


def _told(sentence: str, text: str | None) -> Message:
    return Message(sentence, (section(sentence), *preformatted(text or "")))


def _name(action: str) -> str:
    return code(action[:_NAME])


def _ending(approval: Approval) -> Block:
    """The buttons while it waits, then how it stands; always one block, so that what was shown once always fits."""
    if approval.state is not State.PENDING or not approval.readable:
        return section(_stands(approval))
    return buttons(
        button(APPROVE, "Approve", style="primary", value=approval.id),
        button(DENY, "Deny", style="danger", value=approval.id),
    )


def _arguments(approval: Approval) -> list[Block]:
    """Short values side by side with their names, the others below in full."""
    if not approval.readable:
        return [context("The values cannot be opened any more.")]
    if not approval.arguments:
        return [context("This action takes no values.")]
    rows: list[Block] = []
    below: list[Block] = []
    for name, value in approval.arguments.items():
        if len(inert(name)) > _NAME:
            raise TooLargeToShow
        label = code(name) if isinstance(value, str) else f"{code(name)} ({_KINDS.get(type(value), 'JSON')})"
        shown = passages(_written(value))
        if shown == [""]:
            rows += [mrkdwn(label), mrkdwn("_empty_")]
        elif len(shown) == 1 and len(shown[0]) <= _SHORT and "\n" not in shown[0]:
            rows += [mrkdwn(label), plain(shown[0])]
        else:
            below += [section(label), *map(paragraph, shown)]
    return [*fields(rows), *below]


def _written(value: Any) -> str:
    if isinstance(value, str):
        return value
    flat = json.dumps(value, ensure_ascii=False)
    return flat if len(flat) <= _SHORT else json.dumps(value, ensure_ascii=False, indent=2)


def _facts(approval: Approval, acting_as: str | None) -> list[Block]:
    facts = [f"*Acts as*\n{code(acting_as[:320])}"] if acting_as else []
    facts.append(f"*Asked by*\n<@{line(approval.requester.user, 64)}>")
    if approval.state is State.PENDING:
        facts.append(f"*Open until*\n{day(approval.expires_at)}")
    account = f" with {your_account(approval.connection)}" if approval.connection else ""
    scopes = f"*Uses the rights*\n{' '.join(map(code, sorted(approval.scopes))) or '_none_'}{account}"
    if len(scopes) <= _FIELD:
        return fields([mrkdwn(fact) for fact in [*facts, scopes]])
    many = [*_scopes(approval.scopes), *([account] if account else [])]
    return [*fields([mrkdwn(fact) for fact in facts]), *map(section, many)]


def _scopes(scopes: frozenset[str]) -> list[str]:
    """Many scopes, in as many paragraphs as they need."""
    found = ["*Uses the rights*\n"]
    for scope in map(code, sorted(scopes)):
        if len(scope) > _FIELD:
            raise TooLargeToShow
        if len(found[-1]) + len(scope) >= _FIELD:
            found.append("")
        found[-1] += f"{scope} "
    return found


def _stands(approval: Approval) -> str:
    """One line: what was decided, by whom, and how it stands."""
    by, why = _by(approval), _why(approval.reason)
    return {
        State.PENDING: "⏳ Waiting for a decision." if approval.readable else "✗ It can no longer be approved.",
        State.APPROVED: f"✓ Approved{by}. ⏳ It begins in a moment.",
        State.EXECUTING: f"✓ Approved{by}. ⏳ It is running.",
        State.DONE: f"✓ Approved{by}, and done.",
        State.FAILED: f"✗ Approved{by}, but it failed{why}.",
        State.UNKNOWN: f"Approved{by}; whether it was done is not known{why}. Look there before you ask again.",
        State.DENIED: f"✗ Denied{by}. Nothing was done.",
        State.EXPIRED: "✗ Expired: nobody decided in time. Nothing was done.",
        State.CANCELLED: f"✗ Cancelled{why}. Nothing was done.",
    }[approval.state]


def _by(approval: Approval) -> str:
    who = f" by <@{line(approval.decider.user, 64)}>" if approval.decider else ""
    return who + (f", {day(approval.decided_at)}" if who and approval.decided_at else "")


def _why(reason: str | None) -> str:
    """A reason in words, after a colon; nothing where none is known."""
    if not reason:
        return ""
    if reason.startswith("http_") and reason[5:].isdecimal():
        return f": the service answered with HTTP {reason[5:9]}"
    return f": {_REASONS.get(reason) or line(reason.replace('_', ' '), 100)}"
