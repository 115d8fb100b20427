"""A newcomer's first minutes: a fresh clone, an empty home, one command; and what a wrong Python is told."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from sf_sync.store.embedded import server_home

pytestmark = pytest.mark.alone

REPO = Path(__file__).parents[2]
LIMIT_S = 600

# A newcomer's machine has these if it needs them to reach a package index.
NETWORK = ("PIP_", "UV_", "SSL_CERT_", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
OURS = ("UV_CACHE_DIR", "UV_PROJECT_ENVIRONMENT", "UV_PYTHON", "PIP_CACHE_DIR")


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Someone with a clone, an empty home and nothing else."""

    top: Path
    user: str | None

    @property
    def clone(self) -> Path:
        return self.top / "sf_sync"

    def make(self, *arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run make in the clone to its end."""
        process = self.begin(*arguments, path=path)
        try:
            out, err = process.communicate(timeout=LIMIT_S)
        finally:
            process.kill()
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def begin(self, *arguments: str, path: str | None = None) -> subprocess.Popen[str]:
        """Start make in the clone, with as few variables as a machine can have and a terminal's group."""
        environment = {
            name: value
            for name, value in os.environ.items()
            if (name.startswith(NETWORK) or name.lower().endswith("_proxy")) and name not in OURS
        }
        return subprocess.Popen(
            ["make", *arguments],
            cwd=self.clone,
            user=self.user,
            group=pwd.getpwnam(self.user).pw_gid if self.user else None,
            extra_groups=[] if self.user else None,
            env=environment
            | {"PATH": path or os.environ["PATH"], "HOME": str(self.top / "home"), "LANG": "C.UTF-8"}
            | {"TMPDIR": str(self.top / "tmp")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


def clone_to(top: Path) -> None:
    """Copy what a clone would have, and what isn't committed yet."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("this is not a git checkout")
    for name in filter(None, listed.stdout.split("\0")):
        source, target = REPO / name, top / "sf_sync" / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def idle_user() -> str | None:
    """A user of the system, not root and without processes, so that every trace of it is the test's."""
    busy = {process.stat().st_uid for process in processes()}
    users = [
        entry.pw_name for entry in pwd.getpwall() if 0 < entry.pw_uid < 1000 and entry.pw_uid not in busy
    ]
    return users[-1] if users else None


def processes() -> list[Path]:
    return [path for path in Path("/proc").iterdir() if path.name.isdigit() and path.exists()]


def mentioning(*folders: Path) -> list[str]:
    """Command lines of the processes that run from, in, or on any of these folders."""
    found = []
    for process in processes():
        try:
            said = (process / "cmdline").read_bytes() + b"\0" + os.readlink(process / "cwd").encode()
            said += os.readlink(process / "exe").encode()
        except OSError:
            continue
        if any(os.fsencode(folder) in said for folder in folders):
            found.append(said.replace(b"\0", b" ").decode(errors="replace"))
    return found


def top_level() -> set[Path]:
    """Where a program that forgets its manners would leave something."""
    home = Path(pwd.getpwuid(os.geteuid()).pw_dir)
    folders = [Path("/"), home, *(home / name for name in (".cache", ".config", ".local", ".local/share"))]
    return {path for folder in folders if folder.is_dir() for path in folder.iterdir()}


def files_of(user: str, since: Path, *, outside: Path) -> list[str]:
    """Every file of a user that is newer than another, outside a folder."""
    pruned: list[str | Path] = ["(", "-path", outside, "-o", "-path", "/proc", ")", "-prune", "-o"]
    found = subprocess.run(
        ["find", "/", "-xdev", *pruned, "-user", user, "-newer", since, "-print"],
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.split()


@pytest.fixture
def newcomer() -> Iterator[Newcomer]:
    """The current user with a clone that nobody else can enter; as root another user, for newcomers seldom are root."""
    user = idle_user() if os.geteuid() == 0 else None
    top = Path(tempfile.mkdtemp(prefix="sf-clone-", dir="/tmp"))
    clone_to(top)
    (top / "home").mkdir()
    (top / "tmp").mkdir()
    if user:
        for folder, _, names in os.walk(top):
            for path in (Path(folder), *(Path(folder, name) for name in names)):
                shutil.chown(path, user)
    newcomer = Newcomer(top, user)
    yield newcomer
    if (newcomer.clone / ".state").exists():  # a test that failed may have left a server there
        newcomer.make("clean-demo")
    shutil.rmtree(top)


def equal_tables(said: str) -> dict[str, int]:
    """Rows per object in the demo's table, where every object must be equal on both sides."""
    rows = [
        [cell.strip() for cell in line.strip("│").split("│")] for line in said.splitlines() if line[:1] == "│"
    ]
    assert rows, said
    assert all(there == here and equal == "yes" for _, there, here, equal, *_ in rows), said
    return {name: int(here.replace(",", "")) for name, _, here, *_ in rows}


@pytest.mark.proof
@pytest.mark.timeout(3 * LIMIT_S)
def test_one_command_shows_equal_tables_and_leaves_nothing_behind(
    newcomer: Newcomer, capsys: pytest.CaptureFixture[str]
) -> None:
    places = top_level()
    marker = newcomer.top / "marker"
    marker.touch()

    began = time.monotonic()
    done = newcomer.make("demo", "ARGS=--exit")
    first = time.monotonic() - began
    assert done.returncode == 0, done.stdout + done.stderr
    tables = equal_tables(done.stdout)
    assert tables["contacts"] > 0
    home = server_home(newcomer.clone / ".state").path
    assert home.is_dir()
    assert mentioning(newcomer.top, home) == []

    again, second = stay_until_ctrl_c(newcomer)
    assert "setup:" not in again, "the second run had nothing to set up"
    assert equal_tables(again) == tables
    assert mentioning(newcomer.top, home) == []

    done = newcomer.make("clean-demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not home.exists()
    assert mentioning(newcomer.top, home) == []
    if newcomer.user is None:
        assert top_level() - places == set()
    else:
        assert files_of(newcomer.user, marker, outside=newcomer.top) == []
    with capsys.disabled():
        print(
            f"\nmake demo as {newcomer.user or 'this user'}: table after {first:.0f} s, then UI after {second:.0f} s"
        )


def stay_until_ctrl_c(newcomer: Newcomer) -> tuple[str, float]:
    """Run the demo until its UI is there, look at it and press Ctrl-C; what was said, and seconds to the UI."""
    began = time.monotonic()
    process = newcomer.begin("demo")
    assert process.stdout is not None
    watchdog = threading.Timer(LIMIT_S, process.kill)
    watchdog.start()
    try:
        said = ""
        for line in process.stdout:
            said += line
            if "Ctrl-C" in line:
                seconds = time.monotonic() - began
                page = re.search(r"http://127\.0\.0\.1:\d+", said)
                assert page is not None, said
                assert requests.get(f"{page[0]}/server_info", timeout=30).ok
                os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=LIMIT_S)
    finally:
        watchdog.cancel()
        process.kill()
    assert "Traceback" not in said + err
    return said, seconds


@pytest.fixture
def bare(tmp_path: Path) -> Newcomer:
    """A clone of nothing but what setup needs."""
    newcomer = Newcomer(tmp_path, None)
    shutil.copytree(REPO / "make", newcomer.clone / "make")
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(REPO / name, newcomer.clone)
    return newcomer


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


# Answers the question as a Python of that version would, by running the question on this one.
TOO_NEW = """sed 's/^import sys$/import sys; sys.version_info = (3, 14, 1, "final", 0)/' | exec {python} -"""
NO_VENV = """sed "s/^import sys$/import sys; sys.modules['ensurepip'] = None/" | exec {python} -"""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (TOO_NEW, "is Python 3.14.1"),
        (NO_VENV, "without its module ensurepip (Debian and Ubuntu have it in the package python3."),
        ("echo 'python: command not found' >&2; exit 127", "does not run"),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_a_python_that_will_not_do_gets_one_sentence(
    bare: Newcomer, text: str, reason: str, named: bool
) -> None:
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin") or shutil.which("python3")
    fakes = bare.top / "fakes"
    for name in ("python3.13", "python3.12", "python3.11", "python3"):
        program(fakes / name, text.format(python=python))
    if named:
        done = bare.make("setup", f"PYTHON={fakes / 'python3'}")
    else:
        done = bare.make("setup", path=f"{fakes}:{os.environ['PATH']}")
    sentence, *rest = done.stderr.splitlines()
    assert done.returncode == 2
    assert sentence.startswith("setup: Python 3.11 to 3.13 with its venv module is needed, and ")
    assert reason in sentence
    assert sentence.endswith("make setup PYTHON=/path/to/python3.13")
    assert len(rest) == 1, "make's own line"
    assert not (bare.clone / ".venv").exists()


def test_a_python_that_is_not_there_is_named(bare: Newcomer) -> None:
    done = bare.make("setup", "PYTHON=/nowhere/python")
    assert "and /nowhere/python is not there; install one" in done.stderr
    assert not (bare.clone / ".venv").exists()
