"""The product's own identity package against a provider that nobody here wrote."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web

from bot import keyring
from bot.database import Database
from oauth import IdentityRooms, IdentitySettings, Principal, SlackProfile, SlackUser, Vault, build
from oauth.errors import GrantDead, NotLinked, ProviderUnavailable, ScopeRefused, TokenInvalid
from tests.fakes.observer import ListObserver
from tests.foreign import rig
from tests.foreign.browser import Browser, Page
from tests.foreign.test_rig import call

READ, REFUND = frozenset({"orders:read"}), frozenset({"orders:refund"})
ADA = SlackUser("T0RIG", "U0ADA")
MALLORY = SlackUser("T0RIG", "U0MALLORY")


@dataclass(frozen=True, slots=True)
class House:
    """The identity package, the pages that it serves, and the provider behind it."""

    rooms: IdentityRooms
    observer: ListObserver
    provider: rig.Provider
    settings: IdentitySettings
    vault: Vault

    async def link(self, slack: SlackUser = ADA, email: str | None = "ada@example.com") -> str:
        """A fresh login link."""
        profile = SlackProfile("Engine Works", slack.user, email)
        started = await self.rooms.linking.start(slack, profile, fresh=True)
        assert started.url is not None
        return started.url

    async def signs_in(self, url: str, account: str, browser: Browser) -> Page:
        """From a login link to the page at the end of the login."""
        return await browser.sign_in(await browser.open(url), account)

    async def linked(self, slack: SlackUser = ADA, account: str = "ada") -> Principal:
        """Link a person by their address."""
        async with Browser() as browser:
            page = await self.signs_in(await self.link(slack, f"{account}@example.com"), account, browser)
        assert "You are linked" in page.text
        found = await self.rooms.links.principal(slack)
        assert found is not None
        return found

    async def states(self) -> list[str]:
        """What has become of each refresh token, in the order of their making."""
        return [each["state"] for each in await self.provider.issued()]


@asynccontextmanager
async def house_of(database: Database, settings: IdentitySettings, sock: socket.socket) -> AsyncIterator[House]:
    """The rooms with their pages served."""
    observer, vault = ListObserver(), Vault(keyring.new_token_keys())
    rooms = build(settings, database=database, vault=vault, observer=observer)
    app = web.Application()
    rooms.pages.add_to(app)
    rooms.step_ups.pages.add_to(app)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.SockSite(runner, sock).start()
    await rooms.start()
    provider = rig.Provider(settings.issuer, f"{settings.public_url}/oauth/callback")
    try:
        yield House(rooms, observer, provider, settings, vault)
    finally:
        await rooms.close()
        await runner.cleanup()


@pytest.fixture
async def house(mongo_database: Database) -> AsyncIterator[House]:
    """Everything, at free ports."""
    sock = socket.create_server(("127.0.0.1", 0))
    public_url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    async with rig.provider(f"{public_url}/oauth/callback") as provider:
        settings = IdentitySettings(
            public_url=public_url,
            issuer=provider.issuer,
            client_id=rig.CLIENT_ID,
            client_secret=rig.CLIENT_SECRET,
            audience=rig.AUDIENCE,
            scopes=rig.SCOPES,
        )
        async with house_of(mongo_database, settings, sock) as built:
            yield built


async def test_a_verified_address_links(house: House) -> None:
    """Signing in with the address that Slack knows makes a link with the provider's subject and the whole grant."""
    principal = await house.linked()
    assert (principal.sub, principal.identity.iss) == ("person-ada", house.provider.issuer)
    assert principal.identity.email == "ada@example.com"
    assert principal.scopes == READ | REFUND
    assert await house.states() == ["live"]


async def test_the_login_request_is_handed_over(house: House) -> None:
    """This provider offers it (RFC 9126), so the browser carries a name and nothing of the request."""
    address = await house.rooms.provider.authorize_url(state="s", nonce="n", verifier="v" * 43, login_hint=None)
    assert set(parse_qs(urlsplit(address).query)) == {"client_id", "request_uri"}


async def test_without_an_address_the_code_links(house: House) -> None:
    """Where Slack vouches for no address, the page shows a code, and only the code in Slack makes the link."""
    async with Browser() as browser:
        page = await house.signs_in(await house.link(email=None), "ada", browser)
    assert page.code
    assert await house.rooms.links.principal(ADA) is None
    principal = await house.rooms.linking.enter_code(ADA, page.code)
    assert principal.sub == "person-ada"


async def test_another_persons_login_links_nobody(house: House) -> None:
    """Mallory opens Ada's link and signs in as himself: no link, and his grant ends when Ada asks for a new one."""
    async with Browser() as browser:
        page = await house.signs_in(await house.link(), "mallory", browser)
    assert page.code
    assert await house.rooms.links.principal(ADA) is None
    assert await house.states() == ["live"]
    await house.link()
    assert await house.states() == ["gone"]


async def test_one_identity_one_person(house: House) -> None:
    """Mallory gets Ada's login for his own link: it is refused, nothing of it is kept, and Ada goes on as before."""
    principal = await house.linked()
    async with Browser() as browser:
        page = await house.signs_in(await house.link(MALLORY), "ada", browser)
    assert page.status == 409
    assert await house.rooms.links.principal(MALLORY) is None
    ticket = await house.rooms.store.ticket(MALLORY)
    assert ticket is not None
    assert ticket.sealed_grant is None
    assert (await house.rooms.broker.token(principal, READ, rig.AUDIENCE)).scopes == READ


async def test_linking_again_replaces_the_grant(house: House) -> None:
    """After a second login of the same person the new link works and the old principal gets nothing."""
    first = await house.linked()
    second = await house.linked()
    assert second.version != first.version
    assert (await house.rooms.broker.token(second, READ, rig.AUDIENCE)).scopes == READ
    with pytest.raises(NotLinked):
        await house.rooms.broker.token(first, READ, rig.AUDIENCE)


async def test_who_says_no_is_not_linked(house: House) -> None:
    """Cancelling at the provider ends on a page that says so, and no grant was ever made."""
    async with Browser() as browser:
        page = await browser.submit(await browser.open(await house.link()))
        page = await browser.submit(page, choice="cancel")
    assert page.status == 403
    assert "access_denied" in page.text
    assert await house.rooms.links.principal(ADA) is None
    assert await house.states() == []


async def test_the_way_back_works_once(house: House) -> None:
    """The callback with a code that was used already changes nothing and leaves the grant alive."""
    async with Browser() as browser:
        await house.signs_in(await house.link(), "ada", browser)
        back = next(url for url in browser.visited if url.path == "/oauth/callback")
        again = await browser.open(back)
    assert again.status == 400
    assert await house.states() == ["live"]
    assert await house.rooms.links.principal(ADA) is not None


async def test_tokens_are_narrow_and_the_shop_takes_them(house: House) -> None:
    """Refreshes in a row each give one scope, which a foreign resource server accepts for that and nothing else."""
    principal = await house.linked()
    async with rig.shop(house.provider.issuer) as shop:
        for scopes, statuses in ((READ, (200, 403)), (REFUND, (403, 200)), (READ, (200, 403))):
            token = await house.rooms.broker.token(principal, scopes, rig.AUDIENCE)
            seen = [
                (await call(shop, method, path, token.value))[0]
                for method, path in (("GET", "/orders/A-1"), ("POST", "/orders/A-1/refund"))
            ]
            assert tuple(seen) == statuses
        assert {c["sub"] for c in await shop.calls()} == {"person-ada"}
    assert await house.states() == ["spent", "spent", "live"], "the third token was kept from the first refresh"


async def test_many_at_once_keep_the_grant(house: House, mongo_database: Database) -> None:
    """Twenty calls in two replicas for two sets of scopes: each refresh token is used once, so the family lives."""
    principal = await house.linked()
    other = build(house.settings, database=mongo_database, vault=house.vault, observer=ListObserver())
    wanted = [(rooms, scopes) for rooms in (house.rooms, other) for scopes in (READ, REFUND) for _ in range(5)]
    tokens = await asyncio.gather(*(rooms.broker.token(principal, s, rig.AUDIENCE) for rooms, s in wanted))
    assert [token.scopes for token in tokens] == [scopes for _, scopes in wanted]
    await other.close()
    assert await house.states() == ["spent", "spent", "live"]


async def test_unlinking_revokes_at_the_provider(house: House) -> None:
    """After unlinking nothing of the grant is left over there, and no token is to be had here."""
    principal = await house.linked()
    await house.rooms.broker.token(principal, READ, rig.AUDIENCE)
    assert await house.rooms.links.unlink(ADA, "unlink")
    assert await house.states() == ["gone", "gone"]
    with pytest.raises(NotLinked):
        await house.rooms.broker.token(principal, READ, rig.AUDIENCE)


async def test_a_stolen_token_ends_the_link(house: House) -> None:
    """Somebody uses a spent refresh token elsewhere: the provider ends the family, and the next call ends the link."""
    principal = await house.linked()
    await house.rooms.broker.token(principal, READ, rig.AUDIENCE)
    stolen = (await house.provider.issued())[0]["refresh_token"]
    with pytest.raises(GrantDead):
        await house.rooms.provider.refresh(stolen, scopes=READ, audience=rig.AUDIENCE)
    assert await house.states() == ["gone", "gone"]
    with pytest.raises(GrantDead):
        await house.rooms.broker.token(principal, REFUND, rig.AUDIENCE)
    assert await house.rooms.links.principal(ADA) is None
    assert house.observer.entries()[-2:] == [
        ("token.refused", "denied", "grant_dead"),
        ("link.revoked", "ok", "grant_dead"),
    ]


async def test_more_than_was_granted_is_refused_here(house: House) -> None:
    """A scope outside the grant does not even reach the provider, so no refresh token is spent on it."""
    principal = await house.linked()
    with pytest.raises(ScopeRefused):
        await house.rooms.broker.token(principal, frozenset({"orders:delete"}), rig.AUDIENCE)
    assert await house.states() == ["live"]


async def test_a_token_for_another_audience_is_not_used(house: House) -> None:
    """This provider takes no audience on a refresh and answers for its own: refused, and the grant goes on."""
    principal = await house.linked()
    with pytest.raises(TokenInvalid, match="aud"):
        await house.rooms.broker.token(principal, READ, "https://elsewhere.example.com")
    assert (await house.rooms.broker.token(principal, READ, rig.AUDIENCE)).scopes == READ
    assert await house.states() == ["spent", "spent", "live"]


async def test_an_issuer_is_compared_to_the_letter(mongo_database: Database) -> None:
    """With a slash where the provider writes none, nothing is trusted: the login does not even begin."""
    async with rig.provider("http://127.0.0.1:9/oauth/callback") as provider:
        settings = IdentitySettings(
            public_url="http://127.0.0.1:9",
            issuer=f"{provider.issuer}/",
            client_id=rig.CLIENT_ID,
            client_secret=rig.CLIENT_SECRET,
            audience=rig.AUDIENCE,
            scopes=rig.SCOPES,
        )
        vault = Vault(keyring.new_token_keys())
        rooms = build(settings, database=mongo_database, vault=vault, observer=ListObserver())
        with pytest.raises(ProviderUnavailable):
            await rooms.provider.metadata()
        await rooms.close()
