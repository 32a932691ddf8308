"""`python -m tools.build aws` and `… host` build an artifact; `… layer NAME TARGET` serves the layers' Makefiles."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tools.build import artifact, bytecode, sizes


def build(variant: artifact.Variant) -> int:
    print(f"Building the {variant.name} artifact in {variant.target.relative_to(artifact.ROOT)}", flush=True)
    if not artifact.build(variant):
        print("Nothing has changed since the last build")
    if variant.interpreter is None:
        print(
            f"Bytecode (.pyc) is left out: no Python {artifact.LAMBDA_PYTHON} was found on PATH or in BUILD_PYTHON. "
            "The artifact works; its cold starts take about twice as long."
        )
    measured = sizes.measure(variant.target)
    print(sizes.report(measured))
    if sum(size.unzipped for size in measured) > sizes.UNZIPPED_LIMIT_BYTES:
        print("The artifact is larger than Lambda accepts", file=sys.stderr)
        return 1
    return 0


def build_layer(name: str, target: Path) -> int:
    """Build one layer into `target`, as SAM's makefile builder asks for it."""
    folder = target / "python"
    if name == "shared":
        artifact.build_shared(folder)
    else:
        artifact.build_packages("aws", name, folder)
    interpreter = bytecode.find_interpreter(artifact.LAMBDA_PYTHON)
    if interpreter is not None:
        bytecode.compile_tree(interpreter, folder, artifact.LAYER_PATH)
    artifact.settle_times(target)
    return 0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.build")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("aws")
    commands.add_parser("host")
    layer = commands.add_parser("layer")
    layer.add_argument("name", choices=[*artifact.package_layers(), "shared"])
    layer.add_argument("target", type=Path)
    chosen = parser.parse_args(arguments)
    if chosen.command == "layer":
        return build_layer(chosen.name, chosen.target)
    return build(artifact.aws() if chosen.command == "aws" else artifact.host())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
