"""What happens to links and tokens, in the trail; and who else is told of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bot.audit.writer import AuditWriter
from bot.tasks import Tasks
from oauth import LinkEvent

Listener = Callable[[LinkEvent], Awaitable[None]]


class LinkTrail:
    """The observer of the identity package: an entry before each effect, and word of it to listeners afterwards."""

    def __init__(self, audit: AuditWriter, tasks: Tasks | None = None) -> None:
        """Without `tasks`, as on the command line, nobody is told."""
        self._audit = audit
        self._tasks = tasks
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> None:
        """Tell `listener` of what took effect, from now on."""
        self._listeners.append(listener)

    async def record(self, event: LinkEvent) -> None:
        """Write it down. Raises AuditUnavailable, and then it does not take effect."""
        await self._audit.append(
            event.type,
            event.outcome,
            slack=event.slack,
            identity=event.identity,
            reason=event.reason,
            scopes=event.scopes,
            token_jti=event.token_jti,
        )

    async def notify(self, event: LinkEvent) -> None:
        """Tell the listeners, without keeping a browser or a caller waiting for Slack."""
        if self._tasks is not None:
            for listener in self._listeners:
                self._tasks.spawn(_told(listener, event), f"link:{event.type}")


async def _told(listener: Listener, event: LinkEvent) -> None:
    await listener(event)
