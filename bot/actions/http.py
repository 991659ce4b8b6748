"""Actions that are one HTTP call under the person's token."""

from __future__ import annotations

import asyncio
import json
import string
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from bot import __version__
from bot.actions.accepted import LOST, Accepted, accepted, same_origin, share
from bot.actions.model import ActionResult, Call, Caller
from bot.actions.readable import readable
from oauth import AccessToken

USER_AGENT = f"countersign/{__version__}"
_LARGEST = 1_048_576
_SHOWN = 2_500
_HOPS = 3
_SAFE = {"GET", "HEAD"}
_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)
_NO_ANSWER = "The service did not answer, so it may or may not have been done. Look there before you ask again."


@dataclass(frozen=True, slots=True)
class Http:
    """Makes callers that share one session; `timeout` in seconds for one request, `pause` is how they wait for a
    service that works on it.
    """

    session: aiohttp.ClientSession
    timeout: float = 30.0
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep

    def caller(self, method: str, url: str) -> Caller:
        """A caller for `url`, whose `{name}` places are filled with arguments, each as one path segment."""
        in_path = places(url)

        async def call(one: Call) -> ActionResult:
            if any(_plain(one.arguments[name]) in {"", ".", ".."} for name in in_path):
                return ActionResult(ok=False, text="A value in the address is empty or made of dots; nothing was done.")
            address = _address(url, in_path, one.arguments)
            rest = {name: value for name, value in one.arguments.items() if name not in in_path}
            if method in {"GET", "HEAD", "DELETE"}:
                address = address.extend_query({name: _plain(value) for name, value in rest.items()})
                return await self._send(method, address, None, one)
            return await self._send(method, address, rest, one)

        return call

    async def _send(self, method: str, address: URL, body: Mapping[str, Any] | None, one: Call) -> ActionResult:
        headers = {
            "Authorization": f"Bearer {one.token.value}",
            "Idempotency-Key": one.run,
            "User-Agent": USER_AGENT,
            "Accept": "application/json",
        }
        if one.receipt is not None:
            headers["Approval-Receipt"] = one.receipt
        limit = aiohttp.ClientTimeout(total=self.timeout, sock_connect=self.timeout / 3)
        try:
            for _ in range(1 + (_HOPS if method in _SAFE else 0)):
                # A redirect could carry the token to another origin, so aiohttp follows none.
                async with self.session.request(
                    method, address, json=body, headers=headers, allow_redirects=False, timeout=limit
                ) as answer:
                    onward = _onward(answer) if method in _SAFE else None
                    later = accepted(answer) if method not in _SAFE else None
                    if onward is None and later is None:
                        return _result(answer, *await _read(answer), one.token)
                    said = (await _read(answer))[0] if later is not None else ""
                if later is not None:
                    return await self._awaited(later, said, one)
                address = onward or address
            return ActionResult(ok=False, text="The service redirects the call in circles. Nothing was found.")
        except _NEVER_SENT:
            return ActionResult(ok=False, text="The service could not be reached; nothing was done. Try again later.")
        except (aiohttp.ClientError, TimeoutError):
            if method in _SAFE:
                return ActionResult(ok=False, text="The service did not answer in time. Try again later.")
            return ActionResult(ok=False, text=_NO_ANSWER, unknown=True)

    async def _awaited(self, later: Accepted, said: str, one: Call) -> ActionResult:
        """What comes of a call that the service works on; people see how far it is meanwhile."""
        limit = aiohttp.ClientTimeout(total=self.timeout, sock_connect=self.timeout / 3)
        while True:
            await one.report("The service works on it", fraction=share(said))
            await self.pause(later.after)
            token = await one.fresh_token()
            headers = {"Authorization": f"Bearer {token.value}", "User-Agent": USER_AGENT, "Accept": "application/json"}
            try:
                async with self.session.get(
                    later.monitor, headers=headers, allow_redirects=False, timeout=limit
                ) as answer:
                    said, cut = await _read(answer)
                    place = answer.headers.get("Location", "")
                    further = accepted(answer, later)
                    result = same_origin(answer, place) if answer.status == 303 and place else None
            except (aiohttp.ClientError, TimeoutError):
                continue  # the question got lost, and not the work
            if further is None and result is None:
                return _ended(answer, said, cut, token)
            later = further or Accepted(result or later.monitor, 1.0)


def _onward(answer: aiohttp.ClientResponse) -> URL | None:
    """Where a redirect leads, if that is the same origin (RFC 6454); None for everything else."""
    if answer.status not in {301, 302, 303, 307, 308}:
        return None
    target = same_origin(answer, answer.headers.get("Location", ""))
    return target if target != answer.url else None


async def _read(answer: aiohttp.ClientResponse) -> tuple[str, bool]:
    """The body as text, and whether it was longer than anybody wants to see; the rest of it is left on the line."""
    parts, size = [], 0
    async for part in answer.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > _LARGEST:
            answer.close()
            break
    return b"".join(parts)[:_LARGEST].decode("utf-8", "replace"), size > _LARGEST


def places(url: str) -> set[str]:
    """The parameters that an address has places for."""
    return {name for _, name, _, _ in string.Formatter().parse(url) if name}


def _address(url: str, in_path: set[str], arguments: Mapping[str, Any]) -> URL:
    # Encoded by hand and passed as such: a value must stay one segment, slashes and all.
    filled = {name: quote(_plain(arguments[name]), safe="") for name in in_path}
    return URL(url.format_map(filled), encoded=True)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)


# An account that is connected anew gets other tokens, but as long as the former one lives nobody asks for that.
_DISCONNECTED = (
    "The service does not accept the access to your account there any more. Try again in an hour: "
    "then I can ask you to connect the account anew."
)
_REASONS = {
    401: "The service did not accept your token. Link again with /agent link.",
    403: "The service says that you may not do this.",
    404: "The service does not know what you asked for.",
    409: "The service refused: it does not fit the present state.",
    429: "The service is asked too often. Try again in a minute.",
}


def _result(answer: aiohttp.ClientResponse, text: str, cut: bool, token: AccessToken) -> ActionResult:
    status = answer.status
    page = answer.content_type in {"text/html", "application/xhtml+xml"} or text.lstrip()[:1] == "<"
    shown = "" if page else _pretty(text, cut, token.value)
    if 200 <= status < 300:
        nothing = "with a web page, which is not shown here" if page else "with nothing to show"
        said = shown or f"Done (HTTP {status}), {nothing}."
        return ActionResult(ok=True, text=said, status=status, data=_json(text))
    if status in {502, 504} and answer.method not in _SAFE:  # a gateway says so, which does not know either
        return ActionResult(ok=False, text=_NO_ANSWER, status=status, unknown=True)
    sentence = _REASONS.get(status) or ("The service failed." if status >= 500 else "The service refused.")
    if status == 401 and token.audience.startswith("connection:"):
        sentence = _DISCONNECTED
    if 300 <= status < 400:
        sentence = "The service wanted to redirect the call, which is not followed with your token."
    return ActionResult(ok=False, text=f"{sentence} (HTTP {status})\n{shown}".strip(), status=status)


def _ended(answer: aiohttp.ClientResponse, text: str, cut: bool, token: AccessToken) -> ActionResult:
    """The service has said what came of it, or cannot be asked any more."""
    if 200 <= answer.status < 300 and answer.status != 202:
        return _result(answer, text, cut, token)
    return ActionResult(ok=False, text=f"{LOST} (HTTP {answer.status})", status=answer.status, unknown=True)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _pretty(text: str, cut: bool, token: str) -> str:
    """JSON as people read it, anything else as it is; without the token, also where JSON had disguised it."""
    try:
        pretty = readable(json.loads(text))
    except (ValueError, RecursionError):
        pretty = text.strip()
    pretty = pretty.replace(token, "[token]")
    return pretty[:_SHOWN] + "\n… (cut)" if cut or len(pretty) > _SHOWN else pretty
