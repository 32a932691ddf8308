"""Compiles Python to bytecode with the interpreter that will run it: without it a cold start takes twice as long.

Hash-based, unchecked files: they survive zipping (which changes modification times) and are never compared with
their source at run time. Bytecode is only valid for one minor version, so another interpreter's is never shipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path


def find_interpreter(version: str) -> str | None:
    """The path of a working Python of exactly this minor version (`3.13`), or None."""
    candidates = [os.environ.get("BUILD_PYTHON"), shutil.which(f"python{version}"), shutil.which("python3")]
    for candidate in candidates:
        if candidate and _reported_version(candidate) == version:
            return candidate
    return None


def _reported_version(interpreter: str) -> str | None:
    script = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        run = subprocess.run([interpreter, "-c", script], capture_output=True, text=True, check=False, timeout=30)
    except OSError:
        return None
    return run.stdout.strip() if run.returncode == 0 else None


def compile_tree(interpreter: str, folder: Path, runtime_path: str) -> None:
    """Compile everything below `folder`, which will lie at `runtime_path`; the build's own path is not kept.

    Raises:
        subprocess.CalledProcessError: a file does not compile.
    """
    command = [interpreter, "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(folder), "-p", runtime_path, str(folder)]
    subprocess.run(command, check=True)
