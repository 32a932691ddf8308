"""Pins every requirements list with hashes, for every Python from 3.11 on, Linux and macOS, x86-64 and arm64.

The development list is resolved first, because it is the most constrained; the lists of the local run and of the
deployed layer take their versions from it, so that what is tested is what runs. No index address is written.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UV_VERSION = "0.13.8"
UV_HOME = Path(".tools/uv")

DEVELOPMENT = Path("requirements/dev.txt")
CONSTRAINED = (Path("requirements/run.txt"), Path("layers/dependencies/requirements.txt"))
SEPARATE = (Path("requirements/sam.txt"),)


def install_uv() -> Path:
    """uv in an environment of its own, made once per version."""
    program = ROOT / UV_HOME / "bin" / "uv"
    stamp = ROOT / UV_HOME / f".{UV_VERSION}"
    if not stamp.exists():
        venv.create(ROOT / UV_HOME, with_pip=True, clear=True)
        python = ROOT / UV_HOME / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", f"uv=={UV_VERSION}"], check=True)
        stamp.touch()
    return program


def pin(uv: Path, target: Path, *, constraint: Path | None = None, upgrade: bool = False) -> None:
    """Resolve `target`'s .in file beside it and write the pins."""
    command = [str(uv), "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"]
    command += ["--generate-hashes", "--no-emit-index-url", "--no-emit-find-links"]
    command += ["--custom-compile-command", "make lock"]
    if constraint is not None:
        command += ["--constraint", str(constraint), "--no-annotate"]
    if upgrade:
        command += ["--upgrade"]
    command += [str(target.with_suffix(".in")), "--output-file", str(target)]
    print(f"Pinning {target}", flush=True)
    subprocess.run(command, cwd=ROOT, check=True)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make lock")
    parser.add_argument("--upgrade", action="store_true", help="take newer versions than the present pins")
    upgrade = bool(parser.parse_args(arguments).upgrade)
    uv = install_uv()
    pin(uv, DEVELOPMENT, upgrade=upgrade)
    for target in CONSTRAINED:
        pin(uv, target, constraint=DEVELOPMENT, upgrade=upgrade)
    for target in SEPARATE:
        pin(uv, target, upgrade=upgrade)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
