"""The pages of a login by one-time code: what the link page does with an address, and the page that takes the code."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from oauth import tickets
from oauth.errors import EmbeddedRefused, OtpMalformed, OtpWrong, RequestForged
from oauth.linking import Linking
from oauth.own_page.addresses import Network, browser_of
from oauth.own_page.awaited import Awaited
from oauth.own_page.login import Embedded, Onward
from oauth.proving import Returned
from oauth.site import Form, Site, csrf, form_of
from oauth.words import beside


@dataclass(frozen=True, slots=True)
class EmbeddedPages:
    """The handlers, bound to what they need; `trusted` are the proxies whose word on a browser's address counts."""

    embedded: Embedded
    linking: Linking
    site: Site
    trusted: tuple[Network, ...]

    async def send(self, request: web.Request, secret: str, typed: str) -> web.Response:
        """Have a code sent, and go on to its page; the link is not in its address. Raises as `Embedded.send`."""
        browser = tickets.new_secret()  # never one that was there before: it could have been planted
        await self.embedded.send(secret, typed, browser, ip=browser_of(request, self.trusted))
        page = self.site.go_to(f"{self.site.public_url}/link/code")
        return self.site.begin(self.site.visit(page, tickets.new_secret(), secret), browser)

    async def show(self, request: web.Request) -> web.StreamResponse:
        """`GET /link/code`: asks for the newest code of the browser's login. Changes nothing."""
        return await self._asking(self.site.visited(request), self.site.browser(request))

    async def take(self, request: web.Request) -> web.Response | Returned:
        """`POST /link/code`: the code, or the wish for a new one or for the provider's own page."""
        form, secret = await self._form(request)
        browser, start = self.site.browser(request), _text(form, "start")
        try:
            newest = await self.embedded.claimed(secret, browser, start)
            await self._own(request, secret, form)
            match form.get("way"):
                case "again":
                    return await self.send(request, secret, newest.address)
                case "provider":
                    return self._go_on(await self.embedded.onward(secret, newest.address))
            ip = browser_of(request, self.trusted)
            done = await self.embedded.enter(secret, browser, start, _text(form, "otp"), ip=ip)
        except EmbeddedRefused as refused:
            return await self._asking(secret, browser, refused)
        return self._go_on(done) if isinstance(done, Onward) else done

    async def _form(self, request: web.Request) -> tuple[Form, str]:
        """The fields, and the link that they are about. Raises RequestForged."""
        try:
            form = await form_of(request)
            if not _text(form, "link"):
                raise RequestForged
        except RequestForged as forged:
            await self.linking.refused_unknown(forged)
            raise
        return form, _text(form, "link")

    async def _own(self, request: web.Request, secret: str, form: Form) -> None:
        try:
            # Under the login's own cookie: that one stays while the link's page is looked at in another tab.
            self.site.own_form(request, secret, form, visit=self.site.browser(request))
        except RequestForged as forged:
            await self.linking.refused_form(secret, forged)
            raise

    async def _asking(self, secret: str, browser: str | None, refused: EmbeddedRefused | None = None) -> web.Response:
        """The page that asks for the code; the link page where this browser waits for none any more."""
        newest = await self.embedded.newest(secret, browser)
        if newest is None or browser is None:
            return self.site.go_to(f"{self.site.public_url}/link")
        return self._page(secret, browser, newest, refused)

    def _page(self, secret: str, browser: str, newest: Awaited, refused: EmbeddedRefused | None) -> web.Response:
        said = beside(refused) if refused else None
        return self.site.page(
            "otp.html",
            said.status if said else 200,
            address=newest.address,
            start=newest.ticket.otp_start,
            guesses=newest.guesses,
            sends=newest.sends,
            ticket=secret,
            csrf=csrf(browser, secret),
            problem=said.sentence if said else None,
            mistyped=isinstance(refused, OtpMalformed | OtpWrong),
        )

    def _go_on(self, onward: Onward) -> web.Response:
        return self.site.begin(self.site.go_to(onward.url), onward.browser)


def _text(form: Form, name: str) -> str:
    """A field; one that is missing, or a file, is empty."""
    value = form.get(name)
    return value if isinstance(value, str) else ""
