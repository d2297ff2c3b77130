"""Few pictures, which are enough to measure."""

from pathlib import Path

import pytest

from ganopt.metrics import features


@pytest.fixture
def few(monkeypatch) -> None:
    """Ten pictures are enough."""
    monkeypatch.setattr(features, "MIN_PICTURES", 10)


@pytest.fixture
def faces(few, tmp_path, draw_faces) -> Path:
    """A folder of 12 drawn faces."""
    draw_faces(tmp_path / "faces", 12)
    return tmp_path / "faces"
