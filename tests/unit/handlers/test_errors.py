"""Each refusal has a sentence with the next step, and nothing of an unknown error is told."""

from __future__ import annotations

import inspect

import pytest
from structlog.testing import capture_logs

from bot import errors as of_bot
from bot.errors import ActionUnknown, AlreadyDecided, ArgumentsInvalid, ConfirmationNeeded, ConfirmationWrong, TooLate
from handlers.errors import words
from oauth import IdentityError
from oauth import errors as of_identity
from oauth.errors import CodeWrong, ScopeRefused

GENERIC = words(RuntimeError())
# These end on a page of the login, in an audit entry or at the start, and never in Slack.
ELSEWHERE = {
    "ConfigurationError", "WrongBrowser", "StateUnknown", "RequestForged", "LoginRefused", "EmailUnverified",
    "EmailDiffers", "EmailUnknown", "AddressMalformed", "OtpMalformed", "OtpWrong", "OtpSpent",
    "OtpReplaced", "OtpSendsSpent", "TicketForgotten", "TooOften",
}  # fmt: skip


def leaves(module: object, base: type[Exception]) -> list[type[Exception]]:
    """The classes of a tree that are raised themselves."""
    found = [c for _, c in inspect.getmembers(module, inspect.isclass) if issubclass(c, base)]
    return [c for c in found if not c.__subclasses__() and c.__name__ not in ELSEWHERE]


@pytest.mark.parametrize(
    "kind", leaves(of_bot, of_bot.CountersignError) + leaves(of_identity, IdentityError), ids=lambda kind: kind.__name__
)
def test_every_error_that_people_meet_has_words(kind: type[Exception]) -> None:
    """A class that is added to the trees needs its sentence here, or a reason why nobody in Slack meets it."""
    samples: dict[str, Exception] = {
        "ActionUnknown": ActionUnknown("refund"),
        "ArgumentsInvalid": ArgumentsInvalid({"amount": "must be a whole number."}),
        "AlreadyDecided": AlreadyDecided("done"),
        "ConfirmationNeeded": ConfirmationNeeded("order_id"),
        "ConfirmationWrong": ConfirmationWrong("order_id"),
        "TooLate": TooLate("done"),
        "RunOver": of_bot.RunOver("ok"),
        "CodeWrong": CodeWrong(1),
        "AccountNotConnected": of_identity.AccountNotConnected("almanac", frozenset({"events:read"})),
        "DeviceRefused": of_identity.DeviceRefused("unsupported"),
        "ScopeRefused": ScopeRefused(frozenset({"a"})),
        "TokenInvalid": of_identity.TokenInvalid("aud"),
    }
    error = samples.get(kind.__name__) or kind()
    assert words(error) != GENERIC
    assert len(words(error)) > 20


def test_what_is_unknown_is_logged_by_its_type_alone() -> None:
    """The text of an exception can hold a token, so neither the person nor the log gets it."""
    with capture_logs() as logs:
        said = words(RuntimeError("CANARY"))
    assert "CANARY" not in said + str(logs)
    assert logs[0]["kind"] == "RuntimeError"


def test_names_that_people_typed_are_shown_inert() -> None:
    """A mistyped action name cannot mention a channel."""
    assert "<!channel>" not in words(ActionUnknown("<!channel>", ("refund_order",)))
    assert "`refund_order`" in words(ActionUnknown("x", ("refund_order",)))


@pytest.mark.parametrize(("left", "said"), [(2, "2 tries"), (1, "1 try "), (0, "void")])
def test_a_wrong_code_says_how_many_tries_are_left(left: int, said: str) -> None:
    """Singular, plural, and the end."""
    assert said in words(CodeWrong(left))
