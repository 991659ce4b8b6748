"""Forms as Slack takes them, and as it sends them back."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from bot.actions.model import Action, ActionResult, Call
from bot.actions.policy import Policy
from bot.sandbox.slack import controls, limits
from handlers import modals

Json = dict[str, Any]
TRICKS = st.sampled_from(["<!channel>", "*b*", "\u202e", "\x00", "\n", " ", "`", "&lt;", ":tada:", "\ud800", "ü", "👍"])
TEXT = st.lists(TRICKS | st.text(st.characters(), max_size=20), max_size=20).map("".join)
LONG = TEXT | st.integers(1, 12_000).map(lambda count: "<!channel>\u202e "[: count % 12] + "x" * count)
NUMBER = st.integers() | st.floats() | st.sampled_from([10**60, -(10**60), 1e300, 5e-324])
SCHEMA = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(
            ["string", "integer", "number", "boolean", "array", "object", "null", ["string", "null"]]
        ),
        "title": LONG,
        "description": LONG,
        "format": st.sampled_from(["date", "date-time", "email", "uri", "time", "uuid"]),
        "enum": st.lists(LONG | NUMBER | st.booleans() | st.none(), max_size=110),
        "default": LONG | NUMBER | st.booleans() | st.none() | st.lists(TEXT, max_size=3),
        "minimum": NUMBER,
        "maximum": NUMBER,
        "exclusiveMinimum": NUMBER,
        "exclusiveMaximum": NUMBER,
        "minLength": st.integers(0, 10_000),
        "maxLength": st.integers(0, 10_000),
    },
)


async def nothing(_: Call) -> ActionResult:
    """An action that is never called here."""
    raise AssertionError


def an_action(parameters: Json, name: str = "refund_order", description: str = "Refund one order") -> Action:
    """An action with these parameters."""
    return Action(
        name=name,
        description=description,
        parameters=parameters,
        scopes=frozenset(),
        audience=None,
        sensitive=True,
        policy=Policy("self"),
        idempotent=False,
        definition={},
        call=nothing,
    )


def form(parameters: Json, given: Json | None = None, problems: dict[str, str] | None = None) -> Json:
    """The form, taken by Slack."""
    view = modals.action_form(an_action(parameters), given or {}, problems or {}, '{"action":"refund_order"}')
    return limits.view(view, "modal")


def one(schema: Json, value: Any = None) -> Json:
    """The block of a form's only parameter, `p`."""
    (block,) = (each for each in form({"p": schema}, {} if value is None else {"p": value})["blocks"] if is_input(each))
    return block


def is_input(block: Json) -> bool:
    """Whether something is entered there."""
    return bool(block["type"] == "input")


def sent(view: Json, **entered: Any) -> Json:
    """The view as Slack sends it back, once its own checks let it through."""
    state = controls.values(view["blocks"], entered)
    assert controls.faults(view["blocks"], state) == {}
    return view | {"state": {"values": state}}


def words(view: Json) -> str:
    """The paragraphs above the inputs."""
    return "\n".join(block["text"]["text"] for block in view["blocks"] if block["type"] == "section")
