"""What all figures share: size, colours, type, a title that states the finding, a note.

Colours are Okabe and Ito's, which people with colour blindness can tell apart.
"""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 8.6  # inches; with DPI, 1376 pixels: sharp where a README shows some 850
PANEL_WIDTH = 4.4  # inches; its type can be read where a phone shows 330 pixels
DPI = 160
INK, QUIET, FAINT = "#1b1f24", "#626b76", "#e6e9ed"
BLUE, ORANGE, GREEN, AMBER, MIST = "#0072b2", "#d55e00", "#009e73", "#e69f00", "#b9c6d3"
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": QUIET,
    "axes.labelsize": 9.5,
    "axes.edgecolor": MIST,
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "xtick.color": MIST,
    "ytick.color": MIST,
    "xtick.labelcolor": QUIET,
    "ytick.labelcolor": QUIET,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "lines.linewidth": 1.8,
    "text.parse_math": False,
    "legend.edgecolor": "none",
    "legend.framealpha": 0.9,
    "legend.fontsize": 9,
    "figure.facecolor": "white",
    "figure.constrained_layout.w_pad": 0.12,
    "figure.constrained_layout.h_pad": 0.1,
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "svg.fonttype": "none",
    "svg.hashsalt": "foldwise",
}

P = ParamSpec("P")
T = TypeVar("T")


def styled(draw: Callable[P, T]) -> Callable[P, T]:
    """Let `draw` see matplotlib's defaults and our style, whatever the user's settings are.

    Saving needs it too: ticks are made when a figure is rendered.
    """

    @functools.wraps(draw)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        import matplotlib

        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(STYLE)
            return draw(*args, **kwargs)

    return wrapper


def new_figure(height: float, *, title: str, note: str | None) -> Figure:
    """An empty figure for a file, with the finding as its title and the note at its foot."""
    figure = _empty(WIDTH, height)
    lines = textwrap.wrap(title, 78)
    figure.suptitle("\n".join(lines), x=0.012, ha="left", fontsize=12.5, fontweight="bold")
    if note:
        figure.supxlabel(note, x=0.012, ha="left", fontsize=9, color=ORANGE)
    return figure


def new_panel(height: float, *, width: float = PANEL_WIDTH) -> Figure:
    """An empty figure for a page, which has the title and the legend in its own text."""
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    return _empty(width, height, ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.04))


def _empty(width: float, height: float, layout: Any = "constrained") -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(figure)
    return figure


def shortened(name: str, limit: int = 15) -> str:
    """A name that leaves room for the chart beside it."""
    return name if len(name) <= limit else f"{name[: limit - 1]}…"
