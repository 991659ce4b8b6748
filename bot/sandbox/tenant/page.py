"""The tenant's pages: one frame, and the headers that every one of them carries."""

from __future__ import annotations

import functools
from pathlib import Path

import jinja2
from aiohttp import web

PAGES = Path(__file__).parent / "pages"


def page(template: str, status: int = 200, form_action: str = "", **values: object) -> web.Response:
    """A page out of its template; `form_action` is the origin to which its form may lead, beside our own."""
    text = _templates().get_template(template).render(**values)
    # A form's target is checked after the redirect too (CSP Level 3, form-action), so the application is named in it.
    policy = (
        "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action 'self' {form_action}".rstrip()
    )
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        # Not `no-referrer`: under that, browsers hide the form's origin, which is checked.
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    return web.Response(text=text, content_type="text/html", status=status, headers=headers)


def refused(title: str, sentence: str, status: int) -> web.Response:
    """A page that says why it goes no further."""
    return page("refused.html", status, title=title, sentence=sentence)


@functools.cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(loader=jinja2.FileSystemLoader(PAGES), autoescape=True, undefined=jinja2.StrictUndefined)
