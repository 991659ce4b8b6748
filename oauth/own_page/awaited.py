"""A one-time code that a login waits for, as it is kept in the login's ticket."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from oauth.tickets import GUESSES, Stage, Ticket
from oauth.vault import Vault

SENDS = 3


@dataclass(frozen=True, slots=True)
class Awaited:
    """The newest code of a login, and to which address it went. `asked` is False where the provider was not asked."""

    ticket: Ticket
    address: str = field(repr=False)
    asked: bool

    @property
    def guesses(self) -> int:
        """How many guesses the code takes yet."""
        return max(0, GUESSES - self.ticket.guesses)

    @property
    def sends(self) -> int:
        """How many more codes this link sends."""
        return max(0, SENDS - self.ticket.otp_sends)


def sealed(vault: Vault, ticket: Ticket, address: str, *, asked: bool) -> str:
    """What `awaited` opens again."""
    return vault.seal(json.dumps([address, asked]).encode(), record=ticket.record, name="address")


def awaited(vault: Vault, ticket: Ticket) -> Awaited | None:
    """The code that this ticket waits for, or None where it waits for none. Raises SealBroken."""
    if ticket.stage is not Stage.STARTED or ticket.otp_start is None or ticket.sealed_address is None:
        return None
    address, asked = json.loads(vault.open(ticket.sealed_address, record=ticket.record, name="address"))
    return Awaited(ticket, str(address), asked is True)
