"""Revocations and machine clients in DynamoDB, and the intake key in KMS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from mintline.acceptance import Certificate
from mintline.aws.dynamo import Clause, ConditionFailed, Dynamo, Item, Put, Update
from mintline.aws.errors import translated
from mintline.aws.records import read
from mintline.errors import Unavailable
from mintline.frozen import Frozen
from mintline.records.clients import Client
from mintline.resources import CLIENTS, INTAKE_KEY, REVOCATIONS
from mintline.set_aside import SetAside

if TYPE_CHECKING:
    from types_aiobotocore_kms import KMSClient


class KmsIntake:
    """The platform's intake key, which KMS signs with for the api's role alone."""

    def __init__(self, kms: KMSClient, *, prefix: str) -> None:
        self._kms = kms
        self._alias = INTAKE_KEY.alias(prefix)

    async def certify(self, certificate: Certificate) -> Certificate:
        """Return a session key's certificate with the intake key's signature (KMS API reference, Sign)."""
        with translated():
            response = await self._kms.sign(
                KeyId=self._alias,
                Message=certificate.to_sign(),
                MessageType="RAW",
                SigningAlgorithm="ECDSA_SHA_256",
            )
        try:
            return certificate.signed(response["Signature"])
        except ValueError:
            raise Unavailable("KMS answered with no signature of P-256") from None


class DynamoClientRecords:
    """The table of machine clients, as authentication reads it."""

    def __init__(self, dynamo: Dynamo, *, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._set_aside = set_aside or SetAside()

    async def client(self, client_id: str) -> Client | None:
        item = await self._dynamo.get(CLIENTS, {"client_id": client_id})
        return None if item is None else read(Client, CLIENTS, item, self._set_aside)


class _Revocation(Frozen):
    """The part of a revocation that the api reads."""

    revoked_before: int = Field(ge=0, strict=True)


class DynamoRevocations:
    """The table of revocations, as one chain's."""

    def __init__(self, dynamo: Dynamo, *, chain_id: int, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._chain = str(chain_id)
        self._set_aside = set_aside or SetAside()

    async def record(self, sub: str, *, revoked_before: int, statement: bytes, expires: int) -> None:
        """Record a revocation; `revoked_before` only moves forward.

        Raises Unreadable if it cannot, for what is on record has no time to compare with.
        """
        key: Item = {"chain": self._chain, "sub": sub}
        fields: Item = {"revoked_before": revoked_before, "statement": statement, "expires": expires}
        absent = Clause("new_user", "chain", "missing")
        earlier = Clause("earlier", "revoked_before", "lt", (revoked_before,))
        try:
            await self._dynamo.write(Put(REVOCATIONS, {**key, **fields}, where=(absent,)))
        except ConditionFailed:
            try:
                await self._dynamo.write(Update(REVOCATIONS, key, set=fields, where=(earlier,)))
            except ConditionFailed as lost:
                if lost.item is not None:
                    read(_Revocation, REVOCATIONS, lost.item, self._set_aside)

    async def revoked_before(self, sub: str) -> int:
        """Return until when the user's tokens were issued that count no more."""
        item = await self._dynamo.get(REVOCATIONS, {"chain": self._chain, "sub": sub})
        return 0 if item is None else read(_Revocation, REVOCATIONS, item, self._set_aside).revoked_before
