"""What the pages say when an account is not connected: one table from error codes to words."""

from __future__ import annotations

from oauth.errors import IdentityError, ProviderUnavailable, SealBroken, StoreUnavailable
from oauth.words import Words

_ASK = ("Go back to Slack.", "Ask for the same thing once more.", "Open the new link from your direct messages.")
_SAME = ("Go back to Slack.", "Open the link in your direct messages once more, in this browser.")
_LINK = ("Go back to Slack.", "Type `/agent link`, and sign in.", "Then ask for the same thing once more.")
_OVER = Words(
    "This link is no longer valid", "It has expired, or a newer one took its place. Nothing was connected.", _ASK, 410
)
_ENDED = Words(
    "You are not linked any more",
    "The link between you in Slack and your account has ended, so nothing was connected.",
    _LINK,
    403,
)
_TABLE = {
    "ticket_unknown": _OVER,
    "ticket_used": Words(
        "This link has done its work", "It works once only, and nothing more is needed here.", _ASK, 410
    ),
    "wrong_browser": Words(
        "This is another browser",
        "It was begun in another browser, so nothing was connected. If somebody sent you this address, close the page.",
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
        "You were not signed in", "The login was cancelled or refused, so nothing was connected.", _SAME, 403, "same"
    ),
    "account_differs": Words(
        "This link is another person's",
        "You are signed in with an account that the link is not for, so nothing was connected.",
        (
            "If the link is yours: open it once more from your direct messages, and sign in with your own account.",
            "If somebody sent it to you: close the page, and never go on with a link of theirs.",
        ),
        403,
    ),
    "wrong_organization": Words(
        "This account is not a member",
        "Only members of the organization that runs this workspace can connect accounts.",
        (*_SAME, "Sign in with your account of that organization."),
        403,
        "same",
    ),
    "connect_refused": Words(
        "The account was not connected",
        "It was cancelled or refused there, so nothing has changed.",
        (*_SAME, "Allow it there. If it is refused all the same, tell who runs the bot."),
        403,
        "same",
    ),
    "connect_unsure": Words(
        "Whether it is connected is not known yet",
        "Your identity provider did not answer in time.",
        (
            "Go back to Slack.",
            "Within two minutes the bot goes on with what you asked, or sends you a new link.",
        ),
        503,
    ),
    "connect_not_offered": Words(
        "Accounts cannot be connected here",
        "Your identity provider does not let this bot connect accounts for you.",
        ("Tell who runs the bot.", "Until that is mended, do it without the bot."),
        403,
    ),
    "not_linked": _ENDED,
    "grant_dead": _ENDED,
    "grant_refused": _ENDED,
}
_LATER = Words(
    "The account cannot be connected now",
    "A part that it needs does not answer. Nothing was connected.",
    ("Wait a minute.", *_SAME),
    503,
    "same",
)
_ELSE = Words("The login was not accepted", "What came back could not be trusted, so nothing was connected.", _ASK, 400)


def words_for(error: IdentityError) -> Words:
    """The words for an error; what is not in the table is nobody's fault and says nothing of itself."""
    if isinstance(error, ProviderUnavailable | StoreUnavailable | SealBroken):
        return _LATER
    return _TABLE.get(error.code, _ELSE)
