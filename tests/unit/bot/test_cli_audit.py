"""`countersign audit` beside a real database: whoever touches the trail is named, and the trail can be read out."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer

from bot import config, keyring
from bot.audit.chain import linked
from bot.audit.checkpoints import Checkpoints
from bot.audit.ports import Stands
from bot.audit.store import MongoAuditStore
from bot.audit.writer import AuditWriter
from bot.cli.trail import lines, moment, verdict
from bot.config import Settings
from bot.database import Database
from oauth import Identity, SlackUser, Subject
from tests.conftest import HandClock

ADA, BOB = SlackUser("T1", "U1"), SlackUser("T2", "U2")
AUDIT_KEY = keyring.new_audit_key()


@dataclass
class House:
    """A database with a trail of four entries in two chains, its signed heads, and the program beside it."""

    database: Database
    environment: dict[str, str]
    data_dir: Path
    clock: HandClock

    @property
    def settings(self) -> Settings:
        """What the program reads from there."""
        return config.load(self.environment)

    async def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command; the loop goes on meanwhile."""
        return await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "bot", *arguments],
            cwd=self.data_dir,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    async def entry(self, slack: SlackUser, type_: str = "action.finished", **more: Any) -> None:
        """Write one entry, a minute after the one before."""
        self.clock.forward(minutes=1)
        await AuditWriter(MongoAuditStore(self.database), AUDIT_KEY, self.clock).append(
            type_, "ok", slack=slack, **more
        )

    async def sign(self) -> None:
        """Sign the heads of this moment."""
        path = self.data_dir / "checkpoints.jsonl"
        await Checkpoints(path, AUDIT_KEY, MongoAuditStore(self.database), self.clock).sign()


@pytest.fixture
async def house(mongo_uri: str, mongo_database: Database, clock: HandClock, tmp_path: Path) -> House:
    """Configured as an operator would: by environment, with keys of one's own."""
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
        "PUBLIC_URL": "https://bot.example.com",
        "SLACK_SIGNING_SECRET": "s",
        "SLACK_BOT_TOKEN": "xoxb-1",
        "AUTH0_DOMAIN": "tenant.eu.auth0.com",
        "AUTH0_CLIENT_ID": "client",
        "AUTH0_CLIENT_SECRET": "hush",
        "AUTH0_AUDIENCE": "https://api.example.com",
        "MONGODB_URI": mongo_uri,
        "MONGODB_DATABASE": mongo_database.name,
        "TOKEN_KEYS": json.dumps(keyring.new_token_keys()),
        "AUDIT_KEY": json.dumps(AUDIT_KEY),
        "DATA_DIR": str(tmp_path),
    }
    made = House(mongo_database, environment, tmp_path, clock)
    await MongoAuditStore(mongo_database).ensure_indexes()
    for slack in (ADA, ADA, BOB):
        await made.entry(slack, identity=Identity("https://tenant.eu.auth0.com/", Subject(f"auth0|{slack.user}")))
    await made.sign()
    await made.entry(ADA, "action.started", sub="auth0|U1", action="refund_order")
    return made


async def test_a_whole_trail_is_one_line(house: House) -> None:
    """The line counts what was checked, so that an empty trail is not taken for a good one."""
    done = await house.run("audit", "verify")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "ok: 4 entries in 2 chains, 2 signed checkpoints\n"


Touch = Callable[[House], Awaitable[object]]


async def _edited(house: House) -> None:
    await house.database["audit"].update_one({"chain": "T1", "seq": 2}, {"$set": {"outcome": "denied"}})


async def _never_json(house: House) -> None:
    await house.database["audit"].update_one(
        {"chain": "T1", "seq": 2}, {"$set": {"at": datetime(2030, 1, 1, tzinfo=UTC)}}
    )


async def _removed(house: House) -> None:
    await house.database["audit"].delete_one({"chain": "T1", "seq": 1})


async def _cut(house: House) -> None:
    await house.database["audit"].delete_many({"chain": "T2"})


async def _inserted(house: House) -> None:
    last = await house.database["audit"].find_one({"chain": "T1", "seq": 3})
    assert last is not None
    await house.database["audit"].insert_one({**last, "_id": "forged", "seq": 4})


async def _recomputed(house: House) -> None:
    """All hashes fit again, as somebody with the database alone can have it."""
    prev = "0" * 64
    async for entry in house.database["audit"].find({"chain": "T1"}).sort("seq", 1):
        fields = {name: value for name, value in entry.items() if name not in {"_id", "seq", "prev", "hash"}}
        made = linked({**fields, "outcome": "denied"}, seq=entry["seq"], prev=prev)
        prev = made["hash"]
        await house.database["audit"].replace_one({"_id": entry["_id"]}, made)


@pytest.mark.parametrize(
    ("touch", "wanted"),
    [
        (_edited, "bad: chain T1, entry 2: was altered"),
        (_never_json, "bad: chain T1, entry 2: was altered"),
        (_removed, "bad: chain T1, entry 1: missing"),
        (_cut, "bad: chain T2, entry 1: missing, though a signed checkpoint reaches further"),
        (_inserted, "bad: chain T1, entry 4: does not follow from the entry before it"),
        (_recomputed, "bad: chain T1, entry 2: differs from its signed checkpoint"),
    ],
)
async def test_the_first_bad_entry_is_named(house: House, touch: Touch, wanted: str) -> None:
    """Whatever is done to the database, the first entry that does not hold is named and the check has failed."""
    await touch(house)
    assert await verdict(house.settings) == (wanted, 1)


async def test_a_bad_trail_fails_the_command(house: House) -> None:
    """The verdict is the only line, and the exit code is for scripts."""
    await _edited(house)
    done = await house.run("audit", "verify")
    assert (done.returncode, done.stdout, done.stderr) == (1, "bad: chain T1, entry 2: was altered\n", "")


async def test_a_forged_checkpoint_is_named(house: House) -> None:
    """A line that the key did not sign is not believed, and not passed over either."""
    path = house.data_dir / "checkpoints.jsonl"
    head, _, signature = path.read_text().splitlines()[0].rpartition(".")
    path.write_text(path.read_text() + f"{head}.{signature[::-1]}\n")
    assert await verdict(house.settings) == (
        f"bad: {path}, line 3: the signature of this checkpoint does not hold",
        1,
    )


async def test_a_long_trail_is_read_in_parts(house: House) -> None:
    """More entries than one batch holds are all checked, the last as well as the first."""
    store, prev = MongoAuditStore(house.database), "0" * 64
    entries = []
    for seq in range(1, 1102):
        entries.append(linked({"chain": "T3", "at": "2030-01-02T12:00:00.000Z"}, seq=seq, prev=prev))
        prev = entries[-1]["hash"]
    await house.database["audit"].insert_many(entries[:-1])
    assert await store.append(entries[-1:]) == Stands(1)
    assert await verdict(house.settings) == ("ok: 1105 entries in 3 chains, 2 signed checkpoints", 0)
    await house.database["audit"].update_one({"chain": "T3", "seq": 1101}, {"$set": {"outcome": "ok"}})
    assert await verdict(house.settings) == ("bad: chain T3, entry 1101: was altered", 1)


async def test_a_database_that_is_away_is_no_verdict(house: House) -> None:
    """A trail that cannot be read is neither good nor bad: a sentence and the code of a wrong configuration."""
    house.environment["MONGODB_URI"] = "mongodb://127.0.0.1:1/"
    done = await house.run("audit", "verify")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "MONGODB_URI: no MongoDB server answers there, or not with this login.\n"


async def test_entries_are_exported_as_they_were_written(house: House) -> None:
    """Each line is an entry whose hash can be computed again from it, in the order of the chains."""
    done = await house.run("audit", "export")
    entries = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (0, "")
    assert [(entry["chain"], entry["seq"]) for entry in entries] == [("T1", 1), ("T1", 2), ("T1", 3), ("T2", 1)]
    for entry in entries:
        fields = {name: value for name, value in entry.items() if name not in {"seq", "prev", "hash"}}
        assert linked(fields, seq=entry["seq"], prev=entry["prev"]) == entry


@pytest.mark.parametrize(
    ("since", "user", "wanted"),
    [
        (None, "auth0|U2", [("T2", 1)]),
        ("2030-01-02T12:03:00Z", None, [("T1", 3), ("T2", 1)]),
        ("2030-01-02T14:03:30+02:00", None, [("T1", 3)]),
        ("2030-01-02T12:03:00Z", "auth0|U1", [("T1", 3)]),
        (None, "auth0|nobody", []),
    ],
)
async def test_an_export_can_be_narrowed(
    house: House, since: str | None, user: str | None, wanted: list[tuple[str, int]]
) -> None:
    """By time, in whatever offset it is given, and by person."""
    start = moment(since, house.clock()) if since else None
    found = [json.loads(line) async for line in lines(house.settings, start, user)]
    assert [(entry["chain"], entry["seq"]) for entry in found] == wanted


async def test_the_options_of_an_export_reach_it(house: House) -> None:
    """`--since` and `--user` narrow it together."""
    done = await house.run("audit", "export", "--since", "2030-01-02T12:02:00Z", "--user", "auth0|U1")
    assert (done.returncode, [json.loads(line)["seq"] for line in done.stdout.splitlines()]) == (0, [2, 3])


async def test_a_reader_may_stop_reading(house: House) -> None:
    """`| head -1` on a long trail ends both without a word of complaint."""
    await house.database["audit"].insert_many(
        [{"chain": "T9", "seq": seq, "reason": secrets.token_hex(64)} for seq in range(1, 3001)]
    )
    script = f"set -o pipefail; {sys.executable} -m bot audit export | head -1; echo ${{PIPESTATUS[0]}}"
    done = await asyncio.to_thread(
        subprocess.run,
        ["bash", "-c", script],
        cwd=house.data_dir,
        env=house.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    first, code = done.stdout.splitlines()
    assert json.loads(first)["seq"] == 1
    assert (code, done.stderr) == ("0", "")


async def test_a_verdict_that_nobody_reads_is_still_a_code(house: House) -> None:
    """`verify` into a closed pipe says by its exit code alone that something is wrong."""
    await _edited(house)
    read, write = os.pipe()
    os.close(read)
    try:
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "bot", "audit", "verify"],
            cwd=house.data_dir,
            env=house.environment,
            stdout=write,
            stderr=subprocess.PIPE,
            timeout=120,
            check=False,
        )
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2030-01-02T12:00:00Z", "2030-01-02T12:00:00.000Z"),
        ("2030-01-02T12:00:00.5+01:00", "2030-01-02T11:00:00.500Z"),
        ("90s", "2030-01-02T11:58:30.000Z"),
        ("45m", "2030-01-02T11:15:00.000Z"),
        ("12h", "2030-01-02T00:00:00.000Z"),
        ("30d", "2029-12-03T12:00:00.000Z"),
        ("2w", "2029-12-19T12:00:00.000Z"),
    ],
)
def test_a_moment_is_a_time_or_an_age(clock: HandClock, text: str, at: str) -> None:
    """Both become the form in which entries keep their time, so that texts compare as times do."""
    assert moment(text, clock()) == at


@pytest.mark.parametrize("text", ["", "yesterday", "30", "30 d", "-1d", "2030-01-02T12:00:00", "999999w", "2030-13-01"])
def test_what_is_no_moment_is_refused(clock: HandClock, text: str) -> None:
    """A time without its offset is one of many, so it is not guessed."""
    with pytest.raises(typer.BadParameter):
        moment(text, clock() + timedelta())
