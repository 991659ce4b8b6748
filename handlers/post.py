"""What goes out to Slack: direct messages, cards and answers. Links are never unfurled, and nothing of a person's
goes anywhere but to that person."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.async_handler import AsyncRetryHandler
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncRateLimitErrorRetryHandler,
)
from slack_sdk.http_retry.request import HttpRequest
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse
from slack_sdk.webhook.async_client import AsyncWebhookClient

from handlers.message import Message
from handlers.workspace import PASSING, Workspaces, reason_of
from oauth import SlackUser

log = structlog.get_logger(__name__)

_MOST_CHANNELS = 4096
_PATIENCE, _IDLE = 10, 15.0  # seconds
_MARKED = "countersign_card"
_LOOKED_AT = 100
_SKEW = timedelta(minutes=1)  # between Slack's clock and ours
_POSTING = ("chat.postMessage", "chat.postEphemeral", "chat.startStream", "files.completeUploadExternal")


class _ByPost(AsyncWebClient):
    """Sends every call as POST with its arguments in the body, which Slack takes for all methods.

    Slack's own client puts the arguments of some into the address, and addresses end up in logs on the way
    (docs.slack.dev, "Using the Slack Web API").
    """

    async def api_call(
        self, api_method: str, *, http_verb: str = "POST", params: dict[str, Any] | None = None, **more: Any
    ) -> AsyncSlackResponse:
        """One call; `params` is what would go into the address."""
        if params is None or more.get("data") is not None or more.get("json") is not None:
            return await super().api_call(api_method, http_verb=http_verb, params=params, **more)
        form = {name: int(value) if isinstance(value, bool) else value for name, value in params.items()}
        token = form.pop(
            "token", None
        )  # of one call alone: Slack's client makes a header of it, and finds it here only
        return await super().api_call(
            api_method, **{**more, "data": form, "params": None if token is None else {"token": token}}
        )


class _OnceIfItPosts(AsyncConnectionErrorRetryHandler):
    """Slack's client asks again where an answer got lost. A message may have been posted by then, so that is never
    asked again blindly: whoever posts cards looks for the first one."""

    async def _can_retry_async(self, *, request: HttpRequest, **more: Any) -> bool:
        return not request.url.endswith(_POSTING) and await super()._can_retry_async(request=request, **more)


def connections() -> aiohttp.ClientSession:
    """What all clients of a process share, so that not every call begins with a new connection.

    Without cookies, and within a running loop. An idle connection is let go of well before Slack does so.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(keepalive_timeout=_IDLE),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=_PATIENCE),
    )


def client(token: str, base_url: str, session: aiohttp.ClientSession | None = None) -> AsyncWebClient:
    """Slack's own client; it waits as told when it was too fast (docs.slack.dev, "Rate limits").

    Without a `session` each call has a connection of its own.
    """
    handlers: list[AsyncRetryHandler] = [_OnceIfItPosts(), AsyncRateLimitErrorRetryHandler(max_retry_count=3)]
    return _ByPost(token=token, base_url=base_url, timeout=_PATIENCE, retry_handlers=handlers, session=session)


def impatient(web: AsyncWebClient) -> AsyncWebClient:
    """The same for whoever has something newer to say by the time that Slack wants to hear more: it does not wait."""
    return _ByPost(
        token=web.token,
        base_url=web.base_url,
        timeout=_PATIENCE,
        retry_handlers=[_OnceIfItPosts()],
        session=web.session,
    )


class Post:
    """Sends messages, to each workspace under its own token.

    Raises NotInstalled, SlackApiError, or what the network raises, where one cannot be sent.
    """

    def __init__(self, workspaces: Workspaces) -> None:
        self._workspaces = workspaces
        self._channels: OrderedDict[str, str] = OrderedDict()

    async def dm(self, slack: SlackUser, message: Message, *, mark: str | None = None) -> tuple[str, str]:
        """A direct message; its channel and ts."""
        return await self.say(slack, await self.dm_of(slack), message, mark=mark)

    async def say(
        self, slack: SlackUser, channel: str, message: Message, thread: str | None = None, *, mark: str | None = None
    ) -> tuple[str, str]:
        """A message in a channel or a thread of this person's workspace; its channel and ts.

        By its `mark` it is found again (docs.slack.dev, "Message metadata").
        """
        web = await self._workspaces.client(slack)
        metadata = {"event_type": _MARKED, "event_payload": {"mark": mark}} if mark is not None else None
        sent: Any = await web.chat_postMessage(
            channel=channel,
            thread_ts=thread,
            unfurl_links=False,
            unfurl_media=False,
            metadata=metadata,
            **message.as_slack(),
        )
        return sent["channel"], sent["ts"]

    async def marked(self, slack: SlackUser, channel: str, mark: str, since: datetime) -> str | None:
        """The ts of a message of ours that has this mark; None where there is none, or Slack does not let us look.

        For what was posted although its answer got lost.
        """
        web = await self._workspaces.client(slack)
        try:
            found: Any = await web.conversations_history(
                channel=channel, oldest=str((since - _SKEW).timestamp()), include_all_metadata=True, limit=_LOOKED_AT
            )
        except SlackApiError as refusal:
            log.warning("history_not_read", error=reason_of(refusal))
            return None
        for one in found["messages"]:
            metadata = one.get("metadata") or {}
            if metadata.get("event_type") == _MARKED and (metadata.get("event_payload") or {}).get("mark") == mark:
                return str(one["ts"])
        return None

    async def may_attach(self, slack: SlackUser) -> bool:
        """Whether the workspace lets us attach files; False only where Slack itself says that it does not.

        It names an address for one, which nobody uses (docs.slack.dev, "files.getUploadURLExternal").
        """
        web = await self._workspaces.client(slack)
        try:
            await web.files_getUploadURLExternal(filename="value.txt", length=1)
        except SlackApiError as refusal:
            reason = reason_of(refusal)
            log.warning("files_refused", error=reason)
            return reason is None or reason in PASSING
        return True

    async def attach(self, slack: SlackUser, channel: str, texts: Mapping[str, str], comment: str) -> dict[str, str]:
        """Show texts as files in a channel, in one message with a `comment` in mrkdwn; the address of each by its name,
        "" where Slack names none (docs.slack.dev, "Working with files").
        """
        web = await self._workspaces.client(slack)
        files = [{"filename": name, "content": text, "snippet_type": "text"} for name, text in texts.items()]
        sent: Any = await web.files_upload_v2(channel=channel, initial_comment=comment, file_uploads=files)
        return {name: str(file.get("permalink") or "") for name, file in zip(texts, sent["files"], strict=True)}

    async def change(self, slack: SlackUser, channel: str, ts: str, message: Message) -> None:
        """Put `message` in the place of one that was sent."""
        web = await self._workspaces.client(slack)
        await web.chat_update(channel=channel, ts=ts, text=message.text, blocks=list(message.blocks))

    async def answer(self, response_url: str, message: Message) -> bool:
        """An answer that only the person sees; False where Slack does not take it (five uses, thirty minutes)."""
        hook = AsyncWebhookClient(response_url, timeout=10)
        try:
            sent = await hook.send_dict({"response_type": "ephemeral", "replace_original": False, **message.as_slack()})
        except Exception as error:  # an answer that cannot be given must not end what gave it
            log.warning("answer_not_given", kind=type(error).__name__)
            return False
        if sent.status_code != 200:
            log.warning("answer_not_given", status=sent.status_code)
        return sent.status_code == 200

    async def whisper(self, slack: SlackUser, channel: str, message: Message) -> None:
        """A message that only this person sees, in a channel or in the direct messages with us; it may be lost."""
        web = await self._workspaces.client(slack)
        where = {"channel": channel, "unfurl_links": False, "unfurl_media": False, **message.as_slack()}
        try:
            if channel.startswith("D"):
                await web.chat_postMessage(**where)
            else:
                await web.chat_postEphemeral(user=slack.user, **where)
        except SlackApiError as refusal:
            log.warning("whisper_lost", error=reason_of(refusal))

    async def open_view(self, slack: SlackUser, trigger: str, view: dict[str, Any]) -> bool:
        """Open a modal; False where Slack does not, e.g. because the trigger's three seconds are over."""
        try:
            await (await self._workspaces.client(slack)).views_open(trigger_id=trigger, view=view)
        except SlackApiError as refusal:
            log.warning("view_not_opened", error=reason_of(refusal))
            return False
        except Exception as error:  # the network; the caller has another way to ask
            log.warning("view_not_opened", kind=type(error).__name__)
            return False
        return True

    async def dm_of(self, slack: SlackUser) -> str:
        """The channel of our direct messages with this person."""
        known = self._channels.get(slack.key)
        if known is None:
            opened: Any = await (await self._workspaces.client(slack)).conversations_open(users=slack.user)
            known = self._channels[slack.key] = opened["channel"]["id"]
            if len(self._channels) > _MOST_CHANNELS:
                self._channels.popitem(last=False)
        return known
