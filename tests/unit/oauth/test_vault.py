"""Sealing: what opens where, under which keys."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oauth import Vault
from oauth.errors import SealBroken
from tests.fakes.house import token_keys

TOKEN = b"v1.Zm9yIGFkYSBhbG9uZQ"


def test_what_was_sealed_opens() -> None:
    """The same bytes come back, and each sealing looks different."""
    vault = Vault(token_keys("k1"))
    one, two = (vault.seal(TOKEN, record="link:T1:UADA", name="refresh") for _ in range(2))
    assert one != two
    assert vault.open(one, record="link:T1:UADA", name="refresh") == TOKEN


def test_t33_nothing_of_the_secret_is_in_the_sealed_form() -> None:
    """No part of the JWE, decoded or not, holds the token."""
    sealed = Vault(token_keys("k1")).seal(TOKEN, record="link:T1:UADA", name="refresh")
    parts = [base64.urlsafe_b64decode(part + "==") for part in sealed.split(".")]
    assert all(TOKEN[n : n + 6] not in b" ".join([*parts, sealed.encode()]) for n in range(len(TOKEN) - 5))


@pytest.mark.parametrize(
    ("record", "name"),
    [
        ("link:T1:UBOB", "refresh"),
        ("link:T2:UADA", "refresh"),
        ("ticket:T1:UADA", "refresh"),
        ("link:T1:UADA", "access"),
    ],
)
def test_t34_a_secret_does_not_open_elsewhere(record: str, name: str) -> None:
    """The comparison of record and field stops a ciphertext that was copied to another person, workspace or field."""
    vault = Vault(token_keys("k1"))
    sealed = vault.seal(TOKEN, record="link:T1:UADA", name="refresh")
    with pytest.raises(SealBroken):
        vault.open(sealed, record=record, name=name)


def test_t34_the_binding_is_under_the_seal() -> None:
    """A header rewritten to name another record does not open: the cipher authenticates it."""
    vault = Vault(token_keys("k1"))
    head, rest = vault.seal(TOKEN, record="link:T1:UADA", name="refresh").split(".", 1)
    header = json.loads(base64.urlsafe_b64decode(head + "==")) | {"rec": "link:T1:UEVE"}
    forged = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    with pytest.raises(SealBroken):
        vault.open(f"{forged}.{rest}", record="link:T1:UEVE", name="refresh")


@given(st.data())
def test_t35_no_flipped_bit_opens(data: st.DataObject) -> None:
    """The authentication tag of AES-GCM refuses a change of any bit in any part."""
    vault = Vault(token_keys("k1"))
    parts = [base64.urlsafe_b64decode(p + "==") for p in vault.seal(TOKEN, record="r", name="n").split(".")]
    part = data.draw(st.sampled_from([n for n, content in enumerate(parts) if content]))
    bit = data.draw(st.integers(0, len(parts[part]) * 8 - 1))
    changed = bytearray(parts[part])
    changed[bit // 8] ^= 1 << bit % 8
    parts[part] = bytes(changed)
    sealed = ".".join(base64.urlsafe_b64encode(p).rstrip(b"=").decode() for p in parts)
    with pytest.raises(SealBroken):
        vault.open(sealed, record="r", name="n")


@given(st.text(max_size=200))
def test_t35_what_is_no_seal_is_refused(text: str) -> None:
    """Anything else in its place is told in one word, whatever it is."""
    with pytest.raises(SealBroken):
        Vault(token_keys("k1")).open(text, record="r", name="n")


@pytest.mark.parametrize(
    "found", [7, None, {"a": 1}, [], b"e30", "W1tb" * 50_000, "bnVsbA.a.b.c.d", "eyJraWQiOltdfQ.a.b.c.d"]
)
def test_t35_what_is_not_even_text_is_refused(found: Any) -> None:
    """Whoever writes to the database can put anything there, and it ends no round over all secrets (guard: the errors
    named in `Vault.current`)."""
    vault = Vault(token_keys("k1"))
    with pytest.raises(SealBroken):
        vault.open(found, record="r", name="n")
    assert not vault.current(found)


def test_t35_an_unknown_key_stays_closed_and_a_second_key_opens() -> None:
    """Without the key it does not open; with it in any place of the set it does."""
    sealed = Vault(token_keys("k1")).seal(TOKEN, record="r", name="n")
    with pytest.raises(SealBroken):
        Vault(token_keys("k2")).open(sealed, record="r", name="n")
    assert Vault(token_keys("k2", "k1")).open(sealed, record="r", name="n") == TOKEN


def test_the_first_key_seals() -> None:
    """What needs sealing anew is told by the key's name in the header."""
    old, both = Vault(token_keys("k1")), Vault(token_keys("k2", "k1"))
    sealed = old.seal(TOKEN, record="r", name="n")
    assert old.current(sealed)
    assert not both.current(sealed)
    assert both.current(both.seal(TOKEN, record="r", name="n"))
    assert not both.current("not a seal")


@pytest.mark.parametrize(
    "keys", [{}, {"keys": []}, {"keys": "text"}, {"keys": [{"kty": "oct", "k": "c2hvcnQ", "kid": "s"}]}, {"keys": [7]}]
)
def test_keys_that_cannot_seal_are_refused_at_the_start(keys: dict[str, object]) -> None:
    """A set that is empty, broken, or holds a key of another size is no set; the error shows nothing of it."""
    with pytest.raises(ValueError, match="the key set") as refused:
        Vault(keys)
    assert "c2hvcnQ" not in str(refused.value)
