"""The pages of an errand's link: whose it is, and on to the provider's login."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, Protocol, TypeVar

from aiohttp import web

from oauth import tickets
from oauth.errors import IdentityError
from oauth.site import Site, csrf, form_of

_S = TypeVar("_S")
_S_co = TypeVar("_S_co", covariant=True)


class Flow(Protocol[_S_co]):
    """The side of the browser, up to the login."""

    async def open(self, secret: str) -> _S_co:
        """What a link is for; changes nothing. Raises IdentityError."""

    async def go_on(self, secret: str, browser: str) -> str:
        """Begin in this browser, and return the address of the provider's login. Raises IdentityError."""

    async def refused_form(self, secret: str, reason: IdentityError) -> None:
        """Write down that a form was refused."""


class ErrandPages(ABC, Generic[_S]):
    """The handlers of the link. `site` has a place of its own; `path` is where the links begin."""

    path: ClassVar[str]
    template: ClassVar[str]

    def __init__(self, flow: Flow[_S], site: Site) -> None:
        self.site = site
        self._flow = flow

    def add_to(self, app: web.Application) -> None:
        """Mount the routes."""
        page_of = self.site.page_of
        app.router.add_get(f"{self.path}/{{ticket}}", page_of(self.show))
        app.router.add_get(self.path, page_of(self.show_again))
        app.router.add_post(f"{self.path}/{{ticket}}", page_of(self.go_on))

    async def show(self, request: web.Request) -> web.StreamResponse:
        """`GET PATH/{ticket}`: what it is for, and for whom. Changes nothing, however often it is fetched."""
        return await self._link_page(request.match_info["ticket"])

    async def show_again(self, request: web.Request) -> web.StreamResponse:
        """`GET PATH`: the same page loaded again, after its link has left the address bar."""
        return await self._link_page(self.site.visited(request))

    async def go_on(self, request: web.Request) -> web.StreamResponse:
        """`POST PATH/{ticket}`: to the provider's login, with a cookie of this browser alone."""
        secret = request.match_info["ticket"]
        try:
            self.site.own_form(request, secret, await form_of(request))
            browser = tickets.new_secret()  # never one that was there before: it could have been planted
            address = await self._flow.go_on(secret, browser)
        except IdentityError as error:
            await self._flow.refused_form(secret, error)
            raise
        return self.site.begin(self.site.go_to(address), browser)

    @abstractmethod
    def page(self, name: str, step: _S, **values: str) -> web.Response:
        """A page that says what this is about."""

    async def _link_page(self, secret: str) -> web.StreamResponse:
        opened = await self._flow.open(secret)
        visit = tickets.new_secret()
        page = self.page(self.template, opened, address=secret, csrf=csrf(visit, secret))
        return self.site.visit(page, visit, secret)
