"""A local Slack that speaks Slack's own protocols: for `countersign demo`, and for the tests."""

from .authorize import Registration
from .dispatch import Delivery, sign
from .errors import NoSuchThing
from .gestures import Submission
from .inhabited import SandboxWorkspace
from .people import Person
from .server import SandboxSlack
from .team import APP, APP_NAME, FIRST, GRID, NORTH, SECOND, SOUTH, Enterprise, Team
from .ui import CommandHint, Completion

TEAM, BOT_USER, BOT = FIRST.id, FIRST.bot_user, FIRST.bot

__all__ = [
    "APP",
    "APP_NAME",
    "BOT",
    "BOT_USER",
    "FIRST",
    "GRID",
    "NORTH",
    "SECOND",
    "SOUTH",
    "TEAM",
    "CommandHint",
    "Completion",
    "Delivery",
    "Enterprise",
    "NoSuchThing",
    "Person",
    "Registration",
    "SandboxSlack",
    "SandboxWorkspace",
    "Submission",
    "Team",
    "sign",
]
