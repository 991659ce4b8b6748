"""The command line: quick, quiet about secrets, and every mistake a sentence with the right exit code."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from bot import __version__, config, keyring
from bot.cli.endings import ended
from bot.errors import AuditUnavailable, ConfigurationError
from bot.manifest import rendered

HEAVY = {"aiohttp", "asyncio", "authlib", "httpx2", "jinja2", "motor", "pydantic", "rich", "slack_bolt", "structlog"}
COMMANDS = {
    "": {"run", "demo", "manifest", "keys", "audit", "links"},
    "keys": {"new", "rotate"},
    "audit": {"verify", "export"},
    "links": {"list", "revoke"},
}


def countersign(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the program in `cwd` with nothing of this process's settings but what Python needs."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "bot", *arguments],
        cwd=cwd,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_help_is_quick(tmp_path: Path) -> None:
    """`--help` imports nothing heavy: people and completions ask for it all the time."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "bot", "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "typer" in imported
    assert not imported & HEAVY


@pytest.mark.parametrize("group", COMMANDS)
def test_each_command_has_help_and_no_other_is_offered(group: str, tmp_path: Path) -> None:
    """What is listed works in this version, and explains itself."""
    listed = countersign(*group.split(), "--help", cwd=tmp_path)
    names = set(re.findall(r"^  ([a-z]+)  ", listed.stdout.partition("Commands:")[2], re.MULTILINE))
    assert names == COMMANDS[group]
    for name in names:
        shown = countersign(*group.split(), name, "--help", cwd=tmp_path)
        assert shown.returncode == 0
        assert shown.stdout.startswith(f"Usage: countersign {f'{group} {name}'.strip()}")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["doctor"],
        ["run", "--fast"],
        ["manifest"],
        ["demo", "--port", "eighty"],
        ["demo", "--port", "65534"],
        ["audit", "export", "--since", "yesterday"],
        ["audit", "export", "--since", "2030-01-02T12:00:00"],
        ["links", "revoke"],
        ["links", "revoke", "--user", "T1:U1", "--sub", "auth0|1"],
        ["links", "revoke", "--user", "ada"],
    ],
)
def test_wrong_usage_ends_in_two(arguments: list[str], tmp_path: Path) -> None:
    """Whatever is typed wrongly, the usage is shown on stderr, before any setting is asked for."""
    done = countersign(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "Usage: countersign" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "missing" not in done.stderr.replace("Missing option", "")


SERVICES = {"PUBLIC_URL", "AUTH0_DOMAIN", "SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET"}


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        ("run", SERVICES),
        ("links list", SERVICES),
        ("links revoke --sub x", SERVICES),
        ("audit verify", {"DATA_DIR"}),
        ("audit export", {"DATA_DIR"}),
    ],
)
def test_what_is_missing_is_named_a_line_each(command: str, missing: set[str], tmp_path: Path) -> None:
    """Nothing is configured: every command names all that it needs, and makes nothing.

    The trail needs its data alone: who checks it has no business with Slack's secrets or the provider's.
    """
    done = countersign(*command.split(), cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    named = [line.partition(":")[0] for line in done.stderr.splitlines()]
    assert missing <= set(named)
    assert missing == SERVICES or set(named) == missing
    assert all(re.fullmatch("[A-Z0-9_]+", name) for name in named)
    assert list(tmp_path.iterdir()) == []


def test_what_is_wrong_is_named_and_not_repeated(tmp_path: Path) -> None:
    """A value may be a secret in the wrong place, so the line says what it should be and not what it is."""
    (tmp_path / ".env").write_text(
        "PORT=canary-1\nTRUSTED_PROXIES=canary-2\nTOKEN_KEYS=canary-3\nAGENT_MODEL=canary-4\n"
    )
    done = countersign("run", cwd=tmp_path, LINK_PROOF="canary-5")
    assert done.returncode == 2
    named = {line.partition(":")[0] for line in done.stderr.splitlines()}
    assert {"PORT", "TRUSTED_PROXIES", "TOKEN_KEYS", "AGENT_MODEL", "LINK_PROOF", "PUBLIC_URL"} <= named
    assert "AGENT_MODEL: is not part of this version. Unset it." in done.stderr.splitlines()
    assert "canary" not in done.stderr


def test_a_port_in_use_is_a_sentence(tmp_path: Path) -> None:
    """The demo beside another one says which port is taken and how to choose another."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = countersign("demo", "--port", str(port), "--data", str(tmp_path / "data"), "--no-browser", cwd=tmp_path)
    assert done.returncode == 2
    assert f"port {port} is in use" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_manifest_is_printed_for_an_address(tmp_path: Path) -> None:
    """What is on stdout can be pasted into Slack as it is; a wrong address is a sentence."""
    done = countersign("manifest", "--url", "https://a.example", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, rendered("https://a.example") + "\n")
    wrong = countersign("manifest", "--url", "a.example", cwd=tmp_path)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr == "--url: must be an address such as https://bot.example.com.\n"


def test_new_keys_are_ready_for_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The two lines go into `.env` as they are, are accepted from there, and are others each time."""
    first, second = (countersign("keys", "new", cwd=tmp_path).stdout for _ in range(2))
    assert first != second
    needed = {
        "PUBLIC_URL": "https://bot.example.com",
        "SLACK_SIGNING_SECRET": "s",
        "SLACK_BOT_TOKEN": "xoxb-1",
        "AUTH0_DOMAIN": "tenant.eu.auth0.com",
        "AUTH0_CLIENT_ID": "client",
        "AUTH0_CLIENT_SECRET": "hush",
        "AUTH0_AUDIENCE": "https://api.example.com",
        "MONGODB_URI": "mongodb://127.0.0.1:1",
    }
    (tmp_path / ".env").write_text(first + "".join(f"{name}={value}\n" for name, value in needed.items()))
    monkeypatch.chdir(tmp_path)
    settings = config.load()
    (sealing,) = keyring.token_keys(settings.token_keys, tmp_path)["keys"]
    signing = keyring.audit_key(settings.audit_key, tmp_path)
    assert (sealing["kty"], signing["kty"], signing["crv"]) == ("oct", "OKP", "Ed25519")
    assert {"k", "kid"} <= set(sealing)
    assert {"d", "kid"} <= set(signing)


def test_the_version_is_told(tmp_path: Path) -> None:
    """`--version` is what a report of a fault begins with."""
    assert countersign("--version", cwd=tmp_path).stdout == f"countersign {__version__}\n"


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (KeyboardInterrupt(), 130, ""),
        (ConfigurationError(["A: first.", "B: second."]), 2, "A: first.\nB: second.\n"),
        (AuditUnavailable(), 1, "The database does not answer"),
        (PermissionError(13, "Permission denied", "/data/keys"), 1, "/data/keys: Permission denied.\n"),
        (ValueError("canary"), 1, "Something unexpected ended this command: ValueError in bot/test_cli.py, line "),
    ],
)
def test_every_error_has_its_end(
    raised: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Through Typer too: a sentence, the exit code, no traceback, and nothing of the text of what was not expected."""
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.command()
    def command() -> None:
        raise raised

    with pytest.raises(SystemExit) as exit_, ended():
        app([])
    assert exit_.value.code == code
    shown = capsys.readouterr().err
    assert shown.startswith(said)
    assert (shown == "") is (said == "")
    assert "canary" not in shown
    assert "Traceback" not in shown
