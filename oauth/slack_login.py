"""Sign in with Slack: who in Slack the browser of a login is (docs.slack.dev, "Sign in with Slack").

Slack is an OpenID provider of its own here, and our Slack app is its client. Nothing but the ID token is wanted.
"""

from __future__ import annotations

import json

from authlib.integrations.base_client import OAuthError

from oauth import tickets
from oauth.errors import LoginRefused, ProviderUnavailable, SlackDiffers, TokenInvalid
from oauth.logins import Begun, code_of
from oauth.models import SlackUser
from oauth.relying_party import RelyingParty
from oauth.tickets import Ticket
from oauth.vault import Vault
from oauth.verify import Claims, Verifier

_USER, _TEAM, _ENTERPRISE = (f"https://slack.com/{noun}_id" for noun in ("user", "team", "enterprise"))
# Slack's own troubles, as its Web API names them beside `"ok": false` and a status of 200.
_PASSING = {
    "accesslimited",
    "fatal_error",
    "internal_error",
    "ratelimited",
    "request_timeout",
    "service_unavailable",
    "team_added_to_org",
}


class SlackOpenId(RelyingParty):
    """The protocol calls to Slack."""

    async def takes_challenge(self) -> bool:
        """Whether PKCE is offered (RFC 8414 section 2, `code_challenge_methods_supported`)."""
        offered = (await self.metadata()).get("code_challenge_methods_supported")
        return isinstance(offered, list) and "S256" in offered

    async def authorize_url(self, *, state: str, nonce: str, verifier: str | None, team: str) -> str:
        """Where the browser goes; `team` makes Slack offer that workspace first. Raises ProviderUnavailable."""
        endpoint = (await self.metadata())["authorization_endpoint"]
        url, _ = self._oauth().create_authorization_url(
            endpoint, state=state, code_verifier=verifier, nonce=nonce, team=team, scope="openid"
        )
        return str(url)

    async def id_token(self, *, code: str, verifier: str | None) -> str:
        """The ID token for a code (`openid.connect.token`). Raises LoginRefused, TokenInvalid, ProviderUnavailable.

        The access token beside it is let go of. To revoke it would reach the bot as `tokens_revoked`, which means
        that the person has withdrawn from the app.
        """
        proof = {"code_verifier": verifier} if verifier is not None else {}
        try:
            given = await self._granted({"grant_type": "authorization_code", "code": code, **proof})
        except OAuthError as error:
            if str(error.error) in _PASSING:
                raise ProviderUnavailable from None
            raise LoginRefused(str(error.error)) from None
        found = given.get("id_token")
        if not isinstance(found, str):
            raise TokenInvalid("id_token")
        return found


class SlackLogins:
    """A login at Slack, for the one question whether this browser is the ticket's person."""

    def __init__(self, *, vault: Vault, slack: SlackOpenId, verifier: Verifier) -> None:
        self._vault = vault
        self._slack = slack
        self._verifier = verifier

    async def close(self) -> None:
        """Let go of the connections."""
        await self._slack.close()

    async def begin(self, ticket: Ticket) -> Begun:
        """A login with secrets of its own. Raises ProviderUnavailable."""
        state, nonce = tickets.new_secret(), tickets.new_secret()
        verifier = tickets.new_secret() if await self._slack.takes_challenge() else None
        url = await self._slack.authorize_url(state=state, nonce=nonce, verifier=verifier, team=ticket.slack.team)
        sealed = self._vault.seal(json.dumps([nonce, verifier]).encode(), record=ticket.record, name="slack")
        return Begun(url, state, sealed)

    async def finish(self, ticket: Ticket, *, code: str | None, error: str | None, iss: str | None) -> None:
        """Return if the ticket's person signed in. Raises SlackDiffers if it was another, or IdentityError."""
        code = await code_of(self._slack, self._verifier.issuer, code=code, error=error, iss=iss)
        sealed = ticket.sealed_slack or ""
        nonce, verifier = json.loads(self._vault.open(sealed, record=ticket.record, name="slack"))
        token = await self._slack.id_token(code=code, verifier=verifier)
        signed_in = await self._verifier.id_token(token, nonce=nonce)
        if not is_person(signed_in.claims, ticket.slack):
            raise SlackDiffers


def is_person(claims: Claims, slack: SlackUser) -> bool:
    """Whether an ID token of Slack's names this person. Raises TokenInvalid if it names nobody.

    A user id counts within its workspace, and in Enterprise Grid within the whole organization.
    """
    user, team = claims.get(_USER), claims.get(_TEAM)
    if not isinstance(user, str) or not user:
        raise TokenInvalid("user_id")
    if not isinstance(team, str) or not team:
        raise TokenInvalid("team_id")
    same_organization = slack.enterprise is not None and claims.get(_ENTERPRISE) == slack.enterprise
    return user == slack.user and (team == slack.team or same_organization)
