"""Why somebody's authentication does not count, beside what any login is refused for: part of the tree in
`oauth.errors`.

LinkError
├── LoginTooOld
└── SecondFactorMissing
"""

from __future__ import annotations

from oauth.errors import LinkError


class LoginTooOld(LinkError):
    """The provider says that they authenticated longer ago than counts (`auth_time`)."""

    code = "login_too_old"


class SecondFactorMissing(LinkError):
    """The provider does not say that there was more than one factor (`amr`)."""

    code = "second_factor_missing"
