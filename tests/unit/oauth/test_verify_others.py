"""Access tokens and logout tokens: for whom, for what, and what they must say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from oauth.errors import TokenInvalid
from oauth.verify import LOGOUT_EVENT, Verifier
from tests.conftest import HandClock
from tests.fakes.claims import ADA, access_claims, id_claims, logout_claims
from tests.fakes.provider import AUDIENCE, ISSUER, sign


async def test_a_good_access_token_gives_its_claims(verifier: Verifier, clock: HandClock) -> None:
    """Both kinds of `typ` that providers use, and the API as one of several audiences."""
    for typ in ("at+jwt", "application/at+jwt", "AT+JWT", "JWT", None):
        token = sign(access_claims(clock, aud=[AUDIENCE, f"{ISSUER}userinfo"]), typ=typ)
        claims = await verifier.access_token(token, audience_=AUDIENCE, sub=ADA)
        assert claims is not None
        assert claims["scope"] == "orders:read"


@pytest.mark.parametrize("token", ["opaque", "a.b", "a.b.c.d.e", "b3BhcXVl.dG9r"])
async def test_an_opaque_access_token_says_nothing(verifier: Verifier, token: str) -> None:
    """What is not a JWT cannot be looked into; that is no error."""
    assert await verifier.access_token(token, audience_=AUDIENCE, sub=ADA) is None


async def test_t43_an_access_token_for_somebody_or_something_else_is_refused(
    verifier: Verifier, clock: HandClock
) -> None:
    """Another audience, another person, an ID token, and one that is over."""
    wrong = {
        "aud": access_claims(clock, aud="https://other.example"),
        "sub": access_claims(clock, sub="auth0|eve"),
        "exp": access_claims(clock, exp=clock.now.timestamp() - 61),
    }
    for claim, claims in wrong.items():
        with pytest.raises(TokenInvalid, match=claim):
            await verifier.access_token(sign(claims), audience_=AUDIENCE, sub=ADA)
    with pytest.raises(TokenInvalid, match="aud"):
        await verifier.access_token(sign(id_claims(clock)), audience_=AUDIENCE, sub=ADA)


async def test_t32_a_good_logout_token_names_whom(verifier: Verifier, clock: HandClock) -> None:
    """Person, session and id, and how long it must be remembered (guard: what `Verifier.logout_token` gives back)."""
    logout = await verifier.logout_token(sign(logout_claims(clock, sid="session-1"), typ="logout+jwt"))
    assert (logout.sub, logout.sid, logout.jti) == (ADA, "session-1", "jti-1")
    assert logout.until == clock.now + timedelta(seconds=180)


@pytest.mark.parametrize(
    ("changed", "claim"),
    [
        ({"events": None}, "events"), ({"events": {"https://other": {}}}, "events"),
        ({"events": {LOGOUT_EVENT: None}}, "events"), ({"events": [LOGOUT_EVENT]}, "events"),
        ({"aud": "other"}, "aud"), ({"aud": AUDIENCE}, "aud"), ({"nonce": "n"}, "nonce"), ({"jti": None}, "jti"),
        ({"jti": 7}, "jti"), ({"sub": None}, "sub"), ({"iat": None}, "iat"), ({"exp": None}, "exp"),
    ],
)  # fmt: skip
async def test_t32_a_wrong_logout_token_is_refused(
    verifier: Verifier, clock: HandClock, changed: dict[str, Any], claim: str
) -> None:
    """Event, audience, a nonce, and every claim that must be there (guards: `events`, `audience`, `nonce`, `jti`,
    `sub`, `issued_at` and `expiry` in `Verifier.logout_token`)."""
    with pytest.raises(TokenInvalid) as invalid:
        await verifier.logout_token(sign(logout_claims(clock, **changed), typ="logout+jwt"))
    assert invalid.value.claim == claim


@pytest.mark.parametrize("typ", ["JWT", None, "at+jwt"])
async def test_t32_a_logout_token_says_what_it_is(verifier: Verifier, clock: HandClock, typ: str | None) -> None:
    """An ID token with the right claims could log somebody out otherwise (guard: `types` in
    `Verifier.logout_token`)."""
    with pytest.raises(TokenInvalid, match="typ"):
        await verifier.logout_token(sign(logout_claims(clock), typ=typ))
