"""The passwordless OTP grant: a code that was sent, for tokens."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bot.sandbox.tenant import Browser

GRANT = "http://auth0.com/oauth/grant-type/passwordless/otp"
ADA = "ada@example.com"
WRONG = (403, {"error": "invalid_grant", "error_description": "Wrong email or verification code."})
EXPIRED = (
    403,
    {
        "error": "invalid_grant",
        "error_description": "The verification code has expired. Please try to login again.",
    },
)
TOO_MANY = (
    403,
    {
        "error": "invalid_grant",
        "error_description": "You've reached the maximum number of attempts. Please try to login again.",
    },
)


async def sent(app: Any, address: str = ADA) -> str:
    """A code that was just sent."""
    assert (await app.start(address))[0] == 200
    return str(app.tenant.mail(address)[-1].code)


def not_it(code: str) -> str:
    """Another code."""
    return f"{(int(code) + 1) % 1_000_000:06}"


async def test_a_code_gives_what_a_login_gives(app: Any, claims_of: Any, clock: Any) -> None:
    """The same person as at the login page, with a session of its own, and an ID token that has no `nonce`."""
    tokens = await app.by_mail()
    assert tokens.keys() == {"access_token", "id_token", "refresh_token", "scope", "expires_in", "token_type"}
    claims, _ = claims_of(tokens["id_token"])
    assert "nonce" not in claims
    assert (claims["iss"], claims["aud"], claims["sub"]) == (app.tenant.issuer, "countersign", "auth0|ada")
    assert (claims["email"], claims["email_verified"]) == (ADA, True)
    assert claims["auth_time"] == claims["iat"] == int(clock().timestamp())
    assert app.tenant.state.sessions[claims["sid"]] == "ada"
    access, _ = claims_of(tokens["access_token"])
    assert (access["sub"], access["azp"], access["scope"]) == ("auth0|ada", "countersign", tokens["scope"])
    assert access["aud"] == ["https://shop.example.com", f"{app.tenant.issuer}userinfo"]
    assert not {"org_id", "amr", "acr"} & {*claims, *access}


async def test_the_grant_lasts_like_any_other(app: Any, claims_of: Any) -> None:
    """Its refresh token rotates, keeps the session, and ends when it is revoked; the log names the grant type."""
    tokens = await app.by_mail()
    (family,) = app.tenant.families("ada")
    status, given = await app.refresh(tokens["refresh_token"])
    assert status == 200
    before, after = (claims_of(one["id_token"])[0] for one in (tokens, given))
    assert (after["sid"], after["auth_time"], after["sub"]) == (before["sid"], before["auth_time"], before["sub"])
    assert after["sid"] == family.sid
    assert [(one.grant_type, one.family) for one in app.tenant.issued] == [
        (GRANT, family.id),
        ("refresh_token", family.id),
    ]
    await app.post("oauth/revoke", token=given["refresh_token"])
    assert app.tenant.families("ada") == []


async def test_scopes_decide_what_comes(app: Any) -> None:
    """Without `openid` no ID token, without `offline_access` nothing that lasts, and never more than the API has."""
    tokens = await app.by_mail(scope="orders:read admin")
    assert tokens["scope"] == "orders:read"
    assert not tokens.keys() & {"id_token", "refresh_token"}
    assert app.tenant.families() == []


async def test_the_address_counts_in_any_case(app: Any, claims_of: Any) -> None:
    """Where it was typed and where the code is brought, and it is the same person's."""
    code = await sent(app, "ADA@example.com")
    status, tokens = await app.otp("Ada@Example.com", code)
    assert (status, claims_of(tokens["id_token"])[0]["sub"]) == (200, "auth0|ada")


async def test_a_code_is_used_once(app: Any) -> None:
    """A second use is a wrong code, and ends nothing: whoever used it first was the owner of the mail."""
    code = await sent(app)
    assert (await app.otp(ADA, code))[0] == 200
    assert await app.otp(ADA, code) == WRONG
    assert len(app.tenant.families("ada")) == 1


async def test_only_the_newest_code_is_good(app: Any) -> None:
    """An older one is a wrong guess at the newest."""
    old = await sent(app)
    new = await sent(app)
    while new == old:
        new = await sent(app)
    assert await app.otp(ADA, old) == WRONG
    assert (await app.otp(ADA, new))[0] == 200


async def test_somebody_elses_code_is_wrong(app: Any) -> None:
    """Also where the address never had one, which is answered no differently."""
    bobs = await sent(app, "bob@example.com")
    assert await app.otp(ADA, bobs) == WRONG
    code = await sent(app)
    while code == bobs:
        code = await sent(app)
    assert await app.otp(ADA, bobs) == WRONG
    assert (await app.otp(ADA, code))[0] == 200
    assert (await app.otp("bob@example.com", bobs))[0] == 200


async def test_a_code_lives_three_minutes(app: Any, clock: Any) -> None:
    """At 180 seconds it is over, and that is said."""
    early, late = await sent(app), await sent(app, "bob@example.com")
    clock.forward(seconds=179)
    assert (await app.otp(ADA, early))[0] == 200
    clock.forward(seconds=1)
    assert await app.otp("bob@example.com", late) == EXPIRED
    assert await app.otp("bob@example.com", not_it(late)) == EXPIRED


async def test_how_long_a_code_lives_can_be_set(app: Any, clock: Any) -> None:
    """For those sent from then on."""
    app.tenant.passwordless.seconds = 30
    code = await sent(app)
    clock.forward(seconds=30)
    assert await app.otp(ADA, code) == EXPIRED


async def test_three_wrong_guesses_void_a_code(app: Any) -> None:
    """The right one is refused at the fourth try, with Auth0's words; a new code begins anew."""
    code = await sent(app)
    assert [await app.otp(ADA, not_it(code)) for _ in range(3)] == [WRONG] * 3
    assert await app.otp(ADA, code) == TOO_MANY
    assert "void after three wrong guesses" in await (await app.http.get(app.tenant.mailbox_url)).text()
    assert (await app.otp(ADA, await sent(app)))[0] == 200


async def test_two_wrong_guesses_do_not(app: Any) -> None:
    """The third try may still be right."""
    code = await sent(app)
    for _ in range(2):
        await app.otp(ADA, not_it(code))
    assert (await app.otp(ADA, code))[0] == 200


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"username": None}, 400, "invalid_request"),
        ({"otp": None}, 400, "invalid_request"),
        ({"realm": None}, 400, "invalid_request"),
        ({"realm": "sms"}, 400, "invalid_request"),
        ({"audience": None}, 403, "access_denied"),
        ({"audience": "https://unknown.example.com"}, 403, "access_denied"),
        ({"client_secret": "wrong"}, 401, "access_denied"),
        ({"client_secret": None}, 401, "access_denied"),
        ({"client_id": "another"}, 401, "access_denied"),
    ],
)
async def test_a_bad_request_does_not_touch_the_code(
    app: Any, changes: dict[str, str | None], status: int, error: str
) -> None:
    """It is refused, and after it the code still has all its tries."""
    code = await sent(app)
    for _ in range(4):
        got, body = await app.otp(ADA, code, **changes)
        assert (got, body["error"]) == (status, error)
        assert "access_token" not in body
    assert (await app.otp(ADA, code))[0] == 200


async def test_a_connection_that_is_off_takes_no_code(app: Any) -> None:
    """Switched off after the mail was sent."""
    code = await sent(app)
    app.tenant.passwordless.enabled = False
    assert await app.otp(ADA, code) == (
        400,
        {"error": "invalid_request", "error_description": "the connection was disabled"},
    )


async def test_json_is_taken_as_the_documents_have_it(app: Any) -> None:
    """The documents show this grant with a JSON body."""
    body = {"grant_type": GRANT, "client_id": "countersign", "client_secret": "s3cret & more", "realm": "email"}
    body |= {"username": ADA, "otp": await sent(app), "audience": "https://shop.example.com", "scope": "openid"}
    async with app.http.post(f"{app.tenant.issuer}oauth/token", json=body) as answer:
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == "no-store"


async def test_the_code_in_a_link_is_a_code(app: Any) -> None:
    """Auth0's links carry one, and it is taken here too."""
    await app.start(send="link")
    query = parse_qs(urlsplit(app.tenant.mail(ADA)[-1].link).query)
    assert (await app.otp(ADA, query["verification_code"][0]))[0] == 200


async def test_a_code_verifies_the_address(app: Any, claims_of: Any) -> None:
    """Dan's was not; from then on it is, wherever he signs in and after a refresh."""
    tokens = await app.by_mail("dan@example.com")
    _, given = await app.refresh(tokens["refresh_token"])
    later = await app.tokens("dan")
    for one in (tokens, given, later):
        claims, _ = claims_of(one["id_token"])
        assert (claims["sub"], claims["email_verified"]) == ("auth0|dan", True)


async def test_a_newcomer_gets_an_account_of_the_email_connection(app: Any, claims_of: Any) -> None:
    """Made when the code is entered and not before, the same at each login, and in no organization."""
    await sent(app, "eve@example.com")
    assert len(app.tenant.state.people) == 5
    first = await app.by_mail("eve@example.com")
    claims, _ = claims_of(first["id_token"])
    kind, _, number = claims["sub"].partition("|")
    assert (kind, len(number)) == ("email", 24)
    assert (claims["email"], claims["email_verified"], claims["nickname"]) == ("eve@example.com", True, "eve")
    again = await app.by_mail("Eve@example.com")
    assert claims_of(again["id_token"])[0]["sub"] == claims["sub"]
    assert (await app.start("eve@example.com"))[1]["_id"] == number
    assert len(app.tenant.state.people) == 6


class TestMfa:
    """A code is one factor; for some that is not enough."""

    async def test_whoever_needs_a_second_factor_gets_no_tokens(self, app: Any) -> None:
        """But an `mfa_token`, for which there is no use here; the code is spent."""
        app.tenant.require_mfa("ada")
        code = await sent(app)
        status, body = await app.otp(ADA, code)
        assert status == 403
        assert body.keys() == {"error", "error_description", "mfa_token"}
        assert (body["error"], body["error_description"]) == ("mfa_required", "Multifactor authentication required")
        assert body["mfa_token"].startswith("Fe26.2*")
        assert app.tenant.families() == []
        assert list(app.tenant.issued) == []
        assert await app.otp(ADA, code) == WRONG

    async def test_a_wrong_code_does_not_say_so(self, app: Any) -> None:
        """Whether somebody has a second factor is for those to know who had the first."""
        app.tenant.require_mfa("ada")
        assert await app.otp(ADA, not_it(await sent(app))) == WRONG

    async def test_others_do_not_need_it_and_it_can_be_taken_back(self, app: Any) -> None:
        """One person's setting."""
        app.tenant.require_mfa("ada")
        assert (await app.otp("bob@example.com", await sent(app, "bob@example.com")))[0] == 200
        app.tenant.require_mfa("ada", required=False)
        assert (await app.otp(ADA, await sent(app)))[0] == 200


async def test_a_session_by_mail_ends_like_any_other(app: Any, claims_of: Any) -> None:
    """A logout as the operator ends it, and the browser's own session is another one."""
    async with Browser() as browser:
        callback = await browser.sign_in(app.url(), "ada")
        _, by_page = await app.exchange(callback.split("code=")[1].split("&")[0])
    by_mail = await app.by_mail()
    sids = {claims_of(one["id_token"])[0]["sid"] for one in (by_page, by_mail)}
    assert len(sids) == 2
    assert sids <= app.tenant.state.sessions.keys()
    await app.tenant.logout("ada")
    assert not sids & app.tenant.state.sessions.keys()


async def test_calls_are_counted(app: Any) -> None:
    """Also those in vain."""
    await app.otp(ADA, "000000")
    await app.by_mail()
    assert (app.tenant.passwordless_calls, app.tenant.otp_calls, app.tenant.grants) == (1, 2, 0)
