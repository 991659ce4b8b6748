"""The calls to Slack's OpenID endpoints, and what of an ID token makes a person."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth import SlackUser
from oauth.errors import LoginRefused, ProviderUnavailable, TokenInvalid
from oauth.slack_login import SlackOpenId, is_person
from tests.conftest import HandClock
from tests.fakes.slack_openid import CLIENT_ID, CLIENT_SECRET, REDIRECT, FakeSlackOpenId

ADA = SlackUser("T1", "UADA")


@pytest.fixture
async def app(slack: FakeSlackOpenId, clock: HandClock) -> AsyncIterator[SlackOpenId]:
    """Our app there."""
    app = SlackOpenId(slack.issuer, CLIENT_ID, REDIRECT, clock, secret=CLIENT_SECRET)
    yield app
    await app.close()


async def code(app: SlackOpenId, slack: FakeSlackOpenId, verifier: str | None = None) -> str:
    """Ada signs in."""
    url = await app.authorize_url(state="state-1", nonce="nonce-1", verifier=verifier, team="T1")
    return (await slack.sign_in(url, ADA))["code"]


@pytest.mark.parametrize("pkce", [False, True])
async def test_t24_the_authorize_url_asks_for_the_least(app: SlackOpenId, slack: FakeSlackOpenId, pkce: bool) -> None:
    """`openid` and no more, our state and nonce, the workspace to offer; S256 only where Slack takes it (guard: the
    arguments in `SlackOpenId.authorize_url`)."""
    slack.pkce = pkce
    assert await app.takes_challenge() is pkce
    url = await app.authorize_url(state="state-1", nonce="nonce-1", verifier="v" * 43 if pkce else None, team="T1")
    asked = {
        "response_type": ["code"],
        "client_id": [CLIENT_ID],
        "redirect_uri": [REDIRECT],
        "scope": ["openid"],
        "state": ["state-1"],
        "nonce": ["nonce-1"],
        "team": ["T1"],
    }
    challenge = urlsafe_b64encode(hashlib.sha256(b"v" * 43).digest()).rstrip(b"=").decode()
    more = {"code_challenge": [challenge], "code_challenge_method": ["S256"]} if pkce else {}
    assert parse_qs(urlsplit(url).query) == asked | more


async def test_a_code_is_exchanged_as_slack_documents_it(app: SlackOpenId, slack: FakeSlackOpenId) -> None:
    """The client's secret in the form, the same redirect, and nothing that was not agreed on before."""
    given = await code(app, slack)
    assert (await app.id_token(code=given, verifier=None)).count(".") == 2
    assert slack.forms == [
        {
            "grant_type": "authorization_code",
            "code": given,
            "redirect_uri": REDIRECT,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
        }
    ]


async def test_a_verifier_goes_with_its_challenge(app: SlackOpenId, slack: FakeSlackOpenId) -> None:
    """With PKCE the code is good for who has the verifier alone."""
    slack.pkce = True
    with pytest.raises(LoginRefused, match="invalid_grant"):
        await app.id_token(code=await code(app, slack, "v" * 43), verifier="w" * 43)
    assert await app.id_token(code=await code(app, slack, "v" * 43), verifier="v" * 43)


@pytest.mark.parametrize("error", ["ratelimited", "internal_error", "fatal_error", "service_unavailable"])
async def test_t71_slacks_own_troubles_are_an_outage(app: SlackOpenId, slack: FakeSlackOpenId, error: str) -> None:
    """Slack tells them with a status of 200; none is the person's fault (guard: `_PASSING`)."""
    slack.refuses_with = error
    with pytest.raises(ProviderUnavailable):
        await app.id_token(code=await code(app, slack), verifier=None)


@pytest.mark.parametrize("error", ["invalid_code", "code_already_used", "bad_redirect_uri", "bad_client_secret"])
async def test_what_slack_refuses_is_named(app: SlackOpenId, slack: FakeSlackOpenId, error: str) -> None:
    """The page shows Slack's word for it, which tells an operator what to mend."""
    slack.refuses_with = error
    with pytest.raises(LoginRefused, match=error):
        await app.id_token(code=await code(app, slack), verifier=None)


async def test_an_answer_without_an_id_token_names_nobody(app: SlackOpenId, slack: FakeSlackOpenId) -> None:
    """The access token beside it is no substitute: whom it is for was not said to us."""
    slack.omit_id_token = True
    with pytest.raises(TokenInvalid, match="id_token"):
        await app.id_token(code=await code(app, slack), verifier=None)


IDS = st.text("ETU01", min_size=1, max_size=2)


@given(IDS, IDS, st.none() | IDS, IDS, IDS, st.none() | IDS)
def test_t59_a_person_is_a_user_of_one_workspace_or_organization(
    user: str, team: str, enterprise: str | None, other_user: str, other_team: str, other_enterprise: str | None
) -> None:
    """Of any two people with any ids: the same user id, and the workspace or the organization in common (guard: the
    last line of `is_person`)."""
    claims = {
        "https://slack.com/user_id": other_user,
        "https://slack.com/team_id": other_team,
        "https://slack.com/enterprise_id": other_enterprise,
    }
    common = team == other_team or (enterprise is not None and enterprise == other_enterprise)
    assert is_person(claims, SlackUser(team, user, enterprise)) is (user == other_user and common)
