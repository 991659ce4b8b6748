"""Every reason why an identity or a token is refused, as a tree; `code` is stable and goes to the audit trail.

IdentityError
├── LinkError: TicketUnknown, TicketUsed, TicketForgotten, TooOften, WrongBrowser, StateUnknown, RequestForged,
│              EmailUnverified, EmailDiffers, EmailUnknown, WrongOrganization, SlackDiffers,
│              IdentityTaken, LinkedElsewhere, GrantShared, CodeWrong, CodeExpired, NoCodePending,
│              LoginRefused
│   └── EmbeddedRefused: AddressMalformed, OtpMalformed, OtpWrong, OtpSpent, OtpReplaced, OtpSendsSpent
├── TokenError: NotLinked, GrantDead (GrantRefused), ScopeRefused, AccountNotConnected, TokenInvalid
├── ProviderUnavailable: ProviderRefused
├── NoDevice, DeviceRefused
├── StoreUnavailable
└── SealBroken

No message holds a token, a code or anything else secret.
"""

from __future__ import annotations


class IdentityError(Exception):
    """The base of all that this package refuses."""

    code = "identity"


class LinkError(IdentityError):
    """A login that does not lead to a link."""

    code = "link"


class TicketUnknown(LinkError):
    """The link has expired, was replaced by a newer one, or never was."""

    code = "ticket_unknown"


class TicketUsed(LinkError):
    """The link has done its work already."""

    code = "ticket_used"


class TicketForgotten(LinkError):
    """A link so old, or so foreign, that nobody knows any more whom it was for."""

    code = "ticket_forgotten"


class TooOften(LinkError):
    """Asked again too soon; `retry_after` is in seconds."""

    code = "too_often"

    def __init__(self, retry_after: float) -> None:
        self.retry_after = retry_after
        super().__init__()


class WrongBrowser(LinkError):
    """The answer of the provider came to a browser that did not start this login."""

    code = "wrong_browser"


class StateUnknown(LinkError):
    """`state` is unknown, or was used before (RFC 6749 section 10.12)."""

    code = "state_unknown"


class RequestForged(LinkError):
    """The form was not sent from the link page."""

    code = "request_forged"


class LoginRefused(LinkError):
    """The provider answered with an error (RFC 6749 section 4.1.2.1); `error` is its code, cut to safe letters."""

    code = "login_refused"

    def __init__(self, error: str) -> None:
        self.error = "".join(letter for letter in error if letter.isalnum() or letter == "_")[:64]
        super().__init__(self.error)


class EmailUnverified(LinkError):
    """The provider does not vouch for the e-mail address."""

    code = "email_unverified"


class EmailDiffers(LinkError):
    """The verified address is not the one that Slack knows."""

    code = "email_differs"


class EmailUnknown(LinkError):
    """Slack does not tell the person's address, so nothing can be compared with it."""

    code = "email_unknown"


class WrongOrganization(LinkError):
    """The person is not a member of the required organization."""

    code = "wrong_organization"


class SlackDiffers(LinkError):
    """Somebody else is signed in to Slack in the browser of this login, or the same person elsewhere."""

    code = "slack_differs"


class IdentityTaken(LinkError):
    """Another Slack person of the workspace is linked to this identity."""

    code = "identity_taken"


class LinkedElsewhere(LinkError):
    """This Slack person is linked to another identity, and has to unlink first."""

    code = "linked_elsewhere"


class GrantShared(LinkError):
    """The provider has ended the new grant together with the one that it replaces."""

    code = "grant_shared"


class CodeWrong(LinkError):
    """Not the code on the page; `left` guesses remain."""

    code = "code_wrong"

    def __init__(self, left: int) -> None:
        self.left = left
        super().__init__()


class CodeExpired(LinkError):
    """Too late, or too many guesses: the login is void."""

    code = "code_expired"


class NoCodePending(LinkError):
    """Nobody has signed in through this person's link yet."""

    code = "no_code_pending"


class EmbeddedRefused(LinkError):
    """A login by one-time code that goes on as soon as the person does better; the page itself says how."""

    code = "embedded"


class AddressMalformed(EmbeddedRefused):
    """What was typed is no e-mail address."""

    code = "address_malformed"


class OtpMalformed(EmbeddedRefused):
    """What was typed cannot be a one-time code; it cost no guess."""

    code = "otp_malformed"


class OtpWrong(EmbeddedRefused):
    """The provider does not take this code from this address; `left` guesses remain at the newest one."""

    code = "otp_wrong"

    def __init__(self, left: int) -> None:
        self.left = left
        super().__init__()


class OtpSpent(EmbeddedRefused):
    """The newest code has had all its guesses, so not even the right one counts any more."""

    code = "otp_spent"


class OtpReplaced(EmbeddedRefused):
    """The form is of an older code: a newer one was sent since."""

    code = "otp_replaced"


class OtpSendsSpent(EmbeddedRefused):
    """This link has sent as many codes as it may."""

    code = "otp_sends_spent"


class TokenError(IdentityError):
    """A token that is not to be had, or not to be trusted."""

    code = "token"


class NotLinked(TokenError):
    """There is no live link, or it is not the one that the caller knew."""

    code = "not_linked"


class GrantDead(TokenError):
    """The provider has ended the grant (`invalid_grant`, RFC 6749 section 5.2)."""

    code = "grant_dead"


class GrantRefused(GrantDead):
    """The provider gives this person no token any more (`access_denied`), though it may know the grant yet."""

    code = "grant_refused"


class ScopeRefused(TokenError):
    """The person's grant does not reach that far; `missing` are the scopes that are not in it."""

    code = "scope_refused"

    def __init__(self, missing: frozenset[str]) -> None:
        self.missing = missing
        super().__init__(" ".join(sorted(missing)))


class AccountNotConnected(TokenError):
    """The provider keeps no token of this third party for the person, or one that does not reach that far.

    `scopes` are the third party's that the call needs.
    """

    code = "account_not_connected"

    def __init__(self, connection: str, scopes: frozenset[str]) -> None:
        self.connection = connection
        self.scopes = scopes
        super().__init__(connection)


class TokenInvalid(TokenError):
    """A token or one of its claims does not hold; `claim` names it."""

    code = "token_invalid"

    def __init__(self, claim: str) -> None:
        self.claim = claim
        super().__init__(claim)


class ProviderUnavailable(IdentityError):
    """The provider cannot be reached or is overloaded. `retry_after` is in seconds.

    `untouched` where it is certain that the request had no effect; else its answer may only have been lost.
    """

    code = "provider_unavailable"

    def __init__(self, retry_after: float | None = None, *, untouched: bool = False) -> None:
        self.retry_after = retry_after
        self.untouched = untouched
        super().__init__()


class ProviderRefused(ProviderUnavailable):
    """The provider refuses our application: its credentials, or a grant that it is not set up for. It takes an operator
    to mend that, and no second attempt.
    """

    code = "provider_refused"


class NoDevice(IdentityError):
    """The person has no device at the provider on which they could be asked."""

    code = "no_device"


class DeviceRefused(IdentityError):
    """The provider does not ask people on their devices, or not for us; `reason` is a word of its own, or ours."""

    code = "device_refused"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class StoreUnavailable(IdentityError):
    """The database cannot be reached; whether the last step took effect is not known."""

    code = "store_unavailable"


class SealBroken(IdentityError):
    """A stored secret does not open: altered, moved to another record, or sealed under an unknown key."""

    code = "seal_broken"
