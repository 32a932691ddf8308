"""The process that carries out one statement: files of tables in, a file of lines out, and nothing else in reach.

Started by `engine` with an empty environment, so no credential is here to be found, and with limits of memory,
processor time and file size that the system keeps. The engine's own locks are set before the statement is heard: no
files, no extensions, no settings. Stands for itself: it may import the engine and the standard library alone.
"""

from __future__ import annotations

import json
import resource
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import duckdb

_LOCKS: Final = (
    "SET python_enable_replacements = false",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)
_ROWS_AT_ONCE: Final = 5_000


class TooMuch(Exception):
    """The result is larger than results may be."""


def main() -> None:
    """Read a plan from standard input; write a verdict to standard output."""
    plan = json.loads(sys.stdin.read())
    confine(plan["address_bytes"], plan["file_bytes"], plan["seconds"])
    sys.stdout.write(json.dumps(carry_out(plan)))


def confine(address_bytes: int, file_bytes: int, seconds: int) -> None:
    """What the system lets this process have."""
    resource.setrlimit(resource.RLIMIT_AS, (address_bytes, address_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def carry_out(plan: dict[str, Any]) -> dict[str, Any]:
    """Load the tables, close everything, execute: `{"rows": n}` or `{"failure": text}`. No text repeats a value."""
    try:
        connection = _opened(plan)
        for table in plan["tables"]:
            _load(connection, plan["schema"], table)
        for lock in _LOCKS:
            connection.execute(lock)
        return {"rows": _executed(connection, plan)}
    except TooMuch:
        return {"failure": f"The result has more than {plan['most_rows']} rows or {plan['most_bytes']} bytes"}
    except (duckdb.OutOfMemoryException, MemoryError):
        return {"failure": "The query needs more memory than it may have"}
    except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException):
        return {"failure": "The query names a column that there is not, or uses a function with values of other types"}
    except (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.InvalidInputException):
        return {"failure": "The query computes something that the values in it do not allow"}
    except duckdb.Error:
        return {"failure": "The query could not be carried out"}


def _opened(plan: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(
        ":memory:",
        config={
            "threads": 2,
            "memory_limit": f"{plan['memory_megabytes']}MB",
            "temp_directory": "",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        },
    )
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f'CREATE SCHEMA "{plan["schema"]}"')
    return connection


def _load(connection: duckdb.DuckDBPyConnection, schema: str, table: dict[str, Any]) -> None:
    """Names, types and the path are the worker's, from the declarations; only the file's cells are merchants' data."""
    columns = ", ".join(f'"{name}" {kind}' for name, kind in table["columns"])
    name = f'"{schema}"."{table["name"]}"'
    connection.execute(f"CREATE TABLE {name} ({columns})")
    options = (
        "FORMAT csv, HEADER false, AUTO_DETECT false, DELIMITER ',', QUOTE '\"', ESCAPE '\"', NEW_LINE '\\n', "
        f"NULLSTR '{table['null']}', ALLOW_QUOTED_NULLS false, MAX_LINE_SIZE 8000000, BUFFER_SIZE 16000000"
    )
    connection.execute(f"COPY {name} FROM '{table['path']}' ({options})")
    Path(table["path"]).unlink()


def _executed(connection: duckdb.DuckDBPyConnection, plan: dict[str, Any]) -> int:
    """Write the result with a header; answers the number of rows."""
    found = connection.execute(plan["sql"])
    rows = size = 0
    with Path(plan["result"]).open("w", encoding="utf-8", newline="") as target:
        size += target.write(",".join(_cell(each[0]) for each in found.description or ()) + "\r\n")
        while some := found.fetchmany(_ROWS_AT_ONCE):
            text = "".join(",".join(_cell(value) for value in row) + "\r\n" for row in some)
            rows, size = rows + len(some), size + len(text.encode())
            if rows > plan["most_rows"] or size > plan["most_bytes"]:
                raise TooMuch
            target.write(text)
    return rows


def _cell(value: Any) -> str:
    """A value as RFC 4180 has it. A text that a spreadsheet would take for a formula stays as it is: this is data."""
    if value is None:
        return ""
    text = _text(value)
    return '"' + text.replace('"', '""') + '"' if any(each in text for each in ',"\r\n') or not text else text


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, (list, dict, tuple)):
        return json.dumps(value, default=_text, ensure_ascii=False)
    return value.isoformat(" ") if hasattr(value, "hour") and hasattr(value, "year") else str(value)


if __name__ == "__main__":
    main()
