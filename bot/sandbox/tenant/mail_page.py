"""`/u/mail` and `/u/phone`: where a person finds the codes that the tenant has sent, since no real message is."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from .backchannel import Answer, Backchannel
from .mailbox import Condition, Mail, Mailbox
from .page import page, refused
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
    backchannel: Backchannel

    def add_to(self, app: web.Application) -> None:
        """Mount the routes."""
        app.router.add_get("/u/mail", self.show)
        app.router.add_get("/u/phone", self.show_phones)
        app.router.add_post("/u/phone", self.answer)

    async def show(self, _: web.Request) -> web.StreamResponse:
        """The newest mails of each address, the address that got one last first."""
        lead = f"What was sent to people who sign in to {self.tenant.application.name} with a code. "
        return page(
            "mails.html",
            title="Mailbox",
            lead=lead + "No real mail leaves this machine.",
            boxes=self._boxes(self.tenant.state.mailbox),
            pushes=[],
            here="/u/mail",
        )

    async def show_phones(self, _: web.Request) -> web.StreamResponse:
        """The newest messages on each phone, the phone that got one last first."""
        people = self.tenant.state.people
        boxes = {
            people[id_].name if id_ in people else id_: rows
            for id_, rows in self._boxes(self.tenant.state.phones).items()
        }
        lead = "What people are asked, and the codes of their second factor. No real message leaves this machine."
        now = self.tenant.state.clock()
        pushes = [
            {
                "id": push.id,
                "name": people[push.person].name if push.person in people else push.person,
                "binding_message": push.binding_message,
                "open": push.answer is None and now < push.expires_at,
                "condition": push.answer or ("open" if now < push.expires_at else "expired"),
            }
            for push in reversed(self.backchannel.pushes)
        ]
        return page("mails.html", title="Phones", lead=lead, boxes=boxes, pushes=pushes, here="/u/phone")

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """`POST /u/phone`: somebody taps *Approve* or *Deny*. Only this page's own form counts."""
        if request.headers.get("Origin", "") != self.tenant.issuer.rstrip("/"):
            return refused("Not from here", "This form came from another page, so nothing was done.", 403)
        form = await request.post()
        how: Answer = "approved" if form.get("answer") == "approved" else "denied"
        self.backchannel.answer(str(form.get("push", "")), how)
        raise web.HTTPSeeOther("/u/phone")

    def _boxes(self, mailbox: Mailbox) -> dict[str, list[dict[str, object]]]:
        boxes: dict[str, list[Mail]] = {}
        for mail in reversed(mailbox.sent):
            boxes.setdefault(mail.to, []).append(mail)
        return {
            to: [self._row(mail, mailbox.condition(mail)) for mail in all_[:_MOST_SHOWN]] for to, all_ in boxes.items()
        }

    def _row(self, mail: Mail, condition: Condition) -> dict[str, object]:
        now = self.tenant.state.clock()
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
