"""The only place where an error becomes words for people; codes are those of `bot.errors` and `oauth.errors`."""

from __future__ import annotations

import structlog

from bot.actions.model import WHY
from bot.errors import (
    ActionUnknown,
    AlreadyDecided,
    ArgumentsInvalid,
    ConfirmationNeeded,
    ConfirmationWrong,
    CountersignError,
    NotYours,
    RunOver,
    TooLate,
)
from handlers.blocks import code
from handlers.inert import escaped
from oauth import IdentityError
from oauth.errors import CodeWrong

log = structlog.get_logger(__name__)

_GENERIC = "Something went wrong on our side, and nothing was done. Please try again in a minute."
_SENTENCES = {
    # linking
    "no_code_pending": "Nobody has signed in through your login link yet. Open it first, or get a new one with `/agent "
    "link`.",
    "code_expired": "This code is no longer valid: too late, or too many guesses. `/agent link` starts anew.",
    "identity_taken": "That account is linked to somebody else in this workspace. Nothing was linked; both of you "
    "were told.",
    "ticket_used": "This login was finished already. `/agent status` says how you are linked.",
    "ticket_unknown": "This login is over. `/agent link` starts anew.",
    "wrong_organization": "You are no member of the organization any more whose people I act for, so nothing was done. "
    "Ask who runs the bot.",
    "slack_differs": "Somebody signed in to Slack as another person than this link was for, so nothing was linked.",
    "grant_shared": "Your former link has ended, and the identity provider has ended this login together with it. "
    "`/agent link` links you again.",
    # tokens
    "not_linked": "You are not linked any more, so nothing was done. Link your account with `/agent link`.",
    "grant_dead": "Your login is no longer valid at the identity provider, so nothing was done. Link again with "
    "`/agent link`.",
    "grant_refused": "The identity provider does not let me act for you any more, so nothing was done. Ask who runs "
    "the bot, or link again with `/agent link`.",
    "token_invalid": "The identity provider gave a token that cannot be trusted, so nothing was done. Tell who runs "
    "the bot.",
    "provider_unavailable": "The identity provider does not answer, so nothing was done. Please try again in a minute.",
    "provider_refused": "The identity provider does not take me for who I am, or does not let me do this, so nothing "
    "was done. Tell who runs the bot: its settings are to be mended.",
    "seal_broken": "Your stored login cannot be opened, so nothing was done. Link again with `/agent link`.",
    "account_not_connected": "An account that this needs is not connected, so nothing was done. Ask for it once more, "
    "and I send you the way to connect it.",
    "scope_refused": "Your login does not allow this. If it should, link again with `/agent link` and allow it there.",
    "linked_elsewhere": "You are linked to another account, and it stays so. To change it, type `/agent unlink` first.",
    "store_unavailable": "The database does not answer, so nothing was done. Please try again in a minute.",
    # approvals
    "approval_unknown": "There is no such request in this workspace.",
    "not_yours": "This one is not yours to decide: only those whom the card asks can.",
    "step_up_needed": "For this one you have to sign in once more, with a second factor. Press *Approve* again: I send "
    "you the way there.",
    "nobody_to_ask": "There are not enough people who could approve this: nobody approves their own request. Ask who "
    "runs the bot to name more approvers.",
    "approvers_unknown": "Slack does not say just now who may decide this, so nothing was counted. Please try again in "
    "a minute.",
    "approval_expired": "Too late: this request has expired, and nothing was done. Ask again if it is still wanted.",
    "no_device": "Your account has no device on which you could be asked. Enrol one at the identity provider (at Auth0 "
    "the Guardian app, with push notifications), then ask again.",
    "device_refused": "The identity provider does not ask people on their devices for me, so nothing was asked or "
    "done. Please tell whoever runs me.",
    "policy_unclear": "A rule of this action could not be worked out for these values, so nothing was asked or done. "
    "Please tell whoever runs me.",
    "too_large_to_show": "The values are too long to be shown whole, on a card or in files with it, so nobody could "
    "approve them and nothing was asked. Ask with less at once.",
    "cannot_attach": "The values are too long for a card, and I may not attach files in this workspace, so nothing was "
    "asked. Ask with less at once, or ask whoever runs me to install me again with the right `files:write`.",
    "changed_since_asked": "The action was changed since it was shown, so nothing was done. Ask again.",
    # work that lasts
    "run_unknown": "Nothing goes on under this button: it has only just begun, or was over long ago. If you still "
    "see that it is running, press it again.",
    "not_your_run": "This one is not yours to stop: only whoever asked for it or agreed to it can.",
    "already_stopping": "It is being stopped already. How it ended is said as soon as it has.",
    # the bot
    "audit_unavailable": "The audit trail cannot be written just now, so nothing was done. Please try again in a "
    "minute.",
}
_STATES = {
    "approved": "It was approved already.",
    "executing": "It was approved already and is running.",
    "done": "It was approved already, and it is done.",
    "failed": "It was approved already, and it failed.",
    "unknown": "It was approved already; whether it was done is not known.",
    "denied": "It was denied already.",
    "expired": "It has expired.",
    "cancelled": "It was cancelled.",
}
_OUTCOMES = {
    "ok": "It is done.",
    "failed": "It failed.",
    "unknown": "Whether it was done is not known: look there.",
}


def words(error: Exception) -> str:
    """What to tell the person, in mrkdwn, with the next step. Nothing of an unknown error is told; it is logged."""
    match error:
        case ActionUnknown():
            near = ", ".join(code(name) for name in error.near)
            hint = f" Did you mean {near}?" if near else ""
            return f"There is no action “{escaped(error.name[:64])}”.{hint} `/agent actions` lists them."
        case ArgumentsInvalid():
            return invalid(error)
        case NotYours(own=True):
            return "Only the person who asked can decide this one."
        case ConfirmationWrong():
            return f"That is not the value of {code(error.name)} on the card. Look there, and type it as it is."
        case ConfirmationNeeded():
            return f"Press *Approve* on the card again: you have to type the value of {code(error.name)} to confirm it."
        case TooLate():
            return _STATES.get(error.state, "It is over already.") + " So it cannot be taken back any more."
        case AlreadyDecided(state="voted"):
            return "Your decision is counted already. Others have to agree too."
        case AlreadyDecided():
            return _STATES.get(error.state, "It was decided already.")
        case RunOver():
            return f"Too late to stop it: it is over already. {_OUTCOMES.get(error.outcome, '')}".rstrip()
        case CodeWrong(left=0):
            return "That was not the code, for the third time, so this login is void. `/agent link` starts anew."
        case CodeWrong(left=left):
            return f"That is not the code on the page. You have {left} {'try' if left == 1 else 'tries'} left."
    if isinstance(error, CountersignError | IdentityError):
        found = _SENTENCES.get(error.code)
        if found is not None:
            return found
    log.error("unexpected", kind=type(error).__name__)
    return _GENERIC


def invalid(error: ArgumentsInvalid) -> str:
    """A sentence for each value that does not fit."""
    lines = [f"• {code(name)} {escaped(text)}" if name else escaped(text) for name, text in error.problems.items()]
    lines += [f"• {'Your reason' if name == WHY else code(name)} is missing." for name in error.missing]
    return "\n".join(["Nothing was done yet:", *lines])
