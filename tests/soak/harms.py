"""What can be wrong with an input: each function does one thing of its kind, and says which."""

import csv
import io
import json
import random
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

CELLS = (
    *("", " ", "NaN", "nan", "inf", "-inf", "1e400", "-1e308", "0x10", "1,5", "１", "é", "=1+1"),
    *('"', '""', "a\nb", "\r", "a\tb", "None", "NULL", "-0", "1_000", "true", "2020-13-45", "#"),
    *("<script>alert(1)</script>", "\x00", "🦊", "1" * 40, "x" * 200_000, "-1", "3", "0.5", "1.0"),
    *("\ufeff", "\u202e", "'", "\\", "%s", "{0}", "../..", " 1 ", "+1", "1e3", "1.", ".5", "٣"),
)
VALUES = (
    *("0", "-1", "1", "3", "1.5", "1e400", "nan", "inf", "-inf", "none", "null", "true", "x", ""),
    *("[]", "{}", "[1", '"', "'a'", "1,2", "a,b", " ", "é", "0.0", "1e-320", "-0.0", "auto", "🦊"),
    *("__import__('os')", "=", "==1", "1e3", "0x10", "99999999999999999999"),
)
KEYS = (
    *("mlp.train.epochs", "mlp.train.batch_size", "mlp.train.lr", "mlp.train.patience"),
    *("mlp.model.hidden", "mlp.model.dropout", "mlp.train.schedule", "mlp.train.weight_decay"),
    *("mlp.n_seeds", "trees.trees.n_estimators", "trees.n_estimators", "trees.trees.num_leaves"),
    *("trees.learning_rate", "logistic.C", "logistic.estimator.C", "folds.n_folds", "folds.seed"),
    *("folds.n_repeats", "folds.group", "folds.time", "folds.stratify", "folds.column", "metric"),
    *("folds.test_share", "form", "task", "target", "id", "classes", "weight", "name", "title"),
    *("extra_metrics", "missing", "file_format.separator", "columns", "features", "members"),
    *("train.lr", "lr", "seed", "nosuch", "mlp.nosuch", "", ".", "..", "mlp.", ".lr", "mlp", "é"),
    *("n_seeds", "blend", "leak_beyond", "calibrate", "second_level.stackers", "mlp.encoder"),
)


def to_rows(rng: random.Random, path: Path) -> str:
    """Harm a file of rows."""
    kinds = (_to_bytes, _to_cells, _to_cells, _to_columns, _to_columns, _to_lines, _to_encoding)
    return rng.choice(kinds)(rng, path)


def _to_bytes(rng: random.Random, path: Path) -> str:
    data = bytearray(path.read_bytes())
    at = rng.randrange(len(data)) if data else 0
    end = min(len(data), at + rng.choice((1, 2, 10, 200)))
    noise = rng.randbytes(rng.choice((1, 4, 100)))
    quote = rng.choice((b'"', b"\x00", b"\xff", b"\r", b"\n", b",", b"\n\n\n", b"\xef\xbb\xbf", b"\\"))
    changes: dict[str, Callable[[], bytes]] = {
        "flipped": lambda: bytes(b ^ (i in picked) * (1 << rng.randrange(8)) for i, b in enumerate(data)),
        "cut": lambda: bytes(data[:at]),
        "cut off in front": lambda: bytes(data[at:]),
        "a piece gone": lambda: bytes(data[:at] + data[end:]),
        "a piece twice": lambda: bytes(data[:end] + data[at:]),
        "noise within": lambda: bytes(data[:at] + noise + data[at:]),
        f"{quote!r} within": lambda: bytes(data[:at] + quote + data[at:]),
        "noise behind": lambda: bytes(data + noise),
        "noise in front": lambda: bytes(noise + data),
        "empty": lambda: b"",
        "noise alone": lambda: noise,
        "zeros": lambda: bytes(len(data)),
    }
    picked = {rng.randrange(len(data)) for _ in range(rng.choice((1, 1, 3, 30)))} if data else set()
    name = rng.choice(list(changes))
    path.write_bytes(changes[name]())
    return f"{name} at {at}"


def _table(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text())))


def _write(path: Path, table: list[list[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8", errors="surrogatepass") as stream:
        csv.writer(stream, lineterminator="\n").writerows(table)


def _to_cells(rng: random.Random, path: Path) -> str:
    table, cell = _table(path), rng.choice(CELLS)
    column = rng.randrange(len(table[0]))
    n_cells = rng.choice((1, 1, 3, len(table)))
    for row in rng.sample(table[1:], min(n_cells, len(table) - 1)):
        row[column] = cell
    _write(path, table)
    return f"{n_cells} of {table[0][column]} became {cell[:30]!r}"


def _to_columns(rng: random.Random, path: Path) -> str:
    table, head = _table(path), None
    head, rows = table[0], table[1:]
    at, other = rng.randrange(len(head)), rng.randrange(len(head))
    name = rng.choice(CELLS)

    def added(values: list[str]) -> list[list[str]]:
        return [[*row, value] for row, value in zip(table, values, strict=True)]

    changes: dict[str, Callable[[], list[list[str]]]] = {
        "dropped": lambda: [[c for i, c in enumerate(row) if i != at] for row in table],
        "twice": lambda: [[*row, row[at]] for row in table],
        f"renamed {name[:20]!r}": lambda: [[name if i == at else c for i, c in enumerate(head)], *rows],
        "exchanged": lambda: [_exchanged(row, at, other) for row in table],
        "swapped names": lambda: [_exchanged(head, at, other), *rows],
        "a further one": lambda: added([name, *(str(rng.random()) for _ in rows)]),
        "a win column": lambda: added(["win", *(rng.choice("01") for _ in rows)]),
        "all empty": lambda: [head, *([("" if i == at else c) for i, c in enumerate(r)] for r in rows)],
        "all alike": lambda: [head, *([(rows[0][at] if i == at else c) for i, c in enumerate(r)] for r in rows)],
        "all different": lambda: [head, *([(f"v{n}" if i == at else c) for i, c in enumerate(r)] for n, r in enumerate(rows))],
        "no header": lambda: rows,
        "upper case": lambda: [[c.upper() for c in head], *rows],
        "spaces in names": lambda: [[f" {c} " for c in head], *rows],
        "only the first": lambda: [row[:1] for row in table],
    }
    what = rng.choice(list(changes))
    _write(path, changes[what]())
    return f"column {head[at]} {what}"


def _exchanged(row: list[str], one: int, other: int) -> list[str]:
    row = list(row)
    row[one], row[other] = row[other], row[one]
    return row


def _to_lines(rng: random.Random, path: Path) -> str:
    table = _table(path)
    head, rows = table[0], table[1:]
    few = rng.choice((0, 1, 2, 3, 5))
    at = rng.randrange(len(rows))
    changes: dict[str, Callable[[], list[list[str]]]] = {
        f"{few} rows": lambda: [head, *rows[:few]],
        "every row twice": lambda: [head, *rows, *rows],
        "one row twice": lambda: [head, *rows, rows[at]],
        "shuffled": lambda: [head, *rng.sample(rows, len(rows))],
        "a row gone": lambda: [head, *rows[:at], *rows[at + 1 :]],
        "a short row": lambda: [head, *rows[:at], rows[at][:-1], *rows[at:]],
        "a long row": lambda: [head, *rows[:at], [*rows[at], "x"], *rows[at:]],
        "blank lines": lambda: [head, *rows[:at], [], [], *rows[at:]],
        "header twice": lambda: [head, head, *rows],
        "nothing but a header": lambda: [head],
        "a comment on top": lambda: [["# made by hand"], *table],
        "thirty times": lambda: [head, *rows * 30],
    }
    what = rng.choice(list(changes))
    _write(path, changes[what]())
    return what


def _to_encoding(rng: random.Random, path: Path) -> str:
    text = path.read_text().replace("red", rng.choice(("red", "röt", "赤")))
    names = ("utf-16", "utf-16-le", "utf-32", "latin-1", "utf-8-sig", "cp1252", "cp037", "utf-7")
    name = rng.choice((*names, "CRLF", "CR", ";", "tab", "|", "decimal comma", "all quoted", "gzip"))
    if name in names:
        path.write_bytes(text.encode(name, errors="replace"))
    elif name == "gzip":
        import gzip

        path.write_bytes(gzip.compress(text.encode()))
    elif name == "all quoted":
        path.write_text(re.sub(r"[^,\n]+", lambda found: f'"{found[0]}"', text))
    else:
        swaps = {"CRLF": ("\n", "\r\n"), "CR": ("\n", "\r"), "tab": (",", "\t")}
        swaps |= {"decimal comma": (".", ",")}
        path.write_bytes(text.replace(*swaps.get(name, (",", name))).encode())
    return f"as {name}"


def to_archive(rng: random.Random, files: Path, archive: Path) -> str:
    """Pack the three files into an archive in which something is wrong."""
    names = {path.name: path.read_bytes() for path in sorted(files.glob("*.csv"))}
    victim = rng.choice(sorted(names))
    kind = rng.choice(
        ("whole", "bytes", "bytes", "bytes", "nested", "folder", "upward", "absolute", "lacks one")
        + ("link", "twice", "in two folders", "another case", "gzipped", "a tar", "empty", "bomb")
        + ("odd names", "encrypted", "text", "a folder for a file", "harmed rows")
    )
    renamed = {
        "folder": {f"toy/{name}": data for name, data in names.items()},
        "upward": {f"../{name}": data for name, data in names.items()},
        "absolute": {f"/tmp/{name}": data for name, data in names.items()},
        "another case": {name.upper(): data for name, data in names.items()},
        "lacks one": {name: data for name, data in names.items() if name != victim},
        "in two folders": names | {f"a/{victim}": b"x", f"b/{victim}": b"y"},
        "odd names": names | {"\x01\n.csv": b"x", "CON": b"", "a" * 300 + ".csv": b"x", "é/": b""},
        "a folder for a file": {n: d for n, d in names.items() if n != victim} | {f"{victim}/": b""},
        "bomb": names | {"big.csv": bytes(50_000_000)},
        "empty": {},
    }.get(kind, names)
    if kind == "harmed rows":
        to_rows(rng, files / victim)
        renamed = names | {victim: (files / victim).read_bytes()}
    if kind == "gzipped":
        import gzip

        renamed = {f"{name}.gz": gzip.compress(data) for name, data in names.items()}
    _pack(archive, renamed)
    if kind == "nested":
        inner = archive.read_bytes()
        _pack(archive, {"toy.zip": inner})
    if kind == "twice":
        import warnings

        with warnings.catch_warnings(), zipfile.ZipFile(archive, "a") as made:
            warnings.simplefilter("ignore")
            made.writestr(victim, b"other,bytes\n")
    if kind == "link":
        with zipfile.ZipFile(archive, "a") as made:
            link = zipfile.ZipInfo("link.csv")
            link.external_attr = 0o120777 << 16
            made.writestr(link, "/etc/passwd")
    if kind == "a tar":
        import tarfile

        with tarfile.open(archive, "w:gz") as made:
            made.add(files, "files")
    if kind == "encrypted":
        data = bytearray(archive.read_bytes())
        for mark, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
            at = data.find(mark)
            data[at + offset] |= 1
        archive.write_bytes(data)
    if kind == "text":
        archive.write_text("this is no archive\n")
    if kind == "bytes":
        kind = _to_bytes(rng, archive)
    return f"archive {kind} ({victim})"


def _pack(archive: Path, contents: dict[str, bytes]) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in contents.items():
            made.writestr(name, data)


WORDS = re.compile(r'"[^"\n]*"|\b\d+(\.\d+)?\b|\b[A-Za-z_]\w*\b')
TOKENS = (
    *("0", "-1", "1.5", "None", "True", '""', '"x"', "[]", "()", "{}", "float('nan')", "3", '"win"'),
    *('"Id"', '"size"', '"kind"', "lambda *a: None", "1e400", '"text"', '"int"', '"auc"', '"rmse"'),
    *("object()", "b'x'", '("a", "b")', "x", "scaled", "unscaled()", "COMPETITION", "add_double"),
    *('"labels"', '"probabilities"', '"values"', '"top_k"', "range(3)", "(0, 1, 2)", '"é"', "print"),
)


def to_code(rng: random.Random, path: Path) -> str:
    """Harm a competition's file."""
    text = path.read_text()
    start = text.index("def add_double")
    lines = text.splitlines(keepends=True)
    n = rng.randrange(len(lines))
    kind = rng.choice(("a word", "a word", "a word", "a word", "a word", "a line gone", "a line twice", "bytes"))
    if kind == "bytes":
        return _to_bytes(rng, path)
    if kind == "a word":
        found = rng.choice([m for m in WORDS.finditer(text) if m.start() > start])
        token = rng.choice(TOKENS)
        path.write_text(text[: found.start()] + token + text[found.end() :])
        return f"{found[0]!r} became {token!r} in line {text[: found.start()].count(chr(10)) + 1}"
    path.write_text("".join(lines[:n] + lines[n:][: 1] * (kind == "a line twice") + lines[n + (kind == "a line gone") :]))
    return f"{kind}: {lines[n].strip()!r}"


def setting(rng: random.Random) -> str:
    """What follows `--set`."""
    if rng.random() < 0.05:
        return rng.choice(CELLS)[:100].replace("\x00", "")
    return f"{rng.choice(KEYS)}={rng.choice(VALUES)}"


def options(rng: random.Random) -> tuple[str, ...]:
    """A command with an odd option."""
    odd = rng.choice(("", " ", "é", "0", "-1", "x" * 300, "nosuch", ".", "/", "/dev/null", "files", "a/b", "\n", "~", "files/train.csv"))
    run = ("run", "toy", "--no-track", "--members", "logistic", "--source", "files")
    return rng.choice(
        (
            ("run", "toy", "--no-track", "--source", odd),
            (*run, "--out", odd),
            (*run, "--run", odd),
            (*run, "--note", odd),
            (*run, "--folds", odd),
            (*run, "--seeds", odd),
            (*run, "--device", odd),
            ("run", "toy", "--source", "files", "--no-track", "--members", odd),
            ("run", odd),
            ("runs", odd),
            ("runs", "--show", odd),
            ("runs", "--sort", odd),
            ("predict", "toy", "--csv", odd),
            ("predict", "toy", "--csv", "files/test.csv", "--out", odd),
            ("predict", "toy", "--csv", "files/test.csv", "--run", odd),
            ("predict", "toy", "--text", odd),
            ("report", odd),
            ("compare", odd, odd),
            ("check", "toy", odd, "--source", "files"),
            ("submit", "toy", odd, "--dry-run"),
            ("new", odd, "--source", "files"),
            ("new", "fresh", "--source", odd),
            ("new", "fresh", "--source", "files", "--target", odd),
            ("new", "fresh", "--source", "files", "--metric", odd),
            ("new", "fresh", "--source", "files", "--name", odd),
            ("tune", "toy", "--source", "files", "--no-track", "--trials", odd),
            ("tune", "toy", "--source", "files", "--no-track", "--trials", "1", "--member", odd),
            ("tune", "toy", "--source", "files", "--no-track", "--trials", "1", "--storage", odd),
            ("tune", "toy", "--source", "files", "--no-track", "--trials", "1", "--pruner", odd),
            ("clean", odd, "--yes"),
            ("clean", "--yes", "--keep", odd),
            ("--competitions", odd, "list"),
            (odd,),
            (*run, odd),
        )
    )


def chosen(rng: random.Random, folder: Path) -> Path:
    """A file that a command wrote: first its place, so that what there is few of is met as often."""
    patterns = (
        *("runs/*/2*/run.json", "runs/*/2*/summary.json", "runs/*/2*/report.json"),
        *("runs/*/2*/model.json", "runs/*/2*/stages/*/manifest.json", "runs/*/2*/stages/*/*.json"),
        *("runs/*/2*/stages/*/*.np?", "runs/*/2*/stages/*/*.parquet", "runs/*/2*/stages/**/*"),
        *("studies/*/*/*", "studies/*/*/journal.log", "studies/*/*/tuned.toml", "mlflow.db"),
        *("submissions/ledger.jsonl", "submissions/ledger.jsonl", "submissions/*/*.csv"),
        *("data/*/*/manifest.json", "data/**/*", "runs/*/tune*/**/*", "runs/**/*", "mlartifacts/**/*"),
    )
    while not (found := sorted(p for p in folder.glob(rng.choice(patterns)) if p.is_file())):
        pass
    return rng.choice(found)


def to_file(rng: random.Random, path: Path) -> str:
    """Harm a file of the workspace, whatever it holds."""
    kind = rng.choice(("bytes", "bytes", "bytes", "value", "value", "value", "gone", "folder", "link", "unreadable"))
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
        path.write_bytes(rng.choice((b"null", b"[]", b"{}", b"0", b'""', b"\n", b"NaN", b"[" * 100_000)))
        kind = "holds something else"
    else:
        return _to_bytes(rng, path)
    return kind


def _to_json(rng: random.Random, path: Path) -> str | None:
    """Change one value in a JSON file, or in a line of one; None where it holds none."""
    try:
        lines = path.read_text().splitlines()
        whole = json.loads("\n".join(lines)) if path.suffix != ".jsonl" and path.suffix != ".log" else None
        at = rng.randrange(len(lines)) if whole is None else 0
        value = json.loads(lines[at]) if whole is None else whole
    except (ValueError, UnicodeDecodeError):
        return None
    holders = list(_holders(value))
    if not holders:
        return None
    holder = rng.choice(holders)
    key = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    new = rng.choice((None, -1, 0, 1e308, "", "x", [], {}, True, "../../x", float("nan"), 10**30, ["a"], {"a": 1}, "<b>"))
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


def _holders(value: object):
    """All objects and lists in a JSON value that hold something."""
    if isinstance(value, dict | list) and value:
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _holders(inner)
