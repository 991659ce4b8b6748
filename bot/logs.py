"""The log: one line an event on stderr, for people on a terminal, else JSON. Nothing secret gets through.

What a record says is redacted by the name of a field and by the shape of a text, whoever wrote it. An exception is
logged as its type and its places, never with its text, which can hold a payload or a token.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

REDACTED = "[redacted]"

_OURS = ("bot", "handlers", "oauth")
# Bolt's own loggers write the whole body of what nobody handles as a warning.
_LEAST = {"slack_bolt": logging.ERROR, **dict.fromkeys(_OURS, logging.DEBUG)}
_DEEPEST = 6
_LONGEST = 4000

_SECRET_NAME = re.compile(
    r"token|secret|authorization|cookie|passw|credential|assertion|verifier|bearer|ticket|(^|_)code$"
    r"|(api|audit|client|private)_?key",
    re.IGNORECASE,
)
_HARMLESS_NAMES = frozenset({"token_jti", "status_code", "error_code"})

_NAMES_IN_TEXT = (
    r"(?:access_|refresh_|id_|logout_|bot_|user_)?token|client_secret|signing_secret|secret|password|passwd"
    r"|client_assertion|assertion|code_verifier|authorization|cookie|set-cookie"
)
_SHAPES = (
    # Slack's tokens, api.slack.com/concepts/token-types
    (re.compile(r"\bxox[a-z](?:\.xox[a-z])?-[\w.-]+|\bxapp-[\w-]+"), REDACTED),
    # JWS and JWE in compact form (RFC 7515, RFC 7516): their header is a JSON object, so it begins with eyJ
    (re.compile(r"\beyJ[\w-]+(?:\.[\w-]*){2,4}"), REDACTED),
    (re.compile(r"\b(Bearer|Basic)\s+[\w.~+/-]{6,}=*", re.IGNORECASE), rf"\1 {REDACTED}"),
    (re.compile(r"((?:/|%2F)link(?:/|%2F))[\w-]{8,}", re.IGNORECASE), rf"\1{REDACTED}"),
    # a response_url lets anybody answer in the channel
    (re.compile(r"(hooks\.slack\.com/)\S+"), rf"\1{REDACTED}"),
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^/\s@]+@", re.IGNORECASE), rf"\1{REDACTED}@"),
    (re.compile(rf"([?&;](?:code|state|nonce|{_NAMES_IN_TEXT})=)[^&\s\"'#]+", re.IGNORECASE), rf"\1{REDACTED}"),
    (
        re.compile(rf"""(["'](?:code|{_NAMES_IN_TEXT})["']\s*[:=]\s*["'])[^"']+""", re.IGNORECASE),
        rf"\1{REDACTED}",
    ),
    (re.compile(rf"(\b(?:{_NAMES_IN_TEXT})\s*[:=]\s*)[^\s\"'&,;]+", re.IGNORECASE), rf"\1{REDACTED}"),
    # the private part of a JWK (RFC 7517)
    (re.compile(r"""(["'][dk]["']\s*:\s*["'])[\w-]{32,}"""), rf"\1{REDACTED}"),
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def configure(level: str, format_: str | None) -> None:
    """Send everything to stderr: our own events from `level` on, those of others from warnings on.

    `format_` is `console`, `json`, or None for whichever fits where stderr goes.
    """
    least = getattr(logging, level.upper())
    console = format_ == "console" or (format_ is None and sys.stderr.isatty())
    prepare: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        place_exception,
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_loud_enough)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*prepare, _only_first_line],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, _renderer(console)],
        )
    )
    structlog.configure(
        processors=[*prepare, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(least),
    )
    logging.root.handlers = [handler]
    logging.root.setLevel(max(least, logging.WARNING))
    for name in _OURS:
        logging.getLogger(name).setLevel(least)
    logging.raiseExceptions = False  # what cannot be formatted would be printed with its arguments
    logging.captureWarnings(True)
    # RFC 9864 renames EdDSA; those who verify our checkpoints and receipts know it by the name of RFC 8037.
    warnings.filterwarnings("ignore", message="EdDSA is deprecated")


def redact(_: Any, __: str, event: EventDict) -> EventDict:
    """The event without anything secret. A checkpoint's signature stays: it is signed in order to be seen."""
    clean = {str(name): _clean(str(name), value, 0) for name, value in event.items()}
    if event.get("event") == "checkpoint" and isinstance(event.get("jws"), str):
        clean["jws"] = _CONTROL.sub("", event["jws"])
    return clean


def redacted(text: str) -> str:
    """A text without what looks like a secret, on one line."""
    for shape, instead in _SHAPES:
        text = shape.sub(instead, text)
    text = _CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode(), text)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def place_exception(_: Any, __: str, event: EventDict) -> EventDict:
    """An exception becomes `kind` and `trace`; its text goes, also where a library has written it into the event."""
    event.pop("stack_info", None)
    error = _exception(event.pop("exc_info", None))
    if error is None:
        return event
    said = str(error)
    if said:
        event["event"] = str(event.get("event", "")).replace(said, type(error).__name__)
    event.setdefault("kind", type(error).__name__)
    event["trace"] = _places(error.__traceback__)
    return event


def _exception(given: object) -> BaseException | None:
    if isinstance(given, BaseException):
        return given
    if isinstance(given, tuple):
        return given[1] if len(given) > 1 and isinstance(given[1], BaseException) else None
    return sys.exception() if given else None


def _places(trace: TracebackType | None) -> list[str]:
    """`file:line function` of the last calls, innermost last; a file with the folder it is in."""
    found = []
    while trace is not None:
        code = trace.tb_frame.f_code
        found.append(f"{'/'.join(Path(code.co_filename).parts[-2:])}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return found[-10:]


def _only_first_line(_: Any, __: str, event: EventDict) -> EventDict:
    """Of what others say: asyncio, for one, puts tasks and their exceptions below it."""
    event["event"] = str(event.get("event", "")).partition("\n")[0]
    return event


def _loud_enough(record: logging.LogRecord) -> bool:
    """Libraries set levels of their own, and Bolt copies the root's; here they are held to ours."""
    return record.levelno >= _LEAST.get(record.name.partition(".")[0], logging.WARNING)


def _clean(name: str, value: object, depth: int) -> object:
    if value is None or isinstance(value, bool):
        return value
    if _SECRET_NAME.search(name) and name not in _HARMLESS_NAMES:
        return REDACTED
    if isinstance(value, int | float):
        return value
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, BaseException):
        return type(value).__name__
    if depth == _DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        return {redacted(str(key)): _clean(str(key), inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean("", inner, depth + 1) for inner in value]
    return redacted(str(value))


def _renderer(console: bool) -> Processor:
    if console:
        return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    return structlog.processors.JSONRenderer(serializer=json.dumps, ensure_ascii=False)
