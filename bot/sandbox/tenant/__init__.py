"""A local OpenID tenant that answers as Auth0 does: for `countersign demo`, and for the tests."""

from .accounts import ConnectedAccount
from .browser import Browser, PageRefused
from .connections import Connection
from .faults import Hold
from .mailbox import Mail
from .model import ORGANIZATION, PEOPLE, Application, Family, Issued, OrganizationRules, Passwordless, Person
from .server import SandboxTenant

__all__ = [
    "ORGANIZATION",
    "PEOPLE",
    "Application",
    "Browser",
    "ConnectedAccount",
    "Connection",
    "Family",
    "Hold",
    "Issued",
    "Mail",
    "OrganizationRules",
    "PageRefused",
    "Passwordless",
    "Person",
    "SandboxTenant",
]
