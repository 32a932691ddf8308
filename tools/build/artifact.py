"""The steps of a build, for the cloud (`aws`) or for the interpreter at hand (`host`).

Both variants have the layout that SAM deploys and take the same steps: packages, pruning, trimmed botocore data,
our code, bytecode. They differ in where packages come from: wheels for Lambda's platform, or the environment that
runs the build, whose versions are the same pins. A build never writes into the source tree.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import Distribution, distribution
from pathlib import Path

from tools.build import botocore_data, bytecode

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".build" / "cache"
LAYERS = ROOT / "layers"
DEPENDENCIES = "dependencies"
REQUIREMENTS = LAYERS / DEPENDENCIES / "requirements.txt"

# Lambda's interpreter and machine, as template.yaml's Globals have them (a test compares).
LAMBDA_PYTHON = "3.13"
LAMBDA_PLATFORMS = ("manylinux_2_34_aarch64", "manylinux_2_28_aarch64", "manylinux2014_aarch64")

# Where Lambda puts layers and functions: the file names that go into bytecode.
LAYER_PATH = "/opt/python"
CODE_PATH = "/var/task"

FINGERPRINT = ".fingerprint"

# Of no use at run time: botocore's data is replaced by the trimmed copy, the rest is for developers.
PRUNED = ("bin", "share", "botocore/data", "boto3/data", "boto3/examples")

# One fixed modification time makes equal builds equal archives, so an unchanged layer is not published anew.
BUILD_TIME = 315619200  # 1980-01-02, the first full day a zip archive can name


@dataclass(frozen=True)
class Variant:
    """One kind of artifact: where it goes, and which interpreter will import it (None: no bytecode)."""

    name: str
    target: Path
    interpreter: str | None

    def layer(self, name: str) -> Path:
        """What Lambda puts on the import path for a layer."""
        return self.target / "layers" / name / "python"

    @property
    def packages(self) -> Path:
        return self.layer(DEPENDENCIES)

    @property
    def shared(self) -> Path:
        return self.layer("shared")

    @property
    def functions(self) -> Path:
        return self.target / "functions"


def aws() -> Variant:
    """What is deployed, where `sam deploy` looks for it."""
    return Variant("aws", ROOT / ".aws-sam" / "build", bytecode.find_interpreter(LAMBDA_PYTHON))


def host() -> Variant:
    """The same for the running interpreter: what start-up measurements import."""
    return Variant("host", ROOT / ".build" / "host", sys.executable)


def build(variant: Variant) -> bool:
    """Build if anything has changed since the last time; answers whether it did. Two builds never meet."""
    with _alone(variant):
        wanted = fingerprint(variant)
        if _recorded(variant) == wanted:
            return False
        fresh = replace(variant, target=variant.target.with_name(f"{variant.target.name}.unfinished"))
        shutil.rmtree(fresh.target, ignore_errors=True)
        _build_all(fresh)
        (fresh.target / FINGERPRINT).write_text(wanted, "utf-8")
        shutil.rmtree(variant.target, ignore_errors=True)
        fresh.target.rename(variant.target)
        return True


def _build_all(variant: Variant) -> None:
    for name in package_layers():
        build_packages(variant.name, name, variant.layer(name))
    build_shared(variant.shared)
    copy_code(ROOT / "functions", variant.functions)
    shutil.copyfile(ROOT / "template.yaml", variant.target / "template.yaml")
    if variant.interpreter is not None:
        for name in (*package_layers(), "shared"):
            bytecode.compile_tree(variant.interpreter, variant.layer(name), LAYER_PATH)
        bytecode.compile_tree(variant.interpreter, variant.functions, CODE_PATH)
    settle_times(variant.target)


def fingerprint(variant: Variant) -> str:
    """A hash of everything that an artifact is made from."""
    digest = hashlib.sha256(repr((variant.name, variant.interpreter, sys.version)).encode())
    folders = (ROOT / "functions", ROOT / "layers", ROOT / "tools" / "build")
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    for path in [ROOT / "template.yaml", *sorted(files)]:
        digest.update(f"{path.relative_to(ROOT)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _recorded(variant: Variant) -> str | None:
    path = variant.target / FINGERPRINT
    return path.read_text("utf-8") if path.exists() else None


@contextmanager
def _alone(variant: Variant) -> Iterator[None]:
    """Hold the variant's lock: tests, a bench and a developer may all want it at once."""
    path = ROOT / ".build" / f"{variant.name}.lock"
    path.parent.mkdir(exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def package_layers() -> list[str]:
    """The layers of third-party packages: those with pins. All functions have `dependencies`, few have another."""
    return sorted(path.parent.name for path in LAYERS.glob("*/requirements.txt"))


def build_packages(variant: str, layer: str, target: Path) -> None:
    """A package layer's `python` folder, without bytecode."""
    requirements = LAYERS / layer / "requirements.txt"
    if variant == "aws":
        shutil.copytree(downloaded_packages(requirements), target)
    else:
        copy_installed(requirements, target)
    for path in PRUNED:
        remove(target / path)
    if layer == DEPENDENCIES:
        botocore_data.write(
            target / botocore_data.FOLDER,
            clients=LAYERS / "shared" / "python" / "tollgate" / "aws.py",
            code=(ROOT / "functions", LAYERS / "shared" / "python"),
        )


def build_shared(target: Path) -> None:
    """The shared layer's `python` folder, without bytecode."""
    copy_code(LAYERS / "shared" / "python", target)


def downloaded_packages(requirements: Path) -> Path:
    """The pinned wheels for Lambda, unpacked; kept by the hash of the pins."""
    digest = hashlib.sha256(requirements.read_bytes() + repr(LAMBDA_PLATFORMS).encode()).hexdigest()[:16]
    target = CACHE / f"{requirements.parent.name}-{digest}"
    if not target.exists():
        for old in CACHE.glob(f"{requirements.parent.name}-*"):
            shutil.rmtree(old)
        unfinished = target.with_suffix(".unfinished")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
        command += ["--no-compile", "--no-deps", "--require-hashes", "--only-binary=:all:", "--implementation", "cp"]
        command += ["--python-version", LAMBDA_PYTHON, "--target", str(unfinished), "--requirement", str(requirements)]
        command += [f"--platform={platform}" for platform in LAMBDA_PLATFORMS]
        subprocess.run(command, check=True)
        unfinished.rename(target)
    return target


def copy_installed(requirements: Path, target: Path) -> None:
    """Copy the same packages from the environment that runs the build.

    Raises:
        SystemExit: the environment does not hold the pinned versions.
    """
    for name, version in pinned(requirements):
        found = distribution(name)
        if found.version != version:
            sys.exit(f"The environment has {name} {found.version}, the pins say {version}; run `make test` to renew it")
        for source, relative in installed_files(found):
            place = target / relative
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, place)


def installed_files(package: Distribution) -> Iterator[tuple[Path, str]]:
    """A package's own files and their places relative to site-packages; no scripts, no bytecode."""
    for entry in package.files or []:
        relative = entry.as_posix()
        source = Path(str(entry.locate()))
        if not relative.startswith("..") and "__pycache__" not in relative and source.is_file():
            yield source, relative


def pinned(requirements: Path) -> list[tuple[str, str]]:
    """Name and version of each pin."""
    lines = requirements.read_text("utf-8").splitlines()
    pins = [line.split()[0].partition("==") for line in lines if "==" in line and line[0].isalnum()]
    return [(name.partition("[")[0], version) for name, _, version in pins]


def copy_code(source: Path, target: Path) -> None:
    """Copy our own packages, leaving caches behind."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc", ".*"))


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def settle_times(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (BUILD_TIME, BUILD_TIME))
