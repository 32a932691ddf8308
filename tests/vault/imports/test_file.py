"""Export files: uploaded, decrypted as a stream, read as CSV or JSON, refused when damaged; made by another OpenPGP."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pysequoia import Cert, CipherSuite, Tsk, encrypt

from tests.vault.imports.driving import BUCKET, QUEUE, Importer
from vault.imports.clients import openpgp
from vault.imports.clients.export_file import ExportFile
from vault.imports.clients.sources import numbered_pan
from vault.imports.errors import SourceRefused
from vault.imports.models import Step

HEADER = (
    "description,name,email,id,card.address_city,card.exp_month,card.exp_year,card.id,card.name,card.number,"
    "default_source\n"
)


@cache
def quick_key() -> tuple[str, str, bytes]:
    """A key as the module makes them, of a kind that is made at once."""
    made = Tsk.generate("test", cipher_suite=CipherSuite.Cv25519)
    public = made.extract_certificate()
    return str(public), public.fingerprint.upper(), bytes(made)


@pytest.fixture
def quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openpgp, "generate", quick_key)


def row(number: int, **changes: Any) -> str:
    cells = {"exp_month": "4", "exp_year": "2040", "id": f"card_{number}", "name": "Jane Doe",
             "number": numbered_pan(number), **changes}  # fmt: skip
    card = ",".join(f'"{cells[name]}"' for name in ("exp_month", "exp_year", "id", "name", "number"))
    return f'"a, ""b""","Jane Doe",jane@example.com,cus_{number},"Ber\nlin",{card},card_{number}\n'


def table(count: int) -> bytes:
    return (HEADER + "".join(row(n) for n in range(1, count + 1))).encode()


def sealed_for(public_key: str, text: bytes) -> bytes:
    return encrypt(text, [Cert.from_bytes(public_key.encode())], armor=False)


def begin(importer: Importer) -> tuple[str, dict[str, Any]]:
    """An import that waits for a file, and what it says about the upload."""
    answer = importer.post(source="file")
    assert answer.status == 200
    import_id = answer.json["id"]
    poll(importer)
    return import_id, importer.read(import_id)["upload"]


def poll(importer: Importer) -> None:
    """The next step of the listing."""
    body = importer.messages()[0]
    importer.take(body)
    assert importer.deliver(body)


@pytest.mark.usefixtures("quick_keys")
class TestUpload:
    def test_is_answered_with_the_import(self, importer: Importer) -> None:
        made = importer.post(source="file").json
        assert made["stripe"] == {"source": "file"}
        assert (made["status"], made["upload"]) == ("preparing", None)  # the account's first key is being made
        poll(importer)
        upload = importer.read(made["id"])["upload"]
        assert upload["public_key"].startswith("-----BEGIN PGP PUBLIC KEY BLOCK-----")
        assert upload["fingerprint"] == quick_key()[1]
        assert (upload["method"], f"{importer.account_id}/{made['id']}/export.pgp" in upload["url"]) == ("PUT", True)
        importer.abort(made["id"])
        again = importer.post(source="file").json
        assert again["upload"]["public_key"] == upload["public_key"]

    def test_is_waited_for(self, importer: Importer) -> None:
        import_id, _ = begin(importer)
        for _ in range(3):
            poll(importer)
        assert importer.read(import_id)["status"] == "preparing"
        assert len(importer.messages()) == 1

    def test_that_never_comes_ends_the_job(self, importer: Importer, held_clock: Any) -> None:
        import_id, _ = begin(importer)
        held_clock.advance(minutes=61)
        importer.work()
        done = importer.read(import_id)
        assert (done["status"], done["failures"], "upload" in done) == ("aborted", 1, False)
        assert importer.failures(import_id)["data"][0]["context"]["message"] == "No file was uploaded in time"

    def test_can_be_aborted_while_it_is_waited_for(self, importer: Importer) -> None:
        import_id, upload = begin(importer)
        importer.s3.upload(upload["url"], b"x")
        assert importer.abort(import_id).status == 200
        importer.work()
        assert importer.s3.keys(BUCKET, f"{importer.account_id}/") == []

    def test_is_waited_for_by_one_chain_of_messages_after_a_resumption(
        self, importer: Importer, held_clock: Any
    ) -> None:
        begin(importer)
        held_clock.advance(minutes=3)
        importer.resume()
        assert len(importer.messages()) == 2
        for _ in range(4):
            poll(importer)
        assert len(importer.messages()) == 1


@pytest.mark.usefixtures("quick_keys")
class TestFile:
    def test_becomes_tokens(self, importer: Importer) -> None:
        import_id, upload = begin(importer)
        importer.s3.upload(upload["url"], sealed_for(upload["public_key"], table(30) + row(31, exp_year=2020).encode()))
        importer.work()
        done = importer.read(import_id)
        assert (done["status"], done["successes"], done["failures"]) == ("finished", 30, 1)
        assert done["progress"]["source"] == "file"
        assert importer.tokens_of("card_30") == 1
        assert importer.tokens()[0]["cardholder_name"] == "Jane Doe"
        (failure,) = importer.failures(import_id)["data"]
        assert (failure["reason"], failure["context"]["row"]) == ("expired_card", 31)
        assert importer.s3.keys(BUCKET, f"{importer.account_id}/") == []

    def test_without_a_card_is_an_import_of_nothing(self, importer: Importer) -> None:
        import_id, upload = begin(importer)
        importer.s3.upload(upload["url"], sealed_for(upload["public_key"], HEADER.encode()))
        importer.work()
        assert (importer.read(import_id)["status"], importer.read(import_id)["attemts"]) == ("finished", 0)

    def test_is_not_worked_on_before_its_end_is_proven(
        self, importer: Importer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A long message that was changed shows it at its end: until then rows are prepared and none is a token."""

        @contextmanager
        def bad_at_the_end(*_: object) -> Iterator[io.BufferedReader]:
            yield io.BufferedReader(io.BytesIO(table(40)))
            assert len(importer.s3.keys(BUCKET, f"{importer.account_id}/{import_id}/chunks/")) == 8
            raise openpgp.Undecryptable

        monkeypatch.setattr(ExportFile, "rows_per_chunk", 5)
        monkeypatch.setattr(openpgp, "decrypted", bad_at_the_end)
        import_id, upload = begin(importer)
        importer.s3.upload(upload["url"], b"x")
        importer.work()
        done = importer.read(import_id)
        assert (done["status"], done["successes"], done["failures"]) == ("aborted", 0, 1)
        assert importer.tokens() == []
        assert "decrypted" in importer.failures(import_id)["data"][0]["context"]["message"]
        assert importer.s3.keys(BUCKET, f"{importer.account_id}/") == []

    def test_that_was_changed_is_refused(self, importer: Importer) -> None:
        import_id, upload = begin(importer)
        whole = sealed_for(upload["public_key"], table(40))
        importer.s3.upload(upload["url"], whole[:-30] + bytes([whole[-30] ^ 1]) + whole[-29:])
        importer.work()
        done = importer.read(import_id)
        assert (done["status"], done["successes"], done["failures"]) == ("aborted", 0, 1)
        assert "decrypted" in importer.failures(import_id)["data"][0]["context"]["message"]

    @pytest.mark.parametrize("damage", ["cut", "empty", "plain", "noise", "other key", "to a password"])
    def test_that_cannot_be_decrypted_ends_the_job(self, importer: Importer, damage: str) -> None:
        import_id, upload = begin(importer)
        whole = sealed_for(upload["public_key"], table(3))
        other = str(Tsk.generate("other").extract_certificate())
        bodies: dict[str, bytes] = {
            "cut": whole[:-40], "empty": b"", "plain": table(3), "noise": b"\x99" * 5000,
            "other key": sealed_for(other, table(3)), "to a password": encrypt(table(3), passwords=["x"]),
        }  # fmt: skip
        importer.s3.upload(upload["url"], bodies[damage])
        importer.work()
        assert (importer.read(import_id)["status"], importer.tokens()) == ("aborted", [])

    def test_for_one_account_is_of_no_use_to_another(
        self, importer: Importer, stranger: Importer, monkeypatch: Any
    ) -> None:
        _, upload = begin(importer)
        other = Tsk.generate("stranger")
        monkeypatch.setattr(openpgp, "generate", lambda: (str(other.extract_certificate()), "F", bytes(other)))
        import_id, theirs = begin(stranger)
        stranger.s3.upload(theirs["url"], sealed_for(upload["public_key"], table(3)))
        stranger.work()
        assert (stranger.read(import_id)["status"], stranger.tokens()) == ("aborted", [])

    def test_is_read_on_where_a_killed_worker_stopped(
        self, importer: Importer, monkeypatch: pytest.MonkeyPatch, held_clock: Any
    ) -> None:
        monkeypatch.setattr(ExportFile, "rows_per_chunk", 4)
        import_id, upload = begin(importer)
        importer.s3.upload(upload["url"], sealed_for(upload["public_key"], table(22)))
        put, count = importer.s3.put_object, 0

        def put_three(**params: Any) -> Any:
            nonlocal count
            count += 1
            if count == 4:
                raise KeyboardInterrupt
            return put(**params)

        monkeypatch.setattr(importer.s3, "put_object", put_three)
        (body,) = importer.messages()
        importer.take(body)
        with pytest.raises(KeyboardInterrupt):
            importer.deliver(body)
        held_clock.advance(minutes=3)
        importer.resume()
        importer.work()
        done = importer.read(import_id)
        assert (done["status"], done["successes"], done["progress"]["total"]) == ("finished", 22, 22)
        assert len(importer.tokens()) == 22

    def test_never_lies_in_clear_in_the_bucket_or_the_queue(
        self, importer: Importer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ExportFile, "rows_per_chunk", 2)
        import_id, upload = begin(importer)
        importer.s3.upload(upload["url"], sealed_for(upload["public_key"], table(5)))
        poll(importer)
        objects = importer.s3.objects[BUCKET]
        ours = [objects[key] for key in objects if import_id in key]
        assert len(ours) == 4
        for text in (*ours, *(body.encode() for body in importer.sqs.sent[QUEUE])):
            for number in range(1, 6):
                assert numbered_pan(number).encode() not in text
                assert numbered_pan(number)[:12].encode() not in text


class TestReading:
    """What an export may look like, without encryption around it."""

    @staticmethod
    def entries(text: bytes) -> list[Any]:
        source = ExportFile(lambda: nullcontext(io.BufferedReader(io.BytesIO(text))))
        return [entry for listed in source.listing(None) for entry in listed.entries]

    def test_takes_csv_with_a_byte_order_mark_and_windows_line_ends(self) -> None:
        (entry,) = self.entries(b"\xef\xbb\xbfcard.number,card.exp_month,card.exp_year,card.id\r\n42,4,2030,card_1\r\n")
        assert entry.business_key == "card_1"
        assert entry.card == {
            "account_number": "42", "expiry_month": "4", "expiry_year": "2030", "cardholder_name": None,
        }  # fmt: skip

    def test_falls_back_to_the_default_source(self) -> None:
        text = b"card.number,card.exp_month,card.exp_year,default_source\n42,4,2030,pm_1\n42,4,2030,\n"
        assert [entry.business_key for entry in self.entries(text)] == ["pm_1", None]

    @pytest.mark.parametrize("wrap", [lambda customers: customers, lambda customers: {"customers": customers}])
    def test_takes_json(self, wrap: Callable[[Any], Any]) -> None:
        card = {"id": "card_1", "number": "42", "exp_month": 4, "exp_year": 2030, "name": None}
        customers = [{"id": "cus_1", "cards": [card, {**card, "id": "card_2"}]}, {"id": "cus_2", "card": card}, {}]
        found = self.entries(json.dumps(wrap(customers)).encode())
        assert [entry.business_key for entry in found] == ["card_1", "card_2", "card_1"]
        assert [entry.row for entry in found] == [1, 2, 3]
        assert found[0].card["expiry_month"] == 4

    @pytest.mark.parametrize(
        "text",
        [
            b"", b"a,b\n1,2\n", b"{}", b"[1, 2", b'{"customers": {}}', b"\xff\xfe", b"card.number\n\xff\n",
            b"card.number,card.exp_month,card.exp_year\n\"" + b"x" * 200_000, b"[" * 100_000,
        ],
    )  # fmt: skip
    def test_refuses_what_is_neither(self, text: bytes) -> None:
        with pytest.raises(SourceRefused):
            self.entries(text)

    def test_stops_at_a_million_cards(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from vault.imports.clients import export_file

        monkeypatch.setattr(export_file, "MOST_ROWS", 3)
        with pytest.raises(SourceRefused, match="more than"):
            self.entries(table(4))


class TestOpenPgp:
    def test_key_is_of_the_kind_the_sender_asks_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Stripe takes RSA keys of at least 4096 bits. A shorter one is made here, because that one takes long."""
        from pysequoia.packet import PacketPile, PublicKeyAlgorithm, Tag

        assert openpgp.CIPHER_SUITE == "RSA4k"
        monkeypatch.setattr(openpgp, "CIPHER_SUITE", "RSA2k")
        public, fingerprint, private = openpgp.generate()
        certificate = Cert.from_bytes(public.encode())
        assert certificate.fingerprint.upper() == fingerprint
        packets = PacketPile.from_bytes(bytes(certificate))
        keys = [each for each in packets if each.tag in (Tag.PublicKey, Tag.PublicSubkey)]
        assert len(keys) > 1
        assert all(each.key_algorithm == PublicKeyAlgorithm.RSAEncryptSign for each in keys)
        with openpgp.decrypted(iter([sealed_for(public, b"text")]), private) as clear:
            assert clear.read() == b"text"

    def test_streams_more_than_it_could_hold(self) -> None:
        """A hundred megabytes go through; the reader has the first when half of them are still to be fed."""
        public, _, private = quick_key()
        text = table(20_000) * 40
        message = sealed_for(public, text)
        fed = 0

        def pieces() -> Iterator[bytes]:
            nonlocal fed
            for start in range(0, len(message), 1 << 16):
                fed = start
                yield message[start : start + (1 << 16)]

        with openpgp.decrypted(pieces(), private) as clear:
            beginning = clear.read(10_000)
            assert fed < len(message) * 2 // 3
            rest = sum(len(piece) for piece in iter(lambda: clear.read(1 << 20), b""))
        assert beginning == text[:10_000]
        assert len(beginning) + rest == len(text)

    def test_reader_may_stop_in_the_middle(self) -> None:
        public, _, private = quick_key()
        with openpgp.decrypted(iter([sealed_for(public, table(50_000))]), private) as clear:
            assert clear.readline() == HEADER.encode()

    def test_trouble_of_the_feeder_is_the_readers(self) -> None:
        def pieces() -> Iterator[bytes]:
            yield b"\x85"
            raise ConnectionError

        with pytest.raises(ConnectionError), openpgp.decrypted(pieces(), quick_key()[2]) as clear:
            clear.read()

    @pytest.mark.parametrize("armor", [[], ["--armor"]], ids=["binary", "armoured"])
    def test_reads_what_gnupg_made(self, tmp_path: Path, armor: list[str]) -> None:
        gpg = shutil.which("gpg")
        assert gpg, "GnuPG, the other implementation that this is tried against, is not installed (package gnupg)"
        public, fingerprint, private = quick_key()
        home = tmp_path / "home"
        home.mkdir(mode=0o700)

        def run(*arguments: str, text: bytes) -> bytes:
            command = [gpg, "--homedir", str(home), "--batch", "--quiet", "--trust-model", "always", *arguments]
            return subprocess.run(command, input=text, capture_output=True, check=True, timeout=30).stdout

        run("--import", text=public.encode())
        message = run("--encrypt", *armor, "--recipient", fingerprint, text=table(2000))
        with openpgp.decrypted(iter([message]), private) as clear:
            assert clear.read() == table(2000)


def test_ticket_of_an_older_chain_ends_it(importer: Importer) -> None:
    import_id = importer.begin()
    importer.sqs.sent[QUEUE].clear()
    assert importer.deliver(Step(importer.account_id, import_id, "list", ticket=0).to_text())
    assert importer.read(import_id)["status"] == "preparing"
