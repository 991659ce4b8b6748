"""Which authorization requests are shown to a person, which are sent back, and which go nowhere."""

from __future__ import annotations

from typing import Any

import pytest

from bot.sandbox.tenant import Browser, PageRefused


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"client_id": None}, "Missing client"),
        ({"client_id": "another"}, "Unknown client"),
        ({"redirect_uri": None}, "Callback URL mismatch"),
        ({"redirect_uri": "https://evil.example/oauth/callback"}, "Callback URL mismatch"),
        ({"redirect_uri": "http://127.0.0.1:8300/oauth/callback/"}, "Callback URL mismatch"),
        ({"redirect_uri": "http://127.0.0.1:8300/oauth/callback?x=1"}, "Callback URL mismatch"),
        ({"redirect_uri": "http://127.0.0.1:8300/OAuth/callback"}, "Callback URL mismatch"),
    ],
)
async def test_a_request_of_nobody_known_goes_nowhere(app: Any, changes: dict[str, str | None], words: str) -> None:
    """A client or an address that is not registered to the letter gets a page, never a redirect."""
    async with Browser() as browser:
        with pytest.raises(PageRefused) as refused:
            await browser.sign_in(app.url(**changes), "ada")
    assert refused.value.status in {400, 403}
    assert words in refused.value.text


async def test_a_second_address_does_not_slip_in(app: Any) -> None:
    """Two redirect addresses are none, also where one of them is right."""
    async with Browser() as browser:
        with pytest.raises(PageRefused):
            await browser.sign_in(app.url() + "&redirect_uri=https%3A%2F%2Fevil.example%2F", "ada")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"nonce": None}, "invalid_request"),
        ({"audience": "https://unknown.example.com"}, "access_denied"),
        ({"organization": "org_unknown"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
        ({"login_hint": "a" * 5_000}, "invalid_request"),
    ],
)
async def test_a_faulty_request_is_sent_back(
    app: Any, came_back: Any, changes: dict[str, str | None], error: str
) -> None:
    """The application hears of its mistake at its own address, with its state and without a code."""
    async with Browser() as browser:
        answer = came_back(await browser.sign_in(app.url(**changes), "ada"))
    assert answer["error"] == error
    assert answer["error_description"]
    assert answer["state"] == "the state"
    assert "code" not in answer


async def test_without_an_audience_it_is_about_who_somebody_is(app: Any, claims_of: Any) -> None:
    """As at Auth0: scopes of an API are passed over, and the access token is good at `/userinfo` and nowhere else."""
    tokens = await app.tokens(audience=None)
    assert tokens["scope"] == "openid profile email offline_access"
    assert claims_of(tokens["access_token"])[0]["aud"] == f"{app.tenant.issuer}userinfo"
    assert (await app.get("userinfo", Authorization=f"Bearer {tokens['access_token']}"))[0] == 200
    status, given = await app.refresh(tokens["refresh_token"], scope="openid orders:read")
    assert (status, given["scope"]) == (200, "openid")


async def test_a_request_without_state_is_sent_back(app: Any, came_back: Any) -> None:
    """State is required here, so that a client that forgets it is found out."""
    async with Browser() as browser:
        answer = came_back(await browser.sign_in(app.url(state=None), "ada"))
    assert answer.keys() == {"error", "error_description"}
    assert "state" in answer["error_description"]


async def test_a_parameter_sent_twice_is_sent_back(app: Any, came_back: Any) -> None:
    """Which of two scopes counts would be a guess (RFC 6749 section 3.1)."""
    async with Browser() as browser:
        answer = came_back(await browser.sign_in(app.url() + "&scope=openid", "ada"))
    assert answer["error"] == "invalid_request"
    assert "scope" in answer["error_description"]


async def test_without_acr_values_no_second_factor_is_claimed(app: Any, claims_of: Any) -> None:
    """Nothing says `amr` that nobody asked for."""
    claims, _ = claims_of((await app.tokens())["id_token"])
    assert "amr" not in claims
    assert "acr" not in claims


async def test_only_known_scopes_are_granted(app: Any) -> None:
    """What the API does not have is passed over in silence, as Auth0 does."""
    tokens = await app.tokens(scope="openid orders:read orders:delete admin")
    assert tokens["scope"] == "openid orders:read"


async def test_a_member_of_the_organization_gets_its_id(app: Any, claims_of: Any) -> None:
    """Both tokens say `org_id`, also after a refresh."""
    tokens = await app.tokens("bob", organization="org_sandbox")
    _, renewed = await app.refresh(tokens["refresh_token"])
    for token in (tokens["id_token"], tokens["access_token"], renewed["id_token"], renewed["access_token"]):
        assert claims_of(token)[0]["org_id"] == "org_sandbox"


async def test_somebody_else_is_sent_back_from_the_organization(app: Any, came_back: Any) -> None:
    """Mallory is no member, so choosing Mallory ends the login."""
    async with Browser() as browser:
        answer = came_back(await browser.sign_in(app.url(organization="org_sandbox"), "mallory"))
    assert answer["error"] == "access_denied"
    assert "not part of the org_sandbox" in answer["error_description"]


async def test_iss_is_in_every_answer_where_it_is_set(tenants: Any, app_at: Any, came_back: Any) -> None:
    """Success, refusal and mistake carry it alike (RFC 9207 section 2)."""
    app = app_at(await tenants(issuer_in_response=True))
    async with Browser() as browser:
        answers = [
            await browser.sign_in(app.url(), "ada"),
            await browser.cancel(app.url()),
            await browser.sign_in(app.url(prompt="none"), "ada"),
        ]
    assert [came_back(answer)["iss"] for answer in answers] == [app.tenant.issuer] * 3


async def test_iss_is_in_no_answer_where_it_is_not_set(app: Any, came_back: Any) -> None:
    """Auth0's default."""
    async with Browser() as browser:
        assert "iss" not in came_back(await browser.sign_in(app.url(), "ada"))


async def test_an_address_may_be_registered_later(app: Any, tenants: Any) -> None:
    """A bot on a free port knows its address only once it listens."""
    late = "http://127.0.0.1:9999/oauth/callback"
    app.tenant.application.redirect_uris.add(late)
    async with Browser() as browser:
        assert (await browser.sign_in(app.url(redirect_uri=late), "ada")).startswith(f"{late}?code=")
