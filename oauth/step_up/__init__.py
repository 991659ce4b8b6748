"""Authenticating once more, with a second factor, for one decision: fresh evidence, handed out once.

(OpenID Connect Core, `max_age` and `acr_values`; Auth0, "Configure Step-up Authentication for Web Apps".) As with every
link of ours, whoever holds one can do nothing with it alone: it counts for the person and the decision that it was made
for, and that person has to sign in.
"""

from __future__ import annotations

from dataclasses import dataclass

from oauth.models import Clock, LinkObserver
from oauth.ports import LinkStore
from oauth.site import Site
from oauth.step_up.asking import StepUps
from oauth.step_up.flow import SteppingUp
from oauth.step_up.login import StepUpLogin
from oauth.step_up.ports import StepUpStore
from oauth.step_up.routes import StepUpPages
from oauth.step_up.store import MongoStepUpStore
from oauth.step_up.words import words_for
from oauth.vault import Vault
from oauth.verify import Verifier

__all__ = ["MongoStepUpStore", "StepUpLogin", "StepUpPages", "StepUpRooms", "StepUpStore", "StepUps"]


@dataclass(frozen=True, slots=True)
class StepUpRooms:
    """This package, put together: what Slack's side asks for, and the pages."""

    asking: StepUps
    stepping: SteppingUp
    pages: StepUpPages
    store: StepUpStore
    login: StepUpLogin

    @classmethod
    def of(
        cls,
        store: StepUpStore,
        login: StepUpLogin,
        *,
        links: LinkStore,
        verifier: Verifier,
        vault: Vault,
        observer: LinkObserver,
        clock: Clock,
        site: Site,
    ) -> StepUpRooms:
        """Put the rooms together. `site` is of the login links."""
        stepping = SteppingUp(
            store=store, links=links, login=login, verifier=verifier, vault=vault, observer=observer, clock=clock
        )
        asking = StepUps(
            store=store, links=links, vault=vault, observer=observer, clock=clock, public_url=site.public_url
        )
        return cls(asking, stepping, StepUpPages(stepping, site.at("step-up", words_for)), store, login)

    async def start(self) -> None:
        """Create indexes."""
        await self.store.ensure_indexes()

    async def sweep(self) -> None:
        """One periodic round: tell once more of evidence that nobody took."""
        await self.asking.sweep()

    async def close(self) -> None:
        """Let go of the connections."""
        await self.login.close()
