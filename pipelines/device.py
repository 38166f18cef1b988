"""Which device the networks are trained on."""

from __future__ import annotations


class DeviceError(ValueError):
    """A device that does not exist, or is not there."""

    exit_code = 2


def choose_device(asked: str) -> str:
    """`auto` is CUDA where there is a card, else the CPU; a run is told apart by the answer.

    Raises:
        DeviceError: an unknown device, or CUDA without a card.
    """
    import torch

    if asked not in ("auto", "cpu", "cuda"):
        raise DeviceError(f"unknown device {asked!r}: type --device auto, cpu or cuda")
    there = torch.cuda.is_available()
    if asked == "cuda" and not there:
        raise DeviceError(
            f"--device cuda: torch {torch.__version__} finds no CUDA card; type --device cpu"
        )
    return "cuda" if there and asked != "cpu" else "cpu"
