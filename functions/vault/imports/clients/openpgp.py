"""OpenPGP: an account's key pair, and decryption as a stream that touches no disk.

The library decrypts from one file to another and holds the interpreter meanwhile, so it does its work in a process of
its own between two pipes: this file is that process's program too. Clear text exists in the pipe and in the memory of
the reader, a few kilobytes at a time. Of a message that was cut or changed some may be read before the fault is found,
so a reader must not use anything before the end was reached without `Undecryptable`.
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final, cast

CIPHER_SUITE = "RSA4k"  # Stripe encrypts exports to RSA keys of at least 4096 bits
_KEY_BYTES_MOST: Final = 64 * 1024
_USER_ID: Final = "Tollgate card import"


class Undecryptable(Exception):
    """It is no OpenPGP message, it is for another key, or it was cut or changed."""


def generate() -> tuple[str, str, bytes]:
    """A new key, which takes some seconds: (armoured public part, fingerprint, private key)."""
    from pysequoia import CipherSuite, Tsk

    made = Tsk.generate(_USER_ID, cipher_suite=getattr(CipherSuite, CIPHER_SUITE))
    public = made.extract_certificate()
    return str(public), public.fingerprint.upper(), bytes(made)


@contextmanager
def decrypted(pieces: Iterator[bytes], private_key: bytes) -> Iterator[io.BufferedReader]:
    """The clear text of a message, binary or armoured, as a file to read.

    Raises:
        Undecryptable: when the block ends after everything was read; earlier if nothing comes out at all.
    """
    reading, writing = os.pipe()
    command = [sys.executable, __file__, str(reading)]
    child = subprocess.Popen(  # noqa: S603 -- our own interpreter with our own file
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, pass_fds=(reading,),
        env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )  # fmt: skip
    os.close(reading)
    with os.fdopen(writing, "wb") as key_pipe:
        key_pipe.write(private_key)
    trouble: list[Exception] = []
    feeder = threading.Thread(target=_feed, args=(child.stdin, pieces, trouble), daemon=True)
    feeder.start()
    output = cast("io.BufferedReader", child.stdout)
    try:
        yield output
        _settle(child, feeder, trouble)
    finally:
        child.kill()
        output.close()
        child.wait()
        feeder.join()


def _settle(child: subprocess.Popen[bytes], feeder: threading.Thread, trouble: list[Exception]) -> None:
    """Judge the message once all of its clear text has been read."""
    if child.stdout is not None and child.stdout.read(1):
        return  # the reader stopped in the middle, for reasons of its own
    feeder.join()
    if trouble:
        raise trouble[0]
    if child.wait() != 0:
        raise Undecryptable


def _feed(target: IO[bytes] | None, pieces: Iterator[bytes], trouble: list[Exception]) -> None:
    try:
        with contextlib.suppress(BrokenPipeError), target or io.BytesIO() as pipe:
            for piece in pieces:
                pipe.write(piece)
    except Exception as error:  # whatever it is, the reader has to hear of it
        trouble.append(error)


def _main(key_pipe: int) -> None:
    from pysequoia import Tsk, decrypt_file

    with os.fdopen(key_pipe, "rb") as source:
        key = Tsk.from_bytes(source.read(_KEY_BYTES_MOST))
    decrypt_file("/dev/stdin", "/dev/stdout", key.decryptor())


if __name__ == "__main__":
    _main(int(sys.argv[1]))
