"""A local Slack workspace that speaks Slack's own protocols: for `countersign demo`, and for the tests."""

from .dispatch import Delivery, sign
from .errors import NoSuchThing
from .gestures import Submission
from .model import APP, APP_NAME, BOT, BOT_USER, TEAM, Person
from .server import SandboxSlack
from .ui import CommandHint, Completion

__all__ = [
    "APP",
    "APP_NAME",
    "BOT",
    "BOT_USER",
    "TEAM",
    "CommandHint",
    "Completion",
    "Delivery",
    "NoSuchThing",
    "Person",
    "SandboxSlack",
    "Submission",
    "sign",
]
