"""Writes the tables of countries, states, currencies and languages that the payments family serves.

Run `python -m tools.reference_data.payments` after raising `iso4217` or `iso3166`, or changing a table below; `--check`
only compares. Names and numbers of countries and currencies come from those packages; states (ISO 3166-2), languages
(ISO 639, their plural rules as gettext writes them) and forms of postcodes are listed here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import iso3166
import iso4217

from tollgate.countries import ALPHA2
from tollgate.currencies import EXPONENTS

FOLDER = Path(__file__).parents[2] / "functions" / "payments" / "resources" / "data"

STATES = {
    "US": "AL Alabama|AK Alaska|AZ Arizona|AR Arkansas|CA California|CO Colorado|CT Connecticut|DE Delaware|"
    "DC District of Columbia|FL Florida|GA Georgia|HI Hawaii|ID Idaho|IL Illinois|IN Indiana|IA Iowa|KS Kansas|"
    "KY Kentucky|LA Louisiana|ME Maine|MD Maryland|MA Massachusetts|MI Michigan|MN Minnesota|MS Mississippi|"
    "MO Missouri|MT Montana|NE Nebraska|NV Nevada|NH New Hampshire|NJ New Jersey|NM New Mexico|NY New York|"
    "NC North Carolina|ND North Dakota|OH Ohio|OK Oklahoma|OR Oregon|PA Pennsylvania|RI Rhode Island|"
    "SC South Carolina|SD South Dakota|TN Tennessee|TX Texas|UT Utah|VT Vermont|VA Virginia|WA Washington|"
    "WV West Virginia|WI Wisconsin|WY Wyoming|AS American Samoa|GU Guam|MP Northern Mariana Islands|PR Puerto Rico|"
    "VI Virgin Islands",
    "CA": "AB Alberta|BC British Columbia|MB Manitoba|NB New Brunswick|NL Newfoundland and Labrador|"
    "NS Nova Scotia|NT Northwest Territories|NU Nunavut|ON Ontario|PE Prince Edward Island|QC Quebec|"
    "SK Saskatchewan|YT Yukon",
    "AU": "ACT Australian Capital Territory|NSW New South Wales|NT Northern Territory|QLD Queensland|"
    "SA South Australia|TAS Tasmania|VIC Victoria|WA Western Australia",
    "CH": "AG Aargau|AI Appenzell Innerrhoden|AR Appenzell Ausserrhoden|BE Bern|BL Basel-Landschaft|BS Basel-Stadt|"
    "FR Fribourg|GE Genève|GL Glarus|GR Graubünden|JU Jura|LU Luzern|NE Neuchâtel|NW Nidwalden|OW Obwalden|"
    "SG Sankt Gallen|SH Schaffhausen|SO Solothurn|SZ Schwyz|TG Thurgau|TI Ticino|UR Uri|VD Vaud|VS Valais|ZG Zug|"
    "ZH Zürich",
    "DE": "BB Brandenburg|BE Berlin|BW Baden-Württemberg|BY Bayern|HB Bremen|HE Hessen|HH Hamburg|"
    "MV Mecklenburg-Vorpommern|NI Niedersachsen|NW Nordrhein-Westfalen|RP Rheinland-Pfalz|SH Schleswig-Holstein|"
    "SL Saarland|SN Sachsen|ST Sachsen-Anhalt|TH Thüringen",
    "AT": "1 Burgenland|2 Kärnten|3 Niederösterreich|4 Oberösterreich|5 Salzburg|6 Steiermark|7 Tirol|8 Vorarlberg|"
    "9 Wien",
    "BR": "AC Acre|AL Alagoas|AM Amazonas|AP Amapá|BA Bahia|CE Ceará|DF Distrito Federal|ES Espírito Santo|GO Goiás|"
    "MA Maranhão|MG Minas Gerais|MS Mato Grosso do Sul|MT Mato Grosso|PA Pará|PB Paraíba|PE Pernambuco|PI Piauí|"
    "PR Paraná|RJ Rio de Janeiro|RN Rio Grande do Norte|RO Rondônia|RR Roraima|RS Rio Grande do Sul|"
    "SC Santa Catarina|SE Sergipe|SP São Paulo|TO Tocantins",
    "MX": "AGU Aguascalientes|BCN Baja California|BCS Baja California Sur|CAM Campeche|CHH Chihuahua|CHP Chiapas|"
    "CMX Ciudad de México|COA Coahuila de Zaragoza|COL Colima|DUR Durango|GRO Guerrero|GUA Guanajuato|HID Hidalgo|"
    "JAL Jalisco|MEX México|MIC Michoacán de Ocampo|MOR Morelos|NAY Nayarit|NLE Nuevo León|OAX Oaxaca|PUE Puebla|"
    "QUE Querétaro|ROO Quintana Roo|SIN Sinaloa|SLP San Luis Potosí|SON Sonora|TAB Tabasco|TAM Tamaulipas|"
    "TLA Tlaxcala|VER Veracruz de Ignacio de la Llave|YUC Yucatán|ZAC Zacatecas",
}

_ONE = "nplurals=2; plural=(n != 1);"
_NONE = "nplurals=1; plural=0;"
_FRENCH = "nplurals=2; plural=(n > 1);"
_SLAVIC = "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<12 || n%100>14) ? 1 : 2);"
_CZECH = "nplurals=3; plural=(n==1) ? 0 : (n>=2 && n<=4) ? 1 : 2;"
_POLISH = "nplurals=3; plural=(n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<12 || n%100>14) ? 1 : 2);"
_ROMANIAN = "nplurals=3; plural=(n==1 ? 0 : (n==0 || (n%100>0 && n%100<20)) ? 1 : 2);"
_LITHUANIAN = "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && (n%100<10 || n%100>=20) ? 1 : 2);"
_LATVIAN = "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n != 0 ? 1 : 2);"
_SLOVENIAN = "nplurals=4; plural=(n%100==1 ? 0 : n%100==2 ? 1 : n%100==3 || n%100==4 ? 2 : 3);"
_ARABIC = "nplurals=6; plural=(n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : n%100>=11 ? 4 : 5);"

LANGUAGES: tuple[tuple[str, str, str, str, str], ...] = (
    ("bg", "bul", "Bulgarian", "BG", _ONE),
    ("cs", "ces", "Czech", "CZ", _CZECH),
    ("da", "dan", "Danish", "DK", _ONE),
    ("de", "deu", "German", "DE AT CH LI LU", _ONE),
    ("el", "ell", "Greek", "GR CY", _ONE),
    ("en", "eng", "English", "US AU CA GB IE IN NZ ZA", _ONE),
    ("es", "spa", "Spanish", "ES AR CL CO MX PE", _ONE),
    ("et", "est", "Estonian", "EE", _ONE),
    ("fi", "fin", "Finnish", "FI", _ONE),
    ("fr", "fra", "French", "FR BE CA CH LU", _FRENCH),
    ("he", "heb", "Hebrew", "IL", _ONE),
    ("hi", "hin", "Hindi", "IN", _ONE),
    ("hr", "hrv", "Croatian", "HR", _SLAVIC),
    ("hu", "hun", "Hungarian", "HU", _ONE),
    ("it", "ita", "Italian", "IT CH", _ONE),
    ("ja", "jpn", "Japanese", "JP", _NONE),
    ("ko", "kor", "Korean", "KR", _NONE),
    ("lt", "lit", "Lithuanian", "LT", _LITHUANIAN),
    ("lv", "lav", "Latvian", "LV", _LATVIAN),
    ("nb", "nob", "Norwegian Bokmål", "NO", _ONE),
    ("nl", "nld", "Dutch", "NL BE", _ONE),
    ("pl", "pol", "Polish", "PL", _POLISH),
    ("pt", "por", "Portuguese", "PT BR", _ONE),
    ("ro", "ron", "Romanian", "RO", _ROMANIAN),
    ("ru", "rus", "Russian", "RU", _SLAVIC),
    ("sk", "slk", "Slovak", "SK", _CZECH),
    ("sl", "slv", "Slovenian", "SI", _SLOVENIAN),
    ("sr", "srp", "Serbian", "RS", _SLAVIC),
    ("sv", "swe", "Swedish", "SE FI", _ONE),
    ("th", "tha", "Thai", "TH", _NONE),
    ("tr", "tur", "Turkish", "TR", _FRENCH),
    ("uk", "ukr", "Ukrainian", "UA", _SLAVIC),
    ("zh", "zho", "Chinese", "CN HK TW", _NONE),
    ("ar", "ara", "Arabic", "AE EG SA", _ARABIC),
)
"""(ISO 639-1, ISO 639-2, name, countries with the primary one first, plural rule)."""

POSTCODES: dict[str, tuple[str, str]] = {
    "AT": ("[1-9][0-9]{3}", "1010"),
    "AU": ("[0-9]{4}", "2000"),
    "BE": ("[1-9][0-9]{3}", "1000"),
    "BR": ("[0-9]{5}-?[0-9]{3}", "01310-100"),
    "CA": ("[A-Z][0-9][A-Z] ?[0-9][A-Z][0-9]", "K1A 0B1"),
    "CH": ("[1-9][0-9]{3}", "8400"),
    "CZ": ("[0-9]{3} ?[0-9]{2}", "110 00"),
    "DE": ("[0-9]{5}", "10115"),
    "DK": ("[0-9]{4}", "1050"),
    "ES": ("[0-9]{5}", "28013"),
    "FI": ("[0-9]{5}", "00100"),
    "FR": ("[0-9]{5}", "75001"),
    "GB": ("[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][A-Z]{2}", "SW1A 1AA"),
    "IT": ("[0-9]{5}", "00184"),
    "JP": ("[0-9]{3}-?[0-9]{4}", "100-0001"),
    "LI": ("94[89][0-9]", "9490"),
    "LU": ("[0-9]{4}", "1111"),
    "MX": ("[0-9]{5}", "06000"),
    "NL": ("[1-9][0-9]{3} ?[A-Z]{2}", "1012 AB"),
    "NO": ("[0-9]{4}", "0150"),
    "PL": ("[0-9]{2}-[0-9]{3}", "00-001"),
    "PT": ("[0-9]{4}-[0-9]{3}", "1000-001"),
    "SE": ("[0-9]{3} ?[0-9]{2}", "111 22"),
    "US": ("[0-9]{5}(-[0-9]{4})?", "20500"),
}
"""What a postcode looks like, and one."""

_STATE_IN_ADDRESS = frozenset({"AU", "BR", "CA", "MX", "US"})
_ADDRESS = ("GIVEN_NAME", "FAMILY_NAME", "ORGANIZATION_NAME", "STREET", "POST_CODE", "CITY")

Row = dict[str, Any]


def countries() -> Iterator[Row]:
    for code in sorted(ALPHA2):
        country = iso3166.countries.get(code)
        yield {
            "isoCode2": code,
            "isoCode3": country.alpha3,
            "numericCode": country.numeric,
            "name": country.apolitical_name,
            "stateCodes": [row["id"] for row in states() if row["countryCode"] == code],
            "addressFormat": address_format(code),
        }


def address_format(code: str) -> Row:
    """Which members of an address are used and required in a country."""
    used = [*_ADDRESS, *(["POSTAL_STATE"] if code in STATES else []), "COUNTRY"]
    required = ["FAMILY_NAME", "STREET", "CITY", "COUNTRY"]
    made: Row = {"usedFields": used, "requiredFields": required}
    if code in _STATE_IN_ADDRESS:
        required.append("POSTAL_STATE")
    if code in POSTCODES:
        required.append("POST_CODE")
        made |= {"postCodeRegex": POSTCODES[code][0], "postCodeExamples": [POSTCODES[code][1]]}
    return made


def states() -> Iterator[Row]:
    for country, listed in sorted(STATES.items()):
        for each in sorted(listed.split("|")):
            code, _, name = each.partition(" ")
            yield {"id": f"{country}-{code}", "code": code, "countryCode": country, "name": name}


def currencies() -> Iterator[Row]:
    for code, digits in sorted(EXPONENTS.items()):
        found = iso4217.Currency(code)
        yield {
            "currencyCode": code,
            "fractionDigits": digits,
            "name": found.currency_name,
            "numericCode": found.number,
        }


def languages() -> Iterator[Row]:
    rows = [
        {
            "ietfCode": f"{iso2}-{country}",
            "iso2Code": iso2,
            "iso3Code": iso3,
            "countryCode": country,
            "name": f"{name} ({iso3166.countries.get(country).apolitical_name})",
            "pluralExpression": plural,
            "primaryOfGroup": n == 0,
        }
        for iso2, iso3, name, countries_, plural in LANGUAGES
        for n, country in enumerate(countries_.split())
    ]
    yield from sorted(rows, key=lambda row: str(row["ietfCode"]))


FILES = {"countries": countries, "country_states": states, "currencies": currencies, "languages": languages}


def written(rows: Iterator[Row]) -> str:
    """A table as it is kept: one row a line."""
    lines = (json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
    return "[\n" + ",\n".join(lines) + "\n]\n"


def main(arguments: list[str]) -> int:
    stale = [name for name, make in FILES.items() if _text(name) != written(make())]
    if "--check" in arguments:
        print("\n".join(f"{name}.json is not what would be written" for name in stale) or "all as written")
        return bool(stale)
    for name in stale:
        (FOLDER / f"{name}.json").write_text(written(FILES[name]()), "utf-8")
    return 0


def _text(name: str) -> str:
    path = FOLDER / f"{name}.json"
    return path.read_text("utf-8") if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
