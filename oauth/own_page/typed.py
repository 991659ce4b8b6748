"""What people type into the page of a login by one-time code, or a word that it is none."""

from __future__ import annotations

import re

from oauth.errors import AddressMalformed, OtpMalformed

# The HTML standard's "valid e-mail address", so that a browser's own check and this one agree. All ASCII: browsers
# write a domain of other letters in Punycode.
_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_ADDRESS = re.compile(rf"[a-zA-Z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{_LABEL}(?:\.{_LABEL})*")
_LONGEST_ADDRESS = 254
_CODE = re.compile("[0-9]{4,12}")


def address_of(typed: str) -> str:
    """An e-mail address as it was typed, without the spaces around it. Raises AddressMalformed."""
    address = typed.strip()
    if len(address) > _LONGEST_ADDRESS or not _ADDRESS.fullmatch(address):
        raise AddressMalformed
    return address


def otp_of(typed: str) -> str:
    """A one-time code without what people put between its digits; Auth0's have six unless a tenant wants others.

    Raises OtpMalformed.
    """
    code = re.sub(r"[\s-]", "", typed)
    if not _CODE.fullmatch(code):
        raise OtpMalformed
    return code
