"""What the operations on collections reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from mintline.chain.settings import FactorySettings
from mintline_api.chain import ChainReader
from mintline_api.features.collections.minting import MintGate
from mintline_api.features.collections.ports import CollectionMetadataStore, ManagedCollections
from mintline_api.features.contracts.registry import CollectionRegistry
from mintline_api.features.operations.nudges import Nudges
from mintline_api.features.operations.use_cases import Intake


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionsContext:
    """The collections, and what it takes to make, change and import one.

    No `factory`: none is made here. No `chain`: none is imported.
    """

    chain_id: int
    collections: ManagedCollections
    metadata: CollectionMetadataStore
    registry: CollectionRegistry
    factory: FactorySettings | None
    chain: ChainReader | None
    intake: Callable[[Nudges], Intake]
    gate: MintGate


COLLECTIONS = web.AppKey("collections", CollectionsContext)
