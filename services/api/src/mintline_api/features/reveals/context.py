"""What revealing reaches, in addition to collections."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from mintline_api.features.metadata.ports import MetadataStore, PackStore


@dataclass(frozen=True, slots=True, kw_only=True)
class RevealsContext:
    """Where the texts are put, and read from."""

    packs: PackStore
    metadata: MetadataStore


REVEALS = web.AppKey("reveals", RevealsContext)
