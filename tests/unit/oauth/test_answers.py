"""What the token endpoint may answer, and what is made of it."""

from __future__ import annotations

import json

import pytest

from oauth.errors import GrantDead, GrantRefused, LoginRefused, ProviderRefused, ProviderUnavailable, ScopeRefused
from oauth.provider import Provider
from tests.conftest import HandClock
from tests.fakes.endpoint import GOOD, READ, Endpoint, provider_for


@pytest.mark.parametrize("status", [400, 403])
async def test_t38_invalid_grant_means_that_the_grant_is_dead(
    provider: Provider, endpoint: Endpoint, status: int
) -> None:
    """With whatever status it comes: Auth0 sends 403."""
    endpoint.will({"error": "invalid_grant", "error_description": "Unknown or invalid refresh token."}, status)
    with pytest.raises(GrantDead):
        await provider.refresh("refresh-1", scopes=READ, audience="a")


async def test_t38_a_person_who_may_not_is_told_from_an_outage(provider: Provider, endpoint: Endpoint) -> None:
    """403 `access_denied` is the tenant's word about the person; 401 is about our own credentials (guard: 401)."""
    endpoint.will({"error": "access_denied", "error_description": "user is not part of the organization"}, 403)
    with pytest.raises(GrantRefused):
        await provider.refresh("refresh-1", scopes=READ, audience="a")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"error": "invalid_grant"}, 500), ({"error": "invalid_grant"}, 503), ({"error": "invalid_grant"}, 429),
        ({"error": "invalid_client"}, 401), ({"error": "access_denied"}, 401), ({"error": {"a": 1}}, 400),
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
    """Its error is cut to safe letters (guard: the cut in `LoginRefused`)."""
    endpoint.will({"error": "invalid_grant<b>", "error_description": "<script>"}, 400)
    with pytest.raises(LoginRefused, match=r"^invalid_grantb$"):
        await provider.exchange(code="c", verifier="v")


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


@pytest.mark.parametrize(
    ("body", "status", "refused"),
    [
        ({"error": "invalid_client"}, 401, True), ({"error": "access_denied"}, 401, True),
        ({"error": "unauthorized_client"}, 403, True), ({"error": "invalid_request"}, 400, True),
        ({"error": "server_error"}, 400, False), ({"error": "temporarily_unavailable"}, 400, False), ({}, 503, False),
    ],
)  # fmt: skip
async def test_t71_what_an_operator_has_to_mend_is_told_from_an_outage(
    provider: Provider, endpoint: Endpoint, body: object, status: int, refused: bool
) -> None:
    """Wrong credentials do not get better by waiting, and a server in trouble is no verdict on them."""
    endpoint.will(body, status)
    with pytest.raises(ProviderUnavailable) as problem:
        await provider.refresh("refresh-1", scopes=READ, audience="a")
    assert isinstance(problem.value, ProviderRefused) is refused


@pytest.mark.parametrize(("status", "untouched"), [(429, True), (401, True), (500, False), (502, False), (200, False)])
async def test_t37_only_what_says_so_has_spent_nothing(
    provider: Provider, endpoint: Endpoint, status: int, untouched: bool
) -> None:
    """A gateway's error or a broken answer may come after the provider has rotated the refresh token."""
    endpoint.will({} if status != 401 else {"error": "invalid_client"}, status)
    with pytest.raises(ProviderUnavailable) as away:
        await provider.refresh("refresh-1", scopes=READ, audience="a")
    assert away.value.untouched is untouched


async def test_t37_what_was_never_sent_has_spent_nothing(
    endpoint: Endpoint, clock: HandClock, unused_port: int
) -> None:
    """The addresses are known, and nobody listens there; an answer that breaks off is another matter."""
    endpoint.discovery = {"token_endpoint": f"http://127.0.0.1:{unused_port}/token"}
    provider = provider_for(endpoint, clock)
    with pytest.raises(ProviderUnavailable) as away:
        await provider.refresh("refresh-1", scopes=READ, audience="a")
    assert away.value.untouched
    await provider.close()
