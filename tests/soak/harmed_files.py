"""What can be wrong with a file that a command wrote into the workspace: one thing each time."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

from harmed_rows import to_bytes


def chosen(rng: random.Random, folder: Path) -> Path:
    """A file that a command wrote; its place is drawn first, for the sake of rare files."""
    patterns = (
        *("runs/*/2*/run.json", "runs/*/2*/summary.json", "runs/*/2*/report.json"),
        *("runs/*/2*/model.json", "runs/*/2*/stages/*/manifest.json", "runs/*/2*/stages/*/*.json"),
        *("runs/*/2*/stages/*/*.np?", "runs/*/2*/stages/*/*.parquet", "runs/*/2*/stages/**/*"),
        *("studies/*/*/*", "studies/*/*/journal.log", "studies/*/*/tuned.toml", "mlflow.db"),
        *("submissions/ledger.jsonl", "submissions/ledger.jsonl", "submissions/*/*.csv"),
        *(
            "data/*/*/manifest.json",
            "data/**/*",
            "runs/*/tune*/**/*",
            "runs/**/*",
            "mlartifacts/**/*",
        ),
    )
    while not (found := sorted(p for p in folder.glob(rng.choice(patterns)) if p.is_file())):
        pass
    return rng.choice(found)


def to_file(rng: random.Random, path: Path) -> str:
    """Harm a file of the workspace, whatever it holds."""
    kind = rng.choice(
        (
            "bytes",
            "bytes",
            "bytes",
            "value",
            "value",
            "value",
            "gone",
            "folder",
            "link",
            "unreadable",
        )
    )
    if kind == "value" and (what := _to_json(rng, path)):
        return what
    if kind == "gone":
        path.unlink()
    elif kind == "folder":
        path.unlink()
        path.mkdir()
        (path / "x").write_text("x")
    elif kind == "link":
        path.unlink()
        path.symlink_to(rng.choice(("nosuch", path.name, "/dev/null", ".")))
    elif kind == "unreadable":
        path.write_bytes(
            rng.choice((b"null", b"[]", b"{}", b"0", b'""', b"\n", b"NaN", b"[" * 100_000))
        )
        kind = "holds something else"
    else:
        return to_bytes(rng, path)
    return kind


def _to_json(rng: random.Random, path: Path) -> str | None:
    """Change one value in a JSON file, or in a line of one; None where it holds none."""
    try:
        lines = path.read_text().splitlines()
        whole = (
            json.loads("\n".join(lines))
            if path.suffix != ".jsonl" and path.suffix != ".log"
            else None
        )
        at = rng.randrange(len(lines)) if whole is None else 0
        value = json.loads(lines[at]) if whole is None else whole
    except (ValueError, UnicodeDecodeError):
        return None
    holders = list(_holders(value))
    if not holders:
        return None
    holder = rng.choice(holders)
    key = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    new = rng.choice(
        (
            None,
            -1,
            0,
            1e308,
            "",
            "x",
            [],
            {},
            True,
            "../../x",
            float("nan"),
            10**30,
            ["a"],
            {"a": 1},
            "<b>",
        )
    )
    if rng.random() < 0.2:
        del holder[key]
        what = f"{key!r} gone"
    else:
        holder[key] = new
        what = f"{key!r} became {new!r}"
    if whole is None:
        lines[at] = json.dumps(value)
        path.write_text("\n".join(lines) + "\n")
    else:
        path.write_text(json.dumps(value, indent=1) + "\n")
    return what


def _holders(value: object) -> Iterator[dict | list]:
    """All objects and lists in a JSON value that hold something."""
    if isinstance(value, dict | list) and value:
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _holders(inner)
