"""What can be wrong with what a person writes: a competition's file, settings and options."""

import random
import re
from pathlib import Path

from harmed_rows import CELLS, to_bytes
from toy import NAME

# What may stand for a value, in `--set KEY=VALUE`.
VALUES = """
0 -1 1 2 3 1.5 0.0 -0.0 1e3 1e-3 1e400 1e-320 nan inf -inf 0x10 99999999999999999999 none null true
false x auto [] {} [1 [2] [0] [1,2] {"a":1} 'a' 1,2 a,b é 🦊 = ==1 " cosine batch metric quantile@2
tweedie huber pooled size kind win Id __import__('os')
"""
# Settings of which `foldwise show` knows nothing, separated by semicolons.
NO_KEYS = "nosuch;mlp.nosuch;;.;..;mlp.;.lr;mlp;é;name;classes;lr"
LINE_OF_KEY = re.compile(r"^([a-z_0-9.]+) = ", re.MULTILINE)
# What an option may be given, separated by semicolons.
ODD = f"; ;é;0;-1;{'x' * 300};nosuch;.;/;/dev/null;files;a/b;\n;~;files/train.csv"
WORDS = re.compile(r'"[^"\n]*"|\b\d+(\.\d+)?\b|\b[A-Za-z_]\w*\b')
# What may stand for a word of Python.
TOKENS = """
0 -1 1.5 3 1e400 None True "" "x" "é" b'x' [] () {} ("a","b") (0,1,2) range(3) float('nan') object()
print x scaled unscaled() lambda*a:None COMPETITION add_double "win" "Id" "size" "kind" "text" "int"
"auc" "rmse" "labels" "probabilities" "values" "top_k"
"""


def to_code(rng: random.Random, path: Path) -> str:
    """Harm a competition's file."""
    text = path.read_text()
    start = text.index("def add_double")
    lines = text.splitlines(keepends=True)
    n = rng.randrange(len(lines))
    kind = rng.choice((*["a word"] * 5, "a line gone", "a line twice", "bytes"))
    if kind == "bytes":
        return to_bytes(rng, path)
    if kind == "a word":
        found = rng.choice([m for m in WORDS.finditer(text) if m.start() > start])
        token = rng.choice(TOKENS.split())
        path.write_text(text[: found.start()] + token + text[found.end() :])
        return f"{found[0]!r} became {token!r} in line {text[: found.start()].count(chr(10)) + 1}"
    times = 2 if kind == "a line twice" else 0
    path.write_text("".join([*lines[:n], *[lines[n]] * times, *lines[n + 1 :]]))
    return f"{kind}: {lines[n].strip()!r}"


def setting(rng: random.Random, shown: str) -> str:
    """What follows `--set`.

    Args:
        rng: Decides.
        shown: What `foldwise show` printed.
    """
    if rng.random() < 0.05:
        return rng.choice(CELLS)[:100].replace("\x00", "")
    key = rng.choice((*LINE_OF_KEY.findall(shown), *NO_KEYS.split(";")))
    return f"{key}={rng.choice([*VALUES.split(), '', ' '])}"


def options(rng: random.Random) -> tuple[str, ...]:
    """A command with an odd option."""
    odd = rng.choice(ODD.split(";"))
    run = ("run", NAME, "--no-track", "--members", "logistic", "--source", "files")
    return rng.choice(
        (
            ("run", NAME, "--no-track", "--source", odd),
            (*run, "--out", odd),
            (*run, "--run", odd),
            (*run, "--note", odd),
            (*run, "--folds", odd),
            (*run, "--seeds", odd),
            (*run, "--device", odd),
            ("run", NAME, "--source", "files", "--no-track", "--members", odd),
            ("run", odd),
            ("runs", odd),
            ("runs", "--show", odd),
            ("runs", "--sort", odd),
            ("predict", NAME, "--csv", odd),
            ("predict", NAME, "--csv", "files/test.csv", "--out", odd),
            ("predict", NAME, "--csv", "files/test.csv", "--run", odd),
            ("predict", NAME, "--text", odd),
            ("report", odd),
            ("compare", odd, odd),
            ("check", NAME, odd, "--source", "files"),
            ("submit", NAME, odd, "--dry-run"),
            ("new", odd, "--source", "files"),
            ("new", "fresh", "--source", odd),
            ("new", "fresh", "--source", "files", "--target", odd),
            ("new", "fresh", "--source", "files", "--metric", odd),
            ("new", "fresh", "--source", "files", "--name", odd),
            ("tune", NAME, "--source", "files", "--no-track", "--trials", odd),
            ("tune", NAME, "--source", "files", "--no-track", "--trials", "1", "--member", odd),
            ("tune", NAME, "--source", "files", "--no-track", "--trials", "1", "--storage", odd),
            ("tune", NAME, "--source", "files", "--no-track", "--trials", "1", "--pruner", odd),
            ("clean", odd, "--yes"),
            ("clean", "--yes", "--keep", odd),
            ("--competitions", odd, "list"),
            (odd,),
            (*run, odd),
        )
    )
