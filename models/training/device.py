"""Which device a training runs on; torch is loaded only where there may be a card."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

CARDS = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/dev/kfd")  # of NVIDIA, WSL and AMD
TOOLS = ("nvidia-smi", "rocm-smi")  # come with a driver


class DeviceError(ValueError):
    """A device that does not exist or is not available."""

    exit_code = 2


def choose_device(requested: str) -> str:
    """What `--device` means on this machine: `auto` is CUDA if available, else the CPU.

    Raises:
        DeviceError: If the device is unknown, or CUDA is requested without a card.
    """
    if requested not in ("auto", "cpu", "cuda"):
        raise DeviceError(f"unknown device {requested!r}: type --device auto, cpu or cuda")
    if requested == "cpu" or (requested == "auto" and not may_have_card()):
        return "cpu"
    import torch

    has_cuda = torch.cuda.is_available()
    if requested == "cuda" and not has_cuda:
        raise DeviceError(
            f"--device cuda: torch {torch.__version__} finds no CUDA card; type --device cpu"
        )
    return "cuda" if has_cuda else "cpu"


def may_have_card() -> bool:
    """Whether there is a sign of a card or of its driver; torch alone knows if it can be used."""
    if not sys.platform.startswith("linux"):
        return True
    return any(Path(card).exists() for card in CARDS) or any(map(shutil.which, TOOLS))
