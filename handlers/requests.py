"""A person asks for an action: from a command, from a form, or again after they have linked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.actions.registry import Registry
from bot.approvals.model import Origin
from bot.runner import Finished, Runner
from handlers import cards
from handlers.accounts import AccountInvitations
from handlers.errors import words
from handlers.invitations import Invitations
from handlers.message import Message
from handlers.speaker import Speaker
from oauth import Links, Principal
from oauth.errors import AccountNotConnected


@dataclass(frozen=True, slots=True)
class Requests:
    """Hands what people ask for to the runner, as the person who asks."""

    runner: Runner
    registry: Registry
    links: Links
    invitations: Invitations
    connecting: AccountInvitations

    def calls_out(self, name: str) -> bool:
        """Whether asking for it may call its service at once, and so may take long."""
        return any(action.name == name and action.may_run_at_once for action in self.registry)

    async def ask(self, who: Speaker, name: str, raw: Mapping[str, Any]) -> Message | None:
        """Run it, ask for approval, or send a link first: to link, or to connect an account. Raises as the runner does.

        Nothing is left to say where the card for the approval comes to the very place of the question.
        """
        principal = await self.links.principal(who.slack)
        waiting = json.dumps({"action": name, "arguments": dict(raw)})
        if principal is None:
            return await self.invitations.invite(who, waiting=waiting)
        try:
            return await self._run(principal, name, raw, _origin(who), beside_card=who.in_dm)
        except AccountNotConnected as missing:
            return (await self.connecting.bring(principal, missing, waiting)).note

    async def go_on(self, principal: Principal, asked: Mapping[str, Any]) -> Message | None:
        """What a person had asked before they were linked, or before an account was connected."""
        try:
            return await self._run(principal, asked["action"], asked["arguments"], Origin(), beside_card=True)
        except AccountNotConnected as missing:
            invited = await self.connecting.bring(principal, missing, json.dumps(asked))
            return None if invited.seen else invited.note
        except Exception as error:
            return cards.note(words(error))

    async def _run(
        self, principal: Principal, name: str, raw: Mapping[str, Any], origin: Origin, *, beside_card: bool
    ) -> Message | None:
        outcome = await self.runner.run(principal, name, raw, origin)
        if isinstance(outcome, Finished):
            return cards.result_card(outcome.action, outcome.result)
        return None if beside_card else cards.waiting_note(outcome.approval)


def _origin(who: Speaker) -> Origin:
    return Origin(channel=who.channel, response_url=who.response_url, request=who.request)
