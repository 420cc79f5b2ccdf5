"""The contracts between the services: one union, discriminated by `type`, each with a `version`.

::

    api ─BuildMint▶ builder ─SignMint│SignTopUp▶ signer ─Broadcast│SigningRefused▶ broadcaster
                    builder ─IssueVoucher──────▶ signer ─VoucherIssued───────────▶ broadcaster
                    builder ◀──────FundWallet│RenewNonce│FinishBatch──────────────  broadcaster
                                     signer ◀──────────SignNoop│SignMint (a bump)─  broadcaster
    api ─BuildLines─▶ builder (of many mints at once)
    api ───────────────────────────────────────────────────────SelfRedeem──────────▶ broadcaster
    api, indexer ──────────────────────────────────────────────ReviewMint──────────▶ broadcaster

Every message is JSON on a FIFO queue. Its message group is the sender's address; one of the sender's nonces
for what must not wait behind the others (`mintline.kinds.group_of`); one of eight of the wallet for a mint
that is to be built; the mint's id where the order does not matter, or the sender is no key of ours.

The releases before and after this one read these messages too (docs/upgrades.md):
a field may be added if it has a default and may be lost on the way, since a service of the release before
does not pass it on. What must not be ignored gets a new type or a higher `version`.

`parts` has what messages are made of; `intents`, `work` and `signed` have the messages; `codec` has their
union.
"""
