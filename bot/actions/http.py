"""Actions that are one HTTP call under the person's token."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from bot import __version__
from bot.actions.model import ActionResult, Call, Caller

USER_AGENT = f"countersign/{__version__}"
_LARGEST = 1_048_576
_SHOWN = 2_500
_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.InvalidURL)


@dataclass(frozen=True, slots=True)
class Http:
    """Makes callers that share one session; `timeout` in seconds for a whole call."""

    session: aiohttp.ClientSession
    timeout: float = 30.0

    def caller(self, method: str, url: str) -> Caller:
        """A caller for `url`, whose `{name}` places are filled with arguments, each as one path segment."""
        in_path = set(_names(url))

        async def call(one: Call) -> ActionResult:
            if any(_plain(one.arguments[name]) in {"", ".", ".."} for name in in_path):
                return ActionResult(ok=False, text="A value in the address is empty or made of dots; nothing was done.")
            address = _address(url, in_path, one.arguments)
            rest = {name: value for name, value in one.arguments.items() if name not in in_path}
            in_query = method in {"GET", "HEAD", "DELETE"}
            if in_query:
                address = address.extend_query({name: _plain(value) for name, value in rest.items()})
            return await self._send(method, address, None if in_query else rest, one)

        return call

    async def _send(self, method: str, address: URL, body: Mapping[str, Any] | None, one: Call) -> ActionResult:
        headers = {
            "Authorization": f"Bearer {one.token.value}",
            "Idempotency-Key": one.run,
            "User-Agent": USER_AGENT,
            "Accept": "application/json",
        }
        try:
            # A redirect could carry the token to another origin, so none is followed.
            async with self.session.request(
                method,
                address,
                json=body,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=self.timeout),
            ) as answer:
                raw = await answer.content.read(_LARGEST)
                return _result(answer.status, raw.decode("utf-8", "replace"), one.token.value)
        except _NEVER_SENT:
            return ActionResult(ok=False, text="The service could not be reached; nothing was done. Try again later.")
        except (aiohttp.ClientError, TimeoutError):
            if method in {"GET", "HEAD"}:
                return ActionResult(ok=False, text="The service did not answer in time. Try again later.")
            text = "The service did not answer, so it may or may not have been done. Look there before you ask again."
            return ActionResult(ok=False, text=text, unknown=True)


def _names(url: str) -> list[str]:
    import string

    return [name for _, name, _, _ in string.Formatter().parse(url) if name]


def _address(url: str, in_path: set[str], arguments: Mapping[str, Any]) -> URL:
    # Encoded by hand and passed as such: a value must stay one segment, slashes and all.
    filled = {name: quote(_plain(arguments[name]), safe="") for name in in_path}
    return URL(url.format_map(filled), encoded=True)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)


def _result(status: int, text: str, token: str) -> ActionResult:
    clean = text.replace(token, "[token]")
    if 200 <= status < 300:
        return ActionResult(ok=True, text=_pretty(clean), status=status)
    reasons = {
        401: "The service did not accept your token. Link again with /agent link.",
        403: "The service says that you may not do this.",
        404: "The service does not know what you asked for.",
        409: "The service refused: it does not fit the present state.",
        429: "The service is asked too often. Try again in a minute.",
    }
    sentence = reasons.get(status, "")
    if not sentence:
        sentence = "The service failed." if status >= 500 else "The service refused."
    if 300 <= status < 400:
        sentence = "The service wanted to redirect the call, which is not followed with your token."
    return ActionResult(ok=False, text=f"{sentence} (HTTP {status})\n{_pretty(clean)}".strip(), status=status)


def _pretty(text: str) -> str:
    try:
        pretty = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        pretty = text.strip()
    return pretty if len(pretty) <= _SHOWN else pretty[:_SHOWN] + "\n… (cut)"
