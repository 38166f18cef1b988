"""Measures the layout of a checkout: `python tests/structure.py [CHECKOUT]`.

A unit is a folder of modules, or a module that stands directly in a package with subfolders.
"""

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("foldwise", "pipelines", "features", "models", "submissions")
MOST_PARAMETERS = 7
# What people call from a notebook takes its options by keyword, as scikit-learn's functions do.
CALLED_BY_PEOPLE = ("models.cross_fit.fit.fit", "pipelines.runs.from_python.run")
MEMBER_KINDS = {"NetworkMember", "TreesMember", "EstimatorMember"}
LOADED_KINDS = {"Networks", "Boosters", "Estimators"}
# Entry points stand above everything; the shim loads models that an older version logged.
ENTRIES = ("foldwise.__main__", "pipelines.__main__", "pipelines.tracking.served")
STAGE_NAMES = ("stages", "preprocess", "ensemble", "submission", "dataset-", "train-", "fold-")


def modules(root: Path) -> dict[str, Path]:
    """Path by dotted name of every module of the project."""
    found = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, path: Path, known: dict[str, Path]) -> Iterator[str]:
    """Modules of the project that a module imports at run time, also inside functions."""
    for node in _run_time_nodes(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in known else node.module


def _run_time_nodes(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield from _run_time_nodes(child)


def unit_of(name: str, path: Path, root: Path) -> str:
    """The folder that a module belongs to, or itself beside subfolders."""
    package = root / name.split(".")[0]
    has_folders = any(list(child.glob("*.py")) for child in package.iterdir() if child.is_dir())
    if not has_folders:
        return package.name
    if path.parent == package:
        return name
    return ".".join(path.parent.relative_to(root).parts[:2])


def graph(root: Path) -> dict[str, set[str]]:
    """Which units each unit imports."""
    known = modules(root)
    units: dict[str, set[str]] = {}
    for name, path in known.items():
        if name in ENTRIES:
            continue
        unit = unit_of(name, path, root)
        if path.name == "__init__.py" and unit in PACKAGES and unit == name:
            continue
        found = set(imports(name, path, known)) - set(ENTRIES)
        targets = {unit_of(other, known[other], root) for other in found}
        units.setdefault(unit, set()).update(targets - {unit})
    return units


def knots(units: dict[str, set[str]]) -> list[set[str]]:
    """Groups of units that import each other, directly or in a circle."""
    reach = {unit: _reachable(unit, units) for unit in units}
    groups = []
    for unit in units:
        group = {other for other in reach[unit] if unit in reach.get(other, set())}
        if len(group) > 1 and group not in groups:
            groups.append(group)
    return groups


def _reachable(unit: str, units: dict[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = list(units[unit])
    while waiting:
        other = waiting.pop()
        if other not in seen:
            seen.add(other)
            waiting += units.get(other, ())
    return seen


def floors(units: dict[str, set[str]]) -> int:
    """The longest chain of imports; each unit of a knot counts, since none stands below another."""
    group_of = {unit: frozenset(group) for group in knots(units) for unit in group}
    heights: dict[frozenset[str], int] = {}

    def height(group: frozenset[str]) -> int:
        if group not in heights:
            below = {
                group_of.get(other, frozenset({other})) for unit in group for other in units[unit]
            }
            heights[group] = len(group) + max((height(o) for o in below - {group}), default=0)
        return heights[group]

    return max(height(group_of.get(unit, frozenset({unit}))) for unit in units)


def largest_folder(root: Path) -> tuple[str, int]:
    """The folder with the most modules, `__init__` left out."""
    counts: dict[str, int] = defaultdict(int)
    for path in modules(root).values():
        if path.name != "__init__.py":
            counts[path.parent.relative_to(root).as_posix()] += 1
    return max(counts.items(), key=lambda item: item[1])


def wide_functions(root: Path) -> list[str]:
    """Functions with more than seven parameters, `self` and `cls` left out."""
    found = []
    for name, path in modules(root).items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                n_parameters = len([a for a in every if a.arg not in ("self", "cls")])
                is_called = f"{name}.{node.name}" in CALLED_BY_PEOPLE
                if n_parameters > MOST_PARAMETERS and not is_called:
                    found.append(f"{name}.{node.name} ({n_parameters})")
    return found


def kind_checks(root: Path) -> list[str]:
    """`isinstance` on a kind of member, or of its loaded models, outside the members' package."""
    found = []
    for name, path in modules(root).items():
        if name.startswith("pipelines.members"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            is_check = isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance"
            if is_check and _names(node.args[1]) & (MEMBER_KINDS | LOADED_KINDS):
                found.append(f"{name}:{node.lineno}")
    return found


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def stage_literals(root: Path) -> list[str]:
    """Strings that spell a folder or stage of a run, outside the module that owns them."""
    found = []
    for name, path in modules(root).items():
        if name == "pipelines.workspace.layout" or not name.startswith("pipelines"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
                if text in STAGE_NAMES or text.startswith(("dataset-", "train-", "fold-")):
                    found.append(f"{name}:{node.lineno} {text!r}")
    return found


def main() -> None:
    """Print the figures of one checkout."""
    root = Path(sys.argv[1] if sys.argv[1:] else ".").resolve()
    units = graph(root)
    circles = knots(units)
    folder, n_files = largest_folder(root)
    print(f"units                                  {len(units)}")
    print(f"floors                                 {floors(units)}")
    print(f"units that import each other in circles {sum(map(len, circles))}")
    print(f"largest folder                         {folder}: {n_files} modules")
    for title, rows in (
        ("functions of eight or more parameters", wide_functions(root)),
        ("isinstance on kinds of members", kind_checks(root)),
        ("stage names spelled outside the owner", stage_literals(root)),
    ):
        print(f"{title:<39}{len(rows)}")
        print("".join(f"    {row}\n" for row in rows), end="")


if __name__ == "__main__":
    main()
