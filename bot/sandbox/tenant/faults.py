"""Things that go wrong on purpose: an endpoint refuses, its answer is lost, or it takes its time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote_to_bytes

from aiohttp import web

from .token_vault import GRANT as VAULT_GRANT

Endpoint = Literal[
    "discovery",
    "jwks",
    "authorize",
    "token",
    "vault",
    "revoke",
    "userinfo",
    "passwordless",
    "connect",
    "complete",
    "accounts",
    "ticket",
    "callback",
]
PATHS: dict[str, Endpoint] = {
    "/.well-known/openid-configuration": "discovery",
    "/.well-known/jwks.json": "jwks",
    "/authorize": "authorize",
    "/oauth/token": "token",
    "/oauth/revoke": "revoke",
    "/userinfo": "userinfo",
    "/passwordless/start": "passwordless",
    "/me/v1/connected-accounts/connect": "connect",
    "/me/v1/connected-accounts/complete": "complete",
    "/me/v1/connected-accounts/accounts": "accounts",
    "/connected-accounts/connect": "ticket",
    "/login/callback": "callback",
}
_ERRORS = {429: ("too_many_requests", "Global limit has been reached")}


@dataclass(slots=True)
class Fault:
    """The next `times` requests are answered `status`, or, with `lost`, carried out and then not answered at all."""

    endpoint: str
    status: int = 503
    times: int = 1
    retry_after: int | None = None
    error: str | None = None
    lost: bool = False


@dataclass(slots=True)
class Hold:
    """Requests to an endpoint wait here until `release`: before anything is done, or with their answer ready."""

    endpoint: str
    answered: bool = False
    arrived: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    _open: asyncio.Event = field(default_factory=asyncio.Event)

    async def arrival(self) -> None:
        """Wait until one more request, or answer, has come."""
        await self.arrived.acquire()

    def release(self) -> None:
        """Let them all go on."""
        self._open.set()

    async def wait(self) -> None:
        """For the requests."""
        self.arrived.release()
        await self._open.wait()


class Faults:
    """What is to go wrong next, and a middleware that makes it so."""

    def __init__(self, endpoints: Callable[[web.Request], Awaitable[frozenset[str]]]) -> None:
        self._endpoints = endpoints
        self.waiting: list[Fault] = []
        self.holds: list[Hold] = []

    @web.middleware
    async def middleware(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Hold what is to be held, and carry out the first fault that fits."""
        endpoints = await self._endpoints(request)
        holds = [one for one in self.holds if one.endpoint in endpoints]
        for hold in holds:
            if not hold.answered:
                await hold.wait()
        response = await self._answer(endpoints, request, handler)
        for hold in holds:
            if hold.answered:
                await hold.wait()
        return response

    async def _answer(
        self,
        endpoints: frozenset[str],
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        fault = next((one for one in self.waiting if one.endpoint in endpoints), None)
        if fault is None:
            return await handler(request)
        fault.times -= 1
        if fault.times <= 0:
            self.waiting.remove(fault)
        if fault.lost:
            await handler(request)
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        error, words = _ERRORS.get(fault.status, ("server_error", "Something went wrong"))
        headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        body = {"error": fault.error or error, "error_description": words}
        return web.json_response(body, status=fault.status, headers=headers)


async def endpoints_of(request: web.Request) -> frozenset[str]:
    """What a request is for. An exchange at Token Vault is one at the token endpoint, and can go wrong by itself."""
    endpoint = PATHS.get(request.path)
    if endpoint is None:
        return frozenset()
    # The body is kept by aiohttp, so that the handler finds it too.
    is_vault = endpoint == "token" and VAULT_GRANT.encode() in unquote_to_bytes(await request.read())
    return frozenset({endpoint, "vault"} if is_vault else {endpoint})
