"""Sessions that end: `/v2/logout` in the browser, and what the application is told of it behind its back.

A logout leaves refresh tokens with `offline_access` alive, as Auth0's does: to end those is the application's part.
"""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp
from aiohttp import web

from .claims import logout_token
from .login import SESSION
from .tenant import Tenant

_TIMEOUT = aiohttp.ClientTimeout(total=10)


@dataclass(frozen=True, slots=True)
class Logout:
    """The handler, and the calls to the application."""

    tenant: Tenant

    def add_to(self, app: web.Application) -> None:
        """Mount the route."""
        app.router.add_get("/v2/logout", self.leave)

    async def leave(self, request: web.Request) -> web.StreamResponse:
        """`GET /v2/logout`: end this browser's session and go to `returnTo`, if that address is registered."""
        target = request.query.get("returnTo")
        if target is not None and target not in self.tenant.application.logout_uris:
            return web.Response(status=400, text="The returnTo address is not registered for logout.\n")
        sid = request.cookies.get(SESSION)
        if sid is not None and sid in self.tenant.state.sessions:
            await self.end(sid)
        response = web.Response(text="OK") if target is None else web.Response(status=302, headers={"Location": target})
        response.del_cookie(SESSION, path="/")
        return response

    async def person(self, name: str) -> list[int]:
        """End every session of somebody; the status of each answer of the application.

        Somebody without a session here is logged out by `sub` alone, which stands for every session.
        """
        sids = [sid for sid, owner in self.tenant.state.sessions.items() if owner == name]
        if not sids:
            return await self._tell(self.tenant.person(name).sub, None)
        return [status for sid in sids for status in await self.end(sid)]

    async def end(self, sid: str) -> list[int]:
        """End one session."""
        owner = self.tenant.state.sessions.pop(sid)
        self.tenant.state.changed()
        await self.tenant.state.save()
        return await self._tell(self.tenant.person(owner).sub, sid)

    async def _tell(self, sub: str, sid: str | None) -> list[int]:
        address = self.tenant.application.backchannel_logout_uri
        if address is None:
            return []
        form = {"logout_token": logout_token(self.tenant, sub, sid)}
        try:
            async with (
                aiohttp.ClientSession(timeout=_TIMEOUT) as session,
                session.post(address, data=form, allow_redirects=False) as answer,
            ):
                return [answer.status]
        except (aiohttp.ClientError, TimeoutError):
            return [0]
