"""What a network needs to know about the encoded rows that it will be given."""

from dataclasses import dataclass


@dataclass(frozen=True)
class InputShape:
    """The width of the encoded inputs.

    Attributes:
        n_num: Columns of `x_num (n_rows, n_num) float32`.
        cardinalities: For each column of `x_cat (n_rows, d_cat) int64` the number of codes; the
            codes are 0 .. cardinality - 1.
        n_bin: Columns of `x_bin (n_rows, n_bin) float32`: places among a column's bin edges.
        n_tokens: Numbers of the vocabulary in `tokens (n_rows, width) int64`; 0 is padding,
            1 stands for unknown ones.
        is_spelled: Whether `spelling (n_rows, width) int64` comes with `tokens`: the letters
            of each token as one number, 0 behind the text.
        image: Channels, height and width of `image (n_rows, C, H, W) float32`.
    """

    n_num: int = 0
    cardinalities: tuple[int, ...] = ()
    n_bin: int = 0
    n_tokens: int = 0
    is_spelled: bool = False
    image: tuple[int, ...] = ()
