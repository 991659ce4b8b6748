"""The operator's keys: made once, kept whole, and refused before use rather than in it."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bot import keyring
from bot.errors import ConfigurationError
from oauth import Vault


def test_the_made_keys_do_what_they_are_for(tmp_path: Path) -> None:
    """One seals; the other is Ed25519 with both parts."""
    vault = Vault(keyring.token_keys(None, tmp_path))
    assert vault.open(vault.seal(b"x", record="r", name="n"), record="r", name="n") == b"x"
    key = keyring.audit_key(None, tmp_path)
    assert (key["kty"], key["crv"]) == ("OKP", "Ed25519")
    assert {"d", "x", "kid"} <= key.keys()


def test_the_first_start_leaves_the_keys_and_nothing_else(tmp_path: Path) -> None:
    """Readable by their owner only, and no draft of them stays behind."""
    keyring.token_keys(None, tmp_path / "data")
    keyring.audit_key(None, tmp_path / "data")
    files = sorted((tmp_path / "data").iterdir())
    assert [one.name for one in files] == ["audit-key.json", "token-keys.json"]
    assert [stat.S_IMODE(one.stat().st_mode) for one in files] == [0o600, 0o600]


def test_first_starts_at_the_same_time_agree(tmp_path: Path) -> None:
    """Whoever loses the race uses the winner's key: what it sealed under its own could never be opened again."""
    with ThreadPoolExecutor(16) as pool:
        for round_ in range(10):
            directory = tmp_path / str(round_)
            found = list(pool.map(lambda _, where=directory: keyring.token_keys(None, where), range(16)))
            assert all(one == found[0] for one in found)
            assert keyring.token_keys(None, directory) == found[0]


def test_a_made_key_that_was_spoilt_is_not_replaced(tmp_path: Path) -> None:
    """A new one would make everything unreadable without a word: the file is named instead."""
    (tmp_path / "token-keys.json").write_text("{")
    with pytest.raises(ConfigurationError) as caught:
        keyring.token_keys(None, tmp_path)
    assert str(tmp_path / "token-keys.json") in caught.value.problems[0]
    assert (tmp_path / "token-keys.json").read_text() == "{"


def test_a_directory_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    """A file stands where `DATA_DIR` should be: named, without a traceback."""
    (tmp_path / "data").write_text("")
    with pytest.raises(ConfigurationError) as caught:
        keyring.token_keys(None, tmp_path / "data")
    assert caught.value.problems[0].startswith(f"DATA_DIR: {tmp_path / 'data'} cannot be written")


def test_a_given_key_wins_over_the_kept_one(tmp_path: Path) -> None:
    """And nothing is made where one is given."""
    given = keyring.new_token_keys()
    assert keyring.token_keys(SecretStr(json.dumps(given)), tmp_path) == given
    assert list(tmp_path.iterdir()) == []


def short() -> Any:
    keys = keyring.new_token_keys()
    keys["keys"][0]["k"] = "canary"
    return keys


def twice() -> Any:
    one, two = keyring.new_token_keys()["keys"] + keyring.new_token_keys()["keys"]
    return {"keys": [one, two | {"kid": one["kid"]}]}


def mixed() -> Any:
    return keyring.new_audit_key() | {"x": keyring.new_audit_key()["x"]}


SEALING = {
    "no JSON": "{canary",
    "no such file": "/nowhere/canary.json",
    "a byte that no path has": "\x00canary",
    "nested without end": '{"a":' * 100_000,
    "no keys": {"keys": []},
    "one key and no set": keyring.new_token_keys()["keys"][0],
    "another kind": {"keys": [keyring.new_audit_key()]},
    "a short key": short(),
    "a key that is a word": {"keys": ["canary"]},
    "two of one kid": twice(),
}
SIGNING = {
    "a set": {"keys": [keyring.new_audit_key()]},
    "no private part": {name: value for name, value in keyring.new_audit_key().items() if name != "d"},
    "no public part": {name: value for name, value in keyring.new_audit_key().items() if name != "x"},
    "another curve": keyring.new_audit_key() | {"crv": "X25519"},
    "the public part of another": mixed(),
}


@pytest.mark.parametrize("value", SEALING.values(), ids=SEALING.keys())
def test_a_sealing_key_that_would_fail_in_use_is_a_sentence(value: Any) -> None:
    """It names the setting, says what is wanted, and shows nothing of the key."""
    text = value if isinstance(value, str) else json.dumps(value)
    (line,) = keyring.problems(SecretStr(text), None)
    assert line.startswith("TOKEN_KEYS: ")
    assert "canary" not in line


@pytest.mark.parametrize("value", SIGNING.values(), ids=SIGNING.keys())
def test_a_signing_key_that_would_fail_in_use_is_a_sentence(value: Any) -> None:
    """Also one whose published part would not verify what it signs."""
    (line,) = keyring.problems(None, SecretStr(json.dumps(value)))
    assert line.startswith("AUDIT_KEY: must be one Ed25519 JWK")


def test_both_are_named_at_once() -> None:
    """A wrong key does not hide another wrong key."""
    assert len(keyring.problems(SecretStr("{"), SecretStr("{"))) == 2
    good = (json.dumps(keyring.new_token_keys()), json.dumps(keyring.new_audit_key()))
    assert keyring.problems(*map(SecretStr, good)) == []
