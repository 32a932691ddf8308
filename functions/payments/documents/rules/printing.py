"""Prints a document: A4 pages with an address, facts, a table and totals.

The fonts are those that every reader has (Helvetica), so no font is shipped and a document has a few kilobytes; their
characters are those of western Europe (Windows-1252), and a question mark stands for any other. Lengths are whole
points and thousandths of the font's size. The same content gives the same bytes. The library is loaded with the first
document, and not with the function.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from payments.documents.models import Content

_WIDTH: Final = 595
_HEIGHT: Final = 842
_LEFT: Final = 56
_RIGHT: Final = _WIDTH - 56
_TOP: Final = 780
_BOTTOM: Final = 70
_LINE: Final = 14
_SIZE: Final = 10
_TITLE_SIZE: Final = 16
_REGULAR: Final = "F1"
_BOLD: Final = "F2"
_GAP: Final = 8
_MOST_LINES_OF_A_CELL: Final = 6

_ASCII_WIDTHS: Final = (
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833,
    722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556,
    556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334,
    260, 334, 584,
)  # fmt: skip
"""Helvetica's widths from the space to the tilde, in thousandths of its size (Adobe's font metrics)."""
_OTHER_WIDTH: Final = 600


def width_of(text: str, size: int = _SIZE) -> int:
    """How wide a text is printed, in points, rounded up."""
    codes = (ord(each) - 32 for each in text)
    thousandths = sum(_ASCII_WIDTHS[code] if 0 <= code < len(_ASCII_WIDTHS) else _OTHER_WIDTH for code in codes)
    return -(-thousandths * size // 1000)


def wrapped(text: str, width: int) -> list[str]:
    """A text in lines that fit into a width; a word that is longer than a line is cut."""
    lines = [""]
    for word in text.split():
        for piece in _pieces(word, width):
            joined = f"{lines[-1]} {piece}".strip()
            if width_of(joined) <= width:
                lines[-1] = joined
            else:
                lines.append(piece)
    return lines[:_MOST_LINES_OF_A_CELL]


def _pieces(word: str, width: int) -> Iterator[str]:
    while word:
        length = len(word)
        while length > 1 and width_of(word[:length]) > width:
            length -= 1
        yield word[:length]
        word = word[length:]


class _Sheet:
    """The pages of one document, and where the next line goes."""

    def __init__(self, library: Any) -> None:
        self._library = library
        self._pages: list[list[bytes]] = [[]]
        self.y = _TOP

    def text(self, x: int, text: str, font: str = _REGULAR, size: int = _SIZE) -> None:
        shown = text.encode("cp1252", "replace").hex().encode()
        self._pages[-1].append(b"BT /%b %d Tf %d %d Td <%b> Tj ET" % (font.encode(), size, x, self.y, shown))

    def right(self, x: int, text: str, font: str = _REGULAR) -> None:
        self.text(x - width_of(text), text, font)

    def rule(self) -> None:
        self._pages[-1].append(b"%d %d m %d %d l S" % (_LEFT, self.y - 4, _RIGHT, self.y - 4))

    def down(self, lines: int = 1) -> None:
        """To the next line; over the page's end to the next page."""
        self.y -= lines * _LINE
        if self.y < _BOTTOM:
            self._pages.append([])
            self.y = _TOP

    def needs(self, lines: int) -> None:
        """Begin a page unless so many lines fit on this one."""
        if self.y - lines * _LINE < _BOTTOM:
            self._pages.append([])
            self.y = _TOP

    def written(self, title: str) -> bytes:
        import io

        library = self._library
        pdf = library.PDF()
        pdf.info["Title"] = library.String(title)
        fonts = {name: self._font(pdf, base) for name, base in ((_REGULAR, "Helvetica"), (_BOLD, "Helvetica-Bold"))}
        for number, drawn in enumerate(self._pages, 1):
            footer = f"{number} / {len(self._pages)}".encode().hex().encode()
            foot = b"BT /%b 8 Tf %d 40 Td <%b> Tj ET" % (_REGULAR.encode(), _RIGHT - 30, footer)
            stream = library.Stream([*drawn, foot], compress=True)
            pdf.add_object(stream)
            pdf.add_page(
                library.Dictionary(
                    {
                        "Type": "/Page", "Parent": pdf.pages.reference, "Contents": stream.reference,
                        "MediaBox": library.Array([0, 0, _WIDTH, _HEIGHT]),
                        "Resources": library.Dictionary({"Font": library.Dictionary(fonts)}),
                    }
                )
            )  # fmt: skip
        target = io.BytesIO()
        pdf.write(target)
        return target.getvalue()

    def _font(self, pdf: Any, base: str) -> bytes:
        font = self._library.Dictionary(
            {"Type": "/Font", "Subtype": "/Type1", "BaseFont": f"/{base}", "Encoding": "/WinAnsiEncoding"}
        )
        pdf.add_object(font)
        reference: bytes = font.reference
        return reference


def printed(content: Content) -> bytes:
    """The document."""
    import pydyf

    sheet = _Sheet(pydyf)
    for line in content.sender:
        sheet.text(_LEFT, line)
        sheet.down()
    sheet.down(2)
    for line in content.recipient:
        sheet.text(_LEFT, line)
        sheet.down()
    sheet.down(2)
    sheet.text(_LEFT, content.heading, _BOLD, _TITLE_SIZE)
    sheet.down(2)
    for name, value in content.facts:
        sheet.text(_LEFT, name)
        sheet.text(_LEFT + 130, value)
        sheet.down()
    sheet.down()
    _table(sheet, content)
    sheet.needs(len(content.totals) + 1)
    for name, value in content.totals:
        sheet.down()
        sheet.text(_RIGHT - 250, name, _BOLD if (name, value) == content.totals[-1] else _REGULAR)
        sheet.right(_RIGHT, value)
    return sheet.written(content.title)


def _table(sheet: _Sheet, content: Content) -> None:
    _row(sheet, content, [[heading] for heading, _, _ in content.columns], _BOLD)
    sheet.y += _LINE
    sheet.rule()
    sheet.down()
    for row in content.rows:
        cells = [wrapped(text, width - _GAP) for text, (_, width, _) in zip(row, content.columns, strict=True)]
        _row(sheet, content, cells, _REGULAR)
    sheet.y += _LINE
    sheet.rule()
    sheet.down()


def _row(sheet: _Sheet, content: Content, cells: Sequence[Sequence[str]], font: str) -> None:
    height = max(len(cell) for cell in cells)
    sheet.needs(height)
    top, x = sheet.y, _LEFT
    for cell, (_, width, to_right) in zip(cells, content.columns, strict=True):
        sheet.y = top
        for line in cell:
            if to_right:
                sheet.right(x + width, line, font)
            else:
                sheet.text(x, line, font)
            sheet.y -= _LINE
        x += width
    sheet.y = top
    sheet.down(height)
