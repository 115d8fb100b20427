"""The intake can be measured. What comes out is no matter here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.alone

REPOSITORY = Path(__file__).parents[3]


@pytest.mark.proof
def test_the_measurement_can_be_made() -> None:
    command = [sys.executable, "-m", "bench", "intake", "--rows", "60", "--rounds", "1"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "grouped" in done.stdout
