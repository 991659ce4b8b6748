"""Everything the bot refuses, as a tree; each class has a stable `code` that audit entries and tests rely on.

CountersignError
├── ConfigurationError
├── AuditUnavailable
├── ActionError
│   ├── ActionUnknown
│   ├── ArgumentsInvalid
│   └── PolicyUnclear
├── WorkError
│   ├── RunUnknown
│   ├── NotYourRun
│   ├── RunOver
│   └── AlreadyStopping
└── ApprovalError
    ├── ApprovalUnknown
    ├── NotYours
    ├── AlreadyDecided
    ├── ApprovalExpired
    ├── ConfirmationNeeded
    ├── ConfirmationWrong
    ├── StepUpNeeded
    ├── TooLate
    ├── NobodyToAsk
    ├── ApproversUnknown
    ├── TooLargeToShow
    │   └── CannotAttach
    └── ChangedSinceAsked

No message holds a token, a code, or an argument's value that a person did not just type.
"""

from __future__ import annotations

from collections.abc import Mapping


class CountersignError(Exception):
    """The base; `code` is stable, the text may change."""

    code = "countersign_error"


class ConfigurationError(CountersignError):
    """What is wrong with the settings: `problems` has one sentence a setting, none with a secret in it."""

    code = "configuration"

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class AuditUnavailable(CountersignError):
    """The entry could not be written, so nothing was done."""

    code = "audit_unavailable"


class ActionError(CountersignError):
    """Something about the action that was asked for."""

    code = "action"


class ActionUnknown(ActionError):
    """No action has this name; `near` are names like it."""

    code = "action_unknown"

    def __init__(self, name: str, near: tuple[str, ...] = ()) -> None:
        self.name = name
        self.near = near
        super().__init__(name)


class PolicyUnclear(ActionError):
    """A rule of the action could not be worked out, and nothing would be enough for it and for what applies else."""

    code = "policy_unclear"


class ArgumentsInvalid(ActionError):
    """`problems` has a sentence per parameter; `missing` names those that were not given."""

    code = "arguments_invalid"

    def __init__(self, problems: Mapping[str, str], missing: tuple[str, ...] = ()) -> None:
        self.problems = dict(problems)
        self.missing = missing
        super().__init__(", ".join([*problems, *missing]))


class WorkError(CountersignError):
    """Something about a call that goes on."""

    code = "work"


class RunUnknown(WorkError):
    """Nothing of this name goes on, or has in the last day."""

    code = "run_unknown"


class NotYourRun(WorkError):
    """The person has neither asked for it nor agreed to it."""

    code = "not_your_run"


class RunOver(WorkError):
    """It has ended already; `outcome` says how."""

    code = "run_over"

    def __init__(self, outcome: str) -> None:
        self.outcome = outcome
        super().__init__(outcome)


class AlreadyStopping(WorkError):
    """Somebody has said so before."""

    code = "already_stopping"


class ApprovalError(CountersignError):
    """Something about a decision on a request."""

    code = "approval"


class ApprovalUnknown(ApprovalError):
    """No request has this id, in this workspace."""

    code = "approval_unknown"


class NotYours(ApprovalError):
    """The person who clicked is not among those who may decide; with `own` that is the requester alone."""

    code = "not_yours"

    def __init__(self, *, own: bool = False) -> None:
        self.own = own
        super().__init__()


class AlreadyDecided(ApprovalError):
    """Somebody, or the same person, was first; `state` says how it stands."""

    code = "already_decided"

    def __init__(self, state: str) -> None:
        self.state = state
        super().__init__(state)


class ApprovalExpired(ApprovalError):
    """The time to decide is over."""

    code = "approval_expired"


class TooLargeToShow(ApprovalError):
    """Not every value fits on the card, and what nobody can see whole nobody can approve."""

    code = "too_large_to_show"


class CannotAttach(TooLargeToShow):
    """They would fit into files, and the workspace does not let the bot attach any."""

    code = "cannot_attach"


class ChangedSinceAsked(ApprovalError):
    """What would run is not what was shown."""

    code = "changed_since_asked"


class ConfirmationNeeded(ApprovalError):
    """The approver has to type the value of the argument `name` first."""

    code = "confirmation_needed"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)


class ConfirmationWrong(ConfirmationNeeded):
    """What they typed is not that value."""

    code = "confirmation_wrong"


class StepUpNeeded(ApprovalError):
    """The approver has to authenticate again first, with more than one factor."""

    code = "step_up_needed"


class TooLate(ApprovalError):
    """It cannot be undone any more; `state` says how it stands."""

    code = "too_late"

    def __init__(self, state: str) -> None:
        self.state = state
        super().__init__(state)


class NobodyToAsk(ApprovalError):
    """Nobody but the requester is among the approvers."""

    code = "nobody_to_ask"


class ApproversUnknown(ApprovalError):
    """Slack does not say just now who is in a user group."""

    code = "approvers_unknown"
