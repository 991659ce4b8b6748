"""Who is this, and which token may they use now?

`build` puts the rooms together; what it returns, and the names below, are all that the rest of the program uses.
"""

from __future__ import annotations

from oauth.accounts import Accounts, MongoAccountStore
from oauth.broker import Broker
from oauth.ciba import Asked, Declined, Devices, StillAsked
from oauth.errors import IdentityError
from oauth.linking import Linking, Started
from oauth.links import Links
from oauth.models import (
    AccessToken,
    Clock,
    Evidence,
    Identity,
    LinkEvent,
    LinkObserver,
    LinkVersion,
    Principal,
    SlackProfile,
    SlackUser,
    Subject,
)
from oauth.ports import SealedStore, StoredSecret
from oauth.questions import Questions
from oauth.resealing import Resealed, Resealer
from oauth.rooms import IdentityRooms, IdentitySettings, build, utc_now
from oauth.site import Site
from oauth.step_up import MongoStepUpStore, StepUps
from oauth.store import MongoLinkStore
from oauth.vault import Vault

__all__ = [
    "AccessToken",
    "Accounts",
    "Asked",
    "Broker",
    "Clock",
    "Declined",
    "Devices",
    "Evidence",
    "Identity",
    "IdentityError",
    "IdentityRooms",
    "IdentitySettings",
    "LinkEvent",
    "LinkObserver",
    "LinkVersion",
    "Linking",
    "Links",
    "MongoAccountStore",
    "MongoLinkStore",
    "MongoStepUpStore",
    "Principal",
    "Questions",
    "Resealed",
    "Resealer",
    "SealedStore",
    "Site",
    "SlackProfile",
    "SlackUser",
    "Started",
    "StepUps",
    "StillAsked",
    "StoredSecret",
    "Subject",
    "Vault",
    "build",
    "utc_now",
]
