"""One action of the file, and what is wrong with it."""

from __future__ import annotations

import re
import string
from datetime import timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo, field_validator, model_validator

from bot.actions.arguments import exact, unfit
from bot.actions.model import CONNECTION
from bot.actions.policy import Policy
from bot.actions.rules import CelRule, compiled

NAME = r"^[a-z][a-z0-9_]{0,63}$"
_DURATION = re.compile(r"(\d{1,6})(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LATER = {
    "connection", "approvers", "channel", "quorum", "hold", "confirm", "reason", "preview", "preview_fields", "rules",
    "step_up",
}  # fmt: skip
_LATER_IN_RULES = {"step_up"}
Approver = Annotated[str, StringConstraints(pattern=r"^[UWS][A-Z0-9]{2,30}$")]
Channel = Annotated[str, StringConstraints(pattern=r"^[CG][A-Z0-9]{2,30}$")]
Scope = Annotated[str, StringConstraints(pattern=r"^[!#-\[\]-~]+$")]  # RFC 6749, section 3.3
Connection = Annotated[str, StringConstraints(pattern=CONNECTION)]


class Asking(BaseModel):
    """Who has to agree, and how: in an action, or in one of its rules."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    approval: Literal["none", "self", "other", "ciba"] | None = None
    approvers: list[Approver] = Field(default_factory=list, max_length=50)
    channel: Channel | None = None
    quorum: int = Field(default=1, ge=1, le=20)
    step_up: bool = False
    expires: timedelta = timedelta(minutes=15)
    hold: timedelta = timedelta(0)
    confirm: str | None = None
    reason: bool = False

    @field_validator("expires", "hold", mode="before")
    @classmethod
    def _duration(cls, value: object, about: ValidationInfo) -> object:
        if isinstance(value, timedelta):
            return value
        match = _DURATION.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise ValueError('must be a time such as "90s", "15m", "2h" or "1d"')
        span = timedelta(**{_UNITS[match[2]]: int(match[1])})
        if about.field_name == "expires" and not timedelta(0) < span <= timedelta(days=30):
            raise ValueError("must be more than nothing and at most 30d")
        if about.field_name == "hold" and span > timedelta(days=7):
            raise ValueError("must be at most 7d")
        return span


class RuleTable(Asking):
    """One `[[action.rules]]` table: what it does not name stays as the action has it."""

    when: str = Field(min_length=1, max_length=2_000)


class Definition(Asking):
    """One `[[action]]` table."""

    name: str = Field(pattern=NAME)
    description: str = Field(min_length=1, max_length=500)
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
    url: str
    scopes: list[Scope] = Field(default_factory=list)
    audience: str | None = Field(default=None, min_length=1)
    connection: Connection | None = None
    sensitive: bool | None = None
    idempotent: bool = False
    preview: str | None = None
    preview_fields: list[str] = Field(default_factory=list, max_length=10)
    rules: list[RuleTable] = Field(default_factory=list)
    parameters: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or "{" in parts.netloc or "@" in parts.netloc:
            raise ValueError("must be a whole http or https address, with a fixed host and no login in it")
        if parts.port == 0 or not re.fullmatch(r"[!-~]+", value):
            raise ValueError("must be an address as it goes over the line: no spaces, and %-signs for other letters")
        return value

    @field_validator("parameters")
    @classmethod
    def _schemas(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        problems = [f"{name} {problem}" for name, schema in value.items() if (problem := _schema_problem(name, schema))]
        if problems:
            raise ValueError("; ".join(problems))
        return value

    @field_validator("preview")
    @classmethod
    def _preview(cls, value: str | None) -> str | None:
        return cls._address(value) if value is not None else None

    @model_validator(mode="after")
    def _whole(self) -> Definition:
        for setting, url in (("url", self.url), ("preview", self.preview)):
            self._places(setting, url or "")
        if self.sensitive and self.approval == "none":
            raise ValueError('says sensitive = true and approval = "none"; drop one of them')
        if self.connection is not None and self.audience is not None:
            raise ValueError("says connection and audience; with a connection the token is another party's, for no API")
        if self.preview_fields and self.preview is None:
            raise ValueError("says preview_fields and no preview; add it, or drop them")
        policies = [self.policy, *(self._merged(rule) for rule in self.rules)]
        if self.step_up and not any(policy.step_up and policy.kind != "none" for policy in policies):
            raise ValueError("says step_up, and nobody is asked to approve it; say who, or drop step_up")
        for number, policy in enumerate(policies):
            if problem := self._problem(policy):
                raise ValueError(f"rule {number}: {problem}" if number else problem)
        _ = self.exceptions  # compiles each
        return self

    def _places(self, setting: str, url: str) -> None:
        fields = [found[1:] for found in string.Formatter().parse(url) if found[1] is not None]
        if any(form or conversion for _, form, conversion in fields):
            raise ValueError(f"{setting} may name its parameters as {{name}} only")
        unknown = {str(name) for name, _, _ in fields} - self.parameters.keys()
        if unknown:
            raise ValueError(f"{setting} names {', '.join(sorted(unknown)) or '{}'}, which is not among its parameters")

    def _problem(self, policy: Policy) -> str | None:
        if policy.confirm is not None and policy.confirm not in self.parameters:
            return f"confirm names {policy.confirm}, which is not among its parameters"
        if policy.kind == "ciba" and policy.confirm is not None:
            return 'confirm needs a card with buttons, and approval = "ciba" is decided on the device'
        if policy.kind != "other":
            return 'says quorum without approval = "other"; one person alone decides' if policy.quorum > 1 else None
        if not policy.approvers and policy.channel is None:
            return 'approval = "other" needs approvers, or a channel whose members decide'
        users_alone = policy.approvers and not any(one.startswith("S") for one in policy.approvers)
        if users_alone and policy.quorum > len(set(policy.approvers)):
            return f"quorum = {policy.quorum} is more than there are approvers"
        return None

    def _merged(self, rule: RuleTable) -> Policy:
        """What the rule names is the rule's, the rest the action's."""
        named = {name: getattr(rule, name) for name in rule.model_fields_set - {"when"}}
        return self.model_copy(update=named, deep=False).policy

    @property
    def policy(self) -> Policy:
        """The action's own."""
        return Policy(
            kind=self.approval or ("self" if self.is_sensitive else "none"),
            approvers=tuple(self.approvers),
            channel=self.channel,
            quorum=self.quorum,
            step_up=self.step_up,
            expires=self.expires,
            hold=self.hold,
            confirm=self.confirm,
            reason=self.reason,
            preview=self.preview,
            preview_fields=tuple(self.preview_fields),
        )

    @property
    def exceptions(self) -> tuple[CelRule, ...]:
        """Its rules. Raises ValueError for an expression that is none."""
        found = []
        for number, rule in enumerate(self.rules, 1):
            policy = self._merged(rule)
            try:
                program = compiled(rule.when, frozenset(self.parameters))
            except ValueError as error:
                raise ValueError(f"rule {number}: {error}") from None
            found.append(CelRule(policy, program))
        return tuple(found)

    @property
    def as_defined(self) -> dict[str, Any]:
        """What its digest is made of. What is not used is left out: so what was agreed to before there was such a
        thing stays as it was.
        """
        plain = self.model_dump(mode="json")
        defaults = {
            name: field.get_default(call_default_factory=True) for name, field in type(self).model_fields.items()
        }
        for rule, dumped in zip(self.rules, plain["rules"], strict=True):
            for name in _LATER_IN_RULES - rule.model_fields_set:
                del dumped[name]
        return {name: plain[name] for name in plain if name not in _LATER or getattr(self, name) != defaults[name]}

    @property
    def is_sensitive(self) -> bool:
        """As said, else every method that changes something."""
        return self.sensitive if self.sensitive is not None else self.method not in {"GET", "HEAD"}


def _schema_problem(name: str, schema: dict[str, Any]) -> str | None:
    """What is wrong with a parameter, as the rest of a sentence."""
    if not re.fullmatch(NAME, name):
        return "must be small letters, digits and _, and begin with a letter"
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return f"is not a JSON Schema: {error.message}"
    if not exact(schema):
        return "holds a date, NaN or a number above 9007199254740991, which no digest can be made of"
    if "default" in schema:
        misfit = unfit(schema["default"], schema)
        return f"has a default that {misfit.rstrip('.')}" if misfit else None
    return None
