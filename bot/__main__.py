"""The command line. Each command imports what it needs when it runs, so that `--help` is quick.

Exit codes: 0 done, 1 a check failed, 2 wrong usage or configuration, 130 Ctrl-C before the work was done.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.endings import ended

app = typer.Typer(
    name="countersign",
    help="A Slack bot whose every action carries a verified person's name.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they print local variables, and those hold secrets
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
keys = typer.Typer(no_args_is_help=True, help="The keys that seal stored secrets and sign the audit trail.")
audit = typer.Typer(no_args_is_help=True, help="The audit trail.")
links = typer.Typer(no_args_is_help=True, help="Who is linked, and the end of a link.")
for name, group in (("keys", keys), ("audit", audit), ("links", links)):
    app.add_typer(group, name=name, rich_help_panel=None)


def main() -> None:
    """Run the command named in `sys.argv`, and exit."""
    with ended():
        app(prog_name="countersign")


def _version(wanted: bool) -> None:
    if wanted:
        from bot import __version__

        typer.echo(f"countersign {__version__}")
        raise typer.Exit


@app.callback()
def _countersign(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


@app.command()
def run() -> None:
    """The bot, configured by environment or .env."""
    import asyncio

    from bot import config, logs

    settings = config.load()
    logs.configure(settings.log_level, settings.log_format)
    from bot.serving import serve

    asyncio.run(serve(settings))


@app.command()
def demo(
    port: Annotated[int, typer.Option(min=0, max=65532, help="The first of four ports; 0 takes free ones.")] = 8300,
    data: Annotated[Path, typer.Option(metavar="DIR", help="Where everything is kept.", file_okay=False)] = Path(
        "data/demo"
    ),
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open the page.")] = False,
) -> None:
    """The whole product on this machine, with nothing configured."""
    import asyncio

    from bot import logs

    logs.configure("info", None)
    from bot.sandbox.demo import demo as shown

    asyncio.run(shown(port=port, data=data, browser=not no_browser))


@app.command()
def manifest(
    url: Annotated[str, typer.Option(help="Where Slack reaches the bot, e.g. https://bot.example.com")],
    connect_ui: Annotated[
        bool, typer.Option("--connect-ui", help="With what SLACK_CONNECT_UI=on needs: one scope, one event, the host.")
    ] = False,
) -> None:
    """Print the Slack app manifest for that public URL."""
    from bot.manifest import rendered

    typer.echo(rendered(url, connect_ui=connect_ui))


@keys.command("new")
def keys_new() -> None:
    """Make keys, as two lines for .env."""
    import json

    from bot import keyring

    for setting, made in (("TOKEN_KEYS", keyring.new_token_keys()), ("AUDIT_KEY", keyring.new_audit_key())):
        typer.echo(f"{setting}='{json.dumps(made, separators=(',', ':'))}'")


@keys.command("rotate")
def keys_rotate() -> None:
    """Seal every stored secret under the first of TOKEN_KEYS, while bots run; if cut short, run it again."""
    from bot.cli import rotation

    raise typer.Exit(rotation.rotate())


@audit.command("verify")
def audit_verify() -> None:
    """Check the chain of every workspace against its signed checkpoints; name the first bad entry."""
    from bot.cli import trail

    raise typer.Exit(trail.verify())


@audit.command("export")
def audit_export(
    since: Annotated[
        str | None, typer.Option(metavar="T", help="From this time on: 2030-01-02T12:00:00Z, or an age: 30d, 12h, 45m.")
    ] = None,
    user: Annotated[str | None, typer.Option(metavar="SUB", help="Only of this person at the provider.")] = None,
) -> None:
    """Print entries as JSON lines."""
    from bot.cli import trail

    trail.export(since, user)


@links.command("list")
def links_list() -> None:
    """Print who is linked: Slack person, subject, e-mail, since when, scopes; separated by tabs."""
    from bot.cli import linked

    linked.show()


@links.command("revoke")
def links_revoke(
    user: Annotated[str | None, typer.Option(metavar="TEAM:USER", help="The Slack person, e.g. T012:U034.")] = None,
    sub: Annotated[str | None, typer.Option(help="Every link of this subject at the provider.")] = None,
) -> None:
    """Cut somebody off now, at the provider too; running replicas follow within 5 seconds."""
    from bot.cli import linked

    if (user is None) == (sub is None):
        raise typer.BadParameter("give one of --user TEAM:USER and --sub SUB.")
    raise typer.Exit(linked.revoke(user, sub))


if __name__ == "__main__":
    main()
