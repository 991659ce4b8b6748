"""The protocol calls, against a small token endpoint of our own on a free port."""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import RSAAlgorithm

from oauth.client_key import private_key
from oauth.errors import GrantDead, LoginRefused, ProviderUnavailable, ScopeRefused
from oauth.provider import Client, Provider
from tests.conftest import HandClock

READ = frozenset({"orders:read"})
GOOD = {"access_token": "access-1", "token_type": "Bearer", "expires_in": 300, "refresh_token": "refresh-2"}
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Endpoint:
    """What answers, and what was asked of it."""

    def __init__(self) -> None:
        self.issuer = ""
        self.forms: list[dict[str, str]] = []
        self.discoveries = 0
        self.answers: list[Answer] = []
        self.discovery: dict[str, Any] = {}

    def will(self, body: object, status: int = 200, **headers: str) -> None:
        """The next answer, for anything but discovery; text as it is, anything else as JSON."""
        text = body if isinstance(body, str) else json.dumps(body)

        async def answer(_: web.Request) -> web.StreamResponse:
            return web.Response(text=text, status=status, content_type="application/json", headers=headers)

        self.answers.append(answer)

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """Any path."""
        if request.path.endswith("/.well-known/openid-configuration"):
            self.discoveries += 1
            document = {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}authorize?tenant=1",
                "token_endpoint": f"{self.issuer}token",
                "revocation_endpoint": f"{self.issuer}revoke",
                "jwks_uri": f"{self.issuer}jwks",
            }
            return web.json_response(document | self.discovery)
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.forms.append(form | {"path": request.path})
        return await self.answers.pop(0)(request)


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    """An endpoint on a port of its own."""
    endpoint = Endpoint()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", endpoint)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    endpoint.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield endpoint
    await runner.cleanup()


@pytest.fixture
async def provider(endpoint: Endpoint, clock: HandClock) -> AsyncIterator[Provider]:
    """A provider that speaks to it."""
    provider = provider_for(endpoint, clock)
    yield provider
    await provider.close()


def provider_for(endpoint: Endpoint, clock: HandClock, **more: Any) -> Provider:
    """Our application there."""
    timeout = more.pop("timeout", 10.0)
    known: dict[str, Any] = {
        "issuer": endpoint.issuer,
        "client_id": "client-1",
        "redirect_uri": "https://bot.example/oauth/callback",
        "audience": "https://api.example",
        "scopes": ("orders:read", "orders:refund"),
        "secret": "s3cret",
    }
    return Provider(Client(**(known | more)), clock, timeout=timeout)


async def authorize(provider: Provider, **how: Any) -> dict[str, list[str]]:
    """The parameters of an authorize URL."""
    known = {"state": "state-1", "nonce": "nonce-1", "verifier": "v" * 43, "login_hint": "ada@corp.example"}
    return parse_qs(urlsplit(await provider.authorize_url(**(known | how))).query)


async def test_t24_the_authorize_url_asks_for_the_least(provider: Provider) -> None:
    """Code flow, S256 of this verifier, our state, nonce, audience and scopes, and nothing doubled."""
    asked = await authorize(provider)
    challenge = urlsafe_b64encode(hashlib.sha256(b"v" * 43).digest()).rstrip(b"=").decode()
    assert asked == {
        "tenant": ["1"],
        "response_type": ["code"],
        "client_id": ["client-1"],
        "redirect_uri": ["https://bot.example/oauth/callback"],
        "scope": ["openid profile email offline_access orders:read orders:refund"],
        "state": ["state-1"],
        "nonce": ["nonce-1"],
        "code_challenge": [challenge],
        "code_challenge_method": ["S256"],
        "audience": ["https://api.example"],
        "prompt": ["consent"],
        "login_hint": ["ada@corp.example"],
    }


async def test_an_organization_is_asked_for_where_one_is_required(endpoint: Endpoint, clock: HandClock) -> None:
    """Only its members can sign in then; without one, and without an address, neither is sent."""
    provider = provider_for(endpoint, clock, organization="org_1")
    asked = await authorize(provider, login_hint=None)
    assert asked["organization"] == ["org_1"]
    assert "login_hint" not in asked
    await provider.close()


async def test_a_request_is_handed_over_where_that_is_offered(provider: Provider, endpoint: Endpoint) -> None:
    """PAR: the provider gets it all, under our credentials; the browser carries a name (RFC 9126 section 2)."""
    endpoint.discovery = {"pushed_authorization_request_endpoint": f"{endpoint.issuer}par"}
    endpoint.will({"request_uri": "urn:request:1", "expires_in": 60}, 201)
    query = await authorize(provider)
    assert query == {"tenant": ["1"], "client_id": ["client-1"], "request_uri": ["urn:request:1"]}
    (form,) = endpoint.forms
    assert (form["state"], form["nonce"], form["code_challenge_method"]) == ("state-1", "nonce-1", "S256")
    assert form["client_secret"] == "s3cret"
    assert "v" * 43 not in form.values()


@pytest.mark.parametrize(("status", "body"), [(403, {"error": "access_denied"}), (201, {}), (201, "<html>"), (201, [])])
async def test_a_request_that_is_not_taken_goes_by_the_browser(
    provider: Provider, endpoint: Endpoint, status: int, body: object
) -> None:
    """An endpoint that is listed and not ours to use ends no login, unless the provider takes nothing else."""
    endpoint.discovery = {"pushed_authorization_request_endpoint": f"{endpoint.issuer}par"}
    endpoint.will(body, status)
    assert "code_challenge" in await authorize(provider)


async def test_a_provider_that_insists_gets_no_other_request(provider: Provider, endpoint: Endpoint) -> None:
    """Where only handed-over requests count, a login that cannot be handed over is refused at once."""
    endpoint.discovery = {
        "pushed_authorization_request_endpoint": f"{endpoint.issuer}par",
        "require_pushed_authorization_requests": True,
    }
    endpoint.will({"error": "server_error"}, 500)
    with pytest.raises(ProviderUnavailable):
        await authorize(provider)


async def test_a_code_is_exchanged_with_its_verifier(provider: Provider, endpoint: Endpoint) -> None:
    """The client authenticates, and what comes back is told apart; a missing scope means as asked."""
    endpoint.will(GOOD | {"id_token": "id-1", "scope": "openid orders:read"})
    endpoint.will(GOOD)
    given = await provider.exchange(code="code-1 &x=/+%", verifier="v" * 43)
    assert endpoint.forms[0] == {
        "path": "/token",
        "grant_type": "authorization_code",
        "code": "code-1 &x=/+%",
        "code_verifier": "v" * 43,
        "redirect_uri": "https://bot.example/oauth/callback",
        "client_id": "client-1",
        "client_secret": "s3cret",
    }
    assert (given.access_token, given.refresh_token, given.id_token) == ("access-1", "refresh-2", "id-1")
    assert (given.expires_in, given.scopes) == (300.0, {"openid", "orders:read"})
    assert "access-1" not in repr(given)
    assert (await provider.exchange(code="c", verifier="v")).scopes == {"orders:read", "orders:refund"}


async def test_a_refresh_names_scopes_and_audience(provider: Provider, endpoint: Endpoint) -> None:
    """Always both, also for an action without scopes: leaving `scope` out would bring the whole grant."""
    endpoint.will(GOOD)
    endpoint.will(GOOD)
    await provider.refresh("refresh-1", scopes=frozenset({"b", "a"}), audience="https://other.example")
    await provider.refresh("refresh-1", scopes=frozenset(), audience="https://other.example")
    assert endpoint.forms[0] == {
        "path": "/token",
        "grant_type": "refresh_token",
        "refresh_token": "refresh-1",
        "scope": "a b",
        "audience": "https://other.example",
        "client_id": "client-1",
        "client_secret": "s3cret",
    }
    assert endpoint.forms[1]["scope"] == "openid"


async def test_a_provider_that_does_not_rotate_keeps_its_token(provider: Provider, endpoint: Endpoint) -> None:
    """Without a new refresh token the old one goes on."""
    endpoint.will({name: value for name, value in GOOD.items() if name != "refresh_token"})
    given = await provider.refresh("refresh-1", scopes=READ, audience="a")
    assert given.refresh_token in {None, "refresh-1"}


def private_keys() -> dict[str, tuple[str, Any, str]]:
    """Each form in which an operator may give a key: the text, its public part, and the algorithm."""
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    ec_key = ec.generate_private_key(ec.SECP256R1())
    pem = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    rsa_jwk = RSAAlgorithm.to_jwk(rsa_key, as_dict=True) | {"kid": "own"}
    return {
        "JWK": (json.dumps(rsa_jwk), rsa_key.public_key(), "RS256"),
        "JWK with its algorithm": (json.dumps(rsa_jwk | {"alg": "PS256"}), rsa_key.public_key(), "PS256"),
        "PEM": (rsa_key.private_bytes(*pem).decode(), rsa_key.public_key(), "RS256"),
        "EC in PEM": (ec_key.private_bytes(*pem).decode(), ec_key.public_key(), "ES256"),
    }


@pytest.mark.parametrize("form", ["JWK", "JWK with its algorithm", "PEM", "EC in PEM"])
async def test_a_private_key_stands_in_for_the_secret(endpoint: Endpoint, clock: HandClock, form: str) -> None:
    """RFC 7523: an assertion for this issuer that is good for a minute, new with each call, and no secret."""
    text, public, algorithm = private_keys()[form]
    provider = provider_for(endpoint, clock, secret=None, key=text)
    endpoint.will(GOOD)
    endpoint.will("")
    await provider.refresh("refresh-1", scopes=READ, audience="a")
    await provider.revoke("refresh-1")
    seen = []
    for asked in endpoint.forms:
        assert "client_secret" not in asked
        assert asked["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        claims = jwt.decode(
            asked["client_assertion"],
            public,
            [algorithm],
            audience=endpoint.issuer,
            issuer="client-1",
            options={"verify_exp": False, "verify_iat": False},
        )
        assert (claims["sub"], claims["iat"], claims["exp"] - claims["iat"]) == ("client-1", clock.now.timestamp(), 60)
        seen.append(claims["jti"])
    assert len(set(seen)) == 2
    if "JWK" in form:
        assert jwt.get_unverified_header(endpoint.forms[0]["client_assertion"])["kid"] == "own"
    await provider.close()


@pytest.mark.parametrize("text", ["", "no key", "{}", "{", '{"kty": "oct", "k": "czNjcmV0"}', "public"])
def test_a_key_that_is_none_is_refused_at_the_start(text: str) -> None:
    """A public key, a secret, and nonsense: said in one sentence that shows nothing of it."""
    if text == "public":
        text = json.dumps(RSAAlgorithm.to_jwk(private_keys()["PEM"][1], as_dict=True))
    with pytest.raises(ValueError, match="neither a private JWK nor") as refused:
        private_key(text)
    assert "czNjcmV0" not in str(refused.value)


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_t38_invalid_grant_means_that_the_grant_is_dead(
    provider: Provider, endpoint: Endpoint, status: int
) -> None:
    """With whatever status it comes: Auth0 sends 403."""
    endpoint.will({"error": "invalid_grant", "error_description": "Unknown or invalid refresh token."}, status)
    with pytest.raises(GrantDead):
        await provider.refresh("refresh-1", scopes=READ, audience="a")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"error": "invalid_grant"}, 500), ({"error": "invalid_grant"}, 503), ({"error": "invalid_grant"}, 429),
        ({"error": "invalid_client"}, 401), ({"error": "access_denied"}, 403), ({"error": {"a": 1}}, 400),
        ("", 200), ("not json", 200), ("[]", 200), ("null", 200), ("7", 200), ('"text"', 200), ("[" * 50_000, 200),
        ("<html>", 502), ({}, 200), ({"access_token": 7, "token_type": "Bearer"}, 200),
        ({"access_token": "", "token_type": "Bearer"}, 200), ({"access_token": "a"}, 200),
        ({"access_token": "a", "token_type": "DPoP"}, 200), ({"error": None}, 200),
    ],
)  # fmt: skip
async def test_t71_whatever_else_comes_back_keeps_the_grant(
    provider: Provider, endpoint: Endpoint, body: object, status: int
) -> None:
    """Overload, our own wrong credentials, and nonsense: no verdict on the person's grant."""
    endpoint.will(body, status)
    with pytest.raises(ProviderUnavailable):
        await provider.refresh("refresh-1", scopes=READ, audience="a")


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("soon", None), ("9999999", None), ("", None)])
async def test_t71_an_overloaded_provider_says_when_to_come_back(
    provider: Provider, endpoint: Endpoint, header: str, seconds: float | None
) -> None:
    """`Retry-After` in seconds, if it is sensible."""
    endpoint.will({}, 429, **{"Retry-After": header})
    with pytest.raises(ProviderUnavailable) as away:
        await provider.refresh("refresh-1", scopes=READ, audience="a")
    assert away.value.retry_after == seconds


async def test_a_refused_scope_is_told(provider: Provider, endpoint: Endpoint) -> None:
    """`invalid_scope` is about this call and not about the grant."""
    endpoint.will({"error": "invalid_scope"}, 400)
    with pytest.raises(ScopeRefused):
        await provider.refresh("refresh-1", scopes=READ, audience="a")


async def test_t22_a_refused_code_is_a_refused_login(provider: Provider, endpoint: Endpoint) -> None:
    """Its error is cut to safe letters."""
    endpoint.will({"error": "invalid_grant<b>", "error_description": "<script>"}, 400)
    with pytest.raises(LoginRefused, match=r"^invalid_grantb$"):
        await provider.exchange(code="c", verifier="v")


async def test_t71_an_answer_that_never_ends_is_given_up(endpoint: Endpoint, clock: HandClock) -> None:
    """The time-out is for the whole call: a provider that sends a byte now and then cannot hold the lease."""
    over = asyncio.Event()

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while not over.is_set():
            await response.write(b" ")
            await asyncio.sleep(0.01)
        return response

    provider = provider_for(endpoint, clock, timeout=0.2)
    for call in (
        lambda: provider.refresh("refresh-1", scopes=READ, audience="a"),
        lambda: provider.revoke("refresh-1"),
        provider.signing_keys,
    ):
        endpoint.answers.append(drip)
        with pytest.raises(ProviderUnavailable):
            await asyncio.wait_for(call(), 5)
    over.set()
    await provider.close()


async def test_t71_a_provider_that_is_not_there_is_unavailable(
    endpoint: Endpoint, clock: HandClock, unused_port: int
) -> None:
    """A refused connection is one more outage, at each call."""
    provider = provider_for(endpoint, clock, issuer=f"http://127.0.0.1:{unused_port}/")
    with pytest.raises(ProviderUnavailable):
        await provider.metadata()
    with pytest.raises(ProviderUnavailable):
        await provider.signing_keys()
    await provider.close()


@pytest.fixture
def unused_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_a_revocation_is_sent_as_the_document_says(provider: Provider, endpoint: Endpoint) -> None:
    """RFC 7009, with our credentials; 200 is the answer for any token that is over."""
    endpoint.will("")
    await provider.revoke("refresh-1")
    assert endpoint.forms[0] == {
        "path": "/revoke",
        "token": "refresh-1",
        "token_type_hint": "refresh_token",
        "client_id": "client-1",
        "client_secret": "s3cret",
    }


@pytest.mark.parametrize(("status", "done"), [(200, True), (204, True), (400, True), (401, False), (403, False),
                                              (404, False), (429, False), (500, False), (302, False)])  # fmt: skip
async def test_only_a_done_revocation_is_done(provider: Provider, endpoint: Endpoint, status: int, done: bool) -> None:
    """Wrong credentials of ours, overload and outage leave it to be tried again."""
    endpoint.will("{}", status)
    if done:
        await provider.revoke("refresh-1")
    else:
        with pytest.raises(ProviderUnavailable):
            await provider.revoke("refresh-1")


async def test_a_provider_without_revocation_has_nothing_to_do(provider: Provider, endpoint: Endpoint) -> None:
    """Discovery names no endpoint for it, so no call is made."""
    endpoint.discovery = {"revocation_endpoint": None}
    await provider.revoke("refresh-1")
    assert endpoint.forms == []


# discovery


async def test_discovery_is_fetched_once_and_renewed_after_an_hour(
    provider: Provider, endpoint: Endpoint, clock: HandClock
) -> None:
    """Twenty callers at once share one fetch; an hour later a changed document is seen."""
    await asyncio.gather(*(provider.metadata() for _ in range(20)))
    assert endpoint.discoveries == 1
    assert not await provider.answers_with_issuer()
    endpoint.discovery = {"authorization_response_iss_parameter_supported": True}
    clock.forward(minutes=59)
    assert not await provider.answers_with_issuer()
    clock.forward(minutes=1)
    assert await provider.answers_with_issuer()
    assert endpoint.discoveries == 2


async def test_t71_a_known_document_outlives_an_outage(
    provider: Provider, endpoint: Endpoint, clock: HandClock
) -> None:
    """Renewal fails, the old one goes on, and the next attempt waits for five seconds."""
    known = await provider.metadata()
    endpoint.discovery = {"issuer": "https://broken.example/"}
    clock.forward(hours=2)
    assert await provider.metadata() == known
    assert await provider.metadata() == known
    assert endpoint.discoveries == 2
    clock.forward(seconds=5)
    assert await provider.metadata() == known
    assert endpoint.discoveries == 3


@pytest.mark.parametrize("change", ["without its slash", "another", "missing", "no endpoint"])
async def test_t30_the_document_of_another_issuer_is_refused(
    provider: Provider, endpoint: Endpoint, change: str
) -> None:
    """To the letter: one slash less is another issuer, and a document without its endpoints is none."""
    endpoint.discovery = {
        "without its slash": {"issuer": endpoint.issuer[:-1]},
        "another": {"issuer": "https://tenant.example/"},
        "missing": {"issuer": None},
        "no endpoint": {"token_endpoint": None},
    }[change]
    with pytest.raises(ProviderUnavailable):
        await provider.metadata()


async def test_an_issuer_without_a_slash_is_found_too(endpoint: Endpoint, clock: HandClock) -> None:
    """The address of the document is built without doubling the slash, with a path or without."""
    for issuer in (endpoint.issuer[:-1], f"{endpoint.issuer}tenants/one", f"{endpoint.issuer}tenants/one/"):
        endpoint.discovery = {"issuer": issuer}
        provider = provider_for(endpoint, clock, issuer=issuer)
        assert (await provider.metadata())["issuer"] == issuer
        await provider.close()


@pytest.mark.parametrize("body", ["x" * 300_000, "[]", "not json", "[" * 50_000])
async def test_t71_keys_that_are_no_object_are_an_outage(provider: Provider, endpoint: Endpoint, body: str) -> None:
    """Too large, a list, no JSON, nested without end."""
    endpoint.will(body)
    with pytest.raises(ProviderUnavailable):
        await provider.signing_keys()


async def test_no_redirect_is_followed(provider: Provider, endpoint: Endpoint) -> None:
    """Not with a token in hand, and not for keys: whoever answers for an address is the one that was configured."""
    for call in (lambda: provider.refresh("r", scopes=READ, audience="a"), provider.signing_keys):
        endpoint.will("{}", 307, Location=f"{endpoint.issuer}elsewhere")
        with pytest.raises(ProviderUnavailable):
            await call()
    assert {form["path"] for form in endpoint.forms} == {"/token", "/jwks"}


@pytest.mark.parametrize(
    ("given", "seconds"),
    [(300, 300.0), ("300", 300.0), (1.5, 1.5), (-5, 0.0), (10**30, 86_400.0), (True, 60.0), (None, 60.0), ("1h", 60.0)],
)
async def test_a_lifetime_is_a_sensible_number_of_seconds(
    provider: Provider, endpoint: Endpoint, given: object, seconds: float
) -> None:
    """Some providers write a string; what makes no sense counts as short, and a day is the most."""
    endpoint.will(GOOD | {"expires_in": given})
    assert (await provider.refresh("r", scopes=READ, audience="a")).expires_in == seconds


async def test_a_lifetime_that_is_no_number_breaks_nothing(provider: Provider, endpoint: Endpoint) -> None:
    """Python's JSON reader knows NaN and Infinity."""
    for literal, seconds in (("NaN", 0.0), ("Infinity", 86_400.0)):
        endpoint.will(json.dumps(GOOD).replace("300", literal))
        assert (await provider.refresh("r", scopes=READ, audience="a")).expires_in == seconds
