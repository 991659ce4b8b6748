"""The log: whatever is thrown at it, nothing secret comes out, and every line can be read by a machine."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from bot import logs

Lines = Callable[[], list[dict[str, Any]]]

JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl-canary_"
JWE = "eyJhbGciOiJkaXIifQ..aXZjYW5hcnk.Y2FuYXJ5.dGFnY2FuYXJ5"
BOT_TOKEN = "xoxb-1234-5678-canary"

SHAPES = [
    BOT_TOKEN,
    "xoxe.xoxp-1-canary-canary",
    "xapp-1-A1-2-canarycanary",
    JWT,
    JWE,
    "Authorization: Bearer canary.canary-canary==",
    "GET /link/canarycanary_canary-canary HTTP/1.1",
    "https://bot.example.com/link/canarycanarycanary?x=1",
    "next=https%3A%2F%2Fbot.example.com%2Flink%2Fcanarycanary",
    "GET /oauth/callback?code=canary&state=canary",
    "client_secret=canary grant_type=refresh_token",
    '{"refresh_token": "v1.canary-canary", "ok": true}',
    "{'code': 'canary'}",
    "password: canary",
    "mongodb://ada:canary@db.example.com/",
    "https://hooks.slack.com/commands/T1/1/canary",
    '{"kty": "oct", "k": "canarycanarycanarycanarycanarycanary"}',
]
NAMES = [
    "token",
    "refresh_token",
    "accessToken",
    "client_secret",
    "Authorization",
    "code",
    "login_code",
    "cookie",
    "Set-Cookie",
    "password",
    "code_verifier",
    "api_key",
    "TOKEN_KEYS",
    "ticket",
    "client_assertion",
]


@pytest.fixture
def restored() -> Iterator[None]:
    """The process's logging, put back after a test that changed it."""
    root, names = logging.root, ["bot", "handlers", "oauth", "slack_bolt.AsyncApp"]
    before = (list(root.handlers), root.level, {name: logging.getLogger(name).level for name in names})
    yield
    root.handlers, levels = before[0], before[2]
    root.setLevel(before[1])
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    logging.raiseExceptions = True
    logging.captureWarnings(False)
    structlog.reset_defaults()


@pytest.fixture
def stderr(restored: None, monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Where the log goes, configured for JSON from `debug` on."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    logs.configure("debug", "json")
    return stream


@pytest.fixture
def lines(stderr: io.StringIO) -> Lines:
    """A call gives the lines so far."""
    return lambda: [json.loads(line) for line in stderr.getvalue().split("\n") if line]


@pytest.mark.parametrize("text", SHAPES)
def test_a_secret_is_known_by_its_shape(lines: Lines, text: str) -> None:
    """In an event, in a value, deep within one, and in what a library says, the same shape is hidden."""
    log = structlog.get_logger("bot.test")
    log.warning(text)
    log.warning("seen", value=text, deep={"list": [{"x": text}]}, raw=text.encode())
    logging.getLogger("aiohttp.server").warning("said %s", text)
    found = lines()
    assert len(found) == 3
    assert "canary" not in json.dumps(found)


@pytest.mark.parametrize("name", NAMES)
def test_a_secret_is_known_by_its_name(lines: Lines, name: str) -> None:
    """A field of such a name is hidden whatever it holds, at any depth."""
    structlog.get_logger("bot.test").warning("seen", **{name: "canary"}, deep={name: ["canary"]}, listed=[{name: 7}])
    (found,) = lines()
    assert "canary" not in json.dumps(found)
    assert found[name] == logs.REDACTED
    assert found["listed"] == [{name: logs.REDACTED}]


def test_what_is_no_secret_stays(lines: Lines) -> None:
    """Codes of errors, ids of tokens and plain words are what an operator looks for."""
    structlog.get_logger("bot.test").info(
        "card sent",
        token_jti="j1",
        status_code=500,
        error_code="E1",
        state="pending",
        url="https://a.example/link",
        n=3,
    )
    (found,) = lines()
    assert found["event"] == "card sent"
    assert (found["token_jti"], found["status_code"], found["error_code"]) == ("j1", 500, "E1")
    assert (found["state"], found["url"], found["n"]) == ("pending", "https://a.example/link", 3)
    assert (found["level"], found["logger"]) == ("info", "bot.test")
    assert found["timestamp"].endswith("Z")


def test_a_checkpoint_shows_its_signature(lines: Lines) -> None:
    """A checkpoint is logged in order to be kept elsewhere; the same text in any other event is taken for a token."""
    structlog.get_logger("bot.audit.checkpoints").info("checkpoint", chain="T1", jws=JWT)
    structlog.get_logger("bot.other").info("something", jws=JWT)
    shown, hidden = lines()
    assert shown["jws"] == JWT
    assert hidden["jws"] == logs.REDACTED


def test_an_exception_is_its_type_and_its_places(lines: Lines) -> None:
    """The text of an exception goes: of ours, of a library's, and where a library repeats it in its message."""
    try:
        raise ValueError("canary in a payload")
    except ValueError as error:
        structlog.get_logger("bot.test").exception("failed")
        structlog.get_logger("bot.test").warning("value", error=error)
        logging.getLogger("slack_bolt.AsyncApp").exception("Failed to run listener (error: %s)", error)
        logging.getLogger("aiohttp.server").error("Error handling request", exc_info=error)
    found = lines()
    assert [entry.get("kind") for entry in found] == ["ValueError", None, "ValueError", "ValueError"]
    assert found[1]["error"] == "ValueError"
    assert found[2]["event"] == "Failed to run listener (error: ValueError)"
    assert all("test_logs.py" in found[n]["trace"][-1] for n in (0, 2, 3))
    assert "canary" not in json.dumps(found)


async def test_a_lost_task_does_not_show_its_error(lines: Lines) -> None:
    """asyncio prints the task with the text of its exception below its message; only the message is kept."""
    context = {"message": "Task exception was never retrieved", "future": "<Task exception=ValueError('canary')>"}
    asyncio.get_running_loop().default_exception_handler(context)
    (found,) = lines()
    assert found["event"] == "Task exception was never retrieved"


def test_others_speak_from_warnings_on(lines: Lines) -> None:
    """At `debug` our own details are shown, and those of libraries, which hold headers and bodies, are not."""
    for name in ("slack_sdk.web.async_slack_response", "pymongo.command", "httpx2", "authlib", "aiohttp.access", "x"):
        logging.getLogger(name).setLevel(logging.DEBUG)
        logging.getLogger(name).debug("canary")
        logging.getLogger(name).info("canary")
        logging.getLogger(name).warning("heard")
    structlog.get_logger("handlers.test").debug("ours")
    assert [entry["event"] for entry in lines()] == ["heard"] * 6 + ["ours"]


def test_bolt_is_quiet_about_bodies(lines: Lines) -> None:
    """Bolt warns with the whole body of what nobody handles, on loggers whose level it sets itself."""
    from slack_bolt.app.async_app import AsyncApp
    from slack_bolt.logger import get_bolt_logger

    framework = get_bolt_logger(AsyncApp)
    framework.warning("Unhandled request ({'type': 'event_callback', 'text': 'canary'})")
    framework.error("broken")
    assert [entry["event"] for entry in lines()] == ["broken"]


def test_the_level_holds_for_everybody(restored: None, capsys: pytest.CaptureFixture[str]) -> None:
    """At `error` neither our warnings nor those of others are shown."""
    logs.configure("error", "json")
    structlog.get_logger("bot.test").warning("ours")
    logging.getLogger("aiohttp").warning("theirs")
    structlog.get_logger("bot.test").error("shown")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["shown"]


def test_one_event_is_one_line(lines: Lines) -> None:
    """Text from outside cannot begin a line of its own, nor drive a terminal."""
    structlog.get_logger("bot.test").warning("a\nb", value="c\r\n\x1b[2Jd\u2028e")
    (found,) = lines()
    assert found["event"] == r"a\nb"
    assert found["value"] == r"c\r\n\x1b[2Jd\u2028e"


def test_nothing_is_too_strange_to_be_logged(lines: Lines) -> None:
    """Objects, cycles and very long texts end in a line of bounded length."""
    circle: dict[str, Any] = {}
    circle["again"] = circle
    structlog.get_logger("bot.test").warning("odd", circle=circle, thing=object(), long="x" * 100_000)
    (found,) = lines()
    assert len(json.dumps(found)) < 10_000


def test_a_warning_of_python_is_a_line_too() -> None:
    """What libraries warn of does not break the stream of JSON."""
    script = "import warnings; from bot import logs; logs.configure('info', None); warnings.warn('soon gone')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    (found,) = [json.loads(line) for line in done.stderr.splitlines()]
    assert "soon gone" in found["event"]


def test_a_record_that_cannot_be_formatted_shows_nothing(stderr: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python would print the arguments of such a record to stderr."""
    monkeypatch.setattr(logging.root, "handlers", logging.root.handlers[:1])  # pytest's own raise it instead
    monkeypatch.setattr(sys, "stderr", stderr)  # pytest has put its own there since
    logging.getLogger("aiohttp").warning("%d", "canary")
    assert stderr.getvalue() == ""


@pytest.mark.parametrize(("chosen", "json_lines"), [(None, True), ("json", True), ("console", False)])
def test_a_pipe_gets_json_unless_told(chosen: str | None, json_lines: bool) -> None:
    """Where stderr is no terminal each line is an object; `console` is kept where it is asked for."""
    script = f"import structlog; from bot import logs; logs.configure('info', {chosen!r}); "
    script += "structlog.get_logger('bot.x').info('listening', token='canary')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == ""
    assert "canary" not in done.stderr
    assert "listening" in done.stderr
    assert done.stderr.startswith("{") is json_lines
