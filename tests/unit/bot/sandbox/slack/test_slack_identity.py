"""What a sign-in with Slack proves to the app: the exchange of the code, and the ID token."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import Registration, SandboxSlack
from tests.conftest import HandClock
from tests.unit.bot.sandbox.slack.listener import SECRET, TOKEN, Calls
from tests.unit.bot.sandbox.slack.visitor import BACK, CLIENT, CLIENT_SECRET, App

ADA = "T0COUNTER:U0ADA"
TOKEN_METHOD = "openid.connect.token"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


async def claims(app: App, answer: dict[str, Any]) -> dict[str, Any]:
    """What the ID token says, its signature checked with the published key by another library."""
    async with app.http.get(f"{app.slack.url}/openid/connect/keys") as response:
        keys = jwt.PyJWKSet.from_dict(await response.json())
    token = answer["id_token"]
    key = keys[jwt.get_unverified_header(token)["kid"]]
    # The sandbox's clock stands in 2030, the library's does not.
    checked = {"verify_exp": False, "verify_iat": False}
    found: dict[str, Any] = jwt.decode(token, key, ["RS256"], audience=CLIENT, issuer=app.slack.url, options=checked)
    return found


async def test_the_metadata_names_everything_under_the_sandboxs_own_address(app: App) -> None:
    """A library that is given the issuer finds the rest; the issuer has no slash at its end."""
    async with app.http.get(f"{app.slack.url}/.well-known/openid-configuration") as response:
        found = await response.json()
    assert found["issuer"] == app.slack.url
    assert found["authorization_endpoint"] == f"{app.slack.url}/openid/connect/authorize"
    assert found["token_endpoint"] == f"{app.slack.url}/api/openid.connect.token"
    assert found["userinfo_endpoint"] == f"{app.slack.url}/api/openid.connect.userInfo"
    assert found["jwks_uri"] == f"{app.slack.url}/openid/connect/keys"
    assert found["id_token_signing_alg_values_supported"] == ["RS256"]


async def test_the_id_token_says_who_and_where_in_slacks_own_claims(app: App, clock: HandClock) -> None:
    """Every claim that Slack documents, with the times of the sign-in and of the exchange."""
    code = await app.code_of(ADA)
    clock.forward(minutes=2)
    answer = await app.exchange(TOKEN_METHOD, code=code)
    assert (answer["ok"], answer["token_type"]) == (True, "Bearer")
    assert answer["access_token"].startswith("xoxp-")
    now = int(clock.now.timestamp())
    half = hashlib.sha256(answer["access_token"].encode()).digest()[:16]
    assert await claims(app, answer) == {
        "iss": app.slack.url,
        "sub": "U0ADA",
        "aud": CLIENT,
        "iat": now,
        "exp": now + 300,
        "auth_time": now - 120,
        "nonce": "the nonce",
        "at_hash": base64.urlsafe_b64encode(half).rstrip(b"=").decode(),
        "https://slack.com/user_id": "U0ADA",
        "https://slack.com/team_id": "T0COUNTER",
        "https://slack.com/team_image_default": True,
        "email": "ada@example.com",
        "email_verified": True,
        "date_email_verified": 1700000000,
        "name": "Ada Lindqvist",
        "given_name": "Ada",
        "family_name": "Lindqvist",
        "locale": "en-US",
    }


async def test_the_same_id_elsewhere_differs_by_the_workspace_alone(app: App) -> None:
    """Both are `U0BOB` to this issuer: only the claim of the workspace tells them apart."""
    here = await claims(app, await app.exchange(TOKEN_METHOD, code=await app.code_of("T0COUNTER:U0BOB")))
    code = await app.code_of("T0SECOND:U0BOB", team="T0SECOND")
    there = await claims(app, await app.exchange(TOKEN_METHOD, code=code))
    assert here["sub"] == there["sub"] == "U0BOB"
    assert (here["https://slack.com/team_id"], there["https://slack.com/team_id"]) == ("T0COUNTER", "T0SECOND")
    assert (here["email"], there["email"]) == ("bob@example.com", "bob@second.example")


async def test_an_organization_is_named_beside_the_workspace(app: App) -> None:
    """Whichever of its workspaces the person signed in to."""
    code = await app.code_of("T0SOUTH:U0EVE", team="T0SOUTH")
    found = await claims(app, await app.exchange(TOKEN_METHOD, code=code))
    assert (found["https://slack.com/team_id"], found["https://slack.com/enterprise_id"]) == ("T0SOUTH", "E0GRID")


async def test_somebody_from_outside_signs_in_to_their_own_workspace(slack: SandboxSlack, app: App) -> None:
    """A shared channel makes nobody a member."""
    slack.add_person("Mallory", team="T0OTHER")
    found = await claims(app, await app.exchange(TOKEN_METHOD, code=await app.code_of("T0OTHER:U0MALLORY")))
    assert (found["sub"], found["https://slack.com/team_id"]) == ("U0MALLORY", "T0OTHER")


async def test_claims_need_their_scopes(slack: SandboxSlack, app: App) -> None:
    """With `openid` alone there is neither address nor name; without a nonce there is none; an address that Slack
    does not vouch for is said to be that."""
    code = await app.code_of(ADA, scope="openid", nonce=None)
    found = await claims(app, await app.exchange(TOKEN_METHOD, code=code))
    assert found.keys().isdisjoint({"email", "email_verified", "name", "nonce"})
    slack.add_person("Eve", confirmed=False)
    found = await claims(app, await app.exchange(TOKEN_METHOD, code=await app.code_of("T0COUNTER:U0EVE")))
    assert found["email_verified"] is False


async def test_slacks_own_client_can_exchange_and_ask_again(app: App) -> None:
    """The SDK's methods, as a bot would use them; userInfo says the same and names the workspace."""
    client = AsyncWebClient(base_url=app.slack.api_url)
    answer = await client.openid_connect_token(
        client_id=CLIENT, client_secret=CLIENT_SECRET, code=await app.code_of(ADA), redirect_uri=BACK
    )
    again = await client.openid_connect_userInfo(token=answer["access_token"])
    assert (again["sub"], again["email"], again["https://slack.com/team_name"]) == (
        "U0ADA",
        "ada@example.com",
        "Sandbox",
    )


async def test_a_code_is_for_one_use(app: App) -> None:
    """The second exchange fails, and so does any with a code that never was."""
    code = await app.code_of(ADA)
    assert (await app.exchange(TOKEN_METHOD, code=code))["ok"]
    for spent in (code, "1.2.guess", None):
        assert await app.exchange(TOKEN_METHOD, code=spent) == {"ok": False, "error": "invalid_code"}


@pytest.mark.parametrize(("seconds", "good"), [(599, True), (600, False)])
async def test_a_code_lives_for_ten_minutes(app: App, clock: HandClock, seconds: int, good: bool) -> None:
    """And not a second longer."""
    code = await app.code_of(ADA)
    clock.forward(seconds=seconds)
    assert (await app.exchange(TOKEN_METHOD, code=code))["ok"] is good


async def test_the_app_proves_itself_in_the_form_or_the_header(app: App) -> None:
    """Both of the ways that the metadata names; the header counts."""
    assert (await app.exchange(TOKEN_METHOD, code=await app.code_of(ADA)))["ok"]
    header = (CLIENT, CLIENT_SECRET)
    assert (await app.exchange(TOKEN_METHOD, header, code=await app.code_of(ADA)))["ok"]
    wrong = await app.exchange(TOKEN_METHOD, (CLIENT, "wrong"), client_secret=CLIENT_SECRET)
    assert wrong["error"] == "bad_client_secret"


@pytest.mark.parametrize(
    ("client_id", "client_secret", "error"),
    [
        (None, CLIENT_SECRET, "invalid_client_id"),
        ("3333.4444", CLIENT_SECRET, "invalid_client_id"),
        (CLIENT, None, "bad_client_secret"),
        (CLIENT, "wrong", "bad_client_secret"),
        (CLIENT, "ü", "bad_client_secret"),
    ],
)
async def test_nobody_else_can_exchange(app: App, client_id: str | None, client_secret: str | None, error: str) -> None:
    """Slack names which of the two is wrong, and the code is still good for the app itself."""
    code = await app.code_of(ADA)
    answer = await app.exchange(TOKEN_METHOD, code=code, client_id=client_id, client_secret=client_secret)
    assert answer == {"ok": False, "error": error}
    assert (await app.exchange(TOKEN_METHOD, code=code))["ok"]


async def test_a_header_that_is_no_basic_one_is_refused(app: App, http: aiohttp.ClientSession) -> None:
    """Broken Base64 is somebody unknown, not a fault of the server; a bot token proves nothing here."""
    for header in ("Basic %%%", "Basic /w==", f"Bearer {TOKEN}"):
        async with http.post(f"{app.slack.api_url}{TOKEN_METHOD}", headers={"Authorization": header}) as response:
            assert (await response.json())["error"] == "invalid_client_id"


@pytest.mark.parametrize(
    ("kind", "error"),
    [("client_credentials", "invalid_grant_type"), ("refresh_token", "invalid_refresh_token")],
)
async def test_only_codes_are_exchanged(app: App, kind: str, error: str) -> None:
    """A sign-in hands out no refresh token, so none is good."""
    assert (await app.exchange(TOKEN_METHOD, grant_type=kind, refresh_token="xoxe-1-x"))["error"] == error
    answer = await app.exchange(TOKEN_METHOD, grant_type="authorization_code", code=await app.code_of(ADA))
    assert answer["ok"]


@pytest.mark.parametrize(
    ("asked", "exchanged", "good"),
    [(BACK, BACK, True), (BACK, None, False), (BACK, f"{BACK}/x", False), (None, None, True), (None, BACK, True)],
)
async def test_the_address_must_be_the_one_that_was_asked_for(
    app: App, asked: str | None, exchanged: str | None, good: bool
) -> None:
    """It is needed where it was sent before; a wrong one spends the code."""
    code = await app.code_of(ADA, redirect_uri=asked)
    answer = await app.exchange(TOKEN_METHOD, code=code, redirect_uri=exchanged)
    assert answer["ok"] is good
    if not good:
        assert answer["error"] == "bad_redirect_uri"
        assert (await app.exchange(TOKEN_METHOD, code=code))["error"] == "invalid_code"


@pytest.mark.parametrize(("verifier", "good"), [(VERIFIER, True), ("w" * 64, False), (None, False), (CHALLENGE, False)])
async def test_a_challenge_must_be_met(app: App, verifier: str | None, good: bool) -> None:
    """PKCE counts where it was begun (RFC 7636 section 4.6)."""
    code = await app.code_of(ADA, code_challenge=CHALLENGE, code_challenge_method="S256")
    assert (await app.exchange(TOKEN_METHOD, code=code, code_verifier=verifier))["ok"] is good


async def test_whoever_was_deactivated_meanwhile_signs_in_no_more(slack: SandboxSlack, app: App) -> None:
    """Between the page and the exchange, and afterwards for userInfo."""
    code, token = (
        await app.code_of(ADA),
        (await app.exchange(TOKEN_METHOD, code=await app.code_of(ADA)))["access_token"],
    )
    slack.add_person("Ada", deleted=True)
    assert (await app.exchange(TOKEN_METHOD, code=code))["error"] == "account_inactive"
    client = {"client_id": None, "client_secret": None, "redirect_uri": None}
    assert (await app.exchange("openid.connect.userInfo", token=token, **client))["error"] == "account_inactive"


async def test_a_sign_ins_token_is_for_nothing_else(app: App, calls: Calls) -> None:
    """It is no bot's, and userInfo takes no other."""
    token = (await app.exchange(TOKEN_METHOD, code=await app.code_of(ADA)))["access_token"]
    assert (await calls.raw("users.info", {"user": "U0ADA"}, token=token))[2]["error"] == "invalid_auth"
    assert (await calls.raw("openid.connect.userInfo", {}, token=TOKEN))[2]["error"] == "invalid_auth"
    assert (await calls.raw("openid.connect.userInfo", {}, token=None))[2]["error"] == "not_authed"


async def test_the_apps_secret_is_not_remembered(app: App) -> None:
    """Of a call under the app's own name a test sees what was asked, without id and secret."""
    await app.exchange(TOKEN_METHOD, code="1.2.guess")
    called = app.slack.api.calls[-1]
    assert (called.method, called.error) == (TOKEN_METHOD, "invalid_code")
    assert called.arguments.keys() == {"code", "redirect_uri"}


async def test_the_key_outlives_a_restart(tmp_path: Path, clock: HandClock, http: aiohttp.ClientSession) -> None:
    """An app that knows the key goes on knowing it; a file that is no key is put aside."""
    found = []
    for run in range(3):
        slack = SandboxSlack(
            tmp_path,
            signing_secret=SECRET,
            bot_token=TOKEN,
            clock=clock,
            registration=Registration(CLIENT, CLIENT_SECRET, (BACK,)),
        )
        await slack.start()
        async with http.get(f"{slack.url}/openid/connect/keys") as response:
            (key,) = (await response.json())["keys"]
        assert key.keys().isdisjoint({"d", "p", "q"})
        found.append(key["kid"])
        await slack.stop()
        if run == 1:
            spoil(tmp_path / "slack-app.json")
    assert found[0] == found[1] != found[2]


def spoil(path: Path) -> None:
    """Leave something else in the place of a state."""
    path.write_text('{"key": {"kty": "none"}}')
