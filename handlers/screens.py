"""Where people see work that lasts: a message to whoever asked for it, edited as it goes on, with task cards below
where the workspace has them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from slack_sdk.errors import SlackApiError

from bot.work import Place, Running, TooFast, View
from bot.work.ports import Gone
from handlers.post import Post, impatient
from handlers.streams import Stream, StreamingWorkspaces, pause_of
from handlers.work_cards import work_card
from handlers.workspace import NotInstalled, Workspaces
from oauth import Clock

_BESIDE = timedelta(seconds=5)  # while the cards below say it all, the message above them follows that slowly


@dataclass(frozen=True, slots=True)
class SlackScreens:
    """Makes what is seen of each run."""

    post: Post
    workspaces: Workspaces
    streaming: StreamingWorkspaces
    clock: Clock

    def surface(self, running: Running, place: Place | None = None) -> SlackSurface:
        """One for this run; at `place` where it is shown already."""
        return SlackSurface(self, running, place)


class SlackSurface:
    """One run in the direct messages of whoever asked for it: what it says of itself is for nobody else."""

    def __init__(self, screens: SlackScreens, running: Running, place: Place | None) -> None:
        self._screens = screens
        self._running = running
        self._place = place
        self._stream = Stream(running, screens.streaming)
        self._shown: View | None = None
        self._edited_at: datetime | None = None

    @property
    def place(self) -> Place | None:
        """Where it is, once it was shown."""
        return self._place

    async def show(self, view: View, *, again: bool = False) -> None:
        """Show this instead of what was there. Raises TooFast, Gone, or whatever Slack and the network raise."""
        try:
            await self._show(view, again=again)
        except NotInstalled:
            raise Gone from None
        except SlackApiError as refusal:
            wait = pause_of(refusal)
            if wait is None:
                raise
            raise TooFast(wait) from None

    async def _show(self, view: View, *, again: bool) -> None:
        if self._place is None and not await self._posted(view, again=again):
            return
        if self._place is None:
            return
        web = impatient(await self._screens.workspaces.client(self._running.requester))
        await self._stream.show(web, self._place, view)
        if not self._needs_edit(view):
            return
        message = work_card(self._running, view, streamed=self._stream.live)
        await web.chat_update(
            channel=self._place.channel, ts=self._place.ts, text=message.text, blocks=list(message.blocks)
        )
        self._shown, self._edited_at = view, self._screens.clock()

    def _needs_edit(self, view: View) -> bool:
        if view == self._shown:
            return False
        if self._shown is None or not self._stream.live or self._edited_at is None:
            return True
        turned = replace(view, progress=self._shown.progress) != self._shown
        return turned or self._screens.clock() - self._edited_at >= _BESIDE

    async def _posted(self, view: View, *, again: bool) -> bool:
        """Make the message, unless an earlier attempt has; whether it has to be brought up to date yet."""
        post, slack = self._screens.post, self._running.requester
        channel = await post.dm_of(slack)
        mark = f"run:{self._running.run}"
        if again and (ts := await post.marked(slack, channel, mark, self._running.started_at)):
            self._place = Place(channel, ts)
            return True
        if view.outcome is not None:
            return False  # nothing of it was ever seen, and it is over
        channel, ts = await post.say(slack, channel, work_card(self._running, view), mark=mark)
        self._place, self._shown, self._edited_at = Place(channel, ts), view, self._screens.clock()
        return True
