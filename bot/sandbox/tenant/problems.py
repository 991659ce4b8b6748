"""How the My Account API refuses, and how it reads what it is sent.

Its OpenAPI document gives the shape and the statuses. The codes in `type` are known from Auth0's own SDKs for some
cases of 400, 401 and 403, and the words are modelled on those, so a client must not rely on more than the status.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

_TITLES = {
    "400-0001": "Bad Request",
    "400-0003": "Validation Error",
    "401-0001": "Unauthorized",
    "401-0003": "Invalid Token",
    "403-0002": "Insufficient Scope",
    "415-0001": "Unsupported Media Type",
}


class Problem(Exception):
    """A refusal of this API, after RFC 7807; `code` begins with the status."""

    def __init__(self, code: str, detail: str, field: str | None = None) -> None:
        self.status = int(code[:3])
        self.code = code
        self.detail = detail
        self.field = field
        super().__init__(detail)

    def body(self) -> dict[str, Any]:
        """The response's JSON."""
        errors = [{"detail": self.detail, "field": self.field, "pointer": f"/{self.field}", "source": "body"}]
        return {
            "type": f"https://auth0.com/api-errors/A0E-{self.code}",
            "status": self.status,
            "title": _TITLES[self.code],
            "detail": "Invalid request payload input" if self.field else self.detail,
            **({"validation_errors": errors} if self.field else {}),
        }


async def body_of(request: web.Request, texts: Mapping[str, int], others: tuple[str, ...] = ()) -> dict[str, Any]:
    """A JSON object of these texts, each with its greatest length, and `others`. Raises Problem."""
    if request.content_type != "application/json":
        raise Problem("415-0001", "Send JSON")
    try:
        found = await request.json()
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Problem("400-0001", "The body is not a JSON object")
    for name, value in found.items():
        if name in others:
            continue
        if name not in texts:
            raise Problem("400-0003", f"Property not allowed: {name[:80]}", name[:80])
        if not isinstance(value, str) or not 0 < len(value) <= texts[name]:
            raise Problem("400-0003", f"{name} must be a text of 1 to {texts[name]} characters", name)
    return found
