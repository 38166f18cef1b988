from __future__ import annotations

import pytest
import torch

from models.training.stack_size import largest_that_fits


@pytest.mark.parametrize("fits", [1, 3, 8, 20])
def test_the_stack_is_halved_until_it_fits(fits: int) -> None:
    tried = []

    def attempt(size: int) -> None:
        tried.append(size)
        if size > fits:
            raise torch.OutOfMemoryError("no memory left")

    assert largest_that_fits(20, attempt) == tried[-1] <= fits
    assert tried == [20, 10, 5, 3, 2, 1][: len(tried)]


def test_no_memory_for_even_one_is_an_error() -> None:
    def attempt(_size: int) -> None:
        raise torch.OutOfMemoryError("no memory left")

    with pytest.raises(torch.OutOfMemoryError):
        largest_that_fits(4, attempt)
