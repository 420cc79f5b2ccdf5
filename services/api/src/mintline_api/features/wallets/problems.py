"""Problems of wallets in custody."""

from __future__ import annotations

from mintline_api.http.problems import ProblemType

WALLET_DELETED = ProblemType(
    "wallet-deleted",
    409,
    "Wallet is being deleted",
    "The key of your wallet is to be destroyed, or has been: nothing is minted with it. Until the time that "
    "`detail` names, support can keep it.",
)

WALLET_REASSIGNED = ProblemType(
    "wallet-reassigned",
    409,
    "Wallet reassigned",
    "Your wallet was reassigned to another account of yours: sign in with that one.",
)
