"""The composition root: every part is made here and given what it needs; tests call the same functions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp
import structlog
from aiohttp import web

from bot.actions.catalog import gather
from bot.actions.http import Http
from bot.approvals.approvers import Approvers
from bot.approvals.service import ApprovalService
from bot.approvals.store import MongoApprovalStore
from bot.audit.links import LinkTrail
from bot.audit.store import MongoAuditStore
from bot.bot import Bot, Indexed
from bot.config import Settings
from bot.database import Database
from bot.errors import ConfigurationError
from bot.habits import Habits
from bot.habits.store import MongoHistoryStore
from bot.health import Health
from bot.manifest import BOT_SCOPES, CONNECT_UI_SCOPE
from bot.parts import Clock, audit_writer, checkpoints, identity_rooms, receipts, vault
from bot.runner import Runner
from bot.tasks import Tasks
from bot.work import Stopping, Works
from bot.work.store import MongoRunStore
from handlers.accounts import AccountInvitations
from handlers.answering import Answering
from handlers.approvals import ApprovalClicks
from handlers.card_places import SlackCards
from handlers.clicks import Clicks
from handlers.commands import Commands
from handlers.connect import ConnectUi, Refusals
from handlers.connections import Connections, Reports
from handlers.events import Events
from handlers.gate import Gate
from handlers.groups import UserGroups
from handlers.ingress import LARGEST, Ingress
from handlers.installs import (
    App,
    Installs,
    MongoInstallationStore,
    OneDeparture,
    keeper,
)
from handlers.invitations import Invitations
from handlers.life_cycle import LifeCycle
from handlers.listening import bolt_app
from handlers.notices import Notices
from handlers.one_workspace import OneWorkspace
from handlers.people import People
from handlers.post import Post, client, connections
from handlers.requests import Requests
from handlers.screens import SlackScreens
from handlers.socket_mode import Socket, app_of
from handlers.stops import StopClicks
from handlers.store import MongoDeliveryStore, MongoOpeningStore
from handlers.streams import StreamingWorkspaces
from handlers.tab import Home, HomeTab, Overheard, Sources
from handlers.workspace import Workspaces
from oauth import MongoAccountStore, MongoLinkStore, MongoStepUpStore, SealedStore, Vault, utc_now

log = structlog.get_logger(__name__)


def sealed_stores(database: Database, sealing: Vault) -> tuple[SealedStore, ...]:
    """Every store that keeps something sealed, for whoever changes the key; only here all of them are known.

    The installations are among them also where the settings name one workspace: they may have named many before.
    """
    return (
        MongoLinkStore(database),
        MongoAccountStore(database),
        MongoStepUpStore(database),
        MongoApprovalStore(database, sealing),
        MongoHistoryStore(database, sealing),
        MongoInstallationStore(database, sealing),
    )


async def build(settings: Settings, database: Database, *, clock: Clock = utc_now) -> Bot:
    """Put the bot together on a database. Raises ConfigurationError."""
    tasks = Tasks()
    calls = connections()
    bot_token = settings.slack_bot_token.get_secret_value() if settings.slack_bot_token else ""
    slack = client(bot_token, settings.slack_api_url, calls)
    app_token = settings.slack_app_token.get_secret_value() if settings.slack_app_token else None
    sealing, installable = vault(settings), _installable(settings)
    workspaces: Workspaces = (
        keeper(installable, database, sealing, settings.slack_api_url, clock, calls)
        if installable
        else OneWorkspace(slack, app_of(app_token) if app_token else None)
    )
    post = Post(workspaces)

    audit_store, deliveries = MongoAuditStore(database), MongoDeliveryStore(database)
    audit = audit_writer(settings, database, clock)
    events = LinkTrail(audit, tasks)
    identity = identity_rooms(settings, database, observer=events, clock=clock)

    # No cookies and no proxy of the environment: calls of different people share nothing but connections.
    session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
    try:
        registry = gather(
            settings.actions_file, settings.actions_modules, Http(session), audience=settings.auth0_audience
        )
    except ConfigurationError:
        await asyncio.gather(session.close(), calls.close())
        raise
    for action in registry:
        if beyond := " ".join(sorted(action.login_scopes - set(settings.auth0_scopes))):
            log.warning("action_out_of_reach", action=action.name, scopes=beyond, hint="add them to AUTH0_SCOPES")
    approval_store, histories = MongoApprovalStore(database, sealing), MongoHistoryStore(database, sealing)
    shown = Overheard(SlackCards(post, identity.links))
    groups, devices = Approvers(UserGroups(workspaces)), identity.devices
    approvals = ApprovalService(approval_store, audit, shown, groups, clock, devices=devices)
    runs = MongoRunStore(database)
    screens = SlackScreens(post, workspaces, StreamingWorkspaces(clock), clock)
    works = Works(runs, screens, identity.links, audit, clock)
    runner = Runner(
        registry=registry,
        tokens=identity.broker,
        people=identity.links,
        audit=audit,
        approvals=approvals,
        store=approval_store,
        habits=Habits(histories),
        receipts=receipts(settings, clock),
        audience=settings.auth0_audience or "",
        devices=devices,
        clock=clock,
        works=works,
    )

    answering = Answering(tasks, post)
    people = People(workspaces, settings.external_users)
    refusals = Refusals(clock)
    connect_ui = ConnectUi(workspaces, identity.links, refusals) if settings.slack_connect_ui == "on" else None
    invitations = Invitations(identity.linking, people, post, connect_ui)
    asking = identity.accounts.asking
    requests = Requests(
        runner, registry, identity.links, invitations, AccountInvitations(asking, registry, people, post)
    )

    bolt = bolt_app()
    linking, links = identity.linking, identity.links
    clicks = Clicks(answering, requests, linking, links, post)
    step_ups = identity.step_ups.asking
    decisions = ApprovalClicks(answering, approvals, runner, links, invitations, post, tasks, step_ups)
    events.subscribe(Notices(post, approvals, requests, decisions, identity.questions, asking, workspaces).heard)
    openings = MongoOpeningStore(database)
    sources = Sources(links, linking, people, approvals, registry, audit_store, workspaces)
    tab = HomeTab(sources, tasks, clock, openings)
    events.subscribe(tab.heard)
    shown.subscribe(tab.changed)
    # First, since of the ids that it shares with the cards those in the tab are its own.
    Home(tab, answering, requests, audit_store, clicks, decisions).listen(bolt)
    Commands(answering, requests, invitations, linking, links, approvals, audit_store, post, workspaces).listen(bolt)
    clicks.listen(bolt)
    decisions.listen(bolt)
    StopClicks(answering, Stopping(runs, works, audit), links, invitations).listen(bolt)
    Events(links, invitations, post, tasks).listen(bolt)
    reports = None
    if connect_ui is not None:
        reports = Reports(links, workspaces, refusals, clock)
        events.subscribe(reports.heard)
        Connections(connect_ui, reports, links, invitations, post, workspaces, tasks).listen(bolt)

    installs = (
        Installs.of(
            installable,
            database=database,
            vault=sealing,
            site=identity.pages.site,
            links=links,
            audit=audit,
            tasks=tasks,
            api_url=settings.slack_api_url,
            clock=clock,
        )
        if installable
        else None
    )
    leaving = installs.departures if installs else OneDeparture(links, audit)
    gate = Gate(
        bolt=bolt,
        workspaces=workspaces,
        deliveries=deliveries,
        audit=audit,
        post=post,
        tasks=tasks,
        life_cycle=LifeCycle(links, leaving, settings.external_users),
        external=settings.external_users,
        clock=clock,
    )
    app = web.Application(client_max_size=LARGEST, middlewares=[_guarded])
    if settings.slack_signing_secret is not None and app_token is None:
        ingress = Ingress(settings.slack_signing_secret.get_secret_value(), gate.admit, gate.unsigned, clock)
        app.router.add_post("/slack/events", ingress.receive)
    identity.pages.add_to(app)
    identity.accounts.pages.add_to(app)
    identity.step_ups.pages.add_to(app)
    if installs is not None:
        installs.add_to(app)
    socket = Socket(app_token, slack, gate) if app_token else None
    signed = checkpoints(settings, database, clock)
    Health(database, workspaces, identity.provider, signed).add_to(app)
    stores: tuple[Indexed, ...] = (
        audit_store,
        approval_store,
        runs,
        histories,
        deliveries,
        openings,
        workspaces,
        *([installs.states] if installs else []),
    )
    sessions = (session, calls)
    return Bot(app, tasks, workspaces, identity, runner, approvals, signed, stores, sessions, socket, installs, reports)


def _installable(settings: Settings) -> App | None:
    """Our application at Slack, where workspaces are many."""
    secret = settings.slack_client_secret
    if settings.slack_bot_token is not None or settings.slack_client_id is None or secret is None:
        return None
    authorize_url = f"{settings.slack_oidc_issuer.rstrip('/')}/oauth/v2/authorize"
    scopes = (*BOT_SCOPES, CONNECT_UI_SCOPE) if settings.slack_connect_ui == "on" else BOT_SCOPES
    return App(settings.slack_client_id, secret.get_secret_value(), authorize_url, scopes)


@web.middleware
async def _guarded(request: web.Request, handler: Callable[[web.Request], object]) -> web.StreamResponse:
    """An error that nobody expected is said by its type; texts of exceptions can hold payloads."""
    try:
        return await handler(request)  # type: ignore[misc, no-any-return]
    except web.HTTPException:
        raise
    except Exception as error:
        log.error("request_failed", method=request.method, kind=type(error).__name__)
        return web.Response(status=503, text="This cannot be done just now. Please try again in a minute.\n")
