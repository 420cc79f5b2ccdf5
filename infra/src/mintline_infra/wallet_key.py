"""The policies of the wallets' keys, for one deployment; the policy itself is `mintline.wallet_key`."""

from __future__ import annotations

from aws_cdk import aws_iam as iam

from mintline import wallet_key
from mintline.wallet_key import Measured, Parties
from mintline_infra.deployment import Deployment


def key_policy(deployment: Deployment, number: int) -> iam.PolicyDocument:
    """Return the policy of a key: the attested enclave unwraps, and nobody else ever does.

    The first key alone makes new ones; of two, the newer one takes in what the older one wrapped.
    """
    keys = deployment.wallet_keys
    enclave = deployment.enclave
    document = wallet_key.key_policy(
        Parties(
            administrator=deployment.root_arn,
            api=deployment.role_arn("api"),
            enclave=deployment.role_arn("signer"),
        ),
        chain_id=deployment.chain.chain_id,
        measured=Measured(
            images=enclave.pcr0, role=deployment.pcr3(), policies=enclave.pcr16, signer=enclave.pcr8
        ),
        makes=number == keys[0],
        reassigned=enclave.reassigned,
        receives=len(keys) > 1 and number == max(keys),
    )
    return iam.PolicyDocument.from_json(document)
