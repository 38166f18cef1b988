"""The device of a run: chosen without torch where there is no sign of a card."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from models.training import device
from models.training.device import DeviceError, choose_device, may_have_card


def test_a_device_is_chosen_or_refused() -> None:
    assert choose_device("cpu") == "cpu"
    assert choose_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(DeviceError, match="unknown device 'gpu'"):
        choose_device("gpu")


def test_torch_is_not_loaded_where_there_is_no_sign_of_a_card() -> None:
    if may_have_card():
        pytest.skip("this machine has a card, or a driver of one")
    code = "import sys; from models.training.device import choose_device as c; c('auto'), c('cpu')"
    code += "; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_where_there_is_a_sign_of_a_card_torch_decides(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setattr(device, "CARDS", (str(tmp_path),))
    monkeypatch.setattr(sys, "platform", "linux")
    assert may_have_card()
    assert choose_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
