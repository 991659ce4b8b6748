"""`/u/mail`: the mailbox in which a person finds the codes that the tenant has sent, since no real mail is."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from .mailbox import Condition, Mail
from .page import page
from .tenant import Tenant

_MOST_SHOWN = 5
_CONDITIONS: dict[Condition, str] = {
    "good": "good",
    "used": "used",
    "replaced": "replaced by a newer one",
    "void": "void after three wrong guesses",
    "expired": "expired",
}


@dataclass(frozen=True, slots=True)
class MailPage:
    """The handler, bound to the mails."""

    tenant: Tenant

    def add_to(self, app: web.Application) -> None:
        """Mount the route."""
        app.router.add_get("/u/mail", self.show)

    async def show(self, _: web.Request) -> web.StreamResponse:
        """The newest mails of each address, the address that got one last first."""
        boxes: dict[str, list[Mail]] = {}
        for mail in reversed(self.tenant.state.mailbox.sent):
            boxes.setdefault(mail.to, []).append(mail)
        shown = {address: [self._row(mail) for mail in mails[:_MOST_SHOWN]] for address, mails in boxes.items()}
        return page("mails.html", boxes=shown, application=self.tenant.application.name)

    def _row(self, mail: Mail) -> dict[str, object]:
        now, condition = self.tenant.state.clock(), self.tenant.state.mailbox.condition(mail)
        left = _span(int((mail.expires_at - now).total_seconds()))
        return {
            "code": mail.code,
            "link": mail.link,
            "good": condition == "good",
            "condition": f"good for another {left}" if condition == "good" else _CONDITIONS[condition],
            "sent_at": mail.sent_at.isoformat(timespec="seconds"),
            "sent": f"{_span(int((now - mail.sent_at).total_seconds()))} ago",
        }


def _span(seconds: int) -> str:
    """As people say it: `45 s`, `2 min 5 s`, `1 h 10 min`."""
    minutes, seconds = divmod(max(0, seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (seconds, "s")]
    said = [f"{number} {unit}" for number, unit in parts if number][:2]
    return " ".join(said) or "0 s"
