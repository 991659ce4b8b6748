"""Every page that the product serves, and how it is reached. A new page is one more line here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.browser.pages import accounts, step_ups, ways
from tests.browser.pages.ways import Way, as_long_name, signs_in, signs_in_at_slack
from tests.scenarios.town import ADA, BOB

_BY_EMAIL = {"LINK_PROOF": "email"}
_BY_SLACK = {"LINK_PROOF": "slack"}
_EMBEDDED = {"EMBEDDED_LOGIN": "email"}
_INSTALL = {"SLACK_BOT_TOKEN": ""}
_MEMBERS = {"AUTH0_ORGANIZATION": "org_sandbox"}


@dataclass(frozen=True, slots=True)
class Shown:
    """A page: its name in the tests, its template and heading, the way to it, and further settings of the bot."""

    name: str
    template: str
    heading: str
    way: Way
    settings: Mapping[str, str] = field(default_factory=dict)


PAGES = (
    Shown("link", "link.html", "Link your account", ways.opens_link),
    Shown("link-long", "link.html", "Link your account", as_long_name(ways.opens_link)),
    Shown("linked", "linked.html", "You are linked", signs_in("ada")),
    Shown("linked-long", "linked.html", "You are linked", as_long_name(signs_in("ada"))),
    Shown("code", "code.html", "One more step", signs_in("mallory")),
    Shown("code-long", "code.html", "One more step", as_long_name(signs_in("ada")), {"LINK_PROOF": "code"}),
    Shown("fresh", "sent.html", "A fresh link is on its way", ways.asks_for_fresh(1)),
    Shown("too-often", "refused.html", "A link was sent a moment ago", ways.asks_for_fresh(2)),
    Shown("forgotten", "refused.html", "This link is not known", ways.asks_for_fresh_of_none),
    Shown("link-embedded", "link.html", "Link your account", ways.opens_link, _EMBEDDED),
    Shown("mistyped-address", "link.html", "Link your account", ways.mistypes_address, _EMBEDDED),
    Shown("no-more-otps", "link.html", "Link your account", ways.asks_for_too_many_otps, _EMBEDDED),
    Shown("otp", "otp.html", "Type the code from your e-mail", ways.asks_for_otp, _EMBEDDED),
    Shown("otp-wrong", "otp.html", "Type the code from your e-mail", ways.guesses(1), _EMBEDDED),
    Shown("otp-spent", "otp.html", "Type the code from your e-mail", ways.guesses(3), _EMBEDDED),
    Shown("otp-long", "otp.html", "Type the code from your e-mail", as_long_name(ways.asks_for_otp), _EMBEDDED),
    Shown("otp-linked", "linked.html", "You are linked", ways.signs_in_by_otp, _EMBEDDED),
    Shown("expired", "refused.html", "This link is no longer valid", ways.opens_expired),
    Shown("superseded", "refused.html", "This link is no longer valid", ways.opens_superseded),
    Shown("used", "refused.html", "This link has done its work", ways.opens_used),
    Shown("wrong-browser", "refused.html", "This is another browser", ways.comes_back_elsewhere),
    Shown("over", "refused.html", "This login is over", ways.reloads_the_end),
    Shown("forged", "refused.html", "The form was not sent from its page", ways.sends_without_cookies),
    Shown("cancelled", "refused.html", "You were not signed in", ways.cancels),
    Shown("refused-long", "refused.html", "You were not signed in", ways.comes_back_with_long_error),
    Shown("unverified", "refused.html", "Your e-mail address is not verified", signs_in("dan"), _BY_EMAIL),
    Shown("differs", "refused.html", "These are two different people", signs_in("mallory"), _BY_EMAIL),
    Shown(
        "unconfirmed", "refused.html", "Slack does not tell your e-mail address", ways.signs_in_unconfirmed, _BY_EMAIL
    ),
    Shown("outside", "refused.html", "This account is not a member", ways.signs_in_outside, _MEMBERS),
    Shown("to-slack", "to_slack.html", "On to Slack", ways.stops_before_slack, _BY_SLACK),
    Shown("slack-linked", "linked.html", "You are linked", signs_in_at_slack(ADA), _BY_SLACK),
    Shown("slack-differs", "refused.html", "This link is another person's", signs_in_at_slack(BOB), _BY_SLACK),
    Shown("taken", "refused.html", "This account is linked already", ways.signs_in_as_taken),
    Shown("second", "refused.html", "You are linked to another account", ways.signs_in_with_second_account),
    Shown("shared", "refused.html", "Please sign in once more", ways.links_again_where_grants_are_one),
    Shown("installed", "installed.html", "Countersign is installed", ways.installs("T0SECOND"), _INSTALL),
    Shown("installed-everywhere", "installed.html", "Countersign is installed", ways.installs("E0GRID"), _INSTALL),
    Shown("installed-again", "not_installed.html", "This installation is over", ways.reloads_installed, _INSTALL),
    Shown("not-installed", "not_installed.html", "Nothing was installed", ways.cancels_installation, _INSTALL),
    Shown("connect", "connect.html", "Connect an account", accounts.opens_link),
    Shown("connect-long", "connect.html", "Connect an account", as_long_name(accounts.opens_link)),
    Shown("to-account", "to_account.html", "On to your almanac account", accounts.stops_before_third_party),
    Shown("connected", "connected.html", "Your almanac account is connected", accounts.connects),
    Shown("connected-long", "connected.html", "Your almanac account is connected", as_long_name(accounts.connects)),
    Shown("connect-superseded", "refused.html", "This link is no longer valid", accounts.opens_expired),
    Shown("connect-used", "refused.html", "This link has done its work", accounts.opens_used),
    Shown("connect-elsewhere", "refused.html", "This is another browser", accounts.comes_back_elsewhere),
    Shown("connect-over", "refused.html", "This step is over", accounts.reloads_the_end),
    Shown("connect-differs", "refused.html", "This link is another person's", accounts.signs_in_as("mallory")),
    Shown("connect-cancelled", "refused.html", "The account was not connected", accounts.cancels),
    Shown("connect-unlinked", "refused.html", "You are not linked any more", accounts.unlinks_in_between),
    Shown("connect-unsure", "refused.html", "Whether it is connected is not known yet", accounts.loses_the_answer),
    Shown(
        "connect-not-here", "refused.html", "Accounts cannot be connected here", accounts.signs_in_where_it_cannot_be
    ),
    Shown(
        "connect-away", "refused.html", "The account cannot be connected now", accounts.signs_in_while_provider_fails
    ),
    Shown("step-up", "step_up.html", "Sign in once more", step_ups.opens_link),
    Shown("step-up-long", "step_up.html", "Sign in once more", as_long_name(step_ups.opens_link)),
    Shown("stepped-up", "stepped_up.html", "You have signed in", step_ups.signs_in_as("ada")),
    Shown("stepped-up-long", "stepped_up.html", "You have signed in", as_long_name(step_ups.signs_in_as("ada"))),
    Shown("step-up-differs", "refused.html", "This link is another person's", step_ups.signs_in_as("bob")),
    Shown("step-up-weak", "refused.html", "A second factor is needed", step_ups.signs_in_without_factor),
    Shown("step-up-old", "refused.html", "You signed in too long ago", step_ups.signs_in_at_a_clock_of_before),
    Shown("step-up-away", "refused.html", "You cannot be signed in now", step_ups.signs_in_while_provider_fails),
    Shown("away", "refused.html", "The login cannot be finished now", ways.signs_in_while_provider_fails),
    Shown("mixed-up", "refused.html", "The login was not accepted", ways.comes_back_from_elsewhere),
)
