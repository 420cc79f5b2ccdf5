"""Synthesizes a described deployment, and finds things in templates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aws_cdk as cdk

from mintline_infra.app import build
from mintline_infra.deployment import Deployment, read
from mintline_infra.deployment_parts import Minting

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
AUTHORIZATION_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE1qKuJj6QIjX1OYce/BUHYsnG0Qjh"
    "pS8R3+RbTkR3tKjAcqUObI6zHGG76O7kl2Lg4RB5ckJBXyeCmBba1PNw7g=="
)
Templates = Mapping[str, dict[str, Any]]
"""The synthesized templates by the stack's name without the deployment's prefix."""


def described(prefix: str = "acme-mintline", **changes: Any) -> Deployment:
    def key(name: str) -> dict[str, Any]:
        secret = f"{prefix}/wallets/1/{CONTRACT}"
        return {"address": CONTRACT, "subject": f"platform:{name}", "chain_id": 1, "secret_id": secret}

    return read(
        {
            "prefix": prefix,
            "account": "111122223333",
            "region": "us-east-1",
            "chain": {
                "chain_id": 1,
                "default_collection": CONTRACT,
                "factory": {"address": CONTRACT, "implementation": CONTRACT},
                "issuer": key("issuer"),
                "treasury": key("treasury"),
                "relayer": key("relayer-1"),
                "intake_key": AUTHORIZATION_KEY,
                "authorization_key": {
                    "public_key": AUTHORIZATION_KEY,
                    "secrets": [f"{prefix}/sealing/1/0011223344556677"],
                },
            },
            "enclave": {"pcr0": ["ab" * 48], "pcr8": "cd" * 48, "pcr16": ["ef" * 48]},
            "image_tag": "0.1.0",
            "enclave_image": "signer-0.1.0.eif",
            "signer_ami": "ami-0123456789abcdef0",
            "alarm_email": "oncall@example.com",
        }
        | changes
    )


def fronted(**changes: Any) -> Deployment:
    """Describe a deployment with CloudFront in front of the API."""
    certificate = "arn:aws:acm:us-east-1:111122223333:certificate/0a1b2c3d-0000-4000-8000-000000000000"
    named = {"public_url": "https://nft.example.com", "cloudfront_certificate_arn": certificate}
    return read(described().model_dump(mode="json") | named | changes)


def small(**changes: Any) -> Deployment:
    """Describe a small deployment, whose keys are in DynamoDB."""
    document = described().model_dump(mode="json", exclude={"zones"}) | {"size": "small"}
    chain = document["chain"]
    for name in ("issuer", "treasury", "relayer"):
        chain[name]["secret_id"] = f"dynamodb:1#{CONTRACT}"
    chain["authorization_key"]["secrets"] = ["dynamodb:sealing/1/0011223344556677"]
    return read(document | changes)


def minting(deployment: Deployment) -> Minting:
    settings = deployment.chain.minting
    assert settings is not None
    return settings


def synthesized(
    deployment: Deployment, out: Path, context: dict[str, str] | None = None
) -> dict[str, dict[str, Any]]:
    app = cdk.App(outdir=str(out), context=context)
    build(app, deployment)
    assembly = app.synth()
    prefix = f"{deployment.prefix}-"
    return {
        stack.stack_name.removeprefix(prefix): json.loads(Path(stack.template_full_path).read_text())
        for stack in assembly.stacks
    }


def resources(template: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Return a template's resources of one type, by logical id."""
    return {name: resource for name, resource in template["Resources"].items() if resource["Type"] == kind}


def properties(template: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Return the properties of a template's resources of one type."""
    return [resource["Properties"] for resource in resources(template, kind).values()]


def listed(value: Any) -> list[Any]:
    """Return a policy's element that may be one or many as many."""
    return value if isinstance(value, list) else [value]


def policies_of(template: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a template's policies of roles: their own, and managed ones."""
    return [*properties(template, "AWS::IAM::Policy"), *properties(template, "AWS::IAM::ManagedPolicy")]
