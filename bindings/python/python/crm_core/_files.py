"""Files: contacts in and out, and recordings."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, Union
from uuid import UUID

from . import _native

if TYPE_CHECKING:
    from ._surface import ImportReport

PIECE = 1024 * 1024

ImportFormat = Literal["csv", "vcard", "jsonl"]
ExportFormat = Literal["csv", "vcard", "jsonl"]
OnConflict = Literal["skip", "update", "error"]


class Readable(Protocol):
    """A file that is open for reading bytes."""

    def read(self, size: int, /) -> bytes: ...


class Writable(Protocol):
    """A file that is open for writing bytes."""

    def write(self, data: bytes, /) -> object: ...


Source = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, Readable]
"""A path, the bytes themselves, or a file that is open for reading bytes."""
Target = Union[str, "os.PathLike[str]", Writable]
"""A path, or a file that is open for writing bytes."""


class Progress(NamedTuple):
    """How far an import or export is."""

    bytes: int
    """Bytes that were read or written."""
    total: int | None = None
    """Bytes of the file, where that is known."""
    created: int = 0
    """Rows that made a contact."""
    updated: int = 0
    """Rows that changed a contact."""
    skipped: int = 0
    """Rows that are a known contact."""
    failed: int = 0
    """Rows that were refused."""


OnProgress = Callable[[Progress], object]


class Namespace:
    """Operations, called on a session or a Crm."""

    __slots__ = ("_call", "_native")

    def __init__(self, native: Any) -> None:
        self._native = native
        self._call = native.call


class AsyncNamespace:
    """Operations, awaited on a session or a Crm."""

    __slots__ = ("_native", "_start")

    def __init__(self, native: Any) -> None:
        self._native = native
        self._start = native.start


def _open_source(source: Source) -> tuple[Readable, int | None, bool]:
    """A file, its size where that is known, and whether it is ours to close."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return io.BytesIO(source), len(source), False
    if isinstance(source, (str, os.PathLike)):
        file = open(source, "rb")
        return file, os.fstat(file.fileno()).st_size, True
    return source, None, False


def _open_target(target: Target) -> tuple[Writable, bool]:
    if isinstance(target, (str, os.PathLike)):
        return open(target, "wb"), True
    return target, False


def _close(file: Any) -> None:
    file.close()


def _bytes_of(piece: object) -> bytes:
    if isinstance(piece, (bytes, bytearray, memoryview)):
        return bytes(piece)
    raise TypeError("the file gives text; open it for reading bytes ('rb')")


def _options(
    format: str | None,
    on_conflict: str,
    dry_run: bool,
    source: str | None,
    columns: Mapping[str, str] | None,
    delimiter: str | None,
) -> dict[str, Any]:
    return {
        "format": format,
        "on_conflict": on_conflict,
        "dry_run": dry_run,
        "source": source,
        "columns": columns,
        "delimiter": delimiter,
    }


class ContactsBase(Namespace):
    """Contacts from and to files."""

    __slots__ = ()

    def import_from(
        self,
        file: Source,
        *,
        format: ImportFormat | None = None,
        on_conflict: OnConflict = "skip",
        dry_run: bool = False,
        source: str | None = None,
        columns: Mapping[str, str] | None = None,
        delimiter: str | None = None,
        progress: OnProgress | None = None,
    ) -> ImportReport:
        """Import contacts; a bad row is counted and explained, the good ones are kept.

        Args:
            file: A path, the bytes themselves, or a file that is open for reading bytes.
            format: `csv`, `vcard` or `jsonl`; told by the first bytes where it is absent.
            on_conflict: What to do with a row that is a known contact: leave the contact (`skip`), let the row
                change it (`update`) or report the row (`error`).
            dry_run: Whether to say what would happen and do nothing.
            source: The source of contacts whose row names none.
            columns: For CSV: fields by the headers of their columns, over what the headers say.
            delimiter: For CSV: the character between cells.
            progress: Called after each piece of the file; its exception ends the import.
        """
        given = _options(format, on_conflict, dry_run, source, columns, delimiter)
        work = _native.import_from(self._native, given)
        opened, total, own = _open_source(file)
        read = 0
        try:
            while piece := _bytes_of(opened.read(PIECE)):
                if not work.push(piece).wait():
                    break
                read += len(piece)
                if progress is not None:
                    progress(Progress(read, total, *work.counts()))
            work.push(b"").wait()
            report: ImportReport = work.finish().wait()
        finally:
            work.close()
            if own:
                _close(opened)
        if progress is not None:
            progress(_last(read, report))
        return report

    def export(self, *, format: ExportFormat = "csv") -> Iterator[bytes]:
        """The file of all contacts, piece by piece."""
        pieces = _native.export_to(self._native, format)
        while (piece := pieces.next().wait()) is not None:
            yield piece

    def export_to(
        self,
        file: Target,
        *,
        format: ExportFormat = "csv",
        progress: OnProgress | None = None,
    ) -> int:
        """Write all contacts to a path or a file; gives the number of its bytes."""
        pieces = _native.export_to(self._native, format)
        opened, own = _open_target(file)
        written = 0
        try:
            while (piece := pieces.next().wait()) is not None:
                opened.write(piece)
                written += len(piece)
                if progress is not None:
                    progress(Progress(written))
        finally:
            if own:
                _close(opened)
        return written


def _last(read: int, report: ImportReport) -> Progress:
    return Progress(read, read, report.created, report.updated, report.skipped, report.failed)


class AsyncContactsBase(AsyncNamespace):
    """Contacts from and to files."""

    __slots__ = ()

    async def import_from(
        self,
        file: Source,
        *,
        format: ImportFormat | None = None,
        on_conflict: OnConflict = "skip",
        dry_run: bool = False,
        source: str | None = None,
        columns: Mapping[str, str] | None = None,
        delimiter: str | None = None,
        progress: OnProgress | None = None,
    ) -> ImportReport:
        """Import contacts; a bad row is counted and explained, the good ones are kept.

        Args:
            file: A path, the bytes themselves, or a file that is open for reading bytes, which is read in a
                thread.
            format: `csv`, `vcard` or `jsonl`; told by the first bytes where it is absent.
            on_conflict: What to do with a row that is a known contact: leave the contact (`skip`), let the row
                change it (`update`) or report the row (`error`).
            dry_run: Whether to say what would happen and do nothing.
            source: The source of contacts whose row names none.
            columns: For CSV: fields by the headers of their columns, over what the headers say.
            delimiter: For CSV: the character between cells.
            progress: Called after each piece of the file; its exception ends the import.
        """
        given = _options(format, on_conflict, dry_run, source, columns, delimiter)
        work = _native.import_from(self._native, given)
        opened, total, own = await asyncio.to_thread(_open_source, file)
        read = 0
        try:
            while piece := _bytes_of(await asyncio.to_thread(opened.read, PIECE)):
                if not await work.push(piece).start():
                    break
                read += len(piece)
                if progress is not None:
                    progress(Progress(read, total, *work.counts()))
            await work.push(b"").start()
            report: ImportReport = await work.finish().start()
        finally:
            work.close()
            if own:
                _close(opened)
        if progress is not None:
            progress(_last(read, report))
        return report

    async def export(self, *, format: ExportFormat = "csv") -> AsyncIterator[bytes]:
        """The file of all contacts, piece by piece."""
        pieces = _native.export_to(self._native, format)
        while (piece := await pieces.next().start()) is not None:
            yield piece

    async def export_to(
        self,
        file: Target,
        *,
        format: ExportFormat = "csv",
        progress: OnProgress | None = None,
    ) -> int:
        """Write all contacts to a path or a file; gives the number of its bytes."""
        pieces = _native.export_to(self._native, format)
        opened, own = await asyncio.to_thread(_open_target, file)
        written = 0
        try:
            while (piece := await pieces.next().start()) is not None:
                await asyncio.to_thread(opened.write, piece)
                written += len(piece)
                if progress is not None:
                    progress(Progress(written))
        finally:
            if own:
                _close(opened)
        return written


class _RecordingBase:
    __slots__ = ("_file", "bytes", "content_type", "sha256")

    def __init__(self, file: _native.RecordingFile) -> None:
        self._file = file
        self.content_type = file.content_type
        """What it is, e.g. `audio/x-wav`."""
        self.bytes = file.bytes
        """How large the audio is."""
        self.sha256 = file.sha256
        """SHA-256 of the audio, in hexadecimal digits."""


class Recording(_RecordingBase):
    """A recording that can be heard. That it was is written in the audit log."""

    __slots__ = ()

    def stream(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` to before `end`, piece by piece."""
        pieces = self._file.hear(start, self.bytes if end is None else end).wait()
        while (piece := pieces.next().wait()) is not None:
            yield piece

    def read(self, start: int = 0, end: int | None = None) -> bytes:
        """The bytes from `start` to before `end`."""
        return b"".join(self.stream(start, end))


class AsyncRecording(_RecordingBase):
    """A recording that can be heard. That it was is written in the audit log."""

    __slots__ = ()

    async def stream(self, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from `start` to before `end`, piece by piece."""
        pieces = await self._file.hear(start, self.bytes if end is None else end).start()
        while (piece := await pieces.next().start()) is not None:
            yield piece

    async def read(self, start: int = 0, end: int | None = None) -> bytes:
        """The bytes from `start` to before `end`."""
        return b"".join([piece async for piece in self.stream(start, end)])


class CallsBase(Namespace):
    """Recordings of calls."""

    __slots__ = ()

    def recording(self, id: UUID | str) -> Recording:
        """The recording of a call. `not_found` where there is none that can be heard."""
        return Recording(_native.recording(self._native, {"id": id}).wait())


class AsyncCallsBase(AsyncNamespace):
    """Recordings of calls."""

    __slots__ = ()

    async def recording(self, id: UUID | str) -> AsyncRecording:
        """The recording of a call. `not_found` where there is none that can be heard."""
        return AsyncRecording(await _native.recording(self._native, {"id": id}).start())
