"""A figure as a PNG file, or as SVG inside a page."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from pipelines.figures.style import BLUE, DPI, FAINT, GREEN, INK, MIST, ORANGE, QUIET, styled
from pipelines.workspace.files import whole

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

# A page sets these for light and dark mode; without them a figure keeps the colours of its PNG.
VARIABLES = {
    INK: "--ink",
    QUIET: "--quiet",
    FAINT: "--line",
    MIST: "--mist",
    BLUE: "--a",
    ORANGE: "--b",
    GREEN: "--c",
    "#ffffff": "--card",
}
COLOUR = re.compile("#[0-9a-f]{6}")
REFERENCE = re.compile(r"url\(#([^)]+)\)")
LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
FONT = re.compile(r"font-family: [^;]*; ")
LINK = "{http://www.w3.org/1999/xlink}href"


@styled
def save(figure: Figure, path: Path) -> None:
    """Write a PNG whose bytes depend on the picture alone, whole or not at all."""
    with whole(path) as temporary:
        figure.savefig(temporary, format="png", dpi=DPI, metadata={"Software": None})


@styled
def inline_svg(figure: Figure, *, name: str, label: str) -> str:
    """The figure as an `<svg>` element for a page; the same figure gives the same text.

    It refers to nothing outside itself, takes its font from the page and its colours from the
    page's `VARIABLES`, and is as wide as the page lets it be.

    Args:
        figure: What to embed.
        name: Unique in the page; the element's ids begin with it.
        label: What a screen reader says.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True)
    root = ET.fromstring(buffer.getvalue())
    _simplify(root)
    _add_titles(root)
    _rename_ids(root, name)
    box = {"viewBox": root.attrib["viewBox"], "role": "img", "aria-label": label}
    root.attrib = box | {"style": "stroke-linejoin: round"}
    return ET.tostring(root, encoding="unicode")


def tooltips(artist: Artist, texts: Sequence[str]) -> None:
    """Give each shape of an artist a text that a page shows under the pointer.

    A line with markers has a shape for each marker.
    """
    artist.set_gid(json.dumps(list(texts)))


def _simplify(root: ET.Element) -> None:
    """Drop what a page does not need: metadata, the global style, fonts, digits, white space."""
    for parent in root.iter():
        for child in list(parent):
            if child.tag.endswith(("}metadata", "}style")):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.tail = None
        if element.tag != "text":
            element.text = None
        if LINK in element.attrib:
            element.attrib["href"] = element.attrib.pop(LINK)
        if element.attrib.get("transform", "").startswith("rotate(-0 "):
            del element.attrib["transform"]
        element.attrib.update(dict(_shorter(element)))


def _shorter(element: ET.Element) -> Iterator[tuple[str, str]]:
    for key, value in element.attrib.items():
        if key == "style":
            yield key, COLOUR.sub(_variable, FONT.sub("", value))
        elif key == "href":
            yield key, "".join(value.split())  # an image's bytes come in lines
        elif key != "id":
            rounded = LONG_NUMBER.sub(lambda found: f"{float(found[0]):.2f}", value)
            yield key, " ".join(rounded.split())


def _variable(colour: re.Match[str]) -> str:
    name = VARIABLES.get(colour[0])
    return f"var({name}, {colour[0]})" if name else colour[0]


def _add_titles(root: ET.Element) -> None:
    """Turn the texts that `tooltips` left in an id into a `<title>` of each shape."""
    for group in root.iter("g"):
        if group.attrib.get("id", "").startswith("["):
            shapes = [s for part in group if part.tag != "defs" for s in _shapes(part)]
            texts = json.loads(group.attrib["id"])
            for shape, text in zip(shapes[len(shapes) - len(texts) :], texts, strict=True):
                ET.SubElement(shape, "title").text = text


def _shapes(element: ET.Element) -> Iterator[ET.Element]:
    return (part for part in element.iter() if part.tag in ("use", "path"))


def _rename_ids(root: ET.Element, name: str) -> None:
    """Keep the ids that something refers to, under names that are unique in the page."""
    attributes = [(key, value) for part in root.iter() for key, value in part.attrib.items()]
    links = [value[1:] for key, value in attributes if key == "href" and value.startswith("#")]
    links += [found for _, value in attributes for found in REFERENCE.findall(value)]
    names = {old: f"{name}-{number}" for number, old in enumerate(dict.fromkeys(links))}
    for element in root.iter():
        old = element.attrib.pop("id", None)
        if old in names:
            element.attrib["id"] = names[old]
        for key, value in element.attrib.items():
            if key == "href" and value.startswith("#"):
                element.attrib[key] = f"#{names[value[1:]]}"
            elif "url(#" in value:
                element.attrib[key] = REFERENCE.sub(lambda m: f"url(#{names[m[1]]})", value)
