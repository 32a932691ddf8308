"""Installs the programs that stand in for the cloud under `.tools`: ministack (Python) and dynoxide (npm, one binary).

Both are pinned with integrity hashes beside this file. Nothing is downloaded when they are there and their pins have
not changed.
"""

from __future__ import annotations

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
Say = Callable[[str], None]


class SetupError(Exception):
    """A tool is missing or an installation failed; one line for the user."""


def set_up(layout: Layout, say: Say) -> None:
    """Install what is missing or outdated.

    Raises:
        SetupError: see the message.
    """
    _set_up_ministack(layout, say)
    _set_up_dynoxide(layout, say)


def _set_up_ministack(layout: Layout, say: Say) -> None:
    home = layout.tools / "ministack"
    requirements = PINS / "ministack-requirements.txt"
    wanted = _digest([requirements], f"{sys.version_info[:2]}")
    if _read(home / ".stamp") == wanted and layout.ministack.exists():
        return
    say("Installing ministack into .tools/ministack")
    shutil.rmtree(home, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(home)], "a virtual environment could not be made")
    python = str(home / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    _run([*pip, "--require-hashes", "--requirement", requirements], "ministack could not be installed")
    (home / ".stamp").write_text(wanted, encoding="utf-8")


def _set_up_dynoxide(layout: Layout, say: Say) -> None:
    if os.environ.get("TOLLGATE_DYNAMODB") == "ministack" or not _has_binary():
        return
    home, stamp = layout.tools, layout.tools / "npm.stamp"
    files = [PINS / name for name in _NPM_FILES]
    wanted = _digest(files, "")
    if _read(stamp) == wanted and layout.dynoxide.exists():
        return
    npm = shutil.which("npm")
    if npm is None:
        raise SetupError(
            "npm is missing: install Node.js 18 or newer, or set TOLLGATE_DYNAMODB=ministack to do without dynoxide"
        )
    say("Installing dynoxide into .tools/node_modules")
    home.mkdir(parents=True, exist_ok=True)
    for file in files:
        shutil.copy(file, home)
    _run([npm, "ci", "--silent"], "dynoxide could not be installed", folder=home)
    if not layout.dynoxide.exists():
        raise SetupError("dynoxide could not be installed: npm left no binary")
    stamp.write_text(wanted, encoding="utf-8")


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
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise SetupError(f"{complaint}: {lines[-1].strip() if lines else 'no reason given'}")
