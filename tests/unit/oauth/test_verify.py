"""Real tokens, forged in every way that the documents warn of."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from oauth.errors import TokenInvalid, WrongOrganization
from oauth.keys import SigningKeys
from oauth.models import Subject
from oauth.verify import LOGOUT_EVENT, Expected, Verifier
from tests.conftest import HandClock
from tests.fakes.provider import AUDIENCE, CLIENT_ID, ISSUER, public_jwk, sign, signing_key

NONCE = "nonce-1"
ADA = Subject("auth0|ada")


@pytest.fixture
def verifier(clock: HandClock) -> Verifier:
    """A verifier of the fake provider's tokens."""
    return verifier_for(clock)


def verifier_for(
    clock: HandClock, organization: str | None = None, keys: list[dict[str, Any]] | None = None
) -> Verifier:
    """A verifier that knows these keys."""

    async def fetch() -> dict[str, Any]:
        return {"keys": keys or [public_jwk(signing_key())]}

    return Verifier(Expected(ISSUER, CLIENT_ID, organization), SigningKeys(fetch, clock), clock)


def id_claims(clock: HandClock, **changed: Any) -> dict[str, Any]:
    """The claims of a good ID token; a value of None leaves the claim out."""
    now = clock.now.timestamp()
    claims = {
        "iss": ISSUER, "sub": ADA, "aud": CLIENT_ID, "iat": now, "exp": now + 600, "nonce": NONCE,
        "email": "ada@corp.example", "email_verified": True, "name": "Ada", "sid": "session-1",
    }  # fmt: skip
    return {name: value for name, value in (claims | changed).items() if value is not None}


def access_claims(clock: HandClock, **changed: Any) -> dict[str, Any]:
    """The claims of a good access token."""
    now = clock.now.timestamp()
    claims = {"iss": ISSUER, "sub": ADA, "aud": AUDIENCE, "iat": now, "exp": now + 600, "scope": "orders:read"}
    return {name: value for name, value in (claims | changed).items() if value is not None}


def logout_claims(clock: HandClock, **changed: Any) -> dict[str, Any]:
    """The claims of a good logout token."""
    now = clock.now.timestamp()
    claims = {
        "iss": ISSUER, "sub": ADA, "aud": CLIENT_ID, "iat": now, "exp": now + 120, "jti": "jti-1",
        "events": {LOGOUT_EVENT: {}},
    }  # fmt: skip
    return {name: value for name, value in (claims | changed).items() if value is not None}


async def refused(verifier: Verifier, token: str) -> str:
    """The claim that an ID token is refused for."""
    with pytest.raises(TokenInvalid) as invalid:
        await verifier.id_token(token, nonce=NONCE)
    return invalid.value.claim


async def test_a_good_id_token_names_the_person(verifier: Verifier, clock: HandClock) -> None:
    """Exactly `iss` and `sub`, with what the provider vouches for."""
    signed_in = await verifier.id_token(sign(id_claims(clock)), nonce=NONCE)
    assert (signed_in.identity.iss, signed_in.identity.sub) == (ISSUER, ADA)
    assert (signed_in.identity.email, signed_in.email_verified, signed_in.sid) == (
        "ada@corp.example",
        True,
        "session-1",
    )


def encoded(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    """A token put together by hand."""
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


@pytest.mark.parametrize("algorithm", ["none", "None", "", None])
async def test_t26_no_signature_is_no_token(verifier: Verifier, clock: HandClock, algorithm: str | None) -> None:
    """The list of algorithms refuses `none` in every spelling."""
    assert await refused(verifier, encoded({"alg": algorithm, "kid": "key-1"}, id_claims(clock))) in {"alg", "header"}


async def test_t26_the_public_key_is_no_shared_secret(verifier: Verifier, clock: HandClock) -> None:
    """HS256 over the published key, as text and as bytes, is refused for its algorithm."""
    pem = (
        signing_key()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    unsigned = encoded({"alg": "HS256", "kid": "key-1"}, id_claims(clock)).rpartition(".")[0]
    signature = base64.urlsafe_b64encode(hmac.digest(pem, unsigned.encode(), "sha256")).rstrip(b"=").decode()
    assert await refused(verifier, f"{unsigned}.{signature}") == "alg"


async def test_t26_another_algorithm_of_the_same_key_is_refused(verifier: Verifier, clock: HandClock) -> None:
    """RS512 is not on the list, and PS256 is not what the key was published for."""
    for algorithm in ("RS512", "PS256"):
        token = jwt.encode(id_claims(clock), signing_key(), algorithm, headers={"kid": "key-1"})
        assert await refused(verifier, token) == "alg"


async def test_t26_keys_in_the_header_are_not_used(verifier: Verifier, clock: HandClock) -> None:
    """A token that brings its own key, an address of one, or an unknown critical extension is refused unseen."""
    mallory = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    own = {"jwk": public_jwk(mallory, "mallory")}
    for extra in (own, {"jku": "https://mallory.example/jwks"}, {"x5u": "https://mallory.example"}, {"crit": ["exp"]}):
        token = jwt.encode(id_claims(clock), mallory, "RS256", headers={"kid": "key-1", **extra})
        assert await refused(verifier, token) == "header"
        well_signed = jwt.encode(id_claims(clock), signing_key(), "RS256", headers={"kid": "key-1", **extra})
        assert await refused(verifier, well_signed) == "header"


async def test_t26_a_signature_of_somebody_else_is_refused(verifier: Verifier, clock: HandClock) -> None:
    """The same key id under another key, and a changed payload, do not verify."""
    mallory = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert await refused(verifier, jwt.encode(id_claims(clock), mallory, "RS256", {"kid": "key-1"})) == "signature"
    head, _, signature = sign(id_claims(clock)).split(".")
    body = base64.urlsafe_b64encode(json.dumps(id_claims(clock, sub="auth0|eve")).encode()).rstrip(b"=").decode()
    assert await refused(verifier, f"{head}.{body}.{signature}") == "signature"


async def test_an_elliptic_key_is_good_for_its_own_algorithm(clock: HandClock) -> None:
    """ES256 verifies; the curve's key cannot stand in for RS256."""
    key = ec.generate_private_key(ec.SECP256R1())
    published = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": "ec-1"}
    verifier = verifier_for(clock, keys=[published])
    good = jwt.encode(id_claims(clock), key, "ES256", headers={"kid": "ec-1"})
    assert (await verifier.id_token(good, nonce=NONCE)).identity.sub == ADA
    forged = encoded({"alg": "RS256", "kid": "ec-1"}, id_claims(clock), b"0" * 256)
    assert await refused(verifier, forged) == "alg"


@pytest.mark.parametrize("claim", ["exp", "sub", "iat", "nonce", "iss", "aud"])
async def test_t27_no_claim_may_be_missing(verifier: Verifier, clock: HandClock, claim: str) -> None:
    """Each claim has a function that insists on it; PyJWT alone would accept the token."""
    assert await refused(verifier, sign(id_claims(clock, **{claim: None}))) == claim


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("exp", "tomorrow"), ("exp", True), ("exp", float("inf")), ("exp", 10**400), ("iat", []), ("iat", float("nan")),
        ("sub", 7), ("sub", ""), ("sub", "x" * 256), ("nonce", "other"), ("nonce", 1), ("nonce", "\u00e9"),
        ("iss", [ISSUER]), ("aud", {"client": CLIENT_ID}),
    ],
)  # fmt: skip
async def test_t27_a_claim_of_a_wrong_kind_is_refused(
    verifier: Verifier, clock: HandClock, claim: str, value: object
) -> None:
    """Types, sizes and numbers without end are refused and break nothing."""
    assert await refused(verifier, sign(id_claims(clock, **{claim: value}))) == claim


async def test_a_token_is_over_a_minute_after_its_end(verifier: Verifier, clock: HandClock) -> None:
    """A minute of leeway on either side is for clocks that differ, and no more."""
    token = sign(id_claims(clock))
    clock.forward(seconds=659)
    await verifier.id_token(token, nonce=NONCE)
    clock.forward(seconds=1)
    assert await refused(verifier, token) == "exp"
    early = sign(id_claims(clock, iat=(clock.now + timedelta(seconds=61)).timestamp()))
    assert await refused(verifier, early) == "iat"


async def test_t28_other_tokens_are_no_id_tokens(verifier: Verifier, clock: HandClock) -> None:
    """An access token or a logout token does not sign anybody in, not even with our client as audience and a nonce."""
    both = {"aud": CLIENT_ID, "nonce": NONCE}
    assert await refused(verifier, sign(access_claims(clock, **both), typ="at+jwt")) == "typ"
    assert await refused(verifier, sign(access_claims(clock))) == "aud"
    assert await refused(verifier, sign(logout_claims(clock, nonce=NONCE), typ="logout+jwt")) == "typ"
    assert await refused(verifier, sign(logout_claims(clock, nonce=NONCE))) == "events"


@pytest.mark.parametrize(
    ("audience", "party"),
    [
        ([CLIENT_ID, "other"], None), ([CLIENT_ID, "other"], "other"), (CLIENT_ID, "other"), ([CLIENT_ID], "other"),
    ],
)  # fmt: skip
async def test_t29_the_authorized_party_is_us(
    verifier: Verifier, clock: HandClock, audience: object, party: str | None
) -> None:
    """Several audiences need `azp`, and a foreign one is refused with any audience."""
    assert await refused(verifier, sign(id_claims(clock, aud=audience, azp=party))) == "azp"
    await verifier.id_token(sign(id_claims(clock, aud=audience, azp=CLIENT_ID)), nonce=NONCE)


@pytest.mark.parametrize(
    "issuer",
    [ISSUER.rstrip("/"), ISSUER + "x", ISSUER[:-5], "https://other.example/", ISSUER.upper(), f" {ISSUER}", "", None],
)
async def test_t30_the_issuer_is_compared_to_the_letter(
    verifier: Verifier, clock: HandClock, issuer: str | None
) -> None:
    """Without its slash, longer, shorter, in capitals or of another tenant it is another issuer, for each token."""
    assert await refused(verifier, sign(id_claims(clock, iss=issuer))) == "iss"
    with pytest.raises(TokenInvalid, match="iss"):
        await verifier.access_token(sign(access_claims(clock, iss=issuer)), audience_=AUDIENCE, sub=ADA)
    with pytest.raises(TokenInvalid, match="iss"):
        await verifier.logout_token(sign(logout_claims(clock, iss=issuer), typ="logout+jwt"))


@pytest.mark.parametrize("vouched", [None, False, "true", 1, "yes"])
async def test_an_email_is_verified_by_true_alone(verifier: Verifier, clock: HandClock, vouched: object) -> None:
    """Without `email_verified`, or with anything but a JSON true, nobody vouches for the address."""
    signed_in = await verifier.id_token(sign(id_claims(clock, email_verified=vouched)), nonce=NONCE)
    assert not signed_in.email_verified


async def test_a_required_organization_is_required_in_every_token(clock: HandClock) -> None:
    """A member of another organization, or of none, is refused at login and in access tokens."""
    verifier = verifier_for(clock, organization="org_1")
    assert (await verifier.id_token(sign(id_claims(clock, org_id="org_1")), nonce=NONCE)).identity.org == "org_1"
    for org in (None, "org_2", ["org_1"]):
        with pytest.raises(WrongOrganization):
            await verifier.id_token(sign(id_claims(clock, org_id=org)), nonce=NONCE)
        with pytest.raises(WrongOrganization):
            await verifier.access_token(sign(access_claims(clock, org_id=org)), audience_=AUDIENCE, sub=ADA)


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
    """Person, session and id, and how long it must be remembered."""
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
    """Event, audience, a nonce, and every claim that must be there."""
    with pytest.raises(TokenInvalid) as invalid:
        await verifier.logout_token(sign(logout_claims(clock, **changed), typ="logout+jwt"))
    assert invalid.value.claim == claim


@pytest.mark.parametrize("typ", ["JWT", None, "at+jwt"])
async def test_t32_a_logout_token_says_what_it_is(verifier: Verifier, clock: HandClock, typ: str | None) -> None:
    """Without `typ` an ID token with the right claims could log somebody out."""
    with pytest.raises(TokenInvalid, match="typ"):
        await verifier.logout_token(sign(logout_claims(clock), typ=typ))


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "a.b.c", "e30.e30.", "x" * 20_000, "\u00e9.e30.e30", "e30.e30.e30", "bnVsbA.bnVsbA.", "\ud800.a.b"],
)
async def test_what_is_no_token_is_refused(verifier: Verifier, token: str) -> None:
    """Empty, too long, not JSON, not even text: one kind of error, and no other."""
    with pytest.raises(TokenInvalid):
        await verifier.id_token(token, nonce=NONCE)
    with pytest.raises(TokenInvalid):
        await verifier.logout_token(token)


async def test_a_token_without_end_is_not_even_looked_at(verifier: Verifier, clock: HandClock) -> None:
    """Sixteen kilobytes are enough for anybody's claims, whoever signed them."""
    assert await refused(verifier, sign(id_claims(clock, name="x" * 16_384))) == "size"


@pytest.mark.parametrize("payload", [b"[]", b"null", b"7", b"not json", b"\xff\xfe", b"[" * 5000])
async def test_a_signed_payload_that_is_no_object_is_refused(verifier: Verifier, payload: bytes) -> None:
    """Not even the provider's own signature makes a token of it."""
    token = jwt.PyJWS().encode(payload, signing_key(), "RS256", headers={"kid": "key-1"})
    assert await refused(verifier, token) in {"payload", "signature"}
