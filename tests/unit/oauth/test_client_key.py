"""The application's own key, in each form in which an operator may give it."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import RSAAlgorithm

from oauth.client_key import private_key
from tests.conftest import HandClock
from tests.fakes.endpoint import GOOD, READ, Endpoint, provider_for


def private_keys() -> dict[str, tuple[str, Any, str]]:
    """Each form in which an operator may give a key: the text, its public part, and the algorithm."""
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    ec_key = ec.generate_private_key(ec.SECP256R1())
    pem = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    rsa_jwk = RSAAlgorithm.to_jwk(rsa_key, as_dict=True) | {"kid": "own"}
    return {
        "JWK": (json.dumps(rsa_jwk), rsa_key.public_key(), "RS256"),
        "JWK with its algorithm": (json.dumps(rsa_jwk | {"alg": "PS256"}), rsa_key.public_key(), "PS256"),
        "PEM": (rsa_key.private_bytes(*pem).decode(), rsa_key.public_key(), "RS256"),
        "EC in PEM": (ec_key.private_bytes(*pem).decode(), ec_key.public_key(), "ES256"),
    }


@pytest.mark.parametrize("form", ["JWK", "JWK with its algorithm", "PEM", "EC in PEM"])
async def test_a_private_key_stands_in_for_the_secret(endpoint: Endpoint, clock: HandClock, form: str) -> None:
    """RFC 7523: an assertion for this issuer that is good for a minute, new with each call, and no secret."""
    text, public, algorithm = private_keys()[form]
    provider = provider_for(endpoint, clock, secret=None, key=text)
    endpoint.will(GOOD)
    endpoint.will("")
    await provider.refresh("refresh-1", scopes=READ, audience="a")
    await provider.revoke("refresh-1")
    seen = []
    for asked in endpoint.forms:
        assert "client_secret" not in asked
        assert asked["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        claims = jwt.decode(
            asked["client_assertion"],
            public,
            [algorithm],
            audience=endpoint.issuer,
            issuer="client-1",
            options={"verify_exp": False, "verify_iat": False},
        )
        assert (claims["sub"], claims["iat"], claims["exp"] - claims["iat"]) == ("client-1", clock.now.timestamp(), 60)
        seen.append(claims["jti"])
    assert len(set(seen)) == 2
    if "JWK" in form:
        assert jwt.get_unverified_header(endpoint.forms[0]["client_assertion"])["kid"] == "own"
    await provider.close()


@pytest.mark.parametrize("text", ["", "no key", "{}", "{", '{"kty": "oct", "k": "czNjcmV0"}', "public"])
def test_a_key_that_is_none_is_refused_at_the_start(text: str) -> None:
    """A public key, a secret, and nonsense: said in one sentence that shows nothing of it."""
    if text == "public":
        text = json.dumps(RSAAlgorithm.to_jwk(private_keys()["PEM"][1], as_dict=True))
    with pytest.raises(ValueError, match="neither a private JWK nor") as refused:
        private_key(text)
    assert "czNjcmV0" not in str(refused.value)
