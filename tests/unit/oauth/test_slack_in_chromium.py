"""A real browser follows a form from our page to the provider, to Slack, and back to us, whatever their schemes."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from playwright.async_api import Browser

from oauth.site import Site
from tests.fakes.provider import signing_key

_FORM = '<!doctype html><form method="post" action="/link"><button>Continue</button></form>'


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """A certificate that nobody vouches for; the browser of these tests takes it."""
    key, name = signing_key(), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    start = datetime.now(UTC) - timedelta(days=1)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    until = start + timedelta(days=2)
    signed = made.not_valid_before(start).not_valid_after(until).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path = tmp_path / "both.pem"
    path.write_bytes(key.private_bytes(pem, *plain) + signed.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@asynccontextmanager
async def listening(app: web.Application, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """The address of an application while it runs."""
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    yield f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def sends_on(target: Callable[[], str]) -> web.Application:
    """A server that sends every browser on at once, as one does to whom the person is signed in already."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": target()})

    app = web.Application()
    app.router.add_get("/authorize", answer)
    return app


@pytest.mark.parametrize("provider", ["http", "https"])
@pytest.mark.parametrize("slack", ["http", "https"])
async def test_t55_the_policy_lets_the_whole_way_through(
    chromium: Browser, tls: ssl.SSLContext, provider: str, slack: str
) -> None:
    """Browsers check a form's target after each redirect, so both schemes are allowed and no third is (guard: the
    schemes in `Site.guarded`)."""
    ours = ""
    async with AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(listening(sends_on(to), tls if scheme == "https" else None))
            for scheme, to in ((provider, lambda: f"{ours}/oauth/callback"), (slack, lambda: f"{ours}/oauth/slack"))
        ]
        site = Site("http://127.0.0.1", servers[0], slack_issuer=servers[1])

        async def begin(_: web.Request) -> web.Response:
            return site.guarded(web.Response(text=_FORM, content_type="text/html"))

        async def to_provider(_: web.Request) -> web.Response:
            return site.go_to(f"{servers[0]}/authorize")

        async def to_slack(_: web.Request) -> web.Response:
            return site.go_to(f"{servers[1]}/authorize")

        async def arrived(_: web.Request) -> web.Response:
            return site.guarded(web.Response(text="You are linked"))

        app = web.Application()
        app.router.add_get("/link", begin)
        app.router.add_post("/link", to_provider)
        app.router.add_get("/oauth/callback", to_slack)
        app.router.add_get("/oauth/slack", arrived)
        ours = await stack.enter_async_context(listening(app))
        context = await chromium.new_context(ignore_https_errors=True)
        page = await context.new_page()
        policy = (await page.goto(f"{ours}/link")).headers["content-security-policy"]  # type: ignore[union-attr]
        assert f"form-action 'self' {' '.join(sorted({f'{provider}:', f'{slack}:'}))};" in policy
        await page.get_by_role("button").click()
        await page.wait_for_url(f"{ours}/oauth/slack", timeout=5_000)
        assert await page.inner_text("body") == "You are linked"
        await context.close()
