"""Pins every requirements list with hashes, for every Python from 3.11 on, Linux and macOS, x86-64 and arm64.

The development list is resolved first, because it is the most constrained; the lists of the local run and of the
deployed layer take their versions from it, so that what is tested is what runs. No index address is written.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UV_VERSION = "0.13.8"
UV_HOME = Path(".tools/uv")

DEVELOPMENT = Path("requirements/dev.txt")
RUN = Path("requirements/run.txt")
DEPENDENCIES = Path("layers/dependencies/requirements.txt")
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


def pin(uv: Path, target: Path, *options: str) -> None:
    """Resolve `target`'s .in file beside it and write the pins."""
    command = [str(uv), "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"]
    command += ["--generate-hashes", "--no-emit-index-url", "--no-emit-find-links"]
    command += ["--custom-compile-command", "make lock", *options]
    command += [str(target.with_suffix(".in")), "--output-file", str(target)]
    print(f"Pinning {target}", flush=True)
    subprocess.run(command, cwd=ROOT, check=True)


def further_layers() -> list[Path]:
    """Layers that single functions have beside the dependencies layer."""
    found = sorted(path.relative_to(ROOT).with_suffix(".txt") for path in ROOT.glob("layers/*/requirements.in"))
    return [path for path in found if path != DEPENDENCIES]


def names_in(pins: Path) -> list[str]:
    lines = (ROOT / pins).read_text("utf-8").splitlines()
    return [re.split(r"\[|==", line)[0] for line in lines if "==" in line and line[0].isalnum()]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make lock")
    parser.add_argument("--upgrade", action="store_true", help="take newer versions than the present pins")
    upgrade = ["--upgrade"] if parser.parse_args(arguments).upgrade else []
    uv = install_uv()
    as_tested = ["--constraint", str(DEVELOPMENT), "--no-annotate", *upgrade]
    pin(uv, DEVELOPMENT, *upgrade)
    pin(uv, RUN, *as_tested)
    pin(uv, DEPENDENCIES, *as_tested)
    for layer in further_layers():
        # What the dependencies layer holds is there already; a second copy would hide it.
        pin(uv, layer, *as_tested, *(f"--no-emit-package={name}" for name in names_in(DEPENDENCIES)))
    for target in SEPARATE:
        pin(uv, target, *upgrade)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
