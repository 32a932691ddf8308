"""The guard as a whole: scripted DNS, certificates, the sandbox's list, and what is known after each failure."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.shared.egress.peers import Authority, Peer, Visit, answer, drip, in_turn, say, serving
from tollgate import errors
from tollgate.egress import (
    Answer,
    BadAnswer,
    Egress,
    EgressFailure,
    ResolverDown,
    TargetRefused,
    TimedOut,
    guard,
    names,
)

PUBLIC = "93.184.216.34"
OTHER_PUBLIC = "93.184.216.35"
NAME = "psp.example"
DEADLINE = 0.3
SLACK = 0.5


class Wiring:
    """Leads the public addresses of the script to ports on loopback, and keeps who was dialled."""

    def __init__(self, ports: dict[str, int]) -> None:
        self.ports = ports
        self.dialled: list[tuple[str, int]] = []

    def __call__(self, address: str, port: int, seconds: float) -> socket.socket:
        self.dialled.append((address, port))
        return socket.create_connection(("127.0.0.1", self.ports[address]), timeout=seconds)


class Names:
    """Answers a list after the other, the last one for ever: the way a rebinding name server does."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, name: str) -> Sequence[str]:
        self.asked.append(name)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def stopwatch() -> Iterator[None]:
    before = time.monotonic()
    yield
    assert time.monotonic() - before < DEADLINE + SLACK


class House:
    """A guard that trusts the tests' authority, in front of a peer that `psp.example` resolves to."""

    def __init__(
        self, authority: Authority, peer: Peer, resolver: Callable[[str], Sequence[str]] | None = None
    ) -> None:
        self.names = Names([PUBLIC])
        self.wiring = Wiring({PUBLIC: peer.port})
        context = authority.client_context()
        self.egress = Egress(resolver=resolver or self.names, connect=self.wiring, tls=lambda: context)

    def get(self, url: str = f"https://{NAME}/", *, seconds: float = 5.0, body: bytes | None = None) -> Answer:
        method = "GET" if body is None else "POST"
        return self.egress.request(method, url, [], body, deadline_seconds=seconds, max_response_bytes=1000)

    def failure(self, kind: type[EgressFailure], *, seconds: float = 5.0, body: bytes | None = None) -> EgressFailure:
        with pytest.raises(kind) as raised:
            self.get(seconds=seconds, body=body)
        return raised.value


class TestCertificates:
    def test_the_connection_goes_to_the_checked_address_and_the_name_goes_into_sni_and_host(
        self, authority: Authority
    ) -> None:
        seen: list[str | None] = []
        with serving(answer(b"hello"), authority.server_context(NAME, seen=seen)) as peer:
            house = House(authority, peer)
            assert house.get("https://PSP.example.:443/pay?x=1").body == b"hello"
        assert house.wiring.dialled == [(PUBLIC, 443)]
        assert house.names.asked == [NAME]
        assert seen == [NAME]
        assert peer.visits[0].request.startswith(b"GET /pay?x=1 HTTP/1.1\r\nhost: psp.example\r\n")

    def test_a_name_in_another_script_is_asked_for_in_ascii_everywhere(self, authority: Authority) -> None:
        seen: list[str | None] = []
        ascii_name = "xn--bcher-kva.example"
        with serving(answer(), authority.server_context(ascii_name, seen=seen)) as peer:
            house = House(authority, peer)
            house.get("https://b\u00fccher.example/")
        assert (house.names.asked, seen) == ([ascii_name], [ascii_name])
        assert b"\r\nhost: xn--bcher-kva.example\r\n" in peer.visits[0].request

    @pytest.mark.parametrize(
        "certified", [("other.example",), ("*.psp.example",), ("example",), ("xpsp.example", PUBLIC)], ids=str
    )
    def test_a_certificate_for_another_name_is_refused_before_anything_is_sent(
        self, authority: Authority, certified: tuple[str, ...]
    ) -> None:
        with serving(answer(), authority.server_context(*certified)) as peer:
            problem = House(authority, peer).failure(BadAnswer, body=b"secret")
        assert (problem.sent, problem.reason) == (False, "tls")
        assert not any(visit.request for visit in peer.visits)

    def test_an_expired_certificate_is_refused(self, authority: Authority) -> None:
        with serving(answer(), authority.server_context(NAME, days=-1)) as peer:
            assert House(authority, peer).failure(BadAnswer).sent is False

    def test_an_unknown_authority_is_refused(self, authority: Authority, tmp_path: Path) -> None:
        with serving(answer(), Authority(tmp_path).server_context(NAME)) as peer:
            assert House(authority, peer).failure(BadAnswer).sent is False

    def test_the_platforms_authorities_do_not_know_ours(self, authority: Authority) -> None:
        with serving(answer(), authority.server_context(NAME)) as peer:
            egress = Egress(resolver=Names([PUBLIC]), connect=Wiring({PUBLIC: peer.port}))
            with pytest.raises(BadAnswer):
                egress.request("GET", f"https://{NAME}/", deadline_seconds=5, max_response_bytes=9)

    def test_old_tls_is_refused(self, authority: Authority) -> None:
        context = authority.server_context(NAME)
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        with serving(answer(), context) as peer:
            assert House(authority, peer).failure(BadAnswer).sent is False

    def test_what_a_deployed_guard_trusts(self) -> None:
        context = guard.tls_context()
        assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2

    def test_plain_http_behind_an_https_url_is_refused_and_hears_nothing(self, authority: Authority) -> None:
        with Peer(say("HTTP/1.1 200 OK\r\n\r\n"), reads_request=False) as peer:
            problem = House(authority, peer).failure(BadAnswer, body=b"secret")
        assert problem.sent is False


@pytest.mark.usefixtures("stopwatch")
class TestDeadlineUnderTls:
    def test_a_handshake_that_hangs_is_certainly_not_sent(self, authority: Authority) -> None:
        with Peer(Visit.hang, reads_request=False) as peer:
            assert House(authority, peer).failure(TimedOut, seconds=DEADLINE).sent is False

    def test_a_handshake_that_drips_is_certainly_not_sent(self, authority: Authority) -> None:
        # A record header that promises much, and then the promised bytes one by one.
        with Peer(drip("\x16\x03\x03\x40\x00" + "\x02" * 1000), reads_request=False) as peer:
            assert House(authority, peer).failure(TimedOut, seconds=DEADLINE).sent is False

    @pytest.mark.parametrize(
        "script",
        [
            Visit.hang,
            drip("HTTP/1.1 200 OK\r\n" + "x: y\r\n" * 1000),
            in_turn(say("HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n"), drip("x" * 900)),
        ],
        ids=["hangs", "drips headers", "drips body"],
    )
    def test_a_slow_answer_is_maybe_sent(self, authority: Authority, script: Callable[[Visit], None]) -> None:
        with serving(script, authority.server_context(NAME)) as peer:
            assert House(authority, peer).failure(TimedOut, seconds=DEADLINE).sent is True

    def test_a_server_that_reads_too_slowly(self, authority: Authority) -> None:
        with Peer(Visit.hang, authority.server_context(NAME), reads_request=False) as peer:
            assert House(authority, peer).failure(TimedOut, seconds=DEADLINE, body=bytes(30_000_000)).sent is True

    def test_a_resolver_that_hangs(self, authority: Authority) -> None:
        released = threading.Event()

        def hang(name: str) -> Sequence[str]:
            released.wait(10)
            return [PUBLIC]

        with serving(answer()) as peer:
            house = House(authority, peer, hang)
            problem = house.failure(ResolverDown, seconds=DEADLINE)
        released.set()
        assert isinstance(problem, errors.Unavailable)
        assert problem.sent is False
        assert house.wiring.dialled == []


class TestNames:
    def test_a_name_that_turns_private_after_the_check_is_not_asked_again(self, authority: Authority) -> None:
        rebinding = Names([PUBLIC], ["127.0.0.1"])
        with serving(answer(b"public"), authority.server_context(NAME)) as peer:
            house = House(authority, peer, rebinding)
            assert house.get().body == b"public"
            assert len(rebinding.asked) == 1
            assert house.failure(TargetRefused).sent is False  # the next request asks, and sees
        assert house.wiring.dialled == [(PUBLIC, 443)]

    def test_a_check_at_registration_does_not_count_at_delivery(self, authority: Authority) -> None:
        rebinding = Names([PUBLIC], ["169.254.169.254"])
        with serving(answer()) as peer:
            house = House(authority, peer, rebinding)
            assert house.egress.check(f"https://{NAME}/").addresses == (PUBLIC,)
            house.failure(TargetRefused)
        assert house.wiring.dialled == []

    def test_an_address_is_kept_while_its_name_cannot_be_resolved_and_refused_where_it_can(self) -> None:
        def down(name: str) -> Sequence[str]:
            raise socket.gaierror(socket.EAI_AGAIN, name)

        assert Egress(resolver=down).admit(f"https://{NAME}/x").host == NAME
        assert Egress(resolver=Names([PUBLIC])).admit(f"https://{NAME}/x?q").query
        for url, resolver in (
            (f"http://{NAME}/", down),
            ("https://127.0.0.1/", down),
            (f"https://{NAME}/", Names(["::1"])),
        ):
            with pytest.raises(TargetRefused):
                Egress(resolver=resolver).admit(url)

    @pytest.mark.parametrize("answers", [[PUBLIC, "10.0.0.1"], ["::1", PUBLIC], [PUBLIC] * 9 + ["127.0.0.1"]], ids=str)
    def test_one_bad_address_among_good_ones_spoils_the_name(self, authority: Authority, answers: list[str]) -> None:
        with serving(answer()) as peer:
            house = House(authority, peer, Names(answers))
            house.failure(TargetRefused)
        assert house.wiring.dialled == []

    def test_the_next_address_is_tried_when_one_does_not_connect(self, authority: Authority) -> None:
        with serving(answer(), authority.server_context(NAME)) as peer:
            house = House(authority, peer, Names(["2606:4700::1", PUBLIC]))

            def connect(address: str, port: int, seconds: float) -> socket.socket:
                if ":" in address:
                    raise OSError("network is unreachable")
                return house.wiring(address, port, seconds)

            context = authority.client_context()
            egress = Egress(resolver=Names(["2606:4700::1", PUBLIC]), connect=connect, tls=lambda: context)
            assert egress.request("GET", f"https://{NAME}/", deadline_seconds=5, max_response_bytes=9).status == 200

    def test_a_silent_address_leaves_the_others_their_share_of_the_time(self) -> None:
        shares: list[float] = []

        def connect(_address: str, _port: int, seconds: float) -> socket.socket:
            shares.append(seconds)
            raise TimeoutError

        many = [f"93.184.216.{number}" for number in range(1, 9)]
        egress = Egress(resolver=Names(many), connect=connect)
        with pytest.raises(TimedOut) as problem:
            egress.request("GET", f"https://{NAME}/", deadline_seconds=8, max_response_bytes=9)
        assert problem.value.sent is False
        assert [round(share) for share in shares] == [2, 3, 4, 8]

    @pytest.mark.parametrize(
        ("problem", "kind"),
        [
            (socket.gaierror(socket.EAI_NONAME, "x"), TargetRefused),
            (socket.gaierror(socket.EAI_NODATA, "x"), TargetRefused),
            (UnicodeError("label too long"), TargetRefused),
            (socket.gaierror(socket.EAI_AGAIN, "x"), ResolverDown),
            (socket.gaierror(socket.EAI_FAIL, "x"), ResolverDown),
            (OSError("too many open files"), ResolverDown),
            (MemoryError(), ResolverDown),
        ],
        ids=repr,
    )
    def test_a_missing_name_is_told_apart_from_a_missing_resolver(
        self, problem: Exception, kind: type[Exception]
    ) -> None:
        def fail(_name: str) -> Sequence[str]:
            raise problem

        with pytest.raises(kind):
            Egress(resolver=fail).check(f"https://{NAME}/")

    def test_a_missing_name_and_a_private_one_look_the_same_to_a_caller(self) -> None:
        def missing(_name: str) -> Sequence[str]:
            raise socket.gaierror(socket.EAI_NONAME, "x")

        told = []
        for resolver in (missing, Names(["10.0.0.1"]), Names([])):
            with pytest.raises(TargetRefused) as refusal:
                Egress(resolver=resolver).check(f"https://{NAME}/")
            told.append((type(refusal.value), refusal.value.message, refusal.value.code))
        assert len(set(told)) == 1

    def test_look_ups_that_hang_do_not_pile_up_without_end(self) -> None:
        released, waiting = threading.Event(), threading.Semaphore(0)

        def hang(_name: str) -> Sequence[str]:
            waiting.release()
            released.wait(10)
            return [PUBLIC]

        egress = Egress(resolver=hang)
        before = threading.active_count()
        try:
            for _ in range(names.MAX_PENDING + 5):
                with pytest.raises(ResolverDown):
                    egress.check(f"https://{NAME}/", deadline_seconds=0.001)
            assert threading.active_count() - before <= names.MAX_PENDING
        finally:
            released.set()
        assert _eventually(lambda: _passes(Egress(resolver=Names([PUBLIC]))))

    def test_the_platforms_resolver_is_asked_for_rooted_names(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[tuple[object, ...]] = []

        def getaddrinfo(*question: object, **_options: object) -> list[tuple[object, ...]]:
            asked.append(question)
            return [(0, 0, 0, "", ("1.1.1.1", 0)), (0, 0, 0, "", ("2606:4700::1", 0, 0, 0))]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        assert names.system_resolver(NAME) == ["1.1.1.1", "2606:4700::1"]
        assert names.system_resolver("localhost") == ["1.1.1.1", "2606:4700::1"]
        assert asked == [("psp.example.", None), ("localhost", None)]

    def test_the_platforms_resolver_knows_this_machine(self) -> None:
        assert "127.0.0.1" in names.system_resolver("localhost")


def _passes(egress: Egress) -> bool:
    try:
        egress.check(f"https://{NAME}/")
    except ResolverDown:
        return False
    return True


def _eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not condition():
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(0.01)
    return True


class TestSandboxList:
    def test_a_listed_target_may_be_plain_private_and_on_any_port(self) -> None:
        with serving(answer(b"here")) as peer:
            egress = Egress([peer.listed])
            assert egress.check(peer.url).addresses == ("127.0.0.1",)
            assert egress.request("GET", peer.url, deadline_seconds=5, max_response_bytes=9).body == b"here"

    def test_a_listed_name_is_resolved_and_must_lie_on_loopback(self) -> None:
        assert Egress(["localhost:9000"], resolver=Names(["::1", "127.0.0.1"])).check("http://localhost:9000/")
        for answers in (["10.0.0.1"], ["127.0.0.1", "10.0.0.1"], [PUBLIC], ["169.254.169.254"], ["::ffff:127.0.0.1"]):
            with pytest.raises(TargetRefused):
                Egress(["localhost:9000"], resolver=Names(answers)).check("http://localhost:9000/")

    @pytest.mark.parametrize("listed", ["10.0.0.1:80", "169.254.169.254:80", "[fd00::1]:80", "1.1.1.1:80"])
    def test_an_address_elsewhere_is_refused_though_it_is_listed(self, listed: str) -> None:
        with pytest.raises(TargetRefused):
            Egress([listed]).check(f"http://{listed}/")

    @pytest.mark.parametrize(
        "url",
        [
            "http://127.0.0.1:8081/",
            "http://127.0.0.1/",
            "http://127.0.0.2:8080/",
            "http://localhost:8080/",
            "http://[::1]:8080/",
            "http://127.1:8080/",
            "http://2130706433:8080/",
            "http://0x7f.0.0.1:8080/",
            "http://127.0.0.1.:8080/",
            "http://[::ffff:127.0.0.1]:8080/",
            "http://x@127.0.0.1:8080/",
            "http://127.0.0.1:8080@evil.example/",
            "http://127.0.0.1:08080/",
            "ftp://127.0.0.1:8080/",
        ],
    )
    def test_only_the_spelling_of_the_list_counts(self, url: str) -> None:
        egress = Egress(["127.0.0.1:8080"], resolver=Names(["127.0.0.1"]))
        assert egress.check("http://127.0.0.1:8080/")
        with pytest.raises(TargetRefused):
            egress.check(url)

    def test_default_ports_count_as_written(self) -> None:
        egress = Egress(["localhost:80", "[::1]:443", " LOCALHOST:9000 "], resolver=Names(["127.0.0.1"]))
        assert egress.check("http://localhost/").host_header == "localhost"
        assert egress.check("https://[::1]/").host_header == "[::1]"
        assert egress.check("http://localhost:9000/").host_header == "localhost:9000"
        with pytest.raises(TargetRefused):
            egress.check("https://localhost/")

    def test_the_list_changes_nothing_for_other_targets(self) -> None:
        egress = Egress(["127.0.0.1:8080"], resolver=Names([PUBLIC]))
        assert egress.check(f"https://{NAME}/").addresses == (PUBLIC,)
        for url in (f"http://{NAME}/", f"https://{NAME}:8080/", f"http://{NAME}:8080/"):
            with pytest.raises(TargetRefused):
                egress.check(url)

    def test_tls_on_a_listed_target_checks_the_certificate_too(self, authority: Authority) -> None:
        with serving(answer(), authority.server_context("localhost")) as peer:
            context = authority.client_context()
            egress = Egress([f"localhost:{peer.port}", peer.listed], tls=lambda: context)
            url = f"https://localhost:{peer.port}/"
            assert egress.request("GET", url, deadline_seconds=5, max_response_bytes=9).status == 200
            with pytest.raises(BadAnswer):
                egress.request("GET", f"https://{peer.listed}/", deadline_seconds=5, max_response_bytes=9)
