"""Saves an example's figure, in the style of the project's own."""

from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.axes import Axes

from pipelines.figures.output import save
from pipelines.figures.style import new_figure, styled

FOLDER = Path("runs/examples")


@styled
def draw(script: str, finding: str, *paints: Callable[[Axes], object], height: float = 3.6) -> None:
    """Let each of `paints` fill a panel, side by side, and save the figure under the script's name.

    Args:
        script: `__file__` of the example.
        finding: what the figure shows, as its title.
        paints: functions of a panel.
        height: inches.
    """
    figure = new_figure(height, title=finding, note=None)
    panels = figure.subplots(1, len(paints), squeeze=False)[0]
    for paint, axes in zip(paints, panels, strict=True):
        paint(axes)
        for axis in (axes.xaxis, axes.yaxis):
            if axis.get_scale() == "log":
                axis.set_major_formatter("{x:g}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{Path(script).stem}.png"
    save(figure, path)
    print(f"figure: {path}")


def draw_spelling(script: str, finding: str, said: Sequence[str], losses: Sequence[float]) -> None:
    """The loss of each epoch, and the word that was said in it."""

    def paint(axes: Axes) -> None:
        epochs = range(1, len(said) + 1)
        axes.plot(epochs, losses, marker="o")
        axes.set(xlabel="epoch", ylabel="loss", xticks=epochs)
        axes.margins(y=0.2)
        for epoch, word, loss in zip(epochs, said, losses, strict=True):
            axes.annotate(word, (epoch, loss), (3, 6), textcoords="offset points", fontsize=8)

    draw(script, finding, paint)
