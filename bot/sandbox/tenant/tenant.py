"""The tenant as its rooms see it: the application, the APIs, the settings, and the state."""

from __future__ import annotations

from dataclasses import dataclass, field

from .model import Application, OrganizationRules, Passwordless, Person, Refusal
from .state import State


@dataclass(slots=True)
class Tenant:
    """What every room works with. `issuer` is known once the server listens; `apis` are scopes by audience."""

    application: Application
    apis: dict[str, tuple[str, ...]]
    state: State
    passwordless: Passwordless
    issuer: str = ""
    issuer_in_response: bool = False
    organizations: OrganizationRules = field(default_factory=OrganizationRules)

    def person(self, name: str) -> Person:
        """Raises Refusal for somebody who is not, or no longer, there."""
        found = self.state.people.get(name)
        if found is None:
            raise Refusal(403, "invalid_grant", "The user does not exist")
        return found

    def member(self, name: str, organization: str | None) -> Person:
        """Raises Refusal for somebody who is not, or no longer, in the organization, where there is one."""
        found = self.person(name)
        if organization is not None and organization not in found.organizations:
            words = f"user {found.sub} is not part of the {organization} organization"
            raise Refusal(403, self.organizations.refusal, words)
        return found
