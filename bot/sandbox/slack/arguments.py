"""The arguments of one Web API call, however they came (docs.slack.dev, "Using the Web API")."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from .errors import SlackRefusal


class Arguments:
    """Query, form, multipart or JSON; a form's values are strings, so `true` and `1` count as true."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def text(self, name: str) -> str:
        """A string; empty where it was not given."""
        value = self.values.get(name)
        return value if isinstance(value, str) else "" if value is None else str(value)

    def need(self, name: str, error: str = "invalid_arguments") -> str:
        """A string that must be there. Raises SlackRefusal(error)."""
        if not (value := self.text(name)):
            more = [f"missing required field: {name}"] if error == "invalid_arguments" else []
            raise SlackRefusal(error, messages=more)
        return value

    def flag(self, name: str) -> bool:
        """A boolean; false where it was not given."""
        return self.values.get(name) in (True, "true", "1", 1)

    def ids(self, name: str) -> list[str]:
        """A comma-separated list, or a JSON list."""
        value = self.values.get(name)
        parts = value if isinstance(value, list) else self.text(name).split(",")
        return [str(part).strip() for part in parts if str(part).strip()]


async def read(request: web.Request) -> Arguments:
    """All arguments of a request. Raises SlackRefusal `invalid_json`, `invalid_form_data`, `json_not_object`."""
    values: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        try:
            found = json.loads(await request.read() or b"{}")
        except (ValueError, RecursionError):
            raise SlackRefusal("invalid_json") from None
        if not isinstance(found, dict):
            raise SlackRefusal("json_not_object")
        return Arguments(values | found)
    try:
        form = await request.post()
    except (ValueError, LookupError):
        raise SlackRefusal("invalid_form_data") from None
    return Arguments(values | {name: value for name, value in form.items() if isinstance(value, str)})
