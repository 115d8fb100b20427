"""One demo at a time in a folder, and the next one continues with the same org."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from sf_sync.demo import folder as demo_folder
from sf_sync.demo.errors import DemoError
from sf_sync.demo.folder import DemoFolder


@pytest.fixture
def folder(tmp_path: Path) -> DemoFolder:
    return DemoFolder(tmp_path / "state")


def test_a_second_demo_is_told_who_has_the_folder(folder: DemoFolder) -> None:
    with folder.hold(), pytest.raises(DemoError, match=rf"runs already in .*process {os.getpid()}\)"):
        folder.hold().__enter__()
    with folder.hold():
        pass


def test_the_holder_is_known_while_it_holds(folder: DemoFolder) -> None:
    assert folder.holder() is None
    with folder.hold():
        assert folder.holder() == os.getpid()
    assert folder.holder() is None


def test_after_a_killed_demo_its_guards_are_waited_for(
    folder: DemoFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_folder, "LOCK_TRIES", 3)
    with folder.hold() as lock:
        guard = subprocess.Popen(["/bin/sleep", "100"], pass_fds=[lock])
        os.ftruncate(lock, 0)
        os.pwrite(lock, b"999999999", 0)  # no process has this number
    with pytest.raises(DemoError, match="does not end"):
        folder.hold().__enter__()
    guard.kill()
    guard.wait()
    with folder.hold():
        pass


def test_the_first_plan_stays(folder: DemoFolder) -> None:
    with folder.hold():
        first = folder.plan(100, 30)
        assert folder.plan(100, 30) == first


def test_other_numbers_than_the_datas_are_refused(folder: DemoFolder) -> None:
    with folder.hold():
        folder.plan(100, 30)
        with pytest.raises(DemoError, match=r"100 contacts of 30 days, and 200 .*`make clean-demo`"):
            folder.plan(200, 30)


def test_deleting_leaves_nothing(folder: DemoFolder, tmp_path: Path) -> None:
    with folder.hold():
        folder.plan(100, 30)
        folder.note_server(12)
        folder.delete()
    assert list(tmp_path.iterdir()) == []


def test_the_server_that_a_demo_started_is_remembered(folder: DemoFolder) -> None:
    with folder.hold():
        assert folder.started_server() is None
        folder.note_server(12)
        assert folder.started_server() == 12
        folder.note_server(None)
        assert folder.started_server() is None
