"""Organizations: `org_id` in every token of such a login, and what becomes of people who leave."""

from __future__ import annotations

from typing import Any

import pytest

from bot.sandbox.tenant import ORGANIZATION, Browser

NOT_A_MEMBER = "user auth0|ada is not part of the org_sandbox organization"


def organizations(answer: dict[str, Any], claims_of: Any) -> list[str | None]:
    """What the ID token and the access token say."""
    return [claims_of(answer[name])[0].get("org_id") for name in ("id_token", "access_token")]


async def test_both_tokens_name_the_organization_also_after_refreshes(app: Any, claims_of: Any) -> None:
    """Auth0's "Work with Tokens and Organizations"; a narrowed token names it too."""
    tokens = await app.tokens(organization=ORGANIZATION)
    _, second = await app.refresh(tokens["refresh_token"])
    _, third = await app.refresh(second["refresh_token"], scope="openid orders:read")
    for answer in (tokens, second, third):
        assert organizations(answer, claims_of) == [ORGANIZATION] * 2
    _, narrow = await app.refresh(third["refresh_token"], scope="orders:read")
    assert claims_of(narrow["access_token"])[0]["org_id"] == ORGANIZATION


async def test_a_login_without_one_names_none(app: Any, claims_of: Any) -> None:
    """Neither at the page, nor by a one-time code, nor after a refresh: membership alone is no claim."""
    for tokens in (await app.tokens(), await app.by_mail()):
        _, given = await app.refresh(tokens["refresh_token"])
        for answer in (tokens, given):
            assert organizations(answer, claims_of) == [None, None]


async def test_a_refresh_can_name_another_or_none(app: Any, claims_of: Any) -> None:
    """For a client that has to look at every token; the grant itself stays as it was."""
    answer = await app.tokens(organization=ORGANIZATION)
    for forged in ("org_other", None):
        app.tenant.organizations.forge(forged)
        _, answer = await app.refresh(answer["refresh_token"])
        assert organizations(answer, claims_of) == [forged] * 2
    assert organizations(await app.tokens(organization=ORGANIZATION), claims_of) == [ORGANIZATION] * 2
    app.tenant.organizations.keep()
    _, answer = await app.refresh(answer["refresh_token"])
    assert organizations(answer, claims_of) == [ORGANIZATION] * 2


@pytest.mark.parametrize("refusal", ["access_denied", "invalid_grant"])
async def test_whoever_left_gets_no_token_any_more(app: Any, refusal: Any) -> None:
    """403 at each refresh; the token is not spent by that, so that whoever is taken in again goes on."""
    token = (await app.tokens(organization=ORGANIZATION))["refresh_token"]
    app.tenant.organizations.refusal = refusal
    app.tenant.leave_organization("ada")
    refused = (403, {"error": refusal, "error_description": NOT_A_MEMBER})
    assert [await app.refresh(token) for _ in range(2)] == [refused] * 2
    assert len(app.tenant.families("ada")) == 1
    app.tenant.join_organization("ada")
    assert (await app.refresh(token))[0] == 200


async def test_leaving_between_the_page_and_the_exchange_is_leaving(app: Any) -> None:
    """A code for an organization is worth nothing without it, and no grant comes of it."""
    code = await app.code(organization=ORGANIZATION)
    app.tenant.leave_organization("ada")
    assert await app.exchange(code) == (403, {"error": "access_denied", "error_description": NOT_A_MEMBER})
    assert app.tenant.families() == []


async def test_leaving_concerns_nobody_and_nothing_else(app: Any) -> None:
    """Other people's grants go on, and the person's own that name no organization."""
    bobs, own = await app.tokens("bob", organization=ORGANIZATION), await app.tokens()
    app.tenant.leave_organization("ada")
    for tokens in (bobs, own):
        assert (await app.refresh(tokens["refresh_token"]))[0] == 200


async def test_whoever_left_is_refused_at_the_login_page(app: Any, came_back: Any) -> None:
    """As somebody who never was a member is."""
    app.tenant.leave_organization("ada")
    async with Browser() as browser:
        answer = came_back(await browser.sign_in(app.url(organization=ORGANIZATION), "ada"))
    assert (answer["error"], answer["error_description"]) == ("access_denied", NOT_A_MEMBER)
