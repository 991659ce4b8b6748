"""Asking on a device: what is sent, what is believed, and what each refusal means. A provider on a real socket."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import RSAKey

from oauth import Asked, Declined, Devices, Evidence, Identity, LinkVersion, Principal, SlackUser, StillAsked, Subject
from oauth.errors import (
    DeviceRefused,
    IdentityError,
    NoDevice,
    ProviderRefused,
    ProviderUnavailable,
    TokenInvalid,
)
from oauth.keys import SigningKeys
from oauth.provider import Client, Provider
from oauth.verify import Expected, Verifier
from tests.conftest import HandClock

KEY = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig", "alg": "RS256"})
MESSAGE = "refund_order-0123456789ab"


class Ends:
    """The provider: `says` is what each endpoint answers next, `asked` what it got."""

    def __init__(self, clock: HandClock) -> None:
        self.clock = clock
        self.issuer = ""
        self.says: dict[str, tuple[int, Any, dict[str, str]]] = {}
        self.asked: list[dict[str, str]] = []
        self.document: dict[str, Any] = {}

    async def discovery(self, _: web.Request) -> web.Response:
        """Where everything is."""
        found = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}authorize",
            "token_endpoint": f"{self.issuer}token",
            "jwks_uri": f"{self.issuer}keys",
            "backchannel_authentication_endpoint": f"{self.issuer}bc",
        }
        return web.json_response({n: v for n, v in (found | self.document).items() if v is not None})

    async def keys(self, _: web.Request) -> web.Response:
        """The key."""
        return web.json_response({"keys": [KEY.as_dict(private=False)]})

    async def end(self, request: web.Request) -> web.Response:
        """As a test says."""
        self.asked.append({n: str(v) for n, v in (await request.post()).items()})
        status, body, headers = self.says[request.path.strip("/")]
        return web.json_response(body, status=status, headers=headers)

    def id_token(self, **changes: Any) -> str:
        """A good one of Ada's; None leaves a claim out."""
        now = int(self.clock().timestamp())
        claims = {
            "iss": self.issuer,
            "sub": "auth0|ada",
            "aud": "countersign",
            "iat": now,
            "exp": now + 60,
            "auth_time": now - 3,
            "amr": ["mfa"],
            "urn:openid:params:jwt:claim:auth_req_id": "req-1",
        } | changes
        whole = {n: v for n, v in claims.items() if v is not None}
        return jwt.encode({"alg": "RS256", "kid": "k1", "typ": "JWT"}, whole, KEY)

    def gives(self, **changes: Any) -> None:
        """The person has agreed."""
        token = {
            "access_token": "canary",
            "token_type": "Bearer",
            "expires_in": 60,
            "id_token": self.id_token(**changes),
        }
        self.says["token"] = (200, token, {})

    def refuses(self, where: str, error: str, status: int = 400, description: str = "", **headers: str) -> None:
        """An error of RFC 6749 section 5.2."""
        said = {"error": error, "error_description": description}
        self.says[where] = (status, said, {n.replace("_", "-"): v for n, v in headers.items()})


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    made, app = Ends(HandClock(datetime.now(UTC))), web.Application()
    app.router.add_get("/.well-known/openid-configuration", made.discovery)
    app.router.add_get("/keys", made.keys)
    app.router.add_post("/bc", made.end)
    app.router.add_post("/token", made.end)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    made.says["bc"] = (200, {"auth_req_id": "req-1", "expires_in": 120, "interval": 7}, {})
    yield made
    await runner.cleanup()


@pytest.fixture
async def devices(ends: Ends) -> AsyncIterator[Devices]:
    client = Client(ends.issuer, "countersign", "https://bot.example/x", "https://api.example", (), secret="s3cret")
    provider = Provider(client, ends.clock)
    verifier = Verifier(
        Expected(ends.issuer, "countersign"), SigningKeys(provider.signing_keys, ends.clock), ends.clock
    )
    yield Devices(provider, verifier, ends.clock)
    await provider.close()


@pytest.fixture
def ada(ends: Ends) -> Principal:
    identity = Identity(ends.issuer, Subject("auth0|ada"), "ada@example.com")
    return Principal(SlackUser("T1", "UADA"), identity, LinkVersion("1"), frozenset(), ends.clock())


ASKED = Asked("req-1", datetime(2100, 1, 1, tzinfo=UTC), 7.0)


async def test_it_asks_this_very_person_and_no_longer_than_the_provider_takes(
    ends: Ends, devices: Devices, ada: Principal
) -> None:
    """The person by issuer and subject, the message, at most five minutes, under our own credentials."""
    asked = await devices.ask(ada, MESSAGE, timedelta(minutes=15), {"action": "refund_order"})
    (form,) = ends.asked
    assert json.loads(form["login_hint"]) == {"format": "iss_sub", "iss": ends.issuer, "sub": "auth0|ada"}
    assert (form["binding_message"], form["requested_expiry"], form["scope"]) == (MESSAGE, "300", "openid")
    assert (form["client_id"], form["client_secret"]) == ("countersign", "s3cret")
    assert "authorization_details" not in form
    assert (asked.interval, asked.expires_at) == (7.0, ends.clock() + timedelta(seconds=120))
    assert "req-1" not in repr(asked)
    assert Asked.from_json(asked.to_json()) == asked


async def test_details_go_along_where_the_provider_knows_their_type(
    ends: Ends, devices: Devices, ada: Principal
) -> None:
    """RFC 9396, section 10."""
    ends.document["authorization_details_types_supported"] = ["other", "countersign_action"]
    await devices.ask(ada, MESSAGE, timedelta(minutes=1), {"action": "refund_order"})
    assert json.loads(ends.asked[0]["authorization_details"]) == [
        {"type": "countersign_action", "action": "refund_order"}
    ]


@pytest.mark.parametrize("message", ["", "two words", "x" * 65, "<!channel>", "a\n"])
async def test_a_message_that_no_device_takes_is_not_sent(
    ends: Ends, devices: Devices, ada: Principal, message: str
) -> None:
    """Auth0 takes 64 of a few characters."""
    with pytest.raises(ValueError):
        await devices.ask(ada, message, timedelta(minutes=1))
    assert ends.asked == []


REFUSALS: dict[str, tuple[str, int, str, type[IdentityError]]] = {
    "unknown there": ("unknown_user_id", 400, "", NoDevice),
    "not enrolled": ("invalid_request", 400, "User is not enrolled in push notifications", NoDevice),
    "not for us": ("unauthorized_client", 400, "", DeviceRefused),
    "our credentials": ("invalid_client", 401, "", DeviceRefused),
    "something else": ("invalid_request", 400, "canary", DeviceRefused),
    "down": ("server_error", 503, "", ProviderUnavailable),
}


@pytest.mark.parametrize(("error", "status", "said", "expected"), REFUSALS.values(), ids=REFUSALS.keys())
async def test_each_refusal_is_what_it_is(
    ends: Ends, devices: Devices, ada: Principal, error: str, status: int, said: str, expected: type[IdentityError]
) -> None:
    """What the person can mend, what an operator has to, and what passes by itself; nothing of it is repeated."""
    ends.refuses("bc", error, status, said)
    with pytest.raises(expected) as refused:
        await devices.ask(ada, MESSAGE, timedelta(minutes=1))
    assert "canary" not in repr(refused.value)


async def test_t71_too_many_questions_say_when_to_come_back(ends: Ends, devices: Devices, ada: Principal) -> None:
    """Auth0 takes five a minute for one person."""
    ends.refuses("bc", "too_many_requests", 429, Retry_After="42")
    with pytest.raises(ProviderUnavailable) as refused:
        await devices.ask(ada, MESSAGE, timedelta(minutes=1))
    assert refused.value.retry_after == 42


async def test_a_provider_without_it_says_so(ends: Ends, devices: Devices, ada: Principal) -> None:
    """Nothing is sent."""
    ends.document["backchannel_authentication_endpoint"] = None
    with pytest.raises(DeviceRefused):
        await devices.ask(ada, MESSAGE, timedelta(minutes=1))
    assert ends.asked == []


async def test_it_polls_as_it_is_told(ends: Ends, devices: Devices, ada: Principal) -> None:
    """`slow_down` adds five seconds (CIBA Core section 11)."""
    ends.refuses("token", "authorization_pending")
    assert await devices.poll(ASKED, ada) == StillAsked(7.0)
    ends.refuses("token", "slow_down")
    assert await devices.poll(ASKED, ada) == StillAsked(12.0)
    assert ends.asked[0]["grant_type"] == "urn:openid:params:grant-type:ciba"
    assert ends.asked[0]["auth_req_id"] == "req-1"


@pytest.mark.parametrize(
    ("error", "reason"),
    [("access_denied", "access_denied"), ("expired_token", "expired_token"), ("invalid_grant", "expired_token")],
)
async def test_an_end_without_an_agreement_is_told_apart(
    ends: Ends, devices: Devices, ada: Principal, error: str, reason: str
) -> None:
    """Denied, or over; a request that is unknown there is over."""
    ends.refuses("token", error, 400)
    assert await devices.poll(ASKED, ada) == Declined(reason)


async def test_a_refusal_of_our_own_is_no_denial(ends: Ends, devices: Devices, ada: Principal) -> None:
    """What an operator has to mend ends nobody's request."""
    ends.refuses("token", "unauthorized_client", 403)
    with pytest.raises(ProviderRefused):
        await devices.poll(ASKED, ada)


async def test_t71_a_busy_token_endpoint_is_waited_for(ends: Ends, devices: Devices, ada: Principal) -> None:
    """With its `Retry-After`."""
    ends.refuses("token", "too_many_requests", 429, Retry_After="9")
    with pytest.raises(ProviderUnavailable) as refused:
        await devices.poll(ASKED, ada)
    assert refused.value.retry_after == 9


async def test_an_agreement_says_when_and_how(ends: Ends, devices: Devices, ada: Principal) -> None:
    """By `auth_time`, or where there is none by when the token was made."""
    ends.gives()
    now = int(ends.clock().timestamp())
    assert await devices.poll(ASKED, ada) == Evidence(now - 3, ("mfa",))
    ends.gives(auth_time=None, amr=None)
    assert await devices.poll(ASKED, ada) == Evidence(now, ())


WRONG: dict[str, dict[str, Any]] = {
    "of somebody else": {"sub": "auth0|mallory"},
    "of another issuer": {"iss": "https://elsewhere.example/"},
    "for another client": {"aud": "somebody"},
    "for another question": {"urn:openid:params:jwt:claim:auth_req_id": "req-2"},
    "over": {"exp": 1},
    "with a strange amr": {"amr": "mfa"},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
async def test_t32_a_token_of_anything_else_agrees_to_nothing(
    ends: Ends, devices: Devices, ada: Principal, wrong: dict[str, Any]
) -> None:
    """Each claim is compared (guards: in `poll` and the verifier)."""
    ends.gives(**wrong)
    with pytest.raises(TokenInvalid):
        await devices.poll(ASKED, ada)


async def test_an_answer_without_an_id_token_agrees_to_nothing(ends: Ends, devices: Devices, ada: Principal) -> None:
    """An access token alone names nobody."""
    ends.says["token"] = (200, {"access_token": "canary", "token_type": "Bearer"}, {})
    with pytest.raises(TokenInvalid):
        await devices.poll(ASKED, ada)
