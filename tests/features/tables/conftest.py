from pathlib import Path

import pytest


@pytest.fixture
def csv_file(tmp_path):
    def write(content: str | bytes, name: str = "train.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write
