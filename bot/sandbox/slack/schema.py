"""Small checks that add up to a schema, and complain in the words of Slack's own validator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

Problems = list[str]
Check = Callable[[object, str, Problems], None]


def complain(problems: Problems, what: str, path: str) -> None:
    """Add one line in the form Slack uses: the fault, then where, as a JSON pointer."""
    problems.append(f"{what} [json-pointer:{path}]")


def string(most: int, least: int = 1) -> Check:
    """A string of `least` to `most` characters."""

    def check(value: object, path: str, problems: Problems) -> None:
        if not isinstance(value, str):
            complain(problems, "must provide a string", path)
        elif len(value) < least:
            complain(problems, f"must be more than {least - 1} characters", path)
        elif len(value) > most:
            complain(problems, f"must be less than {most + 1} characters", path)

    return check


def flag(value: object, path: str, problems: Problems) -> None:
    """A boolean."""
    if not isinstance(value, bool):
        complain(problems, "must be a boolean", path)


def anything(value: object, path: str, problems: Problems) -> None:
    """Whatever it is."""


def integer(least: int, most: int) -> Check:
    """A whole number of this range; a boolean is none."""

    def check(value: object, path: str, problems: Problems) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            complain(problems, "must be an integer", path)
        elif not least <= value <= most:
            complain(problems, f"must be between {least} and {most}", path)

    return check


def choice(*allowed: str) -> Check:
    """One of these words."""

    def check(value: object, path: str, problems: Problems) -> None:
        if value not in allowed:
            complain(problems, f"must be one of: {', '.join(allowed)}", path)

    return check


def listing(item: Check, least: int, most: int) -> Check:
    """A list of `least` to `most` items, each of which passes `item`."""

    def check(value: object, path: str, problems: Problems) -> None:
        if not isinstance(value, list):
            complain(problems, "must be an array", path)
            return
        if len(value) < least:
            complain(problems, f"no fewer than {least} items allowed", path)
        if len(value) > most:
            complain(problems, f"no more than {most} items allowed", path)
        for index, each in enumerate(value):
            item(each, f"{path}/{index}", problems)

    return check


def shape(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """An object with these fields and no others."""
    known = {**required, **(optional or {})}

    def check(value: object, path: str, problems: Problems) -> None:
        if not isinstance(value, dict):
            complain(problems, "must provide an object", path)
            return
        for name in required:
            if name not in value:
                complain(problems, f"missing required field: {name}", path)
        for name, each in value.items():
            if name not in known:
                complain(problems, f"invalid additional property: {name}", path)
            elif each is not None or name in required:
                known[name](each, f"{path}/{name}", problems)

    return check


def by_type(table: Mapping[str, Check]) -> Check:
    """An object whose `type` chooses the check."""

    def check(value: object, path: str, problems: Problems) -> None:
        if not isinstance(value, dict):
            complain(problems, "must provide an object", path)
            return
        kind = value.get("type")
        if not isinstance(kind, str):
            complain(problems, "missing required field: type", path)
        elif kind not in table:
            complain(problems, f"unsupported type: {kind}", f"{path}/type")
        else:
            table[kind](value, path, problems)

    return check


def every(*checks: Check) -> Check:
    """All of these."""

    def check(value: object, path: str, problems: Problems) -> None:
        for each in checks:
            each(value, path, problems)

    return check


def needs_one_of(names: Sequence[str]) -> Check:
    """An object that has at least one of these fields."""

    def check(value: object, path: str, problems: Problems) -> None:
        if isinstance(value, dict) and not any(value.get(name) for name in names):
            complain(problems, f"must provide one of: {', '.join(names)}", path)

    return check
