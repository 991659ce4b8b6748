"""The Web API methods that the app calls under its own name, by client id and secret, and not with a bot token.

They may come as form fields or by HTTP Basic (RFC 6749 section 2.3.1).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from . import identity
from .arguments import Arguments
from .authorize import Flow, Registration
from .call import Answer
from .codes import Code, Codes
from .errors import SlackRefusal
from .installations import Installation, Installations, Issued
from .people import Person
from .state import Clock
from .team import APP, teams_of
from .workspaces import Workspaces


@dataclass(frozen=True)
class Credentials:
    """With what a call came: a bearer token, or the app's own id and secret."""

    token: str = field(default="", repr=False)
    client_id: str = ""
    client_secret: str = field(default="", repr=False)


def credentials(headers: Mapping[str, str], arguments: Arguments) -> Credentials:
    """The header counts before the arguments, in which none of these stays."""
    scheme, _, value = headers.get("Authorization", "").partition(" ")
    in_body = {name: arguments.text(name) for name in ("token", "client_id", "client_secret")}
    for name in in_body:
        arguments.values.pop(name, None)
    if scheme.lower() == "bearer":
        in_body["token"] = value.strip()
    if scheme.lower() == "basic":
        in_body["client_id"], in_body["client_secret"] = _basic(value)
    return Credentials(**in_body)


class Exchange:
    """`base` is the address of the sandbox, which issues identities under it."""

    def __init__(
        self,
        registration: Registration,
        codes: Codes,
        installations: Installations,
        signer: identity.Signer,
        workspaces: Workspaces,
        clock: Clock,
    ) -> None:
        self.base = ""
        self._registration = registration
        self._codes = codes
        self._installations = installations
        self._signer = signer
        self._workspaces = workspaces
        self._clock = clock
        self._signed_in: dict[str, Code] = {}
        self.methods: dict[str, Callable[[Credentials, Arguments], Answer]] = {
            "oauth.v2.access": self._access,
            "openid.connect.token": self._token,
            "openid.connect.userInfo": self._user_info,
        }

    def _access(self, by: Credentials, arguments: Arguments) -> Answer:
        """oauth.v2.access: an install, or the next pair of rotating tokens."""
        self._client(by)
        if _grant_type(arguments) == "refresh_token":
            return _installed(*self._installations.refresh(arguments.text("refresh_token")))
        code = self._code(Flow.INSTALL, arguments)
        owner, home = code.choice.owner, code.choice.home
        if owner != home and home in self._installations.installed:
            raise SlackRefusal("cannot_install_an_org_installed_app")
        rotates, scopes = self._registration.rotates, code.asked.scopes
        self._workspaces.at(teams_of(owner)[0])
        issued = self._installations.install(owner, scopes, code.choice.user, rotates=rotates)
        return _installed(self._installations.installed[owner], issued)

    def _token(self, by: Credentials, arguments: Arguments) -> Answer:
        """openid.connect.token. No refresh token was ever given out for it."""
        self._client(by)
        if _grant_type(arguments) == "refresh_token":
            raise SlackRefusal("invalid_refresh_token")
        code = self._code(Flow.SIGN_IN, arguments)
        person = self._person(code)
        access_token = f"xoxp-{secrets.randbelow(10**12)}-{secrets.token_hex(16)}"
        self._signed_in[access_token] = code
        claims = identity.id_claims(
            code,
            person,
            issuer=self.base,
            client_id=self._registration.client_id,
            access_token=access_token,
            now=self._clock(),
        )
        return {"access_token": access_token, "token_type": "Bearer", "id_token": self._signer.sign(claims)}

    def _user_info(self, by: Credentials, arguments: Arguments) -> Answer:
        """openid.connect.userInfo, with the access token of a sign-in."""
        if not by.token:
            raise SlackRefusal("not_authed")
        code = self._signed_in.get(by.token)
        if code is None:
            raise SlackRefusal("invalid_auth")
        return identity.person_claims(code, self._person(code)) | identity.team_claims(code.choice.owner)

    def _client(self, by: Credentials) -> None:
        """SlackRefusal `invalid_client_id`, `bad_client_secret`."""
        if by.client_id != self._registration.client_id:
            raise SlackRefusal("invalid_client_id")
        secret = by.client_secret.encode("utf-8", "surrogatepass")
        if not hmac.compare_digest(secret, self._registration.client_secret.encode()):
            raise SlackRefusal("bad_client_secret")

    def _code(self, flow: Flow, arguments: Arguments) -> Code:
        name, uri, verifier = (arguments.text(n) for n in ("code", "redirect_uri", "code_verifier"))
        return self._codes.take(flow, name, uri, verifier)

    def _person(self, code: Code) -> Person:
        """Who signed in. SlackRefusal `account_inactive` where they were deactivated since."""
        person = self._workspaces.at(teams_of(code.choice.home)[0]).people.get(code.choice.user)
        if person is None or person.deleted:
            raise SlackRefusal("account_inactive")
        return person


def _installed(installation: Installation, issued: Issued) -> Answer:
    team = teams_of(installation.owner)[0]
    org_wide = installation.owner != team.id
    made: Answer = {
        "app_id": APP,
        "authed_user": {"id": installation.installer},
        "scope": ",".join(installation.scopes),
        "token_type": "bot",
        "access_token": issued.access_token,
        "bot_user_id": team.bot_user,
        "team": None if org_wide else {"id": team.id, "name": team.name},
        "enterprise": {"id": team.enterprise.id, "name": team.enterprise.name} if team.enterprise else None,
        "is_enterprise_install": org_wide,
    }
    if issued.refresh_token is not None:
        made |= {"refresh_token": issued.refresh_token, "expires_in": issued.expires_in}
    return made


def _grant_type(arguments: Arguments) -> str:
    """SlackRefusal `invalid_grant_type`."""
    kind = arguments.text("grant_type") or "authorization_code"
    if kind not in ("authorization_code", "refresh_token"):
        raise SlackRefusal("invalid_grant_type")
    return kind


def _basic(value: str) -> tuple[str, str]:
    try:
        name, _, secret = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return unquote_plus(name), unquote_plus(secret)
