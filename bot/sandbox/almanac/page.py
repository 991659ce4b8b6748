"""Almanac's pages: one frame, the headers that every one of them carries, and the calendar of an account at `/`.

The calendar is for people of the demo, who may look into anybody's; the API's tokens play no part.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import jinja2
from aiohttp import web

from .calendars import Calendars
from .model import ACCOUNTS

_PAGES = Path(__file__).parent / "pages"
_SHOWN = 40


def page(template: str, status: int = 200, form_action: str = "'none'", **values: object) -> web.Response:
    """A page out of its template; `form_action` is where its form may lead, as the policy names it."""
    headers = {
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; "
            f"frame-ancestors 'none'; form-action {form_action}"
        ),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        # Not `no-referrer`: under that, browsers hide the form's origin, which is checked.
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    text = _templates().get_template(template).render(**values)
    return web.Response(text=text, content_type="text/html", status=status, headers=headers)


@dataclass(frozen=True, slots=True)
class CalendarPage:
    """The handlers, bound to what they show."""

    calendars: Calendars

    def add_to(self, app: web.Application) -> None:
        """Mount the page and its files."""
        app.router.add_get("/", self.show)
        app.router.add_get(r"/static/{name:(?:style\.css|live\.js)}", self.file)

    async def show(self, request: web.Request) -> web.StreamResponse:
        """`GET /?account=`: an account's events, and who asked for them or wrote them, newest calls first.

        Calls with no token of Almanac's are shown with every account.
        """
        name = request.query.get("account", ACCOUNTS[0].id)
        account = next((one for one in ACCOUNTS if one.id == name), None)
        if account is None:
            return page("refused.html", 404, title="No such account", sentence="Nobody of this name is at Almanac.")
        calls = [call for call in self.calendars.journal if call.account in {account.id, None}][::-1][:_SHOWN]
        events = self.calendars.of(account.id)
        return page("calendar.html", account=account, accounts=ACCOUNTS, events=events, calls=calls)

    async def file(self, request: web.Request) -> web.StreamResponse:
        """Style sheet and script."""
        return web.FileResponse(_PAGES / request.match_info["name"], headers={"X-Content-Type-Options": "nosniff"})


@functools.cache
def _templates() -> jinja2.Environment:
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_PAGES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    templates.filters |= {"clock": _clock, "day": _day}
    return templates


def _clock(moment: str) -> str:
    return datetime.fromisoformat(moment).strftime("%H:%M:%S")


def _day(day: str) -> str:
    """As people say it: Monday, 30 November 2026."""
    found = date.fromisoformat(day)
    return f"{found:%A}, {found.day} {found:%B %Y}"
