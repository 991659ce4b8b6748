"""Why an account is not connected, beside what any login is refused for: part of the tree in `oauth.errors`.

LinkError
├── AccountDiffers
├── ConnectNotOffered
├── ConnectUnsure
└── LoginRefused
    └── ConnectRefused
"""

from __future__ import annotations

from oauth.errors import LinkError, LoginRefused


class AccountDiffers(LinkError):
    """Whoever signed in is not whom the Slack person is linked to."""

    code = "account_differs"


class ConnectRefused(LoginRefused):
    """The provider or the third party does not connect the account; `error` says why in safe letters."""

    code = "connect_refused"


class ConnectNotOffered(LinkError):
    """The provider does not let us connect this account for anybody: something at the tenant is not set up."""

    code = "connect_not_offered"


class ConnectUnsure(LinkError):
    """The provider was told to connect the account, and its answer was lost."""

    code = "connect_unsure"
