"""A calendar of somebody else, with accounts, consent and tokens of its own: a third party for Token Vault."""

from .model import ACCOUNTS, SCOPES, Account, Call, Event
from .server import Almanac

__all__ = ["ACCOUNTS", "SCOPES", "Account", "Almanac", "Call", "Event"]
