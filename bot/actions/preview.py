"""What the card shows of the thing that a call is about, as its service says when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bot.actions.http import Http, places
from bot.actions.model import Call, Looker
from bot.actions.readable import readable

_MOST = 10
_LONGEST = 300


def looker(http: Http, url: str, fields: Sequence[str]) -> Looker:
    """Reads `url` under the person's token. `fields` are names, or ways through objects such as `customer.name`;
    without any, all that is no object or list is shown.
    """
    call, needed = http.caller("GET", url), places(url)

    async def look(one: Call) -> tuple[tuple[str, str], ...]:
        named = {name: value for name, value in one.arguments.items() if name in needed}
        answer = await call(replace(one, arguments=named))
        if not answer.ok:
            return (("preview", answer.text.splitlines()[0]),)
        return shown(answer.data, fields)

    return look


def shown(data: Any, fields: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Names and values, as text, ten at most; what is not there is said to be so."""
    if not isinstance(data, Mapping):
        return ()
    names = fields or [name for name, value in data.items() if not isinstance(value, Mapping | list)]
    return tuple((name, _at(data, name)) for name in list(names)[:_MOST])


def _at(data: Any, way: str) -> str:
    for name in way.split("."):
        if not isinstance(data, Mapping) or name not in data:
            return "(not there)"
        data = data[name]
    text = readable(data)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
