"""Whose tokens count no more, as the api found out and signed; the host hands it over.

Memory is bounded, and taken at once: the oldest entry gives way to what is one too many. Nothing outlives
the process; the host hands all over again when it connects.
"""

from __future__ import annotations

import structlog

from mintline.acceptance import LEEWAY, NotVouchedFor, Statement, Statements
from mintline.access_tokens import rules
from mintline.access_tokens.rules import Claims
from mintline.clock import UnixSeconds, to_ms
from mintline.revocation import REVOCATION, revocation_fields
from mintline_signer.enclave.fixed_table import VALUE_BYTES, FixedTable
from mintline_signer.errors import EnclaveRefusal, RefusalCode
from mintline_signer.protocol import Revocation

log = structlog.get_logger()

_REMEMBERED = 100_000


class RevokedTokens:
    """Remembers by `sub` which tokens are revoked; `grace` is in seconds, as for a token past its expiry."""

    def __init__(
        self, statements: Statements, *, grace: int, secret: bytes, remembered: int = _REMEMBERED
    ) -> None:
        self._statements = statements
        self._grace = max(rules.LEEWAY, grace)
        self._table = FixedTable(size=remembered, secret=secret)

    def __len__(self) -> int:
        return len(self._table)

    def take(self, given: list[Revocation], *, now: UnixSeconds) -> None:
        """Take over what the api stated; what it did not state changes nothing. `now` is in Unix seconds."""
        for revocation in given:
            try:
                self._take(revocation, to_ms(now))
            except NotVouchedFor as error:
                log.warning("revocation_not_vouched_for", fault=error.fault.value)

    def _take(self, given: Revocation, now: int) -> None:
        statement = Statement.from_bytes(given.statement)
        fields = revocation_fields(given.subject, given.revoked_before)
        self._statements.verify(statement, REVOCATION, *fields, now=now)
        if given.revoked_before * 1000 > statement.at + LEEWAY:
            log.warning("revocation_of_the_future")
            return
        known = self._of(given.subject)
        if known is None or known[0] < given.revoked_before:
            value = given.revoked_before.to_bytes(8, "big") + statement.at.to_bytes(8, "big")
            self._table.put(given.subject.encode(), value.ljust(VALUE_BYTES, b"\0"))

    def _of(self, subject: str) -> tuple[int, int] | None:
        """Return `revoked_before` (seconds), and when that was found out (milliseconds)."""
        value = self._table.get(subject.encode())
        if value is None:
            return None
        return int.from_bytes(value[:8], "big"), int.from_bytes(value[8:16], "big")

    def check(self, claims: Claims, *, accepted_at: int, now: UnixSeconds) -> None:
        """Raise EnclaveRefusal for a revoked token, unless the api accepted the request before it found out.

        What it accepted before is signed for as long as by a token that had expired at that time: the time
        of acceptance is the api's own statement. `accepted_at` is in Unix milliseconds, `now` in seconds.
        """
        known = self._of(claims.subject)
        if known is None:
            return
        revoked_before, found_at = known
        late = accepted_at >= found_at or now >= found_at / 1000 + self._grace
        if claims.issued < revoked_before and late:
            raise EnclaveRefusal(RefusalCode.TOKEN_REVOKED)
