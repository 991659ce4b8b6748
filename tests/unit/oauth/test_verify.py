"""ID tokens, really signed, and forged in every way that the documents warn of."""

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
from oauth.verify import Nonce, Verifier
from tests.conftest import HandClock
from tests.fakes.claims import ADA, NONCE, access_claims, id_claims, logout_claims, verifier_for
from tests.fakes.provider import AUDIENCE, CLIENT_ID, ISSUER, public_jwk, sign, signing_key


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
    """`none` is refused in every spelling (guards: `ALGORITHMS` in `Verifier._signed`, and the key's own algorithm)."""
    assert await refused(verifier, encoded({"alg": algorithm, "kid": "key-1"}, id_claims(clock))) in {"alg", "header"}


async def test_t26_the_public_key_is_no_shared_secret(verifier: Verifier, clock: HandClock) -> None:
    """HS256 over the published key is refused for its algorithm (guards: `ALGORITHMS` in `Verifier._signed`, and the
    key's own algorithm)."""
    pem = (
        signing_key()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    unsigned = encoded({"alg": "HS256", "kid": "key-1"}, id_claims(clock)).rpartition(".")[0]
    signature = base64.urlsafe_b64encode(hmac.digest(pem, unsigned.encode(), "sha256")).rstrip(b"=").decode()
    assert await refused(verifier, f"{unsigned}.{signature}") == "alg"


async def test_t26_another_algorithm_of_the_same_key_is_refused(verifier: Verifier, clock: HandClock) -> None:
    """RS512 is not on the list, and PS256 is not what the key was published for (guards: `ALGORITHMS` and
    `algorithm_name` in `Verifier._signed`)."""
    for algorithm in ("RS512", "PS256"):
        token = jwt.encode(id_claims(clock), signing_key(), algorithm, headers={"kid": "key-1"})
        assert await refused(verifier, token) == "alg"


async def test_t26_keys_in_the_header_are_not_used(verifier: Verifier, clock: HandClock) -> None:
    """A token that brings its own key, an address of one, or an unknown critical extension is refused unseen (guard:
    `_KEYS_IN_HEADER` in `Verifier._signed`, and PyJWT again for `crit`)."""
    mallory = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    own = {"jwk": public_jwk(mallory, "mallory")}
    elsewhere = [{"jku": "https://mallory.example/jwks"}, {"x5u": "https://mallory.example"}]
    critical = [{"crit": ["exp"]}, {"crit": ["x-unknown"], "x-unknown": 1}, {"crit": []}, {"crit": None}]
    for extra in (own, *elsewhere, *critical):
        token = jwt.encode(id_claims(clock), mallory, "RS256", headers={"kid": "key-1", **extra})
        assert await refused(verifier, token) == "header"
        well_signed = jwt.encode(id_claims(clock), signing_key(), "RS256", headers={"kid": "key-1", **extra})
        assert await refused(verifier, well_signed) == "header"


async def test_t26_a_signature_of_somebody_else_is_refused(verifier: Verifier, clock: HandClock) -> None:
    """The same key id under another key, and a changed payload, do not verify (guard: `decode_complete` in
    `_payload`)."""
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
    """PyJWT alone would accept the token (guards: `expiry`, `subject`, `issued_at`, `one_time`, `issuer` and
    `audience`, each for its own)."""
    assert await refused(verifier, sign(id_claims(clock, **{claim: None}))) == claim


async def test_t27_a_nonce_is_there_exactly_where_the_login_had_one(verifier: Verifier, clock: HandClock) -> None:
    """A login without a redirect takes no token of one with, nor the other way round (guard: both halves of
    `one_time`)."""
    without, with_one = sign(id_claims(clock, nonce=None)), sign(id_claims(clock))
    assert (await verifier.id_token(without, nonce=Nonce.NONE)).identity.sub == ADA
    assert await refused(verifier, without) == "nonce"
    for nonce in (NONCE, "", 7, []):
        with pytest.raises(TokenInvalid, match="nonce"):
            await verifier.id_token(sign(id_claims(clock, nonce=nonce)), nonce=Nonce.NONE)
    assert (await verifier.id_token(with_one, nonce=NONCE)).identity.sub == ADA


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
    """Types, sizes and numbers without end are refused and break nothing (guards: the kinds in `_number`, `subject`,
    `one_time` and `audience`)."""
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
    """An access token or a logout token does not sign anybody in, not even with our client as audience and a nonce
    (guards: `types`, `audience` and the look for `events` in `Verifier.id_token`)."""
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
    """Several audiences need `azp`, and a foreign one is refused with any audience (guard: `authorized_party`)."""
    assert await refused(verifier, sign(id_claims(clock, aud=audience, azp=party))) == "azp"
    await verifier.id_token(sign(id_claims(clock, aud=audience, azp=CLIENT_ID)), nonce=NONCE)


@pytest.mark.parametrize(
    "issuer",
    [ISSUER.rstrip("/"), ISSUER + "x", ISSUER[:-5], "https://other.example/", ISSUER.upper(), f" {ISSUER}", "", None],
)
async def test_t30_the_issuer_is_compared_to_the_letter(
    verifier: Verifier, clock: HandClock, issuer: str | None
) -> None:
    """Without its slash, longer, shorter, in capitals or of another tenant it is another issuer, for each token (guard:
    the comparison in `issuer`)."""
    assert await refused(verifier, sign(id_claims(clock, iss=issuer))) == "iss"
    with pytest.raises(TokenInvalid, match="iss"):
        await verifier.access_token(sign(access_claims(clock, iss=issuer)), audience_=AUDIENCE, sub=ADA)
    with pytest.raises(TokenInvalid, match="iss"):
        await verifier.logout_token(sign(logout_claims(clock, iss=issuer), typ="logout+jwt"))


async def test_t30_an_identity_is_issuer_and_subject(verifier: Verifier, clock: HandClock) -> None:
    """Another address is the same person, and another `sub` is another, whatever address and name it has (guard:
    `subject` alone names the person in `Verifier.id_token`)."""
    ada = (await verifier.id_token(sign(id_claims(clock)), nonce=NONCE)).identity
    moved = (await verifier.id_token(sign(id_claims(clock, email="eve@corp.example")), nonce=NONCE)).identity
    other = (await verifier.id_token(sign(id_claims(clock, sub=ADA.upper())), nonce=NONCE)).identity
    assert (moved.iss, moved.sub) == (ada.iss, ada.sub) == (ISSUER, ADA)
    assert other.sub == ADA.upper() != ADA
    assert other.email == ada.email


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
