"""Installs the programs that stand in for the cloud under `.tools`: ministack (Python) and dynoxide (npm, one binary).

Both are pinned with integrity hashes beside this file. Nothing is downloaded when they are there and their pins have
not changed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from local.layout import Layout

PINS = Path(__file__).resolve().parent / "tools"
_NPM_FILES = ("package.json", "package-lock.json", ".npmrc")
_NPM_STAMP = "npm.stamp"
Say = Callable[[str], None]


class SetupError(Exception):
    """A tool is missing or an installation failed; one line for the user."""


def set_up(layout: Layout, say: Say) -> None:
    """Install what is missing or outdated.

    Raises:
        SetupError: see the message.
    """
    layout.tools.mkdir(parents=True, exist_ok=True)
    with (layout.tools / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two commands at once set up once
        npm = _find_npm(layout)
        _set_up_ministack(layout, say)
        if npm is not None:
            _set_up_dynoxide(layout, npm, say)


def _set_up_ministack(layout: Layout, say: Say) -> None:
    home = layout.tools / "ministack"
    requirements = PINS / "ministack-requirements.txt"
    wanted = _digest([requirements], f"{sys.version_info[:2]} {home.resolve()}")  # an environment cannot be moved
    if _read(home / ".stamp") == wanted and layout.ministack.exists():
        return
    say("Installing ministack into .tools/ministack")
    shutil.rmtree(home, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(home)], "a virtual environment could not be made")
    python = str(home / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    _run([*pip, "--require-hashes", "--requirement", requirements], "ministack could not be installed")
    (home / ".stamp").write_text(wanted, encoding="utf-8")


def _find_npm(layout: Layout) -> str | None:
    """npm, if dynoxide is to be installed with it. Looked for first: a missing tool is told before a long download."""
    if os.environ.get("TOLLGATE_DYNAMODB") == "ministack" or not _has_binary():
        return None
    if _read(layout.tools / _NPM_STAMP) == _npm_digest() and layout.dynoxide.exists():
        return None
    npm = shutil.which("npm")
    if npm is None:
        raise SetupError(
            "npm is missing: install Node.js 18 or newer, or set TOLLGATE_DYNAMODB=ministack to do without dynoxide"
        )
    return npm


def _set_up_dynoxide(layout: Layout, npm: str, say: Say) -> None:
    say("Installing dynoxide into .tools/node_modules")
    for name in _NPM_FILES:
        shutil.copy(PINS / name, layout.tools)
    _run([npm, "ci", "--loglevel", "error"], "dynoxide could not be installed", folder=layout.tools)
    if not layout.dynoxide.exists():
        raise SetupError("dynoxide could not be installed: npm left no binary")
    (layout.tools / _NPM_STAMP).write_text(_npm_digest(), encoding="utf-8")


def _npm_digest() -> str:
    return _digest([PINS / name for name in _NPM_FILES], "")


def _has_binary() -> bool:
    """Whether dynoxide is built for this kind of machine."""
    return platform.system() == "Linux" and platform.machine() in {"x86_64", "AMD64"}


def _digest(files: Sequence[Path], extra: str) -> str:
    digest = hashlib.sha256(extra.encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _read(stamp: Path) -> str:
    try:
        return stamp.read_text(encoding="utf-8")
    except OSError:
        return ""


def _run(command: Sequence[str | Path], complaint: str, folder: Path | None = None) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        telling = [line for line in lines if "error" in line.lower()] or lines[-1:]
        raise SetupError(f"{complaint}: {telling[0] if telling else 'no reason given'}")
