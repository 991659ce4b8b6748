"""The product's own provider and verifier against the tenant: neither can tell it from Auth0."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from joserfc.jwk import RSAKey

from bot.sandbox.tenant import Browser
from oauth import utc_now
from oauth.errors import GrantDead, LoginRefused, ProviderUnavailable, TokenInvalid
from oauth.keys import SigningKeys
from oauth.models import Subject
from oauth.provider import Client, Provider
from oauth.verify import Expected, Verifier

CALLBACK = "http://127.0.0.1:8300/oauth/callback"
AUDIENCE = "https://shop.example.com"
SCOPES = ("orders:read", "orders:refund")
READ = frozenset({"orders:read"})


class Bot:
    """As much of the bot as a login needs."""

    def __init__(self, client: Client, clock: Any) -> None:
        self.provider = Provider(client, clock)
        expected = Expected(client.issuer, client.client_id, client.organization)
        self.verifier = Verifier(expected, SigningKeys(self.provider.signing_keys, clock), clock)

    async def log_in(self, person: str) -> tuple[Any, str]:
        """From the authorize page to tokens; the tokens and the nonce."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        url = await self.provider.authorize_url(
            state=state, nonce=nonce, verifier=verifier, login_hint=f"{person}@example.com"
        )
        async with Browser() as browser:
            callback = await browser.sign_in(url, person)
        answer = dict(pair.split("=", 1) for pair in callback.split("?")[1].split("&"))
        assert answer["state"] == state
        return await self.provider.exchange(code=answer["code"], verifier=verifier), nonce


@pytest.fixture
def client(tenant: Any) -> Client:
    """The bot's registration."""
    return Client(tenant.issuer, "countersign", CALLBACK, AUDIENCE, SCOPES, secret="s3cret & more")


@pytest.fixture
async def bot(client: Client, clock: Any) -> AsyncIterator[Bot]:
    """The bot of that registration."""
    one = Bot(client, clock)
    yield one
    await one.provider.close()


async def test_a_whole_life_of_a_grant(bot: Bot, tenant: Any) -> None:
    """Choose a person, exchange, verify, refresh narrowed, and revoke: then it is dead."""
    tokens, nonce = await bot.log_in("ada")
    signed_in = await bot.verifier.id_token(tokens.id_token, nonce=nonce)
    identity = signed_in.identity
    assert (identity.sub, identity.email, identity.name) == ("auth0|ada", "ada@example.com", "Ada Lindqvist")
    assert signed_in.email_verified
    assert signed_in.sid
    assert tokens.scopes >= set(SCOPES)
    claims = await bot.verifier.access_token(tokens.access_token, audience_=AUDIENCE, sub=identity.sub)
    assert claims is not None

    narrow = await bot.provider.refresh(tokens.refresh_token, scopes=READ, audience=AUDIENCE)
    claims = await bot.verifier.access_token(narrow.access_token, audience_=AUDIENCE, sub=identity.sub)
    assert claims is not None
    assert claims["scope"] == "orders:read"
    assert narrow.scopes == READ

    await bot.provider.revoke(narrow.refresh_token)
    assert tenant.families() == []
    with pytest.raises(GrantDead):
        await bot.provider.refresh(narrow.refresh_token, scopes=READ, audience=AUDIENCE)


async def test_reuse_is_a_dead_grant_to_the_product(bot: Bot) -> None:
    """A rotated token, and after it the live one, raise GrantDead."""
    tokens, _ = await bot.log_in("ada")
    renewed = await bot.provider.refresh(tokens.refresh_token, scopes=READ, audience=AUDIENCE)
    for token in (tokens.refresh_token, renewed.refresh_token):
        with pytest.raises(GrantDead):
            await bot.provider.refresh(token, scopes=READ, audience=AUDIENCE)


async def test_an_unverified_address_is_known_as_such(bot: Bot) -> None:
    """Dan signs in, and the product does not take the address for proof."""
    tokens, nonce = await bot.log_in("dan")
    signed_in = await bot.verifier.id_token(tokens.id_token, nonce=nonce)
    assert signed_in.identity.email == "dan@example.com"
    assert not signed_in.email_verified


async def test_tokens_of_one_kind_do_not_pass_for_another(bot: Bot) -> None:
    """Neither the ID token as an access token, nor the access token as an ID token, nor somebody else's."""
    tokens, nonce = await bot.log_in("ada")
    with pytest.raises(TokenInvalid):
        await bot.verifier.access_token(tokens.id_token, audience_=AUDIENCE, sub=Subject("auth0|ada"))
    with pytest.raises(TokenInvalid):
        await bot.verifier.id_token(tokens.access_token, nonce=nonce)
    with pytest.raises(TokenInvalid):
        await bot.verifier.access_token(tokens.access_token, audience_=AUDIENCE, sub=Subject("auth0|bob"))


async def test_the_product_follows_a_rotation_of_keys(bot: Bot, tenant: Any, clock: Any) -> None:
    """An unknown key makes it look again."""
    tokens, nonce = await bot.log_in("ada")
    await bot.verifier.id_token(tokens.id_token, nonce=nonce)
    tenant.rotate_keys(keep_former=False)
    clock.forward(seconds=10)
    tokens, nonce = await bot.log_in("ada")
    await bot.verifier.id_token(tokens.id_token, nonce=nonce)


async def test_a_wrong_secret_is_not_taken_for_a_dead_grant(bot: Bot, client: Client, tenant: Any, clock: Any) -> None:
    """A mistake in the configuration must not unlink anybody."""
    tokens, _ = await bot.log_in("ada")
    wrong = Bot(replace(client, secret="wrong"), clock)
    with pytest.raises(ProviderUnavailable):
        await wrong.provider.refresh(tokens.refresh_token, scopes=READ, audience=AUDIENCE)
    await wrong.provider.close()
    assert len(tenant.families("ada")) == 1


async def test_outage_and_overload_are_not_the_persons_fault(bot: Bot, tenant: Any) -> None:
    """429 and 503 raise ProviderUnavailable, with the pause that was asked for, and the grant lives."""
    tokens, _ = await bot.log_in("ada")
    tenant.fail("token", status=429, retry_after=11)
    tenant.fail("token", status=503)
    with pytest.raises(ProviderUnavailable) as overloaded:
        await bot.provider.refresh(tokens.refresh_token, scopes=READ, audience=AUDIENCE)
    assert overloaded.value.retry_after == 11
    with pytest.raises(ProviderUnavailable):
        await bot.provider.refresh(tokens.refresh_token, scopes=READ, audience=AUDIENCE)
    await bot.provider.refresh(tokens.refresh_token, scopes=READ, audience=AUDIENCE)


async def test_a_code_of_another_login_is_refused(bot: Bot) -> None:
    """PKCE: the verifier of this login does not fit."""
    url = await bot.provider.authorize_url(state="s", nonce="n", verifier="a" * 64, login_hint=None)
    async with Browser() as browser:
        code = (await browser.sign_in(url, "mallory")).split("code=")[1].split("&")[0]
    with pytest.raises(LoginRefused):
        await bot.provider.exchange(code=code, verifier="b" * 64)


async def test_the_product_proves_itself_by_its_key(tenants: Any, client: Client) -> None:
    """private_key_jwt for exchange, refresh and revocation; on the real clock, since authlib dates the assertion."""
    key = RSAKey.generate_key(2048)
    tenant = await tenants(client_key=key.as_dict(private=False), clock=utc_now)
    mine = replace(client, issuer=tenant.issuer, secret=None, key=key.as_pem(private=True).decode())
    bot = Bot(mine, utc_now)
    try:
        tokens, _ = await bot.log_in("ada")
        renewed = await bot.provider.refresh(tokens.refresh_token, scopes=READ, audience=AUDIENCE)
        await bot.provider.revoke(renewed.refresh_token)
    finally:
        await bot.provider.close()
    assert [family.ended for family in tenant.families(ended=True)] == ["revoked"]


async def test_only_members_get_into_the_organization(client: Client, tenant: Any, clock: Any) -> None:
    """The product's check of `org_id` is met by what the tenant issues."""
    bot = Bot(replace(client, organization="org_sandbox"), clock)
    try:
        tokens, nonce = await bot.log_in("bob")
        signed_in = await bot.verifier.id_token(tokens.id_token, nonce=nonce)
    finally:
        await bot.provider.close()
    assert signed_in.identity.org == "org_sandbox"


async def test_what_a_one_time_code_gave_goes_on_with_the_product(bot: Bot, app: Any, claims_of: Any) -> None:
    """An embedded login by plain HTTP: its access token verifies, its grant is refreshed narrowed and revoked."""
    tokens = await app.by_mail("bob@example.com")
    sub = Subject(claims_of(tokens["id_token"])[0]["sub"])
    assert await bot.verifier.access_token(tokens["access_token"], audience_=AUDIENCE, sub=sub) is not None
    narrow = await bot.provider.refresh(tokens["refresh_token"], scopes=READ, audience=AUDIENCE)
    assert narrow.scopes == READ
    await bot.provider.revoke(narrow.refresh_token)
    assert app.tenant.families("bob") == []
