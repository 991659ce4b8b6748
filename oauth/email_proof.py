"""Proof by address: the account's verified e-mail is the one that Slack has confirmed."""

from __future__ import annotations

from oauth.errors import EmailDiffers, EmailUnknown, EmailUnverified, LinkError
from oauth.models import Identity, SlackProfile


def email_problem(profile: SlackProfile, identity: Identity, *, verified: bool) -> LinkError | None:
    """Why the address is no proof, or None where it is one."""
    if not verified or not identity.email:
        return EmailUnverified()
    if not profile.email:
        return EmailUnknown()
    return None if same_address(identity.email, profile.email) else EmailDiffers()


def same_address(one: str, other: str) -> bool:
    """Whether two addresses are the same mailbox for all we know.

    Case is ignored in ASCII only: Unicode folding makes one of addresses that are two, as `straße.de` and `strasse.de`.
    """
    one, other = one.strip(), other.strip()
    return one == other or (one.isascii() and other.isascii() and one.lower() == other.lower())
