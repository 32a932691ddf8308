"""`python -m local <command>`: the command line of the local machine.

run        start everything on 127.0.0.1:$PORT (8080) and stay
setup      install the programs it needs under .tools
reset      forget all local data
invoke     invoke one function with an event file and print its answer
services   start everything with throw-away data, run a command against it, stop
id-token   print an id token of a demo account's member (authorization code with PKCE, as a client would get it)
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036  # what follows does not even parse on older ones
    sys.exit("Tollgate needs Python 3.11 or newer")

from local import commands
from local.layout import Layout, checkout
from local.setup import set_up


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    try:
        return _carry_out(options)
    except (commands.CommandError, *commands.KNOWN_ERRORS) as error:
        print(f"local: {error}", file=sys.stderr)
        return 1


def _carry_out(options: argparse.Namespace) -> int:
    layout: Layout = checkout(options.data, options.template)
    match options.command:
        case "run":
            return commands.run(layout, options.port)
        case "setup":
            set_up(layout, commands.say)
            return 0
        case "reset":
            return commands.reset(layout)
        case "invoke":
            return commands.invoke(layout, options.function, options.event)
        case "id-token":
            return commands.id_token(layout, options.account)
        case _:
            return commands.services(options.program, options.template)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder of the local data (.local)")
    parser.add_argument("--template", type=Path, help="the template to serve (template.yaml)")
    names = parser.add_subparsers(dest="command", required=True, metavar="command")
    run = names.add_parser("run")
    run.add_argument("--port", type=_port, default=os.environ.get("PORT") or "8080")
    names.add_parser("setup")
    names.add_parser("reset")
    invoke = names.add_parser("invoke")
    invoke.add_argument("function")
    invoke.add_argument("event", type=Path)
    token = names.add_parser("id-token")
    token.add_argument("--account", default="demo")
    services = names.add_parser("services")
    services.add_argument("program", nargs="+", help="-- and the command with its arguments")
    return parser


def _port(text: str) -> int:
    if not text.isdigit() or not 0 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port")
    return int(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
