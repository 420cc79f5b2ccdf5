"""What a restore may do with each table, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mintline.errors import Misconfigured
from mintline.resource_types import Table
from mintline.resources import (
    ACCOUNTS,
    ATTEMPTS,
    AUTHORIZATIONS,
    BALANCES,
    BLOCKS,
    CHALLENGES,
    CHECKPOINTS,
    CLIENTS,
    COLLECTIONS,
    DROP_PARTS,
    DROPS,
    EVENT_CURSORS,
    EVENTS,
    EXTERNAL_IDS,
    FOLLOWED,
    LINKS,
    METADATA_VERSIONS,
    MINTS,
    NOTICES,
    PACKS,
    RATES,
    REQUESTS,
    REVOCATIONS,
    TABLES,
    TOKENS,
    TRANSACTIONS,
    TRANSFERS,
    UPLOADS,
    WALLETS,
    WEBHOOK_ATTEMPTS,
    WEBHOOK_PROGRESS,
    WEBHOOKS,
    WRAPPED_KEYS,
)

Means = Literal["replaceable", "missing only", "not restored"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What may be done with a table: what is missing is put back, and what differs only if `replaceable`."""

    means: Means
    why: str


_RECORDS = Rule("replaceable", "an older record is brought up to date by the chain and the other tables")
_FROM_CHAIN = Rule("not restored", "built from the chain: mintline index rebuild --repair")
_PASSING = Rule("not restored", "its items live for minutes or hours")

RULES: dict[Table, Rule] = {
    MINTS: _RECORDS,
    EXTERNAL_IDS: _RECORDS,
    REQUESTS: _RECORDS,
    PACKS: _RECORDS,
    METADATA_VERSIONS: _RECORDS,
    CLIENTS: _RECORDS,
    LINKS: _RECORDS,
    UPLOADS: _RECORDS,
    DROPS: _RECORDS,
    DROP_PARTS: _RECORDS,
    WEBHOOKS: _RECORDS,
    COLLECTIONS: Rule("replaceable", "the counter of token ids is never set back"),
    WALLETS: Rule("missing only", "an older record may name a key that was replaced since"),
    WRAPPED_KEYS: Rule("missing only", "a key that was wrapped again since is the one in use"),
    TRANSACTIONS: Rule("missing only", "an older record lacks attempts that were sent since"),
    ATTEMPTS: Rule("missing only", "what was signed does not change"),
    ACCOUNTS: Rule("missing only", "an older record lacks what was given since"),
    AUTHORIZATIONS: Rule("missing only", "an authorization does not change"),
    REVOCATIONS: Rule("missing only", "an older record would admit a token that was revoked since"),
    EVENTS: Rule("missing only", "a batch of events does not change"),
    WEBHOOK_PROGRESS: Rule("missing only", "an older position would deliver events again"),
    NOTICES: Rule("missing only", "a notice does not change"),
    TOKENS: _FROM_CHAIN,
    BALANCES: _FROM_CHAIN,
    TRANSFERS: _FROM_CHAIN,
    BLOCKS: _FROM_CHAIN,
    CHECKPOINTS: _FROM_CHAIN,
    FOLLOWED: _FROM_CHAIN,
    CHALLENGES: _PASSING,
    RATES: _PASSING,
    WEBHOOK_ATTEMPTS: _PASSING,
    EVENT_CURSORS: Rule("not restored", "the notifier compares the records with the logs without it"),
}


def chosen(names: Sequence[str]) -> list[Table]:
    """Return the tables of these names, or all that can be restored; raises Misconfigured for others."""
    by_name = {table.name: table for table in TABLES}
    for name in names:
        if name not in by_name:
            raise Misconfigured(f"no table {name!r}: {', '.join(sorted(by_name))}")
        rule = RULES[by_name[name]]
        if rule.means == "not restored":
            raise Misconfigured(f"{name} is not restored: {rule.why}")
    return [
        table
        for table in TABLES
        if RULES[table].means != "not restored" and (not names or table.name in names)
    ]


def replaced(names: Sequence[str], tables: Sequence[Table]) -> frozenset[Table]:
    """Return those of `tables` in which what differs is replaced; raises Misconfigured if one may not be."""
    by_name = {table.name: table for table in tables}
    for name in names:
        if name not in by_name:
            raise Misconfigured(f"--replace {name}: it is none of the tables to restore")
        if (rule := RULES[by_name[name]]).means != "replaceable":
            raise Misconfigured(f"--replace {name}: only what it lacks is put back: {rule.why}")
    return frozenset(by_name[name] for name in names)
