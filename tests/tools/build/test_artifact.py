"""What `make build` makes is complete, small enough, for Lambda's machine, and holds bytecode where it can."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
import sys
from pathlib import Path

import pytest

from tests.support.environment import DEPLOYMENT
from tests.tools.build.starting import start
from tools.build import artifact, bytecode, sizes
from tools.build.artifact import ROOT, Variant

AARCH64 = 183  # e_machine of an ELF file
DOORS = sorted({function.handler.rpartition(".")[0] for function in DEPLOYMENT.functions.values()})


@pytest.mark.parametrize("function", sorted(DEPLOYMENT.functions))
def test_handler_imports_from_the_artifact_alone(host_artifact: Variant, function: str) -> None:
    """No package of the development environment is in reach, so a missing one shows."""
    found = start(host_artifact, function)
    assert found.is_callable
    assert found.door.is_relative_to(host_artifact.functions)
    assert found.shared.is_relative_to(host_artifact.shared)


def test_every_module_of_the_host_artifact_is_compiled(host_artifact: Variant) -> None:
    layers = (host_artifact.layer(name) for name in (*artifact.package_layers(), "shared"))
    for folder in (*layers, host_artifact.functions):
        assert _uncompiled(folder, sys.implementation.cache_tag) == []


def test_bytecode_is_never_compared_with_its_source(host_artifact: Variant) -> None:
    """Bits 0 and 1 of the flags: by hash, unchecked. Zipping changes times, so bytecode by time would be ignored."""
    compiled = importlib.util.cache_from_source(str(host_artifact.shared / "tollgate" / "clock.py"))
    assert Path(compiled).read_bytes()[4:8] == b"\x01\x00\x00\x00"


def test_bytecode_shows_no_build_machine(host_artifact: Variant) -> None:
    """Where it was built is nobody's business, and would make equal builds differ."""
    compiled = importlib.util.cache_from_source(str(host_artifact.shared / "tollgate" / "clock.py"))
    content = Path(compiled).read_bytes()
    assert b"/opt/python/tollgate/clock.py" in content
    assert str(ROOT).encode() not in content


def test_artifact_fits_into_lambda(aws_artifact: Variant) -> None:
    total = sizes.unzipped_bytes(aws_artifact.target)
    assert 0 < total < sizes.UNZIPPED_LIMIT_BYTES


def test_native_code_is_for_lambda(aws_artifact: Variant) -> None:
    libraries = list((aws_artifact.target / "layers").rglob("*.so*"))
    assert libraries
    for library in libraries:
        assert int.from_bytes(library.read_bytes()[18:20], "little") == AARCH64, library
        version = re.search(r"cpython-(\d+)", library.name)
        assert version is None or version[1] == artifact.LAMBDA_PYTHON.replace(".", ""), library


def test_both_artifacts_hold_the_same(aws_artifact: Variant, host_artifact: Variant) -> None:
    """The host variant stands for the deployed one in measurements, so it must not hold less or more of Python."""
    for name in artifact.package_layers():
        assert _sources(aws_artifact.layer(name)) == _sources(host_artifact.layer(name))
    assert _sources(aws_artifact.functions) == _sources(host_artifact.functions) == _sources(ROOT / "functions")
    assert _sources(aws_artifact.shared) == _sources(host_artifact.shared)


def test_cloud_artifact_is_compiled_where_its_interpreter_is_at_hand(aws_artifact: Variant) -> None:
    has_interpreter = bytecode.find_interpreter(artifact.LAMBDA_PYTHON) is not None
    tag = "cpython-" + artifact.LAMBDA_PYTHON.replace(".", "")
    missing = _uncompiled(aws_artifact.packages, tag) + _uncompiled(aws_artifact.functions, tag)
    assert (missing == []) is has_interpreter


def test_template_lies_beside_what_it_names(aws_artifact: Variant) -> None:
    assert (aws_artifact.target / "template.yaml").read_text("utf-8") == (ROOT / "template.yaml").read_text("utf-8")
    for folder in ("functions", "layers/dependencies/python", "layers/shared/python"):
        assert (aws_artifact.target / folder).is_dir()


def test_equal_builds_are_equal_archives(host_artifact: Variant) -> None:
    """Else every deployment would publish new layers and start every function cold."""
    parts = (host_artifact.functions, host_artifact.shared, host_artifact.packages)
    times = {path.stat().st_mtime for part in parts for path in part.rglob("*")}
    assert times == {float(artifact.BUILD_TIME)}


def test_nothing_is_built_twice(host_artifact: Variant) -> None:
    assert artifact.build(host_artifact) is False
    elsewhere = dataclasses.replace(host_artifact, interpreter=None)
    assert artifact.fingerprint(elsewhere) != artifact.fingerprint(host_artifact)


@pytest.mark.parametrize("layer", artifact.package_layers())
def test_pins_hold_for_every_platform(layer: str) -> None:
    """pip reads the markers of the machine it runs on, so a pin of a layer must not depend on machine or version."""
    text = (artifact.LAYERS / layer / "requirements.txt").read_text("utf-8")
    markers = set(re.findall(r"(?:sys_platform|platform_machine|python_full_version|python_version|os_name)", text))
    assert markers == set()


@pytest.mark.parametrize("layer", artifact.package_layers())
def test_pinned_versions_are_tested_versions(layer: str) -> None:
    """The environment of the local run and that of the tests hold what the layer holds."""
    pins = dict(artifact.pinned(artifact.LAYERS / layer / "requirements.txt"))
    assert pins
    for name in ("run", "dev"):
        installed = dict(artifact.pinned(ROOT / "requirements" / f"{name}.txt"))
        assert {package: installed.get(package) for package in pins} == pins


def test_layers_do_not_overlap() -> None:
    names = [
        name
        for layer in artifact.package_layers()
        for name, _ in artifact.pinned(artifact.LAYERS / layer / "requirements.txt")
    ]
    assert sorted(names) == sorted(set(names))


def test_no_interpreter_of_the_version_means_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILD_PYTHON", sys.executable)
    version = "{}.{}".format(*sys.version_info)
    assert bytecode.find_interpreter(version) == sys.executable
    assert bytecode.find_interpreter("2.0") is None


def test_size_report_adds_up() -> None:
    megabyte = 1024 * 1024
    text = sizes.report([sizes.Size("functions", 3 * megabyte, megabyte), sizes.Size("layers/shared", megabyte, 0)])
    assert "3.0 MB, zipped   1.0 MB" in text
    assert "4.0 MB of 250 MB" in text


def _uncompiled(folder: Path, tag: str | None) -> list[str]:
    return [
        str(source)
        for source in folder.rglob("*.py")
        if not (source.parent / "__pycache__" / f"{source.stem}.{tag}.pyc").exists()
    ]


def _sources(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.py")}


def test_requirements_of_the_layer_are_the_agreed_ones() -> None:
    """A package more in the layer is latency for every function: it takes a decision, and then a line here."""
    lines = artifact.REQUIREMENTS.with_suffix(".in").read_text("utf-8").splitlines()
    names = {line for line in lines if line and not line.startswith("#")}
    agreed = {"aws-lambda-powertools", "boto3", "cryptography", "joserfc", "pydantic", "PyJWT[crypto]", "pydyf"}
    assert names == agreed
