"""Which token an action is called with: for an API of our own provider, or for a third party's."""

from __future__ import annotations

from bot.actions.model import Action
from bot.ports import Tokens
from oauth import AccessToken, Principal
from oauth.provider import IDENTITY_SCOPES

_ON_ITS_WAY = 10.0  # seconds from having the token to the call: the entry before it may take as long


async def token_of(tokens: Tokens, principal: Principal, action: Action, audience: str) -> AccessToken:
    """The token of this very person; `audience` is whose API it is for where the action names none.

    Raises IdentityError, which is AccountNotConnected where the person's account at the third party is not connected.
    """
    if action.connection is None:
        return await tokens.token(principal, action.scopes, action.audience or audience, _ON_ITS_WAY)
    # Those that only say who the person is a third party may name otherwise in its answer, or not at all.
    needed = action.scopes - frozenset(IDENTITY_SCOPES)
    return await tokens.connected(principal, action.connection, needed, _ON_ITS_WAY)
