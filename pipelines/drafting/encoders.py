"""The functions of a drafted file: row-wise features, and an encoder for trees and for networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pipelines.drafting.code import Node, call, listed, literal, literals, mapped, names, statement
from pipelines.drafting.folds import FoldGuess
from pipelines.drafting.inputs import MOST_MEANS, N_COMPONENTS, Inputs
from pipelines.drafting.sizes import NetworkSize


def constants(inputs: Inputs, n_means: int) -> Iterator[str]:
    """The lists of columns that the functions below share."""
    for title, kind in (("INTS", "int"), ("FLOATS", "float"), ("FLAGS", "bool")):
        if of_kind := [column.name for column in inputs.numbers if column.kind == kind]:
            yield names(title, of_kind)
    if inputs.dates:
        first = {date.name: literal(date.first) for date in inputs.dates}
        yield statement("DATES = ", mapped(first)) + "  # with the first day"
    if parts := [name for date in inputs.dates for name in date.columns]:
        yield names("DATE_PARTS", parts)
    if inputs.dates:
        yield 'DAYS = [f"{name}_days" for name in DATES]'
    if inputs.n_numbers:
        yield statement("NUMBERS = ", _only_list(_all_numbers(inputs)))
    if inputs.few:
        levels = {column.name: literals(column.levels) for column in inputs.few}
        yield statement("LEVELS = ", mapped(levels))
    if inputs.many:
        yield names("CATEGORIES", [column.name for column in inputs.many])
        if inputs.n_mean_columns(n_means):
            yield statement("MEANS = ", _means(n_means))
        yield 'SHARES = [f"{name}_share" for name in CATEGORIES]'
    for title, part, kind in (("TEXTS", inputs.texts, "word"), ("WORDS", inputs.words, "char_wb")):
        if part:
            yield names(title, [column.name for column in part])
            yield (
                f'{title}_PARTS = [f"{{name}}_svd_{{at}}" for name in {title} '
                f"for at in range({N_COMPONENTS[kind]})]"
            )


def _all_numbers(inputs: Inputs) -> list[Node]:
    kinds = {column.kind for column in inputs.numbers}
    lists = (("INTS", "int" in kinds), ("FLOATS", "float" in kinds), ("FLAGS", "bool" in kinds))
    has_parts = any(date.parts for date in inputs.dates)
    return [f"*{name}" for name, is_there in (*lists, ("DATE_PARTS", has_parts)) if is_there]


def _means(n_means: int) -> Node:
    if n_means == 1:
        return '[f"{name}_mean" for name in CATEGORIES]'
    return f'[f"{{name}}_mean_{{at}}" for name in CATEGORIES for at in range({n_means})]'


def features(inputs: Inputs, folds: FoldGuess, id_: str | None) -> Iterator[str]:
    """`add_features`, where the columns as they are do not do."""
    if not inputs.dates and not folds.groups_by_id:
        return
    yield "def add_features(table: pd.DataFrame) -> pd.DataFrame:"
    yield f'    """{_what_is_added(inputs, folds)}"""'
    added = "table"
    if inputs.dates:
        yield "    parts = [date_parts(table[name], cyclic=True) for name in DATES]"
        yield "    days = {"
        yield '        f"{name}_days": (table[name] - pd.Timestamp(day)) / pd.Timedelta(days=1)'
        yield "        for name, day in DATES.items()"
        yield "    }"
        added = "pd.concat([table, *parts], axis=1).assign(**days)"
    if folds.groups_by_id:
        added += f'.assign(id_group=table[{literal(id_)}].str.split("_").str[0])'
    yield statement("return ", added, indent=4)


def _what_is_added(inputs: Inputs, folds: FoldGuess) -> str:
    dates = "parts of the dates and days since the first one" if inputs.dates else ""
    group = "the group that the id names" if folds.groups_by_id else ""
    text = ", and ".join(part for part in (dates, group) if part)
    return f"Row-wise: {text}."


def for_trees(inputs: Inputs, n_means: int, *, shows_days: bool) -> Iterator[str]:
    """The encoder of the trees."""
    numbers: list[Node] = ["*NUMBERS"] if inputs.n_numbers else []
    if inputs.dates and shows_days:
        numbers.append("*DAYS")
    numbers += _made(inputs, n_means)
    coded: list[Node] = [
        *(["*LEVELS"] if inputs.few else []),
        *(["*CATEGORIES"] if inputs.many else []),
    ]
    min_count: dict[str, Node] = {"min_count": "5"} if inputs.many else {}
    tabular = call(
        "TabularEncoder",
        _only_list(numbers),
        *([_only_list(coded)] if coded else []),
        scaling='"none"',
        **min_count,
    )
    steps = _steps(inputs, n_means)
    whole = call("EncoderChain", listed([*steps, tabular])) if steps else tabular
    yield f"def for_trees() -> {'EncoderChain' if steps else 'TabularEncoder'}:"
    what = {
        "numbers as they are": numbers,
        "categories as codes": coded,
    }
    yield _docstring(what)
    yield statement("return ", whole, indent=4)


def for_networks(inputs: Inputs, n_means: int, size: NetworkSize) -> Iterator[str]:
    """The encoder of the linear model and the network."""
    numbers: list[Node] = ["*NUMBERS"] if inputs.n_numbers else []
    if inputs.dates:
        numbers.append("*DAYS")
    numbers += _made(inputs, n_means)
    one_hot: dict[str, Node] = {"categories": '"one_hot"', "levels": "LEVELS"} if inputs.few else {}
    tabular = call(
        "TabularEncoder",
        _only_list(numbers),
        *(["list(LEVELS)"] if inputs.few else []),
        scaling='"quantile"',
        **one_hot,
    )
    steps = _steps(inputs, n_means)
    inner = call("EncoderChain", listed([*steps, tabular])) if steps else tabular
    blocks: dict[str, Node] = {"inputs": inner}
    if inputs.n_numbers:
        blocks["bins"] = call("BinPlaces", "NUMBERS", n_bins=str(size.n_bins), fill="True")
    yield "def for_networks() -> EncoderBlocks:"
    what = {
        "numbers ranked and in bins": inputs.n_numbers,
        "few levels one-hot" if inputs.many else "categories one-hot": inputs.few,
        "many as frequencies" if inputs.few else "categories as frequencies": inputs.many,
        "texts as components": inputs.n_components,
    }
    yield _docstring(what)
    yield statement("return ", call("EncoderBlocks", mapped(blocks)), indent=4)


def _docstring(what: Mapping[str, object]) -> str:
    """A function's, of those parts that are there."""
    text = ", ".join(part for part, is_there in what.items() if is_there)
    return f'    """{text.capitalize()}."""'


def _made(inputs: Inputs, n_means: int) -> list[Node]:
    """The numbers that steps add."""
    made: list[Node] = []
    if inputs.many:
        made += ["*MEANS", "*SHARES"] if inputs.n_mean_columns(n_means) else ["*SHARES"]
    made += ["*TEXTS_PARTS"] if inputs.texts else []
    return [*made, *(["*WORDS_PARTS"] if inputs.words else [])]


def _only_list(items: list[Node]) -> Node:
    """`NAMES` in place of `[*NAMES]`."""
    only = items[0] if len(items) == 1 else ""
    if isinstance(only, str) and only.startswith("*"):
        name = only.removeprefix("*")
        return f"list({name})" if name == "LEVELS" else name
    return listed(items)


def _steps(inputs: Inputs, n_means: int) -> list[Node]:
    steps: list[Node] = []
    if inputs.many:
        if n_means <= MOST_MEANS:
            steps.append(call("TargetMeans", "CATEGORIES"))
        steps.append(call("Frequencies", "CATEGORIES"))
    if inputs.texts:
        steps.append(_components("TEXTS", "word"))
    if inputs.words:
        steps.append(_components("WORDS", "char_wb"))
    return steps


def _components(columns: str, analyzer: str) -> Node:
    n_components = str(N_COMPONENTS[analyzer])
    if analyzer == "word":
        return call("TextComponents", columns, n_components=n_components)
    return call(
        "TextComponents",
        columns,
        n_components=n_components,
        analyzer=literal(analyzer),
        ngram_range="(2, 4)",
    )
