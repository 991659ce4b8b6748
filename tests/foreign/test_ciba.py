"""Asking on a device at a certified provider: it asks the right person, and its ID token says when and how."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from oauth import Declined, Evidence, StillAsked, Subject
from oauth.errors import DeviceRefused, NoDevice
from tests.foreign import test_identity
from tests.foreign.test_identity import House

MESSAGE = "refund_order-0123456789ab"
house = test_identity.house


async def test_whoever_agrees_on_the_device_is_heard_once(house: House) -> None:
    """Asked by issuer and subject; pending until then, and what comes is evidence and no token."""
    principal = await house.linked()
    devices = house.rooms.devices
    asked = await devices.ask(principal, MESSAGE, timedelta(minutes=2))
    (push,) = await house.provider.pushes()
    assert (push["binding_message"], push["requested_expiry"]) == (MESSAGE, "120")
    assert json.loads(push["login_hint"])["sub"] == principal.sub
    assert await devices.poll(asked, principal) == StillAsked(asked.interval)
    await house.provider.answers("approved")
    evidence = await devices.poll(asked, principal)
    assert isinstance(evidence, Evidence)
    assert evidence.amr == ("hwk", "mfa")
    assert evidence.auth_time > 1_700_000_000
    assert await devices.poll(asked, principal) == Declined("expired_token")
    assert await house.states() == ["live", "none"]  # nothing that lasts came of it


async def test_a_denial_is_heard_as_one(house: House) -> None:
    """In the provider's own word."""
    principal = await house.linked()
    asked = await house.rooms.devices.ask(principal, MESSAGE, timedelta(minutes=2))
    await house.provider.answers("denied")
    assert await house.rooms.devices.poll(asked, principal) == Declined("access_denied")


async def test_somebody_who_is_not_there_is_not_asked(house: House) -> None:
    """Its word for that is one of those that the specification has."""
    principal = await house.linked()
    nobody = replace(principal, identity=replace(principal.identity, sub=Subject("person-nobody")))
    with pytest.raises((NoDevice, DeviceRefused)):
        await house.rooms.devices.ask(nobody, MESSAGE, timedelta(minutes=2))
    assert await house.provider.pushes() == []
