"""The API's wallets, links and keys in memory."""

from __future__ import annotations

from mintline.aws.key_stores import secret_name
from mintline.aws.keys import GeneratedKey
from mintline.eth import keccak256, to_checksum_address
from mintline.records.keys import scoped
from mintline.records.wallets import Challenge, Link, Wallet
from mintline_api.features.links.ports import AddressTaken, ChallengeSpent


class MemoryWallets:
    """Wallets in a dict."""

    def __init__(self) -> None:
        self.items: dict[str, Wallet] = {}

    async def get(self, wallet_id: str) -> Wallet | None:
        return self.items.get(wallet_id)

    async def create(self, wallet: Wallet) -> Wallet | None:
        """Create unless it exists."""
        existing = self.items.get(wallet.wallet_id)
        if existing is None:
            self.items[wallet.wallet_id] = wallet
        return existing

    async def mark_ready(self, wallet_id: str) -> None:
        """Mark as ready."""
        wallet = self.items[wallet_id]
        self.items[wallet_id] = wallet.evolve(ready=True, wrapped=None, kms_key=None)


class MemoryLinks:
    """Links and challenges in dicts."""

    def __init__(self, *, chain_id: int = 31337) -> None:
        self._chain_id = chain_id
        self.open: dict[str, Challenge] = {}
        self.items: dict[str, Link] = {}

    async def challenge(self, challenge: Challenge) -> None:
        self.open[challenge.nonce] = challenge

    async def link(self, link: Link, *, now: int) -> Link:
        present = self.items.get(link.link_id)
        if present is not None and present.sub != link.sub:
            raise AddressTaken("the address is another user's")
        if present is not None and present.nonce == link.nonce:
            return present
        challenge = self.open.get(link.nonce)
        if challenge is None or challenge.sub != link.sub or challenge.expires <= now:
            raise ChallengeSpent("the challenge is not open")
        del self.open[link.nonce]
        self.items[link.link_id] = link
        return link

    async def get(self, address: str) -> Link | None:
        return self.items.get(scoped(self._chain_id, address))

    async def of_user(self, sub: str) -> tuple[Link, ...]:
        mine = (link for link in self.items.values() if link.sub == sub)
        return tuple(sorted(mine, key=lambda link: (link.linked_at, link.address)))

    async def unlink(self, address: str, *, sub: str) -> bool:
        link = await self.get(address)
        if link is None or link.sub != sub:
            return False
        del self.items[link.link_id]
        return True


class MemoryKeys:
    """Keys by counting: every generated key is another one, as with KMS; none can sign."""

    def __init__(self, *, prefix: str = "mintline", chain_id: int = 31337) -> None:
        self._prefix = prefix
        self._chain_id = chain_id
        self.generated: list[GeneratedKey] = []
        self.kept: dict[str, tuple[str, bytes]] = {}

    async def generate(self, sub: str) -> GeneratedKey:
        seed = keccak256(f"{sub}#{len(self.generated)}".encode())
        key = GeneratedKey(address=to_checksum_address(seed[12:]), wrapped=b"wrapped:" + seed)
        self.generated.append(key)
        return key

    async def keep(self, wallet: Wallet) -> None:
        """Keep a key; the first one stays."""
        assert wallet.wrapped is not None
        self.kept.setdefault(wallet.secret_id, (wallet.sub, wallet.wrapped))

    def secret_id(self, address: str) -> str:
        """Return the secret's name."""
        return secret_name(self._prefix, self._chain_id, address)
