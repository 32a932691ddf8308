"""The generated tables: committed as the generator writes them, equal to a second source, free to import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pycountry
import pytest

from tollgate import countries, currencies
from tools.reference_data import generate

SHARED_LAYER = Path(currencies.__file__).parent

# Assigned, but with no minor unit: metals, bond-market units, drawing rights and units of account, test, none.
WITHOUT_MINOR_UNIT = {"XAG", "XAU", "XPD", "XPT", "XBA", "XBB", "XBC", "XBD", "XDR", "XSU", "XUA", "XTS", "XXX"}


@pytest.mark.parametrize("name", ["currencies", "countries"])
def test_committed_table_is_what_the_generator_writes(name: str) -> None:
    committed = (SHARED_LAYER / f"{name}.py").read_text(encoding="utf-8")
    assert committed == getattr(generate, name)()


def test_check_says_which_table_is_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "SHARED_LAYER", tmp_path)
    assert generate.main(["--check"]) == 1
    assert "currencies.py: differs" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    (tmp_path / "countries.py").write_text("", encoding="utf-8")
    assert generate.main(["--check"]) == 1


def test_currencies_are_those_of_another_source() -> None:
    ours = set(currencies.EXPONENTS) | set(currencies.FUND_EXPONENTS)
    assert ours | WITHOUT_MINOR_UNIT == {each.alpha_3 for each in pycountry.currencies}
    assert not ours & WITHOUT_MINOR_UNIT
    assert not set(currencies.EXPONENTS) & set(currencies.FUND_EXPONENTS)


def test_funds_are_known_but_no_currency_of_a_payment() -> None:
    assert set(currencies.FUND_EXPONENTS) == {"BOV", "CHE", "CHW", "CLF", "COU", "MXV", "USN", "UYI"}
    assert not any(currencies.is_currency(code) for code in currencies.FUND_EXPONENTS)
    assert currencies.exponent("CLF") == 4


def test_a_code_that_was_withdrawn_is_no_currency() -> None:
    for code in ("HRK", "BGN", "ANG", "DEM", "ZWL", "SLL"):
        assert not currencies.is_currency(code)


def test_countries_are_those_of_another_source() -> None:
    assert {each.alpha_3: each.alpha_2 for each in pycountry.countries} == dict(countries.ALPHA2_BY_ALPHA3)
    assert len(countries.ALPHA2) == 249


@pytest.mark.parametrize(
    ("code", "meant"),
    [("DE", "DE"), ("AUS", "AU"), ("GBR", "GB"), ("XK", None), ("XKX", None), ("de", None), ("", None)],
)
def test_either_code_of_a_country(code: str, meant: str | None) -> None:
    assert countries.alpha2(code) == meant
    assert countries.is_country(code) is (code == meant)


def test_tables_cannot_be_changed() -> None:
    for table in (currencies.EXPONENTS, currencies.FUND_EXPONENTS, countries.ALPHA2_BY_ALPHA3):
        with pytest.raises(TypeError):
            table["EUR"] = 3  # type: ignore[index]


def test_importing_the_tables_is_free() -> None:
    """A millisecond is the promise; the best of several fresh interpreters keeps a busy machine out of it."""
    program = (
        "import typing, types, collections.abc, tollgate, time; before = time.perf_counter();"
        "import tollgate.currencies, tollgate.countries; print(time.perf_counter() - before)"
    )
    command = [sys.executable, "-c", program]
    environment = {"PYTHONPATH": str(SHARED_LAYER.parent)}
    seconds = [
        float(subprocess.run(command, env=environment, capture_output=True, check=True, text=True).stdout)
        for _ in range(7)
    ]
    assert min(seconds) < 0.005
