"""What the pages say when somebody's authentication does not count: one table from error codes to words."""

from __future__ import annotations

from oauth.errors import IdentityError, ProviderUnavailable, SealBroken, StoreUnavailable
from oauth.words import Words

_ASK = ("Go back to Slack.", "Press Approve on the card again.", "Open the new link from your direct messages.")
_SAME = ("Go back to Slack.", "Open the link in your direct messages once more, in this browser.")
_TABLE = {
    "ticket_unknown": Words(
        "This link is no longer valid",
        "It is good for five minutes, and only the newest one counts. Nothing was approved.",
        _ASK,
        410,
    ),
    "ticket_used": Words(
        "This link has done its work",
        "It works once only, and nothing more is needed here.",
        ("Go back to Slack: the card says how it stands.",),
        410,
    ),
    "wrong_browser": Words(
        "This is another browser",
        "It was begun in another browser, so nothing was approved. If somebody sent you this address, close the page.",
        _SAME,
        403,
        "same",
    ),
    "state_unknown": Words(
        "This step is over", "It was finished already, or begun anew elsewhere.", _SAME, 400, "same"
    ),
    "request_forged": Words(
        "The form was not sent from its page",
        "Nothing has happened. This is also what you see where cookies are blocked.",
        _SAME,
        403,
        "same",
    ),
    "login_refused": Words(
        "You were not signed in", "The login was cancelled or refused, so nothing was approved.", _SAME, 403, "same"
    ),
    "account_differs": Words(
        "This link is another person's",
        "You are signed in with an account that the link is not for, so nothing was approved.",
        (
            "If the link is yours: open it once more from your direct messages, and sign in with your own account.",
            "If somebody sent it to you: close the page, and never go on with a link of theirs.",
        ),
        403,
        "same",
    ),
    "wrong_organization": Words(
        "This account is not a member",
        "Only members of the organization that runs this workspace can approve, so nothing was approved.",
        (*_SAME, "Sign in with your account of that organization."),
        403,
        "same",
    ),
    "second_factor_missing": Words(
        "A second factor is needed",
        "You were signed in without one, so nothing was approved.",
        (
            "If you have none yet: set one up at your identity provider.",
            *_SAME,
            "If you are never asked for it: tell who runs the bot.",
        ),
        403,
        "same",
    ),
    "login_too_old": Words(
        "You signed in too long ago",
        "It has to be less than five minutes ago, so nothing was approved.",
        (*_SAME, "Sign in anew there, and do not go on with a session that is open already."),
        403,
        "same",
    ),
    "not_linked": Words(
        "You are not linked any more",
        "The link between you in Slack and your account has ended, so nothing was approved.",
        ("Go back to Slack.", "Type `/agent link`, and sign in.", "Then press Approve on the card again."),
        403,
    ),
}
_LATER = Words(
    "You cannot be signed in now",
    "A part that it needs does not answer. Nothing was approved.",
    ("Wait a minute.", *_SAME),
    503,
    "same",
)
_ELSE = Words("The login was not accepted", "What came back could not be trusted, so nothing was approved.", _ASK, 400)


def words_for(error: IdentityError) -> Words:
    """The words for an error; what is not in the table is nobody's fault and says nothing of itself."""
    if isinstance(error, ProviderUnavailable | StoreUnavailable | SealBroken):
        return _LATER
    return _TABLE.get(error.code, _ELSE)
