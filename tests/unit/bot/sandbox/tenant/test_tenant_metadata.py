"""Discovery and keys: what the tenant says of itself."""

from __future__ import annotations

from typing import Any

from bot.sandbox.tenant import SandboxTenant

DISCOVERY = ".well-known/openid-configuration"
JWKS = ".well-known/jwks.json"


async def test_discovery_names_the_issuer_with_its_slash(app: Any, tenant: SandboxTenant) -> None:
    """As at Auth0 the issuer ends with a slash, and every endpoint is under it."""
    status, found = await app.get(DISCOVERY)
    assert status == 200
    assert found["issuer"] == tenant.issuer
    assert tenant.issuer.endswith("/")
    endpoints = [value for name, value in found.items() if name.endswith(("_endpoint", "_uri"))]
    assert len(endpoints) == 6
    assert all(endpoint.startswith(tenant.issuer) for endpoint in endpoints)


async def test_discovery_promises_only_what_is_kept(app: Any) -> None:
    """Code with S256, RS256 and back-channel logout with sessions; nothing of the implicit flow."""
    _, found = await app.get(DISCOVERY)
    assert found["response_types_supported"] == ["code"]
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert found["id_token_signing_alg_values_supported"] == ["RS256"]
    assert found["backchannel_logout_supported"] is True
    assert found["backchannel_logout_session_supported"] is True
    otp = "http://auth0.com/oauth/grant-type/passwordless/otp"
    ciba = "urn:openid:params:grant-type:ciba"
    assert found["grant_types_supported"] == ["authorization_code", otp, "refresh_token", ciba]
    assert found["backchannel_token_delivery_modes_supported"] == ["poll"]


async def test_iss_in_the_answer_is_promised_only_where_it_is_set(app: Any, tenants: Any, app_at: Any) -> None:
    """Auth0 has it as a tenant setting, off at first, so discovery must not name it then."""
    name = "authorization_response_iss_parameter_supported"
    assert name not in (await app.get(DISCOVERY))[1]
    other = app_at(await tenants(issuer_in_response=True))
    assert (await other.get(DISCOVERY))[1][name] is True


async def test_only_public_keys_are_published(app: Any) -> None:
    """The JWK Set holds RSA keys for signatures, each with an id, and no private part of any."""
    _, found = await app.get(JWKS)
    (key,) = found["keys"]
    assert key.keys() == {"kty", "use", "alg", "kid", "n", "e"}
    assert (key["kty"], key["use"], key["alg"]) == ("RSA", "sig", "RS256")


async def test_a_new_key_signs_and_the_former_stays(app: Any, tenant: SandboxTenant, claims_of: Any) -> None:
    """After a rotation tokens name the new key, and those of before still find theirs."""
    before = claims_of((await app.tokens())["access_token"])[1]["kid"]
    kid = tenant.rotate_keys()
    after = claims_of((await app.tokens())["access_token"])[1]["kid"]
    published = [key["kid"] for key in (await app.get(JWKS))[1]["keys"]]
    assert after == kid != before
    assert published == [kid, before]


async def test_a_revoked_key_is_gone(app: Any, tenant: SandboxTenant) -> None:
    """A rotation that keeps nothing ends the access tokens that were signed before."""
    token = (await app.tokens())["access_token"]
    kid = tenant.rotate_keys(keep_former=False)
    assert [key["kid"] for key in (await app.get(JWKS))[1]["keys"]] == [kid]
    status, _ = await app.get("userinfo", Authorization=f"Bearer {token}")
    assert status == 401
