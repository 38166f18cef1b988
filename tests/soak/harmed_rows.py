"""What can be wrong with a file of rows: one thing each time."""

import csv
import gzip
import io
import random
import re
from collections.abc import Callable
from pathlib import Path

CELLS = (
    *("", " ", "NaN", "nan", "inf", "-inf", "1e400", "-1e308", "0x10", "1,5", "１", "é", "=1+1"),
    *('"', '""', "a\nb", "\r", "a\tb", "None", "NULL", "-0", "1_000", "true", "2020-13-45", "#"),
    *("<script>alert(1)</script>", "\x00", "🦊", "1" * 40, "x" * 200_000, "-1", "3", "0.5", "1.0"),
    *("\ufeff", "\u202e", "'", "\\", "%s", "{0}", "../..", " 1 ", "+1", "1e3", "1.", ".5", "٣"),
)


def to_table(rng: random.Random, path: Path) -> str:
    """Harm a file of rows."""
    kinds = (to_bytes, _to_cells, _to_cells, _to_columns, _to_columns, _to_lines, _to_encoding)
    return rng.choice(kinds)(rng, path)


def to_bytes(rng: random.Random, path: Path) -> str:
    data = bytearray(path.read_bytes())
    at = rng.randrange(len(data)) if data else 0
    end = min(len(data), at + rng.choice((1, 2, 10, 200)))
    noise = rng.randbytes(rng.choice((1, 4, 100)))
    quote = rng.choice(
        (b'"', b"\x00", b"\xff", b"\r", b"\n", b",", b"\n\n\n", b"\xef\xbb\xbf", b"\\")
    )
    changes: dict[str, Callable[[], bytes]] = {
        "flipped": lambda: bytes(
            b ^ (i in picked) * (1 << rng.randrange(8)) for i, b in enumerate(data)
        ),
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
        f"renamed {name[:20]!r}": lambda: [
            [name if i == at else c for i, c in enumerate(head)],
            *rows,
        ],
        "exchanged": lambda: [_exchanged(row, at, other) for row in table],
        "swapped names": lambda: [_exchanged(head, at, other), *rows],
        "a further one": lambda: added([name, *(str(rng.random()) for _ in rows)]),
        "a win column": lambda: added(["win", *(rng.choice("01") for _ in rows)]),
        "all empty": lambda: [
            head,
            *([("" if i == at else c) for i, c in enumerate(r)] for r in rows),
        ],
        "all alike": lambda: [
            head,
            *([(rows[0][at] if i == at else c) for i, c in enumerate(r)] for r in rows),
        ],
        "all different": lambda: [
            head,
            *([(f"v{n}" if i == at else c) for i, c in enumerate(r)] for n, r in enumerate(rows)),
        ],
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
    name = rng.choice(
        (*names, "CRLF", "CR", ";", "tab", "|", "decimal comma", "all quoted", "gzip")
    )
    if name in names:
        path.write_bytes(text.encode(name, errors="replace"))
    elif name == "gzip":
        path.write_bytes(gzip.compress(text.encode()))
    elif name == "all quoted":
        path.write_text(re.sub(r"[^,\n]+", lambda found: f'"{found[0]}"', text))
    else:
        swaps = {"CRLF": ("\n", "\r\n"), "CR": ("\n", "\r"), "tab": (",", "\t")}
        swaps |= {"decimal comma": (".", ",")}
        path.write_bytes(text.replace(*swaps.get(name, (",", name))).encode())
    return f"as {name}"
