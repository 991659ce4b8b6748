"""What the pages say when a login does not lead to a link: one table from error codes to words."""

from __future__ import annotations

from typing import Literal, NamedTuple

from oauth.errors import (
    EmbeddedRefused,
    IdentityError,
    OtpWrong,
    ProviderUnavailable,
    SealBroken,
    StoreUnavailable,
)


class Beside(NamedTuple):
    """What stands beside a field, and the HTTP status of its page."""

    sentence: str
    status: int


class Words(NamedTuple):
    """A heading, what happened, what to do next (steps in order, commands between backticks), and the HTTP status.

    `again` is what one click on the page can do: open the same link again, or have a fresh one sent.
    """

    title: str
    sentence: str
    steps: tuple[str, ...]
    status: int
    again: Literal["same", "fresh"] | None = None


_FRESH = ("Go back to Slack.", "Type `/agent link`.", "Open the new link from your direct messages.")
_SAME = ("Go back to Slack.", "Open the link in your direct messages once more, in this browser.")
_TABLE = {
    "ticket_unknown": Words(
        "This link is no longer valid", "It has expired, or a newer one took its place.", _FRESH, 410, "fresh"
    ),
    "ticket_used": Words(
        "This link has done its work", "It works once only, and nothing more is needed here.", _FRESH, 410, "fresh"
    ),
    "ticket_forgotten": Words(
        "This link is not known", "It is a day old or older, or was never one of ours.", _FRESH, 410
    ),
    "too_often": Words(
        "A link was sent a moment ago",
        "It is in your direct messages in Slack. Another one can be sent in a little while.",
        _FRESH,
        429,
    ),
    "wrong_browser": Words(
        "This is another browser", "The login was begun in another browser, so nothing was linked.", _SAME, 403, "same"
    ),
    "state_unknown": Words(
        "This login is over", "It was finished already, or begun anew elsewhere.", _SAME, 400, "same"
    ),
    "request_forged": Words(
        "The form was not sent from its page",
        "Nothing has happened. This is also what you see where cookies are blocked.",
        _SAME,
        403,
        "same",
    ),
    "login_refused": Words(
        "You were not signed in", "The login was cancelled or refused, so nothing was linked.", _SAME, 403, "same"
    ),
    "email_unverified": Words(
        "Your e-mail address is not verified",
        "Your identity provider does not vouch for it, so it does not show who you are.",
        ("Verify your address with your identity provider.", *_SAME),
        403,
        "same",
    ),
    "email_differs": Words(
        "These are two different people",
        "The address of this account is not the one that Slack knows, so nothing was linked.",
        ("Sign out of this account at your identity provider.", *_SAME, "Sign in with your own account."),
        403,
        "same",
    ),
    "email_unknown": Words(
        "Slack does not tell your e-mail address",
        "It is needed here to show that the account is yours.",
        ("Confirm your address in your Slack account, or ask who runs this bot.", *_FRESH),
        403,
        "fresh",
    ),
    "wrong_organization": Words(
        "This account is not a member",
        "Only members of the organization that runs this workspace can be linked.",
        (*_SAME, "Sign in with your account of that organization."),
        403,
        "same",
    ),
    "slack_differs": Words(
        "This link is another person's",
        "You are signed in to Slack as somebody else, or in another workspace, so nothing was linked.",
        (
            "If the link is yours: sign in to Slack as yourself in this browser, then open the link once more.",
            "If somebody sent it to you: type `/agent link` in Slack, and open the link that you get yourself.",
        ),
        403,
        "same",
    ),
    "identity_taken": Words(
        "This account is linked already",
        "Another person of this workspace is linked to it. Nothing was changed, and both of you are told.",
        ("If both are you: type `/agent unlink` in Slack as the other person.", *_FRESH),
        409,
        "fresh",
    ),
    "grant_shared": Words(
        "Please sign in once more",
        "Your former link has ended, and your identity provider has ended this login together with it.",
        _FRESH,
        409,
        "fresh",
    ),
    "linked_elsewhere": Words(
        "You are linked to another account",
        "One Slack person has one account. Nothing was changed.",
        ("Go back to Slack.", "Type `/agent unlink` to end the link to the other account.", *_FRESH[1:]),
        409,
    ),
}
_LATER = Words(
    "The login cannot be finished now",
    "A part that it needs does not answer. Nothing was linked.",
    ("Wait a minute.", *_SAME),
    503,
    "same",
)
_ELSE = Words(
    "The login was not accepted", "What came back from the provider could not be trusted.", _FRESH, 400, "fresh"
)

_BESIDE = {
    "address_malformed": Beside("That is no e-mail address. It has one @, and no spaces.", 400),
    "otp_malformed": Beside("A code has only digits, usually six. Look at the newest message.", 400),
    "otp_spent": Beside("This code has had its three guesses, and takes no more.", 403),
    "otp_replaced": Beside("A newer code was sent meanwhile. Only the newest one works.", 409),
    "otp_sends_spent": Beside("Three codes were sent, and this link sends no more of them.", 429),
}
_WRONG = (
    "That is not the newest code, and it takes no more guesses.",
    "That is not the newest code. One guess is left.",
)


def words_for(error: IdentityError) -> Words:
    """The words for an error; what is not in the table is nobody's fault and says nothing of itself."""
    if isinstance(error, ProviderUnavailable | StoreUnavailable | SealBroken):
        return _LATER
    return _TABLE.get(error.code, _ELSE)


def beside(error: EmbeddedRefused) -> Beside:
    """The words for what went wrong in a field. A wrong code and an address without an account are the same to it."""
    if isinstance(error, OtpWrong):
        more = f"That is not the newest code. {error.left} guesses are left."
        return Beside(_WRONG[error.left] if error.left < len(_WRONG) else more, 403)
    return _BESIDE[error.code]
