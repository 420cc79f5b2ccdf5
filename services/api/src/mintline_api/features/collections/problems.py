"""Problems of collections."""

from __future__ import annotations

from mintline_api.http.problems import ProblemType

COLLECTIONS_NOT_CONFIGURED = ProblemType(
    "collections-not-configured",
    501,
    "Deployment makes no collections",
    "This deployment has no factory, so that it deploys no contracts. An operator deploys one by `mintline "
    "operator deploy-factory`.",
)
NOT_YOUR_COLLECTION = ProblemType(
    "not-your-collection",
    403,
    "Collection of another client",
    "A collection that a client made is that client's to mint in and to change. Name one of your own: `GET "
    "/v1/collections` lists them.",
)
COLLECTION_NOT_OPEN = ProblemType(
    "collection-not-open",
    403,
    "Collection not open to users",
    "Only the client that made the collection mints in it. Name another collection.",
)
SPONSORED_ONLY = ProblemType(
    "sponsored-only",
    422,
    "Collection takes sponsored mints alone",
    "A collection that this API deployed is minted in by relayers, and takes no vouchers. Leave out "
    "`custody`, or send `sponsored`.",
)
COLLECTION_NOT_READY = ProblemType(
    "collection-not-ready",
    409,
    "Collection not deployed",
    "Its deployment is under way, or came to nothing; `detail` says which. Follow it at `GET "
    "/v1/collections/{contract}` until its status is `ready`.",
)
COLLECTION_READ_ONLY = ProblemType(
    "collection-read-only",
    409,
    "Collection not administered here",
    "The contract was not deployed by this API: an imported one is indexed and not minted in, and one that "
    "an operator registered is changed by its own administrator.",
)
COLLECTION_PAUSED = ProblemType(
    "collection-paused",
    409,
    "Collection paused",
    "The contract refuses mints until its client unpauses it: `PATCH /v1/collections/{contract}`.",
)
COLLECTION_CLOSED = ProblemType(
    "collection-closed",
    409,
    "Outside the collection's mint window",
    "The contract mints within its window alone, which never changes; `detail` says when that is.",
)
COLLECTION_FULL = ProblemType(
    "collection-full",
    409,
    "Supply cap reached",
    "As many tokens were minted as the collection's cap allows. The cap never changes, and burning a token "
    "makes no room.",
)
COLLECTION_FROZEN = ProblemType(
    "collection-frozen",
    409,
    "Collection's metadata is permanent",
    "The collection was frozen, so its metadata never changes again.",
)
REVEAL_PENDING = ProblemType(
    "reveal-pending",
    409,
    "Metadata not revealed yet",
    "The collection was created with a commitment to later metadata, so its tokens' metadata changes by "
    "being revealed first, and is frozen after that: `POST /v1/collections/{contract}/reveal`.",
)
COLLECTION_CHANGE_PENDING = ProblemType(
    "collection-change-pending",
    409,
    "Another change is under way",
    "A collection is changed by one transaction after another; `detail` names the one under way. Repeat the "
    "request when that is mined.",
)
UNSUPPORTED_STANDARD = ProblemType(
    "unsupported-standard",
    422,
    "Not an ERC-721 or ERC-1155 contract",
    "Contracts of ERC-721 or ERC-1155 can be imported that say by ERC-165 which of the two they are.",
)
EMPTY_MINT_WINDOW = ProblemType(
    "empty-mint-window",
    422,
    "Mint window never opens",
    "The end of a mint window is after its start, and not over yet.",
)
NOT_A_CONTRACT = ProblemType(
    "not-a-contract", 422, "No contract at the address", "The chain has no code at this address."
)
