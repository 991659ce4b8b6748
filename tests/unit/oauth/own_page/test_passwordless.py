"""The two calls of the passwordless API, against a small endpoint of our own on a free port."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from structlog.testing import capture_logs

from oauth.errors import LoginRefused, ProviderUnavailable
from oauth.own_page.passwordless import Passwordless
from tests.conftest import HandClock
from tests.fakes.endpoint import GOOD, Endpoint, provider_for

ADA_MAIL, BROWSER = "ada+1@corp.example", "203.0.113.7"


class Asked:
    """What the endpoint was asked, with its headers; JSON bodies too, which `Endpoint` does not read."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.headers: list[dict[str, str]] = []
        self.bodies: list[dict[str, Any]] = []

    def will(self, body: object, status: int = 200, **headers: str) -> None:
        """The next answer."""

        async def answer(request: web.Request) -> web.StreamResponse:
            self.headers.append({name.lower(): value for name, value in request.headers.items()})
            if request.content_type == "application/json":
                self.bodies.append(await request.json())
            text = body if isinstance(body, str) else json.dumps(body)
            return web.Response(text=text, status=status, content_type="application/json", headers=headers)

        self.endpoint.answers.append(answer)


@pytest.fixture
def asked(endpoint: Endpoint) -> Asked:
    """What the endpoint was asked."""
    return Asked(endpoint)


@pytest.fixture
async def passwordless(endpoint: Endpoint, clock: HandClock) -> AsyncIterator[Passwordless]:
    """A provider that speaks to it."""
    found = provider_for(endpoint, clock)
    yield found
    await found.close()


async def test_a_code_is_asked_for_as_the_document_says(passwordless: Passwordless, asked: Asked) -> None:
    """JSON with our credentials, `send=code`, since without it a link would be sent, and the browser's address."""
    asked.will({"_id": "1", "email": ADA_MAIL})
    await passwordless.send_code(ADA_MAIL, ip=BROWSER)
    assert asked.endpoint.forms[0]["path"] == "/passwordless/start"
    assert asked.bodies == [
        {
            "client_id": "client-1",
            "client_secret": "s3cret",
            "connection": "email",
            "email": ADA_MAIL,
            "send": "code",
        }
    ]
    assert asked.headers[0]["auth0-forwarded-for"] == BROWSER


async def test_a_code_is_redeemed_as_the_document_says(passwordless: Passwordless, asked: Asked) -> None:
    """The passwordless OTP grant: realm, audience, our scopes, the browser's address, and nothing of a redirect."""
    asked.will(GOOD | {"id_token": "id-1", "scope": "openid orders:read"})
    given = await passwordless.redeem(ADA_MAIL, "123456", ip=BROWSER)
    assert asked.endpoint.forms[0] == {
        "path": "/token",
        "grant_type": "http://auth0.com/oauth/grant-type/passwordless/otp",
        "username": ADA_MAIL,
        "otp": "123456",
        "realm": "email",
        "audience": "https://api.example",
        "scope": "openid profile email offline_access orders:read orders:refund",
        "client_id": "client-1",
        "client_secret": "s3cret",
    }
    assert asked.headers[0]["auth0-forwarded-for"] == BROWSER
    assert (given.refresh_token, given.id_token, given.scopes) == ("refresh-2", "id-1", {"openid", "orders:read"})


async def test_an_address_that_is_not_known_is_not_made_up(passwordless: Passwordless, asked: Asked) -> None:
    """Over a Unix socket without a proxy nothing is claimed: an empty header would be worse than none."""
    asked.will({})
    asked.will(GOOD)
    await passwordless.send_code(ADA_MAIL, ip=None)
    await passwordless.redeem(ADA_MAIL, "123456", ip=None)
    assert not [headers for headers in asked.headers if "auth0-forwarded-for" in headers]


async def test_a_private_key_stands_in_for_the_secret(endpoint: Endpoint, clock: HandClock, asked: Asked) -> None:
    """RFC 7523: an assertion for this issuer in both calls, new with each, and no secret."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    passwordless = provider_for(endpoint, clock, secret=None, key=json.dumps(RSAAlgorithm.to_jwk(key, as_dict=True)))
    asked.will({})
    asked.will(GOOD)
    await passwordless.send_code(ADA_MAIL, ip=BROWSER)
    await passwordless.redeem(ADA_MAIL, "123456", ip=BROWSER)
    assert asked.bodies[0]["client_id"] == "client-1"
    seen = set()
    for sent in (asked.bodies[0], endpoint.forms[1]):
        assert "client_secret" not in sent
        assert sent["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        claims = jwt.decode(
            sent["client_assertion"],
            key.public_key(),
            ["RS256"],
            audience=endpoint.issuer,
            issuer="client-1",
            options={"verify_exp": False, "verify_iat": False},
        )
        seen.add(claims["jti"])
    assert len(seen) == 2
    await passwordless.close()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": "bad.connection", "error_description": f"Public signup is disabled for {ADA_MAIL}"}),
        (400, {"error": "bad.email"}), (403, {"error": "unauthorized_client"}), (401, "<html>"),
        (404, "[]"), (422, "[" * 5000),
    ],
)  # fmt: skip
async def test_t58_a_refused_address_looks_like_any_other(
    passwordless: Passwordless, asked: Asked, status: int, body: object
) -> None:
    """The caller learns nothing, so it can show nothing; the operator finds status and code in the log, and no address
    (guard: `send_code` returns for a 4xx as for a 2xx)."""
    asked.will(body, status)
    with capture_logs() as logs:
        await passwordless.send_code(ADA_MAIL, ip=BROWSER)
    assert [(line["event"], line["status"]) for line in logs] == [("code_not_sent", status)]
    assert "corp.example" not in str(logs)


@pytest.mark.parametrize("status", [429, 500, 503, 302])
async def test_t71_overload_and_outage_are_said_for_a_start(
    passwordless: Passwordless, asked: Asked, status: int
) -> None:
    """They say nothing of an address; a redirect is none of ours to follow with credentials in hand."""
    asked.will({}, status, **{"Retry-After": "7", "Location": f"{asked.endpoint.issuer}elsewhere"})
    with pytest.raises(ProviderUnavailable) as away:
        await passwordless.send_code(ADA_MAIL, ip=BROWSER)
    assert away.value.retry_after == 7.0
    assert len(asked.headers) == 1


@pytest.mark.parametrize("error", ["invalid_grant", "mfa_required", "unauthorized_client"])
async def test_a_refused_code_says_why(passwordless: Passwordless, asked: Asked, error: str) -> None:
    """By its code alone; the token that comes with `mfa_required` is nobody's to see."""
    asked.will({"error": error, "error_description": f"for {ADA_MAIL}", "mfa_token": "s3cret-mfa"}, 403)
    with capture_logs() as logs, pytest.raises(LoginRefused) as refused:
        await passwordless.redeem(ADA_MAIL, "123456", ip=BROWSER)
    assert refused.value.error == error
    assert [line["error"] for line in logs] == (["unauthorized_client"] if error == "unauthorized_client" else [])
    assert "s3cret-mfa" not in str(refused.value.args) + str(logs)
    assert refused.value.__cause__ is None


async def test_t58_a_blocked_account_looks_like_a_wrong_code(passwordless: Passwordless, asked: Asked) -> None:
    """Only an account that exists can be blocked, so it must not be told as overload (guard: `_answered`)."""
    asked.will({"error": "too_many_attempts", "error_description": "Your account has been blocked"}, 429)
    with pytest.raises(LoginRefused):
        await passwordless.redeem(ADA_MAIL, "123456", ip=BROWSER)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, {"error": "too_many_requests"}), (429, "<html>"), (429, "[]"), (500, {"error": "x"}),
        (200, "<html>"), (200, "[]"), (200, "[" * 5000), (200, {}),
    ],
)  # fmt: skip
async def test_t71_overload_and_outage_are_said_for_a_code(
    passwordless: Passwordless, asked: Asked, status: int, body: object
) -> None:
    """Whatever cannot be understood is no refusal."""
    asked.will(body, status)
    with pytest.raises(ProviderUnavailable):
        await passwordless.redeem(ADA_MAIL, "123456", ip=BROWSER)


async def test_t71_an_answer_that_never_ends_is_given_up(endpoint: Endpoint, clock: HandClock) -> None:
    """The time-out is for the whole call, whatever trickles in meanwhile."""
    over = asyncio.Event()

    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while not over.is_set():
            await response.write(b" ")
            await asyncio.sleep(0.01)
        return response

    passwordless = provider_for(endpoint, clock, timeout=0.2)
    for call in (
        lambda: passwordless.send_code(ADA_MAIL, ip=BROWSER),
        lambda: passwordless.redeem(ADA_MAIL, "123456", ip=BROWSER),
    ):
        endpoint.answers.append(drip)
        with pytest.raises(ProviderUnavailable):
            await asyncio.wait_for(call(), 5)
    over.set()
    await passwordless.close()


async def test_a_provider_that_is_not_there_is_unavailable(endpoint: Endpoint, clock: HandClock) -> None:
    """Where it hangs up without an answer, too."""

    async def hang_up(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    passwordless = provider_for(endpoint, clock)
    await passwordless.metadata()
    for call in (
        lambda: passwordless.send_code(ADA_MAIL, ip=BROWSER),
        lambda: passwordless.redeem(ADA_MAIL, "123456", ip=BROWSER),
    ):
        endpoint.answers.append(hang_up)
        with pytest.raises(ProviderUnavailable):
            await call()
    await passwordless.close()
