"""Who has an account, and what has become different about them since the tenant was set up."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from .model import Person

People = dict[str, Person]


def by_address(people: Mapping[str, Person], address: str) -> Person | None:
    """Whose address it is, in any case.

    Somebody known keeps their account, as after Auth0's account linking ("Link User Accounts"): the code that proves
    their address signs in the same person.
    """
    return next((one for one in people.values() if one.email.casefold() == address.casefold()), None)


def newcomer(address: str) -> Person:
    """The account that Auth0 makes when a code sent to an unknown address is entered ("Email OTP")."""
    return Person(account_id(address), address, address, organizations=(), connection="email")


def account_id(address: str) -> str:
    """24 hexadecimal digits, as the ids of Auth0's e-mail accounts are; one address has always the same."""
    return hashlib.sha256(address.casefold().encode()).hexdigest()[:24]


def changes(given: Mapping[str, Person], people: Mapping[str, Person]) -> dict[str, Any]:
    """What has to be kept: newcomers, and people who are not as they were given."""
    return {name: asdict(one) for name, one in people.items() if one != given.get(name)}


def changed(given: Mapping[str, Person], kept: Mapping[str, Mapping[str, Any]]) -> People:
    """The people given, with the changes of before. Raises AttributeError, KeyError or TypeError for nonsense."""
    people = dict(given)
    for name, fields in kept.items():
        different = {
            "email_verified": fields["email_verified"],
            "organizations": tuple(fields["organizations"]),
            "needs_mfa": fields["needs_mfa"],
        }
        if name in given:
            people[name] = replace(given[name], **different)
        elif fields["connection"] == "email":
            people[name] = replace(newcomer(fields["email"]), **different)
    return people
