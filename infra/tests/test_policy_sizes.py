"""IAM's limits on policies, which a template does not tell of and a deployment fails by."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from synthesis import described, properties, resources, synthesized

OWN, MANAGED, ATTACHED = 10_240, 6_144, 10
"""Characters of a role's own policies together, and of a managed one; managed policies of a role."""
LONGEST = "m" * 40


def size(policy: dict[str, Any]) -> int:
    """Return a policy's characters, of which IAM counts all but whitespace; intrinsics count for more."""
    return len(json.dumps(policy["PolicyDocument"], separators=(",", ":")))


@pytest.mark.parametrize("prefix", ["acme-mintline", LONGEST])
def test_policies__when_a_role_has_many_statements__then_iam_takes_them(tmp_path: Path, prefix: str) -> None:
    templates = synthesized(described(prefix), tmp_path)
    names = {
        logical: role["Properties"]["RoleName"]
        for logical, role in resources(templates["access"], "AWS::IAM::Role").items()
    }
    own: Counter[str] = Counter()
    attached: Counter[str] = Counter()
    for stack in ("access", "identity"):
        for policy in properties(templates[stack], "AWS::IAM::Policy"):
            for role in policy["Roles"]:
                own[names[role["Ref"]] if isinstance(role, dict) else role] += size(policy)
        for policy in properties(templates[stack], "AWS::IAM::ManagedPolicy"):
            assert size(policy) <= MANAGED
            attached.update(names[role["Ref"]] for role in policy["Roles"])

    assert own[f"{prefix}-api"] > 1_000
    assert attached[f"{prefix}-api"] >= 1
    assert {role: characters for role, characters in own.items() if characters > OWN} == {}
    assert {role: number for role, number in attached.items() if number > ATTACHED} == {}
