"""Slack's own way to ask for a login: the block `auth_provider`, and the window of `apps.user.connection.requestAuth`.

(docs.slack.dev, "Auth provider block", "apps.user.connection.requestAuth".) Both get the address of a person's login
link and show it to that person alone. Where Slack has neither, the product's own card is shown as ever.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from aiohttp import ClientConnectorError
from slack_sdk.errors import SlackApiError

from handlers.blocks import plain, short
from handlers.inert import inert
from handlers.message import Block
from handlers.workspace import NotInstalled, Workspaces, reason_of
from oauth import Clock, IdentityError, Links, Principal, SlackUser

log = structlog.get_logger(__name__)

# Slack makes the ids of the block's own controls out of its type and our `value`.
CONTROLS = re.compile(r"^auth_provider_")
REQUEST = "apps.user.connection.requestAuth"
BLOCK = "auth_provider"
_VALUE = "countersign"
_NAME = "Your account"
_ABOUT = "Sign in once, so that I act with your rights and no others."
_LINE = 75

_LONG, _BRIEF = timedelta(hours=1), timedelta(minutes=1)
_MOST = 1024
# Refusals that concern one click alone: the next one may be in time.
_OF_ONE_CLICK = {"expired_trigger_id", "trigger_expired", "invalid_trigger_id", "trigger_invalid"}
# The answer to a first try was lost and the SDK has asked again: the window was opened by that first one.
_OPENED = {"exchanged_trigger_id", "trigger_exchanged"}
# Slack says of these itself that a part may have been done; None is an answer that was no Slack answer.
_UNSURE = {None, "fatal_error", "internal_error"}
_BLOCK_REFUSED = {"invalid_blocks", "invalid_blocks_format"}


def not_connected(url: str) -> Block:
    """The provider for somebody who is to sign in at `url`."""
    return {
        "value": _VALUE,
        "name": plain(_NAME),
        "is_connected": False,
        "description": plain(_ABOUT),
        "auth_url": url,
    }


def connected(principal: Principal, team_name: str) -> Block:
    """The provider for somebody who is linked: which account it is."""
    who = principal.identity
    told = {"connected_identity": who.email or who.name or who.sub, "connected_context": team_name}
    lines = {name: short(inert(" ".join(text.split())), _LINE) for name, text in told.items()}
    shown = {name: plain(text) for name, text in lines.items() if text}
    return {"value": _VALUE, "name": plain(_NAME), "is_connected": True, **shown}


def auth_provider(url: str, fallback: Sequence[Block]) -> Block:
    """The block. A client that does not know it draws `fallback` in its place, and nobody sees both."""
    return {"type": BLOCK, **not_connected(url), "fallback": list(fallback)}


class Refusals:
    """What Slack has refused in a workspace: it is not asked again for a while, and the log says it once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: OrderedDict[tuple[str, str], tuple[str | None, datetime]] = OrderedDict()

    def stands(self, slack: SlackUser, what: str) -> bool:
        """Whether this was refused lately."""
        known = self._known.get((slack.workspace, what))
        return known is not None and self._clock() < known[1]

    def note(self, slack: SlackUser, what: str, error: str | None, lasts: timedelta = _LONG) -> None:
        """It was refused now."""
        key = (slack.workspace, what)
        if key not in self._known or self._known[key][0] != error:
            log.warning("connect_ui_refused", what=what, error=error, hint="see docs/slack-connect-ui.md")
        self._known[key] = error, self._clock() + lasts
        self._known.move_to_end(key)
        if len(self._known) > _MOST:
            self._known.popitem(last=False)


class ConnectUi:
    """Asks Slack for its own block and window, and notices where they are not to be had."""

    def __init__(self, workspaces: Workspaces, links: Links, refusals: Refusals) -> None:
        self._workspaces = workspaces
        self._links = links
        self._refusals = refusals

    async def fits(self, slack: SlackUser) -> bool:
        """Whether the person is not linked, as the block and the window would say: Slack stores what they say."""
        try:
            return await self._links.principal(slack) is None
        except IdentityError:
            return False  # our own card is true at any time

    def block_fits(self, slack: SlackUser) -> bool:
        """Whether Slack takes the block, as far as is known."""
        return not self._refusals.stands(slack, BLOCK)

    def block_refused(self, slack: SlackUser, refusal: SlackApiError) -> bool:
        """Whether it was the blocks that Slack did not take; then nothing was posted."""
        error = reason_of(refusal)
        if error in _BLOCK_REFUSED:
            self._refusals.note(slack, BLOCK, error)
        return error in _BLOCK_REFUSED

    async def window(self, slack: SlackUser, trigger: str | None, provider: Block) -> bool:
        """Open Slack's window for whoever has just clicked or typed.

        False only where it surely does not open: then the link may go another way. If nobody can tell, it may be
        before the person's eyes, and the next try goes the other way.
        """
        if trigger is None or self._refusals.stands(slack, REQUEST):
            return False
        asked: dict[str, Any] = {"trigger_id": trigger, "primary_provider": json.dumps(provider)}
        try:
            web = await self._workspaces.client(slack)
            await web.api_call(REQUEST, params=asked)
        except (NotInstalled, ClientConnectorError):
            return False
        except SlackApiError as refusal:
            return self._refused(slack, reason_of(refusal))
        except Exception as error:  # the network: the question may have arrived
            self._refusals.note(slack, REQUEST, type(error).__name__, _BRIEF)
        return True

    def _refused(self, slack: SlackUser, error: str | None) -> bool:
        if error in _UNSURE:
            self._refusals.note(slack, REQUEST, error, _BRIEF)
        elif error not in _OF_ONE_CLICK | _OPENED:
            self._refusals.note(slack, REQUEST, error)
        return error in _OPENED | _UNSURE
