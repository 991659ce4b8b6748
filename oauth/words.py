"""What the pages say when a login does not lead to a link: one table from error codes to a heading and a sentence."""

from __future__ import annotations

from typing import NamedTuple

from oauth.errors import IdentityError, ProviderUnavailable, SealBroken


class Words(NamedTuple):
    """A heading, what happened and what to do next, and the HTTP status."""

    title: str
    sentence: str
    status: int


_AGAIN = "Go back to Slack and type /agent link to get a fresh one."
_TABLE = {
    "ticket_unknown": Words("This link is no longer valid", f"It has expired or was replaced. {_AGAIN}", 410),
    "ticket_used": Words("This link has done its work", f"It works once only. To link another account: {_AGAIN}", 410),
    "wrong_browser": Words(
        "This is another browser", f"The login was begun in another browser, so nothing was linked. {_AGAIN}", 403
    ),
    "state_unknown": Words(
        "This login is over", "It was finished or begun anew elsewhere. Open the link in Slack once more.", 400
    ),
    "request_forged": Words(
        "The form was not sent from its page", "Open the link in Slack once more, with cookies allowed.", 403
    ),
    "login_refused": Words(
        "You were not signed in", "The login was cancelled or refused. Open the link in Slack once more.", 403
    ),
    "email_unverified": Words(
        "Your e-mail address is not verified",
        "Verify it with your identity provider, then type /agent link in Slack.",
        403,
    ),
    "email_differs": Words(
        "These are two different people",
        "The address of this account is not the one that Slack knows. Sign in with the account of the Slack person.",
        403,
    ),
    "wrong_organization": Words(
        "This account is not a member", "Sign in with an account of the organization that runs this workspace.", 403
    ),
    "identity_taken": Words(
        "This account is linked already",
        "Another person of this workspace is linked to it. They can type /agent unlink; both of you were told.",
        409,
    ),
}


def words_for(error: IdentityError) -> Words:
    """The words for an error; what is not in the table is nobody's fault and says nothing of itself."""
    if isinstance(error, ProviderUnavailable | SealBroken):
        return Words("The login cannot be finished now", "Please wait a minute and open the link in Slack again.", 503)
    generic = Words("The login was not accepted", f"What came back could not be trusted. {_AGAIN}", 400)
    return _TABLE.get(error.code, generic)
