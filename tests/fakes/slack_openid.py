"""Slack's OpenID endpoints on a port of their own, as strict as Slack: codes work once, for their own redirect and app.

Written after docs.slack.dev, "Sign in with Slack" and `openid.connect.token`, whose refusals come with a status of 200.
"""

from __future__ import annotations

import functools
import hashlib
import json
import secrets
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from aiohttp import ClientSession, web
from cryptography.hazmat.primitives.asymmetric import rsa

from oauth import SlackUser
from oauth.models import Clock
from tests.fakes.provider import public_jwk

CLIENT_ID, CLIENT_SECRET = "25259531569.11152291", "slack-s3cret"
REDIRECT = "https://bot.example/oauth/slack"
_CODE_SECONDS = 600


@functools.cache
def slack_key() -> rsa.RSAPrivateKey:
    """Slack's own key, which is not the identity provider's."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class _Code:
    asked: dict[str, str]
    person: SlackUser
    made_at: float
    used: bool = False


@dataclass
class FakeSlackOpenId:
    """Who is signed in is the cookie `d` of the request, as `TEAM:USER` or `TEAM:USER:ENTERPRISE`.

    `away` is an outage of these paths; `spoil` changes claims of the ID tokens, None leaves one out; `hold` happens
    before the next tokens are given.
    """

    clock: Clock
    issuer: str = ""
    pkce: bool = False
    announces_iss: bool = False
    away: set[str] = field(default_factory=set)
    refuses_with: str | None = None
    omit_id_token: bool = False
    spoil: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, Any] = field(default_factory=dict)
    key: rsa.RSAPrivateKey = field(default_factory=slack_key)
    hold: Callable[[], Awaitable[object]] | None = None
    authorized: list[dict[str, str]] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    _codes: dict[str, _Code] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, str]:
        """What makes a house of `tests.fakes.house` ask here."""
        return {
            "proof": "slack",
            "slack_issuer": self.issuer,
            "slack_client_id": CLIENT_ID,
            "slack_client_secret": CLIENT_SECRET,
        }

    def app(self) -> web.Application:
        """The routes."""
        app = web.Application(middlewares=[self._outage])
        app.router.add_get("/.well-known/openid-configuration", self._discovery)
        app.router.add_get("/openid/connect/authorize", self._authorize)
        app.router.add_get("/openid/connect/keys", self._keys)
        app.router.add_post("/api/openid.connect.token", self._token)
        return app

    @web.middleware
    async def _outage(self, request: web.Request, handler: Callable[..., Any]) -> web.StreamResponse:
        if any(request.path.endswith(path) for path in self.away):
            return web.Response(status=503)
        return await handler(request)  # type: ignore[no-any-return]

    async def _discovery(self, _: web.Request) -> web.Response:
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/openid/connect/authorize",
            "token_endpoint": f"{self.issuer}/api/openid.connect.token",
            "jwks_uri": f"{self.issuer}/openid/connect/keys",
            "scopes_supported": ["openid", "profile", "email"],
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        }
        if self.pkce:
            document["code_challenge_methods_supported"] = ["S256"]
        if self.announces_iss:
            document["authorization_response_iss_parameter_supported"] = True
        return web.json_response(document)

    async def _keys(self, _: web.Request) -> web.Response:
        return web.json_response({"keys": [public_jwk(slack_key(), "slack-1")]})

    async def _authorize(self, request: web.Request) -> web.Response:
        query = request.query
        wrong = [name for name in query if len(query.getall(name)) > 1]
        wrong += [n for n in ("response_type", "scope", "client_id", "redirect_uri", "state") if not query.get(n)]
        if wrong or query["client_id"] != CLIENT_ID or query["redirect_uri"] != REDIRECT:
            return web.Response(status=400, text=f"Something went wrong: {wrong}")
        if query["response_type"] != "code" or query["scope"] != "openid":
            return web.Response(status=400, text="invalid_scope")
        if "code_challenge" in query and not self.pkce:
            return web.Response(status=400, text="This app does not use PKCE")
        self.authorized.append(dict(query))
        if "d" not in request.cookies:
            return self._back(query["redirect_uri"], error="access_denied", state=query["state"])
        team, user, *enterprise = request.cookies["d"].split(":")
        code = secrets.token_urlsafe(16)
        person = SlackUser(team, user, enterprise[0] if enterprise else None)
        self._codes[code] = _Code(dict(query), person, self.clock().timestamp())
        return self._back(query["redirect_uri"], code=code, state=query["state"])

    def _back(self, redirect_uri: str, **answer: str) -> web.Response:
        if self.announces_iss:
            answer["iss"] = self.issuer
        query = "&".join(f"{name}={value}" for name, value in answer.items())
        return web.Response(status=302, headers={"Location": f"{redirect_uri}?{query}"})

    async def _token(self, request: web.Request) -> web.Response:
        fields = await request.post()
        assert len(fields) == len(set(fields))
        form = {name: str(value) for name, value in fields.items()}
        self.forms.append(form)
        error = self.refuses_with or self._problem(form)
        if error:
            return web.json_response({"ok": False, "error": error})
        code = self._codes[form["code"]]
        code.used = True
        hold, self.hold = self.hold, None
        if hold is not None:
            await hold()
        answer = {"ok": True, "access_token": f"xoxp-{secrets.token_hex(8)}", "token_type": "Bearer"}
        return web.json_response(answer if self.omit_id_token else answer | {"id_token": self.signed(code)})

    def _problem(self, form: dict[str, str]) -> str | None:
        if form.get("client_id") != CLIENT_ID:
            return "invalid_client_id"
        if form.get("client_secret") != CLIENT_SECRET:
            return "bad_client_secret"
        if form.get("grant_type") != "authorization_code":
            return "invalid_grant_type"
        code = self._codes.get(form.get("code", ""))
        if code is None or self.clock().timestamp() > code.made_at + _CODE_SECONDS:
            return "invalid_code"
        if code.used:
            return "code_already_used"
        if form.get("redirect_uri") != code.asked["redirect_uri"]:
            return "bad_redirect_uri"
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if "code_challenge" in code.asked:
            given = urlsafe_b64encode(digest).rstrip(b"=").decode()
            return None if given == code.asked["code_challenge"] else "invalid_grant"
        return "invalid_request" if "code_verifier" in form else None

    def signed(self, code: _Code) -> str:
        """The ID token for a code."""
        now = self.clock().timestamp()
        claims = {
            "iss": self.issuer, "sub": code.person.user, "aud": CLIENT_ID, "iat": now, "exp": now + 300,
            "auth_time": now, "nonce": code.asked.get("nonce"), "at_hash": secrets.token_urlsafe(16),
            "https://slack.com/user_id": code.person.user, "https://slack.com/team_id": code.person.team,
            "https://slack.com/enterprise_id": code.person.enterprise, **self.spoil,
        }  # fmt: skip
        payload = json.dumps({name: value for name, value in claims.items() if value is not None}).encode()
        header = {"kid": "slack-1", "typ": "JWT", **self.headers}
        return jwt.PyJWS().encode(payload, self.key, "RS256", headers=header)

    async def sign_in(self, url: str, person: SlackUser | None) -> dict[str, str]:
        """Somebody who is signed in to Slack follows this address; what their browser brings back. None cancels."""
        assert url.startswith(f"{self.issuer}/openid/connect/authorize?")
        who = [person.team, person.user, person.enterprise] if person else []
        cookie = {"Cookie": "d=" + ":".join(part for part in who if part)} if person else {}
        async with ClientSession() as session, session.get(url, headers=cookie, allow_redirects=False) as answer:
            assert answer.status == 302, await answer.text()
            back = urlsplit(answer.headers["Location"])
        assert back._replace(query="").geturl() == REDIRECT
        return {name: values[0] for name, values in parse_qs(back.query).items()}


@asynccontextmanager
async def slack_openid(clock: Clock) -> AsyncIterator[FakeSlackOpenId]:
    """The endpoints while they run."""
    fake = FakeSlackOpenId(clock)
    runner = web.AppRunner(fake.app())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    fake.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield fake
    await runner.cleanup()
