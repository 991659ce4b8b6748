"""The card of a request: everything that is agreed to, whole and inert; and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bot.approvals.devices import binding_message
from bot.approvals.model import Approval, Part, State
from bot.errors import TooLargeToShow
from handlers.account_cards import your_account
from handlers.approval_words import NAME, asked, people, stands
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
    mrkdwn,
    paragraph,
    passages,
    section,
    together,
)
from handlers.card_values import arguments_of, seen_of, shown
from handlers.inert import inert
from handlers.message import Block, Message
from handlers.work_cards import stop_button

APPROVE = "approval.approve"
DENY = "approval.deny"
UNDO = "approval.undo"
WITHDRAW = "approval.withdraw"

_FIELD = 2000
_SPARE = 1000  # for what is said on a card later: who agreed, and why somebody did not
_MOST_FILES = 10
_LARGEST_FILE = 1024 * 1024  # bytes (docs.slack.dev, "files.getUploadURLExternal", `snippet_too_large`)
_SOME_ACCOUNT, _SOME_ADDRESS = "x" * 254, f"https://{'x' * 200}"  # RFC 5321, errata 1690


def approval_card(
    approval: Approval,
    *,
    part: Part = Part.APPROVER,
    acting_as: str | None = None,
    files: Mapping[str, str] | None = None,
    spare: int = 0,
) -> Message:
    """The card as the request stands, for this part; it runs under the account `acting_as`.

    `files` are the values that are attached above it, by name, each with its address. Raises TooLargeToShow, also where
    less than `spare` characters of what Slack takes are left.
    """
    name, above = approval.action, files or {}
    if len(inert(name)) > NAME:
        raise TooLargeToShow
    pending = approval.state is State.PENDING
    question = "Approve" if part is not Part.REQUESTER else "Waiting for approval:"
    mark = "?" if part is not Part.REQUESTER else ""
    blocks = [
        header(f"{question} “{name}”{mark}" if pending else f"“{name}”"),
        *[paragraph(text) for text in passages(approval.description) if text],
        *_unusual(approval),
        *_arguments(approval, above),
        *_seen(approval, above),
        *_reason_given(approval),
        *_facts(approval, acting_as),
        _ending(approval, part),
    ]
    if len(blocks) > MOST_BLOCKS or together(blocks) > MOST_TOGETHER - spare:
        raise TooLargeToShow
    said = f"{question} {code(name)}{mark}" if pending else f"{code(name)}: {stands(approval)}"
    return Message(said, tuple(blocks))


def attached(approval: Approval) -> dict[str, str]:
    """The values that its card has no room for, inert, by the names of their files: the longest, as few as need be.

    They are the same however the request stands. Raises TooLargeToShow where that is not enough.
    """
    if not approval.readable:
        return {}
    asked = replace(approval, state=State.PENDING, votes=(), not_before=None)
    longest = sorted((*arguments_of(asked), *seen_of(asked)), key=lambda value: len(value.text), reverse=True)
    chosen: dict[str, str] = {}
    while True:
        try:
            approval_card(asked, acting_as=_SOME_ACCOUNT, files=dict.fromkeys(chosen, _SOME_ADDRESS), spare=_SPARE)
        except TooLargeToShow:
            if len(chosen) == min(len(longest), _MOST_FILES):
                raise
            value = longest[len(chosen)]
            chosen[value.file] = inert(value.text)
            if len(chosen[value.file].encode()) > _LARGEST_FILE:
                raise
        else:
            return chosen


def _ending(approval: Approval, part: Part) -> Block:
    """The buttons while it waits, then how it stands; always one block, so that what was shown once always fits."""
    if approval.state is State.APPROVED and approval.not_before is not None and part is not Part.CHANNEL:
        undo = button(UNDO, "Undo", style="danger", value=approval.id)
        return section(stands(approval)) | {"accessory": undo}
    if approval.state is State.EXECUTING:
        return section(stands(approval)) | {"accessory": stop_button(approval.run)}
    if approval.state is not State.PENDING or not approval.readable:
        return section(stands(approval))
    if part is Part.REQUESTER and approval.policy.kind == "ciba":
        binding = code(binding_message(approval.action, approval.digest))
        said = f"📱 Decide on your own device. It has to show {binding}; if it shows anything else, deny it there."
        return section(said) | {"accessory": button(WITHDRAW, "Withdraw", value=approval.id)}
    if part is Part.REQUESTER:
        return buttons(button(WITHDRAW, "Withdraw", value=approval.id))
    return buttons(
        button(APPROVE, "Approve", style="primary", value=approval.id),
        button(DENY, "Deny", style="danger", value=approval.id),
    )


def _unusual(approval: Approval) -> list[Block]:
    """What is out of the ordinary comes first, where nobody can miss it."""
    return [paragraph("\n".join(f"⚠ {one}" for one in approval.unusual))] if approval.unusual else []


def _seen(approval: Approval, files: Mapping[str, str]) -> list[Block]:
    said = shown(seen_of(approval), files)
    return [context("As the service says now, read with the requester’s own access:"), *said] if said else []


def _reason_given(approval: Approval) -> list[Block]:
    return [section("*Why*"), *map(paragraph, passages(approval.why))] if approval.why else []


def _arguments(approval: Approval, files: Mapping[str, str]) -> list[Block]:
    if not approval.readable:
        return [context("The values cannot be opened any more.")]
    if not approval.arguments:
        return [context("This action takes no values.")]
    return shown(arguments_of(approval), files)


def _facts(approval: Approval, acting_as: str | None) -> list[Block]:
    facts = [f"*Acts as*\n{code(acting_as[:320])}"] if acting_as else []
    facts.append(f"*Asked by*\n<@{line(approval.requester.user, 64)}>")
    if approval.state is State.PENDING:
        facts.append(f"*Open until*\n{day(approval.expires_at)}")
    if approval.policy.kind == "other" and approval.state is State.PENDING:
        facts.append(f"*Asked*\n{asked(approval)}")
    if approval.policy.step_up and approval.state is State.PENDING:
        facts.append("*To approve it*\none more login, with a second factor")
    if approval.policy.quorum > 1:
        facts.append(f"*Agreed*\n{approval.agreed} of {approval.policy.quorum}{people(approval, ': ')}")
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
