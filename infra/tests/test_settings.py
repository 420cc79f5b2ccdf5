"""Every setting of every service: set by its stack, or left at its default for a reason that stands here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from mintline_api.settings import Settings as ApiSettings
from mintline_broadcaster.settings import BroadcasterSettings
from mintline_builder.settings import Settings as BuilderSettings
from mintline_indexer.reconciler.settings import ReconcilerSettings
from mintline_indexer.settings import IndexerSettings
from mintline_notifier.settings import NotifierSettings
from mintline_signer.host.settings import HostSettings

from mintline.errors import Misconfigured
from mintline.settings import PREFIX, ServiceSettings
from mintline_infra.deployment import Deployment, read
from mintline_infra.deployment_parts import Limits
from mintline_infra.signer import host_settings
from synthesis import Templates, described, minting, properties, synthesized

MODELS: Mapping[str, type[ServiceSettings]] = {
    "api": ApiSettings,
    "builder": BuilderSettings,
    "broadcaster": BroadcasterSettings,
    "indexer": IndexerSettings,
    "reconciler": ReconcilerSettings,
    "notifier": NotifierSettings,
    "signer": HostSettings,
}
LIMITS = {
    "api": {"user_rate", "user_gas_budget", "sponsored_mint_gas", "drop_users_per_second", "drop_grace"},
    "builder": {
        "user_gas_budget",
        "max_transaction_cost",
        "relayer_min_balance",
        "relayer_target_balance",
        "max_fee",
        "max_wait",
        "max_chain_skew",
    },
    "broadcaster": {"fee_cap"},
}

EVERYWHERE = {
    "log_level": "info is what the runbook reads",
    "log_format": "JSON is what CloudWatch reads",
    "aws_endpoint_url": "for an emulator; AWS has its own endpoints",
    "receive_wait": "AWS's longest is right on AWS; shorter ones are for an emulator",
    "otlp_endpoint": "a deployment has no collector of traces",
}
ON_THE_CHAIN = {"rpc_timeout": "a property of HTTP to a node, whatever the chain"}
GAS = {
    "gas_margin": "measured on Osaka and Amsterdam (GAS.md); the same on each chain of these rules",
    "max_transfer_gas": "suffices on Osaka and Amsterdam",
    "transaction_gas_cap": "the protocol's own (EIP-7825)",
}
DEFAULTS: Mapping[str, Mapping[str, str]] = {
    "api": EVERYWHERE
    | ON_THE_CHAIN
    | {
        "max_requests": "what a task of this size was measured with",
        "drop_chunks_in_flight": "bounds what waits, whatever the size of a deployment",
        "request_seconds": "below the 30 seconds after which API Gateway ends a request",
        "cognito_jwks_url": "follows from the issuer",
        "cognito_operator_client_id": "operators act as a client only where a deployment says so",
        "other_issuers": "the user pool issues the tokens where the document names no other issuer",
        "kms_endpoint_url": "for an emulator; AWS has its own endpoint",
        "upload_endpoint_url": "for an emulator; callers reach S3 as the api does",
        "public_sign_in_url": "for an emulator; callers reach the pool as the api does",
        "upload_bytes": "what a task reads from S3 within a request",
        "webhook_allow_loopback": "for local stacks alone",
        "email_verified": "only a verified address is a sign-in name in the pool of the identity stack",
        "email_case_sensitive": "that pool's sign-in names are",
    },
    "builder": EVERYWHERE
    | ON_THE_CHAIN
    | GAS
    | {
        "top_up_mints": "counts mints, so it follows fees by itself",
        "max_top_up_mints": "counts mints, so it follows fees by itself",
        "max_top_up": "the policy document's max_top_up_value; user_gas_budget bounds a wallet's cost",
        "voucher_ttl": "a day; with max_chain_skew within the policy document's max_voucher_ttl",
        "relayer": "the name of earlier versions for a single one of relayers",
        "max_batch": "the policy document's max_batch; what exceeds the enclave's frame is another batch",
        "batch_wait": "what a lone mint is delayed by: the same on every chain",
        "max_batch_gas": "what a transaction may use since Osaka (EIP-7825)",
        "max_gas": "the contract's own need, measured on each fork (GAS.md)",
        "max_deploy_gas": "the factory's own need, measured on each fork (GAS.md)",
        "max_recipient_gas": "a property of recipients, whatever the chain",
        "min_priority_fee": "too little to matter; nodes refuse less",
        "max_priority_fee": "max_fee is the bound that costs",
        "concurrency": "what a task of this size was measured with",
    },
    "broadcaster": EVERYWHERE
    | ON_THE_CHAIN
    | GAS
    | {
        "priority_fee_cap": "fee_cap is the bound that costs",
        "sweep_interval": "scales by itself with what is open",
        "stage_deadline": "a property of the pipeline, whatever the chain",
        "look_after": "a block's time on the slowest chain, and some",
        "replace_after": "counted in blocks, so it follows the chain",
        "concurrency": "what a task of this size was measured with",
    },
    "indexer": EVERYWHERE
    | ON_THE_CHAIN
    | {
        "poll_interval": "no block is missed with it, and new heads wake the indexer earlier",
        "takeover_after": "documented as 15 seconds; within the alarm's time",
        "instance": "a name shared by both tasks would have each take the other for itself",
        "backfill_range": "halves by itself when the node refuses",
        "backfill_whole_blocks": "a property of catching up, whatever the chain",
    },
    "reconciler": EVERYWHERE
    | ON_THE_CHAIN
    | {"reconcile_patience": "a property of the pipeline, whatever the chain"},
    "notifier": EVERYWHERE
    | {
        "kms_endpoint_url": "for an emulator; AWS has its own endpoint",
        "webhook_allow_loopback": "for local stacks alone",
        "event_poll_interval": "slows down by itself while nothing happens",
        "instance": "a name shared by both tasks would have each take the other for itself",
    },
    "signer": EVERYWHERE
    | {
        "signing_policy": "where the enclave's image holds one; test_signer has it where it does not",
        "enclave_access_key_id": "on AWS the enclave gets the instance role's credentials",
        "enclave_secret_access_key": "as enclave_access_key_id",
        "enclave_session_token": "as enclave_access_key_id",
        "audit_ship_every": "the minute that docs/audit-trail.md names",
        "revocations_every": "within the minute that the API documents",
        "enclave_timeout": "a property of the enclave's socket",
        "proxy_connections": "above the enclave's KMS_CONNECTIONS",
        "proxy_idle_timeout": "a property of the enclave's socket",
        "key_cache_size": "50 MB, which every instance has",
        "key_cache_ttl": "how long a deleted key lingers: an hour, as documented",
        "concurrency": "what an instance of this size was measured with",
    },
}
SERVICES = sorted(MODELS)


def environment(templates: Templates, deployment: Deployment, service: str) -> dict[str, Any]:
    """Return what a service's stack sets, by the setting's name; secrets have no value here."""
    if service == "signer":
        variables: dict[str, Any] = dict(host_settings(deployment, minting(deployment)))
    else:
        (definition,) = properties(templates[service], "AWS::ECS::TaskDefinition")
        (container,) = definition["ContainerDefinitions"]
        variables = {entry["Name"]: entry["Value"] for entry in container["Environment"]}
        variables |= {entry["Name"]: None for entry in container.get("Secrets", ())}
    return {name.removeprefix(PREFIX).lower(): value for name, value in variables.items()}


@pytest.mark.parametrize("service", SERVICES)
def test_setting__when_its_services_stack_does_not_set_it__then_its_default_is_deliberate(
    templates: Templates, deployment: Deployment, service: str
) -> None:
    assert set(MODELS[service].model_fields) - set(environment(templates, deployment, service)) == set(
        DEFAULTS[service]
    )


@pytest.mark.parametrize("service", SERVICES)
def test_setting__when_it_is_left_at_its_default__then_it_has_one(service: str) -> None:
    required = {name for name, field in MODELS[service].model_fields.items() if field.is_required()}

    assert not required & set(DEFAULTS[service])


def test_limits__when_a_deployment_sets_them__then_each_service_that_reads_one_is_given_it(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    chosen = Limits(
        user_rate=7,
        user_gas_budget=11 * 10**17,
        sponsored_mint_gas=230_000,
        drop_users_per_second=3,
        drop_grace=2_100,
        max_transaction_cost=13 * 10**16,
        relayer_min_balance=3 * 10**17,
        relayer_target_balance=5 * 10**17,
        max_fee=17 * 10**9,
        fee_cap=19 * 10**9,
        max_wait=2_300,
        max_chain_skew=2_900,
    )
    deployment = described(limits=chosen.model_dump(mode="json"))
    templates = synthesized(deployment, tmp_path_factory.mktemp("limited"))

    given = {
        service: {
            name: value
            for name, value in environment(templates, deployment, service).items()
            if name in Limits.model_fields
        }
        for service in SERVICES
    }
    assert given == {
        service: {name: str(getattr(chosen, name)) for name in LIMITS.get(service, ())}
        for service in SERVICES
    }
    assert set().union(*LIMITS.values()) == set(Limits.model_fields)


@pytest.mark.parametrize("name", sorted(Limits.model_fields))
def test_limit__when_a_deployment_does_not_set_it__then_it_is_the_services_own_default(name: str) -> None:
    readers = [service for service, names in LIMITS.items() if name in names]

    assert readers
    for service in readers:
        assert getattr(Limits(), name) == MODELS[service].model_fields[name].default


@pytest.mark.parametrize(
    ("limits", "fault"),
    [
        ({"user_rate": 0}, "limits.user_rate"),
        ({"user_gas_budget": "-1"}, "limits.user_gas_budget"),
        ({"max_transaction_cost": 0.5}, "limits.max_transaction_cost"),
        ({"max_fee": "0"}, "limits.max_fee"),
        ({"fee_cap": "199999999999"}, "below max_fee"),
        ({"max_wait": 8 * 86_400}, "limits.max_wait"),
        ({"max_chain_skew": 59}, "limits.max_chain_skew"),
        ({"gas_budget": "1"}, "limits.gas_budget"),
    ],
)
def test_limits__when_out_of_bounds__then_one_line_names_the_fault(
    limits: dict[str, object], fault: str
) -> None:
    with pytest.raises(Misconfigured, match=fault) as raised:
        read(described().model_dump(mode="json") | {"limits": limits})
    assert "\n" not in str(raised.value)
