"""What people see: pure builders of messages, and the ids that their buttons carry (the contract's Slack table)."""

from __future__ import annotations

from datetime import datetime

from handlers.account_cards import ACCOUNT_CONNECT, account_connected, connect_card, your_account
from handlers.approval_card import (
    APPROVE,
    DENY,
    UNDO,
    WITHDRAW,
    approval_card,
    attached,
)
from handlers.approval_words import outcome, reminder, result_card, values_above, waiting_note
from handlers.blocks import button, buttons, code, context, cut, day, line, moment, plain, section
from handlers.connect import auth_provider
from handlers.lists import actions_list, approvals_list, audit_list
from handlers.message import Message
from handlers.step_up_cards import STEP_UP, step_up_card
from handlers.work_cards import RUN_STOP, work_card
from oauth import Identity, Principal

__all__ = [
    "ACCOUNT_CONNECT",
    "APPROVE",
    "DENY",
    "LINK_ENTER_CODE",
    "LINK_NOT_ME",
    "LINK_OPEN",
    "RUN_STOP",
    "STEP_UP",
    "UNDO",
    "WITHDRAW",
    "account",
    "account_connected",
    "actions_list",
    "approval_card",
    "approvals_list",
    "attached",
    "audit_list",
    "connect_card",
    "help_card",
    "identity_taken",
    "link_card",
    "link_ended",
    "linked_receipt",
    "note",
    "outcome",
    "reminder",
    "result_card",
    "rights",
    "status_card",
    "step_up_card",
    "values_above",
    "waiting_note",
    "work_card",
    "your_account",
]

LINK_OPEN = "link.open"
LINK_ENTER_CODE = "link.enter_code"
LINK_NOT_ME = "link.not_me"

# What chat.update takes as `text` (docs.slack.dev, "chat.update"); a note may later be put in a card's place.
_TEXT = 4000
_ENDED = {
    "unlink": "You are unlinked, as you asked. What was waiting is cancelled. `/agent link` links you again.",
    "not_me": (
        "That link is undone and its login revoked; nobody can act for you through it. What was waiting is cancelled. "
        "If you do not know the account, tell whoever looks after security here. `/agent link` links your own."
    ),
    "logout": (
        "You were logged out at the identity provider, so I can no longer act for you. What was waiting is cancelled. "
        "`/agent link` links you again."
    ),
    "grant_dead": (
        "Your login is no longer valid at the identity provider, so I can no longer act for you. "
        "What was waiting is cancelled. `/agent link` links you again."
    ),
    "grant_refused": (
        "The identity provider does not let me act for you any more. What was waiting is cancelled. "
        "Ask whoever runs the bot, or link again with `/agent link`."
    ),
    "wrong_organization": (
        "You are no member of the organization any more whose people I act for, so your link has ended. "
        "What was waiting is cancelled. Ask whoever runs the bot."
    ),
    "guest": (
        "You are a guest in this workspace now, and the agent acts for members alone, so your link has ended. "
        "What was waiting is cancelled. Ask somebody who works here."
    ),
    "operator": (
        "Whoever runs the bot has ended your link, so I can no longer act for you. What was waiting is cancelled. "
        "Ask them before you link again."
    ),
}
_ENDED_OTHERWISE = (
    "Your link has ended, so I can no longer act for you. What was waiting is cancelled. `/agent link` links you again."
)
OUTSIDERS = "Only members of this workspace can use the agent, no guests. Ask somebody who works here."
_HELP = (
    ("link", "link your account; I send you a login link"),
    ("code CODE", "type the code from the page after the login"),
    ("unlink", "end the link; I can do nothing more for you"),
    ("status", "who you are here, and what waits"),
    ("actions", "what I can do for you"),
    ("run ACTION name=value …", "do one; a form asks for what is missing"),
    ("ask TEXT", "ask in your own words"),
    ("approvals", "what waits for your decision"),
    ("audit", "what is on record about you"),
    ("help", "this list"),
)


def note(text: str) -> Message:
    """A sentence in mrkdwn, made safe by the caller."""
    return Message(cut(text, _TEXT))


def link_card(
    url: str, expires_at: datetime, team_name: str, *, connect_ui: bool = False, codes: bool = True
) -> Message:
    """The login link. For direct messages alone; the fallback text does not hold the link.

    With `connect_ui` Slack's own block leads to it, and ours where a client does not know that block. Without `codes`
    another proof is asked for, and no code.
    """
    ours = button(LINK_OPEN, "Sign in and link", style="primary", url=url)
    enter_code = [button(LINK_ENTER_CODE, "Enter code")] if codes else []
    way = [buttons(ours, *enter_code)]
    if connect_ui:
        way = [auth_provider(url, [buttons(ours)]), *([buttons(*enter_code)] if codes else [])]
    by_hand = " If the page then shows a code, enter it here." if codes else ""
    return Message(
        "Link your account so that I can act for you. The login link is in this message.",
        (
            section(
                f"*Link your account in {line(team_name, 100)}*\n"
                "I do things in your name, with your rights and no others. For that I need to know your account: "
                f"sign in once.{by_hand}"
            ),
            *way,
            context(
                f"Valid until {moment(expires_at)}, once. "
                "*Never forward this link*: it is for you alone, whoever asks for it."
            ),
        ),
    )


def linked_receipt(principal: Principal, team_name: str) -> Message:
    """Says which two accounts belong together now, what that allows, and how to undo it."""
    person = f"<@{line(principal.slack.user, 64)}>"
    sentence = f"You are linked: {person} in {line(team_name, 100)} is {account(principal.identity)}."
    return Message(
        sentence,
        (
            section(f"✓ {sentence}"),
            section(f"*I may use, for you and nobody else*\n{rights(principal.scopes)}"),
            section("`/agent actions` shows what I can do now; `/agent unlink` ends this at any time."),
            buttons(
                button(
                    LINK_NOT_ME,
                    "This wasn’t me",
                    style="danger",
                    confirm={
                        "title": plain("Undo this link?"),
                        "text": plain("The link ends at once, its login is revoked, and what waits is cancelled."),
                        "confirm": plain("Undo the link"),
                        "deny": plain("Keep it"),
                        "style": "danger",
                    },
                )
            ),
        ),
    )


def link_ended(reason: str) -> Message:
    """Tells a person that their link is gone, why, and what they can do."""
    return note(_ENDED.get(reason, _ENDED_OTHERWISE))


def identity_taken(for_holder: bool) -> Message:
    """Somebody signed in with an account that belongs to another person of the workspace; both are told."""
    if for_holder:
        return note(
            "Somebody else in this workspace signed in with your account and tried to link it. Nothing was linked. "
            "If that was not you, change your password at the identity provider and tell whoever looks after security."
        )
    return note(
        "The account you signed in with is linked to somebody else in this workspace, so nothing was linked. "
        "If it is yours, that person must type `/agent unlink` first. To use another account: `/agent link`."
    )


def status_card(principal: Principal | None, *, waiting: int, team_name: str) -> Message:
    """Who the person is here, and what waits."""
    team = line(team_name, 100)
    if principal is None:
        return note(f"You are not linked in {team}, so I can do nothing for you yet. `/agent link` links your account.")
    sentence = f"In {team} you are linked to {account(principal.identity)}, since {day(principal.linked_at)}."
    waits = {0: "Nothing waits for you.", 1: "1 request is open: `/agent approvals` shows it."}
    return Message(
        sentence,
        (
            section(sentence),
            section(f"*I may use, for you and nobody else*\n{rights(principal.scopes)}"),
            context(
                f"{waits.get(waiting, f'{waiting} requests are open: `/agent approvals` shows them.')} "
                "`/agent actions` shows what I can do; `/agent help` lists all commands."
            ),
        ),
    )


def help_card(*, model: bool) -> Message:
    """Every command; `model` says whether somebody answers `ask`."""
    off = {} if model else {"ask TEXT": "not available here: no language model is set up"}
    rows = [f"• `/agent {words}` – {off.get(words, meaning)}" for words, meaning in _HELP]
    top = "I act in your name, with your rights, and ask before anything that matters."
    return Message("These are my commands: `/agent help`.", (section(top), section("\n".join(rows))))


def account(identity: Identity) -> str:
    """An account as people know it: address and name where there are some, else the provider's own id."""
    if not identity.email:
        named = f"{line(identity.name, 100)} " if identity.name else ""
        return f"{named}{code(identity.sub[:255])}"
    named = f" ({line(identity.name, 100)})" if identity.name and identity.name != identity.email else ""
    return f"{code(identity.email[:320])}{named}"


def rights(scopes: frozenset[str], most: int = 30) -> str:
    """Scopes, each to the letter."""
    shown = [code(scope[:80]) for scope in sorted(scopes)]
    left = f" and {len(shown) - most} more" if len(shown) > most else ""
    return (", ".join(shown[:most]) or "_nothing_") + left
