"""An account's list of destinations: exact origin, path by whole segments, nothing that can be read in two ways."""

from __future__ import annotations

import idna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollgate.egress import TargetRefused, is_allowed, is_prefix
from tollgate.egress.urls import read

PAY = "https://psp.example/pay"
ROOT = "https://psp.example"

COVERED = [
    "https://psp.example/pay",
    "https://psp.example/pay/",
    "https://psp.example/pay/x/y",
    "https://psp.example/pay?x=1",
    "https://psp.example/pay/?redirect=/../admin",
    "https://PSP.example/pay",
    "HTTPS://psp.example:443/pay",
    "https://psp.example./pay",
    "https://psp.example/%70ay",
    "https://psp.example/p%61y/x",
    "https://psp.example/pay/..x",
    "https://psp.example/pay/x..",
    "https://psp.example/pay/...",
    "https://psp.example/pay/%C3%A9",
    "https://psp.example/pay/a;v=1",
    "https://psp.example/pay/a%20b",
    "https://\uff50sp.example/pay",
]
NOT_COVERED = [
    "https://psp.example/",
    "https://psp.example",
    "https://psp.example/payments",
    "https://psp.example/pay-x",
    "https://psp.example/pay%2Fx",
    "https://psp.example/PAY",
    "https://psp.example/admin",
    "https://psp.example/admin/pay",
    "https://psp.example/x/../pay",
    "https://psp.example/pay/../admin",
    "https://psp.example/pay/..",
    "https://psp.example/pay/.",
    "https://psp.example/pay/./x",
    "https://psp.example/pay/%2e%2e/admin",
    "https://psp.example/pay/%2E%2e/admin",
    "https://psp.example/pay/.%2e/admin",
    "https://psp.example/pay/%2e",
    "https://psp.example/pay/%252e%252e/admin",
    "https://psp.example/pay/%25252e/admin",
    "https://psp.example/pay/..%2fadmin",
    "https://psp.example/pay/..%5cadmin",
    "https://psp.example/pay/..;/admin",
    "https://psp.example/pay/..;x=1/admin",
    "https://psp.example/pay/%2e%2e;/admin",
    "https://psp.example/pay/.;/admin",
    "https://psp.example/pay/;/../admin",
    "https://psp.example/pay/%3b/x",
    "https://psp.example//pay",
    "https://psp.example/pay//x",
    "https://psp.example/pay//../admin",
    "https://psp.example///pay",
    "https://psp.example/pay/%c0%ae%c0%ae/admin",
    "https://psp.example/pay/%ff",
    "https://psp.example/pay/%u002e%u002e/admin",
    "https://psp.example/pay/%",
    "https://psp.example/pay/%2",
    "https://psp.example/pay/%zz",
    "https://psp.example/pay/%00",
    "https://psp.example/pay/%0d%0a",
    "https://psp.example/pay/%7f",
    "https://psp.example/pay/%e2%80%ae",
    "https://psp.example/pay\\..\\admin",
    "https://psp.example/pay#/x",
    "http://psp.example/pay",
    "http://psp.example:443/pay",
    "https://psp.example:444/pay",
    "https://psp.example:22/pay",
    "https://xpsp.example/pay",
    "https://psp.example.evil.example/pay",
    "https://evil.example/psp.example/pay",
    "https://psp.example@evil.example/pay",
    "https://user@psp.example/pay",
    "https://sub.psp.example/pay",
    "https://p\u0455p.example/pay",
    "https://psp.examp1e/pay",
    "/pay",
    "",
]


@pytest.mark.parametrize("url", COVERED, ids=ascii)
def test_a_url_at_or_below_the_prefix_is_allowed(url: str) -> None:
    assert is_allowed(url, [PAY])


@pytest.mark.parametrize("url", NOT_COVERED, ids=ascii)
def test_anything_else_is_not(url: str) -> None:
    assert not is_allowed(url, [PAY])


def test_an_empty_list_allows_nothing() -> None:
    assert not is_allowed(PAY, [])


def test_any_one_of_several_prefixes_is_enough() -> None:
    assert is_allowed(PAY, ["https://other.example/", "not a url", PAY])


@pytest.mark.parametrize("prefix", [ROOT, ROOT + "/", "https://PSP.example:443", "https://psp.example."])
def test_a_prefix_without_a_path_covers_the_whole_origin_and_no_other(prefix: str) -> None:
    assert is_allowed("https://psp.example/a%2Fb//c", [prefix])
    assert not is_allowed("https://psp.example:444/", [prefix])
    assert not is_allowed("http://psp.example/", [prefix])


def test_a_final_slash_in_the_prefix_means_below_it() -> None:
    assert is_allowed("https://psp.example/pay/x", [PAY + "/"])
    assert not is_allowed("https://psp.example/pay", [PAY + "/"])
    assert not is_allowed("https://psp.example/payments", [PAY + "/"])


def test_ports_and_plain_addresses_are_compared_exactly() -> None:
    assert is_allowed("http://127.0.0.1:8080/sandbox/inbox/x", ["http://127.0.0.1:8080/sandbox"])
    assert not is_allowed("http://127.0.0.1:8081/sandbox/inbox/x", ["http://127.0.0.1:8080/sandbox"])
    assert not is_allowed("http://localhost:8080/sandbox", ["http://127.0.0.1:8080/sandbox"])
    assert is_allowed("http://[::1]:8080/", ["http://[0:0::1]:8080"])


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "psp.example",
        "https://",
        "https://psp.example/?x",
        "https://psp.example/#a",
        "https://psp.example/a/../b",
        "https://psp.example/a//b",
        "https://psp.example/%2e",
        "https://u@psp.example",
        "https://*.example/",
        "https://psp.example:65536",
        "ftp://psp.example",
    ],
)
def test_a_bad_prefix_is_told_apart_and_covers_nothing(prefix: str) -> None:
    assert not is_prefix(prefix)
    assert not is_allowed("https://psp.example/a/b", [prefix])
    assert not is_allowed(prefix, [prefix])


@pytest.mark.parametrize("prefix", [PAY, ROOT, "http://127.0.0.1:8080/x", "https://b\u00fccher.example/"], ids=ascii)
def test_a_good_prefix_covers_itself(prefix: str) -> None:
    assert is_prefix(prefix)
    assert is_allowed(prefix, [prefix])


@given(
    st.lists(
        st.sampled_from(["..", ".", "%2e", "%2E%2e", "admin", "pay", "", ";", "..;", "%2f", "%5c", "%25", "a"]),
        max_size=6,
    )
)
def test_no_mixture_of_tricks_leads_out_of_the_prefix(segments: list[str]) -> None:
    """What is allowed contains no trick at all, so every server sees the path that was compared."""
    url = PAY + "/" + "/".join(segments)
    if is_allowed(url, [PAY]):
        assert set(segments[:-1]) <= {"admin", "pay", "a"}
        assert set(segments[-1:]) <= {"admin", "pay", "a", ""}


def test_a_name_is_never_cut_short() -> None:
    with pytest.raises(TargetRefused):
        read("https://" + "psp.example" + "\u00ad" * 300 + ".evil.example/")


LETTERS = st.text(st.characters(min_codepoint=0x80, exclude_categories=["Cs"]), min_size=1, max_size=4)


@given(LETTERS, st.sampled_from(["", "a", "Z", "1", "-"]))
def test_a_name_in_another_script_is_read_as_other_software_reads_it_or_refused(letters: str, ascii_part: str) -> None:
    """The second opinion is UTS 46, which browsers follow."""
    name = f"{ascii_part}{letters}{ascii_part}.example"
    try:
        host = read(f"https://{name}/").host
    except TargetRefused:
        return
    try:
        expected = idna.encode(name, uts46=True).decode("ascii")
    except idna.IDNAError:
        return  # a symbol that newer rules refuse altogether: nothing else can be reached under it
    assert host == expected.removesuffix(".")
