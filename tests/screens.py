"""What a page prints on a terminal of some width, and in a pipe."""

import io

from rich.console import Console

from pipelines.console import PIPE_WIDTH

WIDTHS = (80, 100, 120, None)  # columns; None: a pipe


def printed(show, width):
    """What `show(console)` prints; a terminal without colours, or a pipe."""
    file = io.StringIO()
    is_terminal = width is not None
    show(
        Console(
            file=file,
            width=width or PIPE_WIDTH,
            force_terminal=is_terminal,
            no_color=True,
            color_system=None,
            highlight=False,
        )
    )
    return file.getvalue()


def check_whole(show, width):
    """Check that no line is wider than the terminal and no word of the page is broken.

    Returns:
        The page's lines.
    """
    text, in_a_pipe = printed(show, width), printed(show, None)
    lines = text.splitlines()
    assert width is None or max(map(len, lines)) <= width, [x for x in lines if len(x) > width]
    assert set(in_a_pipe.split()) <= set(text.split())
    return lines
