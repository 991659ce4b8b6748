"""A request in sentences: what it needs, how it stands, how it ended, and who decided."""

from __future__ import annotations

from bot.actions.model import ActionResult
from bot.approvals.devices import binding_message
from bot.approvals.model import Approval, State, Verdict
from handlers.blocks import code, day, line, moment, preformatted, section
from handlers.message import Message
from oauth import SlackUser

NAME = 100
_REASONS = {
    "unlinked": "the account was unlinked",
    "approver_unlinked": "the account of somebody who agreed was unlinked",
    "approver_not_linked": "the account of somebody who agreed was unlinked",
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
    "stopped": "somebody stopped it",
    "store_unavailable": "the database did not answer",
}


def waiting_note(approval: Approval) -> Message:
    """For where the request was made."""
    name, until = _name(approval.action), moment(approval.expires_at)
    match approval.policy.kind:
        case "self":
            said = f"{name} needs your approval. The card is in our direct messages, open until {until}."
        case "ciba":
            binding = code(binding_message(approval.action, approval.digest))
            said = (
                f"{name} needs your approval on your own device. It has to show {binding}: if it shows anything else, "
                f"deny it there. It is open until {until}."
            )
        case _:
            said = (
                f"{name} needs the approval of {asked(approval)}, open until {until}. "
                "I tell you how it ends; in our direct messages you can withdraw it."
            )
    return Message(said)


def values_above(approval: Approval) -> str:
    """What is said with the files that hold what the card below has no room for, in mrkdwn."""
    return f"What {_name(approval.action)} is to be called with, where the card below has no room for it:"


def reminder(approval: Approval) -> Message:
    """For an approver who has not decided yet."""
    by = f"<@{line(approval.requester.user, 64)}>"
    return Message(
        f"⏳ {_name(approval.action)}, asked by {by}, still waits for your decision. "
        f"It expires {moment(approval.expires_at)}; the card is above."
    )


def outcome(approval: Approval) -> Message:
    """Tell the requester how it ended, with what the service said."""
    name = _name(approval.action)
    why = because(approval.reason)
    sentences = {
        State.DONE: f"✓ {name} is done{_thanks_to(approval)}.",
        State.FAILED: f"✗ {name}{_thanks_to(approval)} failed{why}.",
        State.UNKNOWN: f"{name}{_thanks_to(approval)}: whether it was done is not known{why}. {_look_there(approval)}",
        State.DENIED: f"✗ {name} was denied{_by(approval)}. Nothing was done.{_note(approval)}",
        State.EXPIRED: f"✗ {name} has expired: nobody decided in time. Nothing was done; you can ask again.",
        State.CANCELLED: f"✗ {name} was {_called_off(approval)}. Nothing was done.",
    }
    said = sentences.get(approval.state) or f"{name}: {stands(approval)}"
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
    return code(action[:NAME])


def stands(approval: Approval) -> str:
    """One line: what was decided, by whom, and how it stands."""
    by, why, called_off = _by(approval), because(approval.reason), _called_off(approval)
    return {
        State.PENDING: "⏳ Waiting for a decision." if approval.readable else "✗ It can no longer be approved.",
        State.APPROVED: f"✓ Approved{by}. ⏳ It begins {_begins(approval)}.",
        State.EXECUTING: f"✓ Approved{by}. ⏳ It is running.",
        State.DONE: f"✓ Approved{by}, and done.",
        State.FAILED: f"✗ Approved{by}, but it failed{why}.",
        State.UNKNOWN: f"Approved{by}; whether it was done is not known{why}. {_look_there(approval)}",
        State.DENIED: f"✗ Denied{by}. Nothing was done.{_note(approval)}",
        State.EXPIRED: "✗ Expired: nobody decided in time. Nothing was done.",
        State.CANCELLED: f"✗ {called_off[:1].upper()}{called_off[1:]}. Nothing was done.",
    }[approval.state]


def _begins(approval: Approval) -> str:
    return f"at {moment(approval.not_before)}, and can be undone until then" if approval.not_before else "in a moment"


def _by(approval: Approval) -> str:
    """Who decided, and when."""
    last = approval.last
    if last is None:
        return ""
    who = people(approval, " by ") if last.verdict is Verdict.APPROVE else f" by {person(last.by)}"
    return f"{who}, {day(last.at)}"


def _thanks_to(approval: Approval) -> str:
    """Who agreed, under every policy; nothing where nobody is on record."""
    agreed = people(approval, ", approved by ")
    return f"{agreed}," if agreed and approval.state is State.FAILED else agreed


def _look_there(approval: Approval) -> str:
    """What to do where nobody knows; the key is what the service knows the call by."""
    return f"Look there before you ask again; the call's `Idempotency-Key` is {code(approval.run)}."


def people(approval: Approval, lead: str) -> str:
    """Those who have agreed."""
    names = [person(vote.by) for vote in approval.votes if vote.verdict is Verdict.APPROVE]
    return lead + " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else ""


def asked(approval: Approval) -> str:
    """Whose approval it needs, in words."""
    policy = approval.policy
    if policy.kind == "ciba":
        return "you, on your own device"
    few = policy.approvers[:10]
    named = [f"<!subteam^{one}>" if one.startswith("S") else f"<@{line(one, 64)}>" for one in few]
    more = f" and {len(policy.approvers) - len(few)} more" if len(policy.approvers) > len(few) else ""
    there = f"<#{line(policy.channel, 64)}>" if policy.channel else ""
    count = f"{policy.quorum} of " if policy.quorum > 1 else ""
    if not named:
        return f"{policy.quorum if policy.quorum > 1 else 'somebody'} in {there}"
    return f"{count}{', '.join(named)}{more}{f' in {there}' if there else ''}"


def _called_off(approval: Approval) -> str:
    last = approval.last
    if last is not None and last.verdict is Verdict.WITHDRAW:
        return f"withdrawn by {person(last.by)}"
    if last is not None and last.verdict is Verdict.UNDO:
        return f"undone by {person(last.by)} before it began"
    return f"cancelled{because(approval.reason)}"


def person(slack: SlackUser) -> str:
    return f"<@{line(slack.user, 64)}>"


def _note(approval: Approval) -> str:
    return f" Their reason: “{line(approval.note, 500)}”" if approval.note else ""


def because(reason: str | None) -> str:
    """A reason in words, after a colon; nothing where none is known."""
    if not reason:
        return ""
    if reason.startswith("http_") and reason[5:].isdecimal():
        return f": the service answered with HTTP {reason[5:9]}"
    return f": {_REASONS.get(reason) or line(reason.replace('_', ' '), 100)}"
