"""A local OpenID tenant that answers as Auth0 does: for `countersign demo`, and for the tests."""

from .browser import Browser, PageRefused
from .faults import Hold
from .model import ORGANIZATION, PEOPLE, Application, Family, Issued, Person
from .server import SandboxTenant

__all__ = [
    "ORGANIZATION",
    "PEOPLE",
    "Application",
    "Browser",
    "Family",
    "Hold",
    "Issued",
    "PageRefused",
    "Person",
    "SandboxTenant",
]
