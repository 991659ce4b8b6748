"""The Home tab as a picture: a pure builder, within the limits of a view, and the ids of its own buttons.

Each part has its share of Slack's 100 blocks and 250 kB (docs.slack.dev, "Home tab views", "views.publish"); what
does not fit is counted, and said where it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bot.actions.model import Action
from bot.approvals.model import Approval
from handlers import cards, lists
from handlers.blocks import (
    SECTION,
    button,
    buttons,
    code,
    context,
    day,
    header,
    line,
    moment,
    plain,
    section,
    short,
)
from handlers.inert import inert
from handlers.message import Block, Message
from handlers.tab.waiting import DIVIDER, fits, requests
from oauth import Principal

LINK = "home.link"
UNLINK = "home.unlink"
REFRESH = "home.refresh"
RUN = "home.run"
RUN_OTHER = "home.run_other"
TRAIL = "home.trail"

_DEEDS = 8
_ACTIONS = 20
_OTHERS = 100
_DESCRIPTION = 200
# Blocks and characters, as JSON, that each part may take at most.
_SAID, _RUNS = (6, 40_000), (_ACTIONS, 50_000)


@dataclass(frozen=True, slots=True)
class Picture:
    """What there is to see. `said` is the answer to what the person did last; an `outsider` may not be linked.

    `login_until` is how long their login link is valid, and `signed_in` who has signed in through it and waits for
    the code, in words for people; without `codes` the proof is another one.
    """

    team_name: str
    principal: Principal | None
    outsider: bool = False
    said: Message | None = None
    login_until: datetime | None = None
    signed_in: str | None = None
    waiting: Sequence[Approval] = ()
    actions: Sequence[Action] = ()
    entries: Sequence[dict[str, Any]] = field(default=(), repr=False)
    codes: bool = True


def home(picture: Picture) -> list[Block]:
    """The blocks of the tab. Nothing in them is a secret: the login link is in the direct messages alone."""
    who = picture.principal
    parts = [_said(picture.said), *([_not_linked(picture)] if who is None else _linked(picture, who))]
    parts.append(_deeds(picture.entries))
    made: list[Block] = []
    for part in filter(None, parts):
        made += [DIVIDER, *part] if made else part
    return made


def trail(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The modal with a person's entries of the audit trail, newest first."""
    rows = lists.trail(list(entries)) or ["Nothing is on record about you yet."]
    return {
        "type": "modal",
        "callback_id": TRAIL,
        "title": plain("On record about you"),
        "close": plain("Close"),
        "blocks": [context("Newest first. Nobody can change these entries unnoticed."), *_lines(rows)],
    }


def _said(said: Message | None) -> list[Block]:
    if said is None:
        return []
    whole = list(said.blocks) or [section(said.text)]
    # The answer of a service can be longer than the share; then its first sentence stands for it.
    return whole if fits(whole, _SAID) else [section(said.text), context("The whole answer is too long for this page.")]


def _linked(picture: Picture, who: Principal) -> list[list[Block]]:
    return [_account(picture, who), requests(picture.waiting, who), _actions(picture.actions, who)]


def _account(picture: Picture, who: Principal) -> list[Block]:
    team = line(picture.team_name, 100)
    return [
        section(f"*You are linked in {team}* as {cards.account(who.identity)}, since {day(who.linked_at)}."),
        context(f"I may use, for you and nobody else: {cards.rights(who.scopes)}"),
        buttons(
            button(REFRESH, "Refresh"),
            button(LINK, "Link again"),
            button(
                UNLINK,
                "Unlink",
                style="danger",
                confirm={
                    "title": plain("Unlink your account?"),
                    "text": plain("I can do nothing more for you then, your login is revoked, and what waits ends."),
                    "confirm": plain("Unlink"),
                    "deny": plain("Stay linked"),
                    "style": "danger",
                },
            ),
        ),
        *_login(picture),
    ]


def _not_linked(picture: Picture) -> list[Block]:
    if picture.outsider:
        return [section(cards.OUTSIDERS)]
    top = section(
        f"*You are not linked in {line(picture.team_name, 100)}.* I act in your name, with your rights and no others; "
        "for that, sign in to your account once."
    )
    rest = context("Then this page shows what I can do for you, what waits for your decision, and what I did.")
    link = buttons(button(LINK, "Link your account", style="primary"), button(REFRESH, "Refresh"))
    return [top, *(_login(picture) or [link, rest])]


def _login(picture: Picture) -> list[Block]:
    """A login that is under way, and what is left to do. Linked people may be about to link again."""
    linked = picture.principal is not None
    more = [button(LINK, "Send a fresh link"), *([] if linked else [button(REFRESH, "Refresh")])]
    if picture.signed_in is not None:
        return [
            section(
                f"{code(picture.signed_in[:320])} has signed in through your login link. If that is your account, "
                "enter the code that the page shows. If it is not, send a fresh link: it ends that login."
            ),
            buttons(button(cards.LINK_ENTER_CODE, "Enter code", style="primary"), *more),
        ]
    if picture.login_until is not None:
        until = moment(picture.login_until)
        # What was just said is not said again.
        known = picture.said is not None and until in picture.said.text
        there = "" if known else f"Your login link is in *Messages*, valid until {until}. "
        if not picture.codes:
            return [section(there or "Open it, and sign in."), buttons(*more)]
        return [
            section(f"{there}If the page shows you a code after the login, enter it here."),
            buttons(button(cards.LINK_ENTER_CODE, "Enter code"), *more),
        ]
    return []


def _actions(actions: Sequence[Action], who: Principal) -> list[Block]:
    if not actions:
        return [context("No actions are set up here yet. Whoever runs the bot can add some.")]
    within = [one for one in actions if one.login_scopes <= who.scopes]
    beyond = [one for one in actions if not one.login_scopes <= who.scopes]
    shown: list[Block] = []
    count = 0
    for action in [*within, *beyond]:
        row = _action(action, who)
        if not fits([*shown, row], _RUNS):
            break
        shown.append(row)
        count += 1
    made = [header("What I can do for you"), *shown]
    if others := within[count:]:
        made.append(buttons(_others(others[:_OTHERS])))
    if left := len(actions) - count - len(others[:_OTHERS]):
        made.append(context(f"… and {left} more. `/agent actions` lists them, and `/agent run ACTION` runs one."))
    return made


def _action(action: Action, who: Principal) -> Block:
    """What it does and what it needs; a button where it can be run."""
    marks = ["asks for your approval first"] if action.policy.kind != "none" else []
    if action.connection is not None:
        marks.append(f"with {cards.your_account(action.connection)}")
    if beyond := sorted(action.login_scopes - who.scopes):
        some = ", ".join(code(short(one, 60)) for one in beyond[:3]) + (" …" if len(beyond) > 3 else "")
        marks = [f"beyond your login, which lacks {some}"]
    about = line(action.description, _DESCRIPTION)
    text = f"{code(short(action.name, 64))} – {about}" + (f"\n→ {'; '.join(marks)}" if marks else "")
    made = section(text)
    if not beyond:
        label = short(f"Run {inert(action.name)}", 75)
        made["accessory"] = button(RUN, "Run", value=action.name, accessibility_label=label)
    return made


def _others(actions: Iterable[Action]) -> Block:
    options = [{"text": plain(short(inert(one.name), 75)), "value": one.name[:150]} for one in actions]
    return {
        "type": "static_select",
        "action_id": RUN_OTHER,
        "placeholder": plain("Run another …"),
        "options": options,
    }


def _deeds(entries: Sequence[dict[str, Any]]) -> list[Block]:
    rows = lists.deeds(list(entries), _DEEDS)
    if not rows:
        return []
    return [header("What I did for you lately"), *_lines(rows), buttons(button(TRAIL, "Show more"))]


def _lines(rows: Iterable[str]) -> list[Block]:
    """Lines of mrkdwn, as many as fit into each section."""
    texts: list[str] = []
    for row in rows:
        if texts and len(texts[-1]) + 1 + len(row) <= SECTION:
            texts[-1] += f"\n{row}"
        else:
            texts.append(row)
    return [section(text) for text in texts]
