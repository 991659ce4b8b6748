"""Where `response_url` leads (docs.slack.dev, "Handling user interaction", "Message responses").

Five uses in thirty minutes; they outlive a restart of the sandbox as they would outlive one of the bot.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from . import arguments as given
from . import limits
from .arguments import Arguments
from .chat import content
from .errors import SlackRefusal
from .model import Message, ResponseUrl
from .state import Workspace

BAD_REQUEST = 400
NOT_FOUND = 404


class ResponseUrls:
    """Answers `/hooks/…`, and makes the addresses; one for all workspaces, each named in its addresses."""

    def __init__(self, find: Callable[[str], Workspace | None]) -> None:
        self._find = find
        self.base = ""

    def add_routes(self, app: web.Application) -> None:
        """Mount it."""
        app.router.add_post("/hooks/{address:.+}", self._handle)

    def new(self, workspace: Workspace, user: str, channel: str, message: Message | None = None) -> str:
        """An absolute address, for a command or for a click on `message`."""
        return f"{self.base}/hooks/{workspace.team.home}/{workspace.new_response_url(user, channel, message)}"

    async def _handle(self, request: web.Request) -> web.Response:
        try:
            arguments = await given.read(request)
            home, _, key = request.match_info["address"].partition("/")
            workspace = self._find(home)
            if workspace is None:
                raise SlackRefusal("expired_url", status=NOT_FOUND)
            self.use(workspace, key, arguments)
        except SlackRefusal as refusal:
            if refusal.status == NOT_FOUND:
                return web.json_response(refusal.body(), status=NOT_FOUND)
            return web.Response(text=refusal.error, status=BAD_REQUEST)
        return web.Response(text="ok")

    def use(self, workspace: Workspace, key: str, arguments: Arguments) -> None:
        """Spend one use. SlackRefusal `expired_url`, `used_url`, `invalid_blocks`, `no_text`, …"""
        url = workspace.response_urls.get(key)
        if url is None or workspace.clock().timestamp() > url.expires:
            raise SlackRefusal("expired_url", status=NOT_FOUND)
        if url.left < 1:
            raise SlackRefusal("used_url", status=NOT_FOUND)
        url.left -= 1
        workspace.touch()
        respond(workspace, url, arguments)


def respond(workspace: Workspace, url: ResponseUrl, arguments: Arguments) -> None:
    """Post, replace or delete as the answer says. A command has no original: replacing it posts anew."""
    clicked = workspace.find(url.channel, url.ts) if url.ts else None
    if arguments.flag("delete_original"):
        if clicked is not None:
            workspace.change_message(clicked, deleted=True)
        return
    text, blocks = content(arguments, limits.MESSAGE_TEXT)
    if arguments.flag("replace_original") and clicked is not None:
        edited = clicked.edited if blocks or clicked.only_for else workspace.next_ts()
        workspace.change_message(clicked, text=text, blocks=blocks, edited=edited)
        return
    aloud = arguments.text("response_type") == "in_channel"
    more: dict[str, Any] = {"only_for": None if aloud else url.user}
    more["thread_ts"] = arguments.text("thread_ts") or url.thread_ts
    workspace.add_message(url.channel, workspace.team.bot_user, text, blocks, **more)
