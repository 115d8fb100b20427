"""The documents of a file that may be larger than memory: one a line, or the elements of one array; gzip or not."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

LONGEST = 16 * 1024 * 1024  # bytes of one document
CHUNK = 1024 * 1024
GZIP = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
BETWEEN = b" \t\r\n,"

# What changes no depth: whole strings, and everything between strings and brackets.
_LEVEL = re.compile(rb'(?:[^{}\[\]"]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+', re.DOTALL)
_OPENING = frozenset(b"{[")
_QUOTE = ord('"')


class FileBroken(Exception):
    """A file can't be read to its end; the message says where and why."""


@dataclass(frozen=True, slots=True)
class RawDocument:
    """One document as it is in the file, from this line on; `cut` where it is longer than LONGEST and ends there."""

    line: int
    body: bytes = field(repr=False)
    cut: bool = False


def read_documents(path: Path) -> Iterator[RawDocument]:
    """The documents of a file in their order, whether they are JSON or not; empty lines are none.

    Memory doesn't grow with the file. Raises FileBroken, OSError.
    """
    with _opened(path) as stream:
        lines, first = _first_line(stream)
        stream_of = _elements if first.startswith(b"[") else _lines
        try:
            yield from stream_of(stream, lines, first)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise FileBroken(f"it can't be unpacked to its end: {error}") from None


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as stream:
        packed = stream.peek(len(GZIP)).startswith(GZIP)
        if not packed:
            yield stream
            return
        with gzip.open(stream) as unpacked:
            yield cast(IO[bytes], unpacked)


def _first_line(stream: IO[bytes]) -> tuple[int, bytes]:
    """The number and the beginning of the first line with something in it; 1 and nothing where there is none."""
    number = 1
    try:
        while line := stream.readline(LONGEST + 1):
            line = line.removeprefix(BOM) if number == 1 else line
            if line.strip():
                return number, line.lstrip(b" \t\r")
            number += line.endswith(b"\n")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise FileBroken(f"it can't be unpacked: {error}") from None
    return number, b""


def _lines(stream: IO[bytes], number: int, line: bytes) -> Iterator[RawDocument]:
    while line:
        body = line.strip()
        if body:
            yield RawDocument(number, body[:LONGEST], len(body) > LONGEST)
        while line and not line.endswith(b"\n"):
            line = stream.readline(CHUNK)
        number += 1
        line = stream.readline(LONGEST + 1)


def _elements(stream: IO[bytes], line: int, buffer: bytes) -> Iterator[RawDocument]:
    """The elements of an array. What stands between two and isn't a comma is a document too, lest it be lost."""
    position = begun = 1  # behind the array's bracket
    depth = 0  # inside the array
    while True:
        level = _LEVEL.match(buffer, position)
        position = level.end() if level else position
        if position == len(buffer) or buffer[position] == _QUOTE:  # a string that may end in the next chunk
            more = stream.read(CHUNK)
            if not more:
                raise FileBroken(f"the array doesn't end: it is cut off after line {line}")
            buffer, position, begun = buffer[begun:] + more, position - begun, 0
            if len(buffer) > LONGEST + CHUNK:
                raise FileBroken(f"line {line}: what begins there doesn't end within {LONGEST:,} bytes")
            continue
        opens = buffer[position] in _OPENING
        if depth == 0:
            yield from _rest(buffer, begun, position, line)
            line += buffer.count(b"\n", begun, position)
            begun = position
            if not opens:
                break
        depth += 1 if opens else -1
        position += 1
        if depth == 0:
            yield RawDocument(line, buffer[begun:position])
            line += buffer.count(b"\n", begun, position)
            begun = position
    if buffer[position : position + 1] != b"]" or (buffer[position + 1 :] + stream.read(CHUNK)).strip():
        raise FileBroken(f"line {line}: the array ends there, and something follows")


def _rest(buffer: bytes, begin: int, end: int, line: int) -> Iterator[RawDocument]:
    """What is no element: nothing where there is but white space and commas."""
    rest = buffer[begin:end]
    if text := rest.strip(BETWEEN):
        yield RawDocument(line + rest.count(b"\n", 0, rest.index(text)), text)
