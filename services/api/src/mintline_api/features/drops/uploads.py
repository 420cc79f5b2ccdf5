"""Takes a drop's lines as they arrive: validated one by one, stored part by part, never all in memory.

::

    bytes ──▶ lines ──▶ accepted │ refused ──▶ two objects of the part ──▶ part, marks, and the drop's offset
                                                      1                          2  one conditional write

If a process dies before 2, the drop's offset is where it was, and the client sends the same bytes again; the
objects of 1 are of no use then, and expire. The condition of 2 is the drop's version, so of two uploads at
once one continues, and the other is told where that one is.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterable, Callable
from dataclasses import dataclass, field

import structlog

from mintline.canonical_json import canonical_json
from mintline.drop_records import MAX_LINES, PART_BYTES, PART_LINES, Drop, DropPart, DropStatus
from mintline.errors import Conflict
from mintline.lines import MAX_LABEL_BYTES
from mintline_api.features.drops.lines import LineFault, RefusedLine, StoredLine, from_ndjson, to_ndjson
from mintline_api.features.drops.ports import DropStore, LineObjects
from mintline_api.features.drops.problems import LINES_CLOSED, TOO_MANY_LINES, UPLOAD_OFFSET
from mintline_api.features.drops.reading import LineReader
from mintline_api.features.drops.repetitions import Seen
from mintline_api.features.drops.splitting import LineSplitter, RawLine
from mintline_api.features.mints.ports import MintStore
from mintline_api.features.uploads.models import UPLOAD_SCHEME, MetadataRequest
from mintline_api.features.uploads.use_cases import Uploads, resolved
from mintline_api.http.problems import RequestRefused

log = structlog.get_logger()

UPLOAD_OFFSET_HEADER = "Upload-Offset"
NAMES_UPLOAD = f'":"{UPLOAD_SCHEME}'
"""What is in the canonical JSON of metadata that names an upload; other metadata may have it too."""


@dataclass(slots=True, kw_only=True)
class LineUpload:
    """Takes lines of one drop, from where its upload stands.

    `now` returns Unix milliseconds.
    """

    drop: Drop
    """As it was stored last."""
    reader: LineReader
    store: DropStore
    objects: LineObjects
    mints: MintStore
    media: Uploads
    """The files that metadata may name."""
    now: Callable[[], int]
    _seen: Seen = field(init=False)
    _splitter: LineSplitter = field(init=False)
    _number: int = field(init=False)
    """Of the part that is being filled."""
    _accepted: list[StoredLine] = field(default_factory=list)
    _refused: list[RefusedLine] = field(default_factory=list)
    _kept: tuple[int, int] = (0, 0)
    """How many of both the stored part has already."""
    _obsolete: tuple[str, ...] = ()
    """Objects of the stored part, which the next ones replace."""
    _texts: dict[int, str] = field(default_factory=dict)
    """What came of the lines with an external id since the last write, by their numbers."""
    _size: int = 0
    _labels: int = 0
    """Bytes of the external ids and tags in the part that is being filled."""
    _taken: int = 0
    _lines: int = 0
    """Bytes and lines since the last write."""

    def __post_init__(self) -> None:
        self._splitter = LineSplitter(quoted=self.reader.format == "csv")
        self._number = self.drop.upload.parts
        self._seen = Seen(items=self.drop.items)

    async def take(self, body: AsyncIterable[bytes], *, complete: bool) -> Drop:
        """Take a body, and return the drop with what was taken.

        `complete`: whether what comes after the last newline is a line; else it is left to the next upload.
        If the body breaks off, the whole lines that came are taken before its error is raised.
        """
        await self._open()
        try:
            async for data in body:
                for raw in self._splitter.feed(data):
                    await self._line(raw)
                # Data that is there already would keep the loop from everything else.
                await asyncio.sleep(0)
            if complete and (last := self._splitter.rest()) is not None:
                await self._line(last)
        except RequestRefused:
            await self._save()
            raise
        except Exception:
            await self._save()
            log.info("drop_upload_cut", drop_id=self.drop.drop_id, offset=self.drop.upload.offset)
            raise
        await self._save()
        return self.drop

    async def _open(self) -> None:
        """Learn what the lines so far have, and reopen the last part if there is room in it."""
        async for marks in self.store.marks(self.drop.drop_id):
            self._seen.load(marks)
        if not self._number:
            return
        part = await self.store.part(self.drop.drop_id, self._number - 1)
        if part is None or self._full(part.accepted, part.refused, part.size):
            return
        self._number = part.number
        if part.lines_key:
            self._accepted += from_ndjson(await self.objects.get(part.lines_key), StoredLine)
        if part.refused_key:
            self._refused += from_ndjson(await self.objects.get(part.refused_key), RefusedLine)
        self._kept = (len(self._accepted), len(self._refused))
        self._size = part.size
        self._labels = sum(map(_label_bytes, self._accepted))
        self._obsolete = tuple(key for key in (part.lines_key, part.refused_key) if key)

    def _full(self, accepted: int, refused: int, size: int) -> bool:
        full = accepted >= PART_LINES or refused >= PART_LINES or size >= PART_BYTES
        return full or self._labels >= MAX_LABEL_BYTES

    async def _line(self, raw: RawLine) -> None:
        upload = self.drop.upload
        number = upload.lines + self._lines + 1
        read = self.reader.read(raw, number)
        if isinstance(read, StoredLine) and NAMES_UPLOAD in (read.metadata or ""):
            read = await self._with_media(read, raw)
        if read is not None:
            new = len(self._accepted) + len(self._refused) - sum(self._kept)
            if upload.accepted + upload.refused + new >= MAX_LINES:
                raise RequestRefused(
                    TOO_MANY_LINES, f"Line {number} is one too many: a drop takes {MAX_LINES:,} lines."
                )
            self._add(read, raw)
        self._taken += raw.size
        self._lines += 1
        if self._full(len(self._accepted), len(self._refused), self._size):
            await self._save()

    def _add(self, read: StoredLine | RefusedLine, raw: RawLine) -> None:
        self._size += len(raw.text)
        if isinstance(read, StoredLine) and read.external_id is not None:
            self._texts[read.line] = raw.text.decode()
            if (first := self._seen.first_with_external_id(read)) is not None:
                read = self._refusal(read, f"line {first} has it already")
        if isinstance(read, StoredLine):
            self._accepted.append(read)
            self._labels += _label_bytes(read)
        else:
            self._refused.append(read)

    async def _with_media(self, line: StoredLine, raw: RawLine) -> StoredLine | RefusedLine:
        """Return a line with the URLs of the uploads that it names, or refused if one cannot be used."""
        request = MetadataRequest.model_validate_json(line.metadata or "")
        try:
            metadata = await resolved(request, asked_by=self.drop.client_id, uploads=self.media)
        except RequestRefused as refused:
            faults = tuple(
                LineFault(pointer=fault.pointer or "#", detail=fault.detail) for fault in refused.faults
            )
            text = raw.text.decode()
            return RefusedLine(line=line.line, errors=faults, text=text, columns=self.reader.columns)
        return line.evolve(metadata=canonical_json(metadata.model_dump(mode="json", exclude_none=True)))

    def _refusal(self, line: StoredLine, detail: str) -> RefusedLine:
        fault = LineFault(pointer="#/external_id", detail=detail)
        return RefusedLine(
            line=line.line, errors=(fault,), text=self._texts[line.line], columns=self.reader.columns
        )

    async def _refuse_used(self) -> None:
        """Refuse the new lines whose external id another mint of the client's has."""
        kept = self._kept[0]
        named = [line for line in self._accepted[kept:] if line.external_id is not None]
        client_id = self.drop.client_id
        used = await asyncio.gather(
            *(self.mints.id_by_external_id(client_id, line.external_id or "") for line in named)
        )
        by_line = {line.line: mint_id for line, mint_id in zip(named, used, strict=True) if mint_id}
        if by_line:
            self._refused += [
                self._refusal(line, f"another mint of yours, {by_line[line.line]}, has it")
                for line in named
                if line.line in by_line
            ]
            self._accepted = [line for line in self._accepted if line.line not in by_line]

    async def _save(self) -> None:
        """Store what came since the last write; raises RequestRefused if another upload came between."""
        if not self._taken:
            return
        await self._refuse_used()
        drop, (kept, kept_refused) = self.drop, self._kept
        accepted = self._accepted[kept:]
        upload = drop.upload
        part, marks = None, None
        if accepted or len(self._refused) > kept_refused:
            part = await self._stored()
            marks = self._seen.marks_of(self._accepted)
        after = drop.evolve(
            version=drop.version + 1,
            updated_at=self.now(),
            upload=self._seen.count(upload, accepted).evolve(
                format=self.reader.format,
                columns=self.reader.columns,
                offset=upload.offset + self._taken,
                lines=upload.lines + self._lines,
                parts=self._number + 1 if part else upload.parts,
                accepted=upload.accepted + len(accepted),
                item_tokens=upload.item_tokens + sum(line.tokens for line in accepted if drop.items),
                refused=upload.refused + len(self._refused) - kept_refused,
            ),
        )
        try:
            await self.store.replace(after, part, marks)
        except Conflict:
            raise await self._overtaken() from None
        self.drop, self._taken, self._lines = after, 0, 0
        self._texts.clear()
        if part is None:
            # Blank lines and header rows alone: the stored part still has its objects.
            return
        kept_keys = {part.lines_key, part.refused_key}
        await asyncio.gather(*(self.objects.delete(key) for key in self._obsolete if key not in kept_keys))
        self._kept = (len(self._accepted), len(self._refused))
        self._obsolete = tuple(key for key in (part.lines_key, part.refused_key) if key)
        if self._full(part.accepted, part.refused, part.size):
            self._number += 1
            self._accepted, self._refused, self._kept, self._obsolete = [], [], (0, 0), ()
            self._size = self._labels = 0

    async def _stored(self) -> DropPart:
        """Store the objects of the part, and return its record."""
        lines = refused = None
        if self._accepted:
            lines = await self._put(to_ndjson(self._accepted), "lines")
        if self._refused:
            refused = await self._put(to_ndjson(self._refused), "refused")
        return DropPart(
            drop_id=self.drop.drop_id,
            number=self._number,
            accepted=len(self._accepted),
            refused=len(self._refused),
            size=self._size,
            lines_key=lines,
            refused_key=refused,
        )

    async def _put(self, body: bytes, suffix: str) -> str:
        """Store an object of the part, and return its key.

        The key has the content's hash: an upload at the same time, which is overtaken, replaces nothing.
        """
        content = hashlib.sha256(body).hexdigest()
        key = f"{self.drop.drop_id}/{self._number:06d}-{content}.{suffix}"
        await self.objects.put(key, body)
        return key

    async def _overtaken(self) -> RequestRefused:
        """Return why the drop is not as it was: it takes no more lines, or another upload goes on with it."""
        present = await self.store.get(self.drop.drop_id)
        if present is None or present.status is not DropStatus.DRAFT:
            return lines_closed(present or self.drop)
        return offset_mismatch(present)


def _label_bytes(line: StoredLine) -> int:
    """Return how many bytes a line adds to its chunk's record, beside what all lines add."""
    return len(line.external_id or "") + sum(len(tag.encode()) for tag in line.tags or ())


def lines_closed(drop: Drop) -> RequestRefused:
    """Return the refusal of lines for a drop that is a draft no more."""
    return RequestRefused(LINES_CLOSED, f"The drop is {drop.status.value}, and takes lines as a draft only.")


def offset_mismatch(drop: Drop) -> RequestRefused:
    """Return the refusal of an upload that does not go on where the drop's stands."""
    offset = drop.upload.offset
    return RequestRefused(
        UPLOAD_OFFSET,
        f"{offset} bytes of this drop's lines are taken: send what comes after them, with Upload-Offset: "
        f"{offset}.",
        headers={UPLOAD_OFFSET_HEADER: str(offset)},
    )
