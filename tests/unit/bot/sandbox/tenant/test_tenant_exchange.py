"""A code for tokens, and who may bring it."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote_plus

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

SECRET = "s3cret & more"
AUDIENCE = "https://shop.example.com"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


async def test_the_access_token_is_of_auth0s_default_profile(app: Any, claims_of: Any, clock: Any) -> None:
    """JWT, our API and userinfo as its audiences, the client in `azp`, and a `jti` for the audit."""
    tokens = await app.tokens()
    claims, header = claims_of(tokens["access_token"])
    now = int(clock().timestamp())
    assert header["alg"] == "RS256"
    assert header["typ"] == "JWT"
    assert claims.pop("jti")
    assert claims == {
        "iss": app.tenant.issuer,
        "sub": "auth0|ada",
        "aud": [AUDIENCE, f"{app.tenant.issuer}userinfo"],
        "iat": now,
        "exp": now + 3_600,
        "scope": "openid profile email offline_access orders:read orders:refund",
        "azp": "countersign",
    }
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 3_600
    assert tokens["scope"] == claims["scope"]


async def test_the_id_token_says_who_signed_in(app: Any, claims_of: Any, clock: Any) -> None:
    """For the client alone, with nonce, session, time of login, and the address with its state."""
    claims, _ = claims_of((await app.tokens("dan"))["id_token"])
    assert claims["aud"] == "countersign"
    assert claims["iss"] == app.tenant.issuer
    assert claims["sub"] == "auth0|dan"
    assert claims["nonce"] == "the nonce"
    assert claims["email"] == "dan@example.com"
    assert claims["email_verified"] is False
    assert claims["name"] == "Dan Whitfield"
    assert claims["auth_time"] == claims["iat"] == int(clock().timestamp())
    assert claims["exp"] > claims["iat"]
    assert claims["sid"]


async def test_scopes_open_claims(app: Any, claims_of: Any) -> None:
    """Without `profile` and `email` the ID token names nobody's name or address."""
    claims, _ = claims_of((await app.tokens(scope="openid orders:read"))["id_token"])
    assert claims["sub"] == "auth0|ada"
    assert not claims.keys() & {"name", "nickname", "email", "email_verified"}


async def test_no_openid_no_id_token(app: Any, claims_of: Any) -> None:
    """Plain OAuth: an access token for the API alone."""
    tokens = await app.tokens(scope="orders:read")
    assert "id_token" not in tokens
    assert claims_of(tokens["access_token"])[0]["aud"] == AUDIENCE


async def test_no_offline_access_no_refresh_token(app: Any) -> None:
    """And then no grant that lasts."""
    tokens = await app.tokens(scope="openid orders:read")
    assert "refresh_token" not in tokens
    assert app.tenant.families() == []


async def test_a_code_works_once_and_a_second_use_ends_what_came_of_it(app: Any) -> None:
    """RFC 6749 section 4.1.2: whoever brings it again may have stolen it."""
    code = await app.code()
    _, tokens = await app.exchange(code)
    assert len(app.tenant.families("ada")) == 1
    status, body = await app.exchange(code)
    assert (status, body["error"]) == (403, "invalid_grant")
    assert body["error_description"] == "Invalid authorization code"
    assert app.tenant.families() == []
    assert [family.ended for family in app.tenant.families(ended=True)] == ["code_replayed"]
    assert (await app.refresh(tokens["refresh_token"]))[0] == 403


async def test_a_code_lives_a_minute(app: Any, clock: Any) -> None:
    """At 60 seconds it is over."""
    early, late = await app.code(), await app.code()
    clock.forward(seconds=59)
    assert (await app.exchange(early))[0] == 200
    clock.forward(seconds=1)
    status, body = await app.exchange(late)
    assert (status, body["error"]) == (403, "invalid_grant")


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"redirect_uri": "http://127.0.0.1:8300/other"}, 403, "unauthorized_client"),
        ({"redirect_uri": None}, 403, "unauthorized_client"),
        ({"code_verifier": "w" * 64}, 403, "invalid_grant"),
        ({"code_verifier": None}, 400, "invalid_request"),
        ({"code": "unknown"}, 403, "invalid_grant"),
        ({"code": None}, 400, "invalid_request"),
        ({"grant_type": None}, 400, "invalid_request"),
        ({"grant_type": "password"}, 403, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, 403, "unsupported_grant_type"),
        ({"client_secret": "wrong"}, 401, "access_denied"),
        ({"client_secret": None}, 401, "access_denied"),
        ({"client_id": "another"}, 401, "access_denied"),
        ({"client_id": None}, 401, "access_denied"),
    ],
)
async def test_a_code_is_bound_to_everything(app: Any, changes: dict[str, str | None], status: int, error: str) -> None:
    """To the client, its address and its PKCE verifier; errors are HTTP errors, with Auth0's words."""
    got, body = await app.exchange(await app.code(), **changes)
    assert (got, body["error"]) == (status, error)
    assert body["error_description"]
    assert "access_token" not in body
    assert app.tenant.families() == []


async def test_a_code_that_met_a_wrong_verifier_is_spent(app: Any) -> None:
    """Nobody may try a second verifier."""
    code = await app.code()
    await app.exchange(code, code_verifier="w" * 64)
    assert (await app.exchange(code))[0] == 403


async def test_a_stranger_does_not_spend_the_code(app: Any) -> None:
    """Without the secret nothing happens to it."""
    code = await app.code()
    assert (await app.exchange(code, client_secret="wrong"))[0] == 401
    assert (await app.exchange(code))[0] == 200


async def test_tokens_are_never_cached(app: Any) -> None:
    """RFC 6749 section 5.1."""
    form = {"client_id": "countersign", "client_secret": SECRET, "grant_type": "refresh_token", "refresh_token": "x"}
    async with app.http.post(f"{app.tenant.issuer}oauth/token", data=form) as answer:
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.content_type == "application/json"


async def test_basic_authentication_is_as_good(app: Any) -> None:
    """With both halves form-encoded first (RFC 6749 section 2.3.1)."""
    pair = base64.b64encode(f"countersign:{quote_plus(SECRET)}".encode()).decode()
    form = {
        "grant_type": "authorization_code",
        "code": await app.code(),
        "redirect_uri": "http://127.0.0.1:8300/oauth/callback",
        "code_verifier": "v" * 64,
    }
    for value, status in (("bm90IGJhc2lj", 401), ("***", 401), (pair, 200)):
        headers = {"Authorization": f"Basic {value}"}
        async with app.http.post(f"{app.tenant.issuer}oauth/token", data=form, headers=headers) as answer:
            assert answer.status == status


async def test_two_proofs_at_once_are_refused(app: Any) -> None:
    """RFC 6749 section 2.3: one method in each request."""
    headers = {"Authorization": "Basic " + base64.b64encode(f"countersign:{SECRET}".encode()).decode()}
    form = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": "countersign", "client_secret": SECRET}
    async with app.http.post(f"{app.tenant.issuer}oauth/token", data=form, headers=headers) as answer:
        assert answer.status == 400


async def test_json_bodies_are_read_too(app: Any) -> None:
    """Auth0 takes them, and answers nonsense with 400."""
    address = f"{app.tenant.issuer}oauth/token"
    whole = {
        "grant_type": "authorization_code",
        "client_id": "countersign",
        "client_secret": SECRET,
        "code": await app.code(),
        "redirect_uri": "http://127.0.0.1:8300/oauth/callback",
        "code_verifier": "v" * 64,
    }
    async with app.http.post(address, json=whole) as answer:
        assert answer.status == 200
    for broken in (b"{", b"[]", b"[" * 60_000):
        async with app.http.post(address, data=broken, headers={"Content-Type": "application/json"}) as answer:
            assert answer.status == 400


async def test_a_parameter_sent_twice_is_refused(app: Any) -> None:
    """Which of two would count is a guess."""
    form = [("grant_type", "refresh_token"), ("grant_type", "authorization_code")]
    async with app.http.post(f"{app.tenant.issuer}oauth/token", data=form) as answer:
        assert (answer.status, (await answer.json())["error"]) == (400, "invalid_request")


class TestPrivateKey:
    """private_key_jwt (RFC 7523 section 3), which takes the place of the secret."""

    @pytest.fixture
    def key(self) -> RSAKey:
        """The application's own key."""
        return RSAKey.generate_key(2048, auto_kid=True)

    @pytest.fixture
    async def keyed(self, tenants: Any, app_at: Any, key: RSAKey) -> Any:
        """The application, registered with its public key."""
        return app_at(await tenants(client_key=key.as_dict(private=False)))

    async def post(self, app: Any, key: RSAKey, **claims: object) -> tuple[int, dict[str, Any]]:
        """Ask for tokens with an assertion; each keyword replaces one of its claims."""
        now = int(app.tenant.state.clock().timestamp())
        whole = {
            "iss": "countersign",
            "sub": "countersign",
            "aud": app.tenant.issuer,
            "iat": now,
            "exp": now + 60,
            "jti": f"{claims}",
        } | claims
        assertion = jwt.encode({"alg": "RS256"}, whole, key)
        return await app.exchange(
            await app.code(), client_secret=None, client_assertion_type=ASSERTION, client_assertion=assertion
        )

    async def test_an_assertion_opens_the_door(self, keyed: Any, key: RSAKey) -> None:
        """Both the issuer and the token endpoint are names for us."""
        assert (await self.post(keyed, key))[0] == 200
        assert (await self.post(keyed, key, aud=f"{keyed.tenant.issuer}oauth/token"))[0] == 200
        assert (await self.post(keyed, key, aud=[keyed.tenant.issuer]))[0] == 200

    async def test_an_assertion_is_used_once(self, keyed: Any, key: RSAKey, clock: Any) -> None:
        """Whoever reads one on the way cannot use it."""
        assert (await self.post(keyed, key, jti="once"))[0] == 200
        assert (await self.post(keyed, key, jti="once"))[0] == 401

    @pytest.mark.parametrize(
        "claims",
        [
            {"iss": "another"},
            {"sub": "another"},
            {"aud": "https://other.example/"},
            {"exp": 1},
            {"exp": None},
            {"jti": None},
        ],
    )
    async def test_every_claim_counts(self, keyed: Any, key: RSAKey, claims: dict[str, object]) -> None:
        """A wrong or missing one is 401."""
        status, body = await self.post(keyed, key, **claims)
        assert (status, body["error"]) == (401, "access_denied")

    async def test_another_key_does_not_open_it(self, keyed: Any) -> None:
        """The signature counts."""
        assert (await self.post(keyed, RSAKey.generate_key(2048)))[0] == 401

    async def test_the_secret_does_not_work_any_more(self, keyed: Any) -> None:
        """As at Auth0, a client with a key has no secret."""
        assert (await keyed.exchange(await keyed.code()))[0] == 401
