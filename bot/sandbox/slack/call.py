"""One call of a Web API method: where, by which right, with what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .arguments import Arguments
from .pace import Pace
from .state import Workspace
from .team import Team

Answer = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """`team` is the workspace for which the answer is, `scopes` what the token was granted there.

    A token of a whole organization (`org_wide`) may name one of its workspaces in `team_id`; else it is the first.
    `base` is the address of the sandbox, without a trailing slash.
    """

    workspace: Workspace
    team: Team
    arguments: Arguments
    pace: Pace
    scopes: tuple[str, ...]
    org_wide: bool = False
    base: str = ""


Handler = Callable[[Call], Answer]
