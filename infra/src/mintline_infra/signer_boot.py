"""What a signer's instance does when it starts: the enclave, then the host beside it, both under systemd."""

from __future__ import annotations

from collections.abc import Mapping

from mintline_infra.deployment import Deployment

AUDIT_DIR = "/var/lib/mintline/audit"
"""The enclave's audit trail, on the instance's encrypted disk; the image's user owns it."""
PATH_OF_ROLL = "/usr/local/sbin/mintline-roll-enclave"
ENCLAVE_CPUS = 2
ENCLAVE_MEMORY = 3072
"""MiB, taken from the instance for as long as it runs."""

_TEMPLATE = """\
#!/bin/bash
set -euo pipefail
umask 077
dnf install -y aws-nitro-enclaves-cli docker jq
install -d /etc/mintline /opt/mintline
install -d -o 10001 -g 10001 -m 0700 @AUDIT@

cat > /etc/nitro_enclaves/allocator.yaml <<'END'
---
memory_mib: @MEMORY@
cpu_count: @CPUS@
END

cat > /etc/mintline/host.env <<'END'
@SETTINGS@
END

cat > @ROLL@ <<'END'
#!/bin/bash
# mintline-roll-enclave IMAGE [PCR0]: fetch an image, check what it measures, and run it.
set -euo pipefail
fetched=$(mktemp /opt/mintline/fetched.XXXXXX)
trap 'rm -f "$fetched"' EXIT
aws s3 cp --only-show-errors "s3://@BUCKET@/$1" "$fetched"
measured=$(nitro-cli describe-eif --eif-path "$fetched" | jq -r .Measurements.PCR0)
if [ -n "${2:-}" ] && [ "$measured" != "$2" ]; then
  echo "the image measures $measured, not $2" >&2
  exit 1
fi
mv "$fetched" /opt/mintline/signer.eif
systemctl restart mintline-enclave
echo "runs $1, PCR0 $measured"
END
chmod 0700 @ROLL@

cat > /etc/systemd/system/mintline-enclave.service <<'END'
[Unit]
Description=Mintline: the signer's enclave
Requires=nitro-enclaves-allocator.service
After=nitro-enclaves-allocator.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/nitro-cli run-enclave --enclave-name signer --enclave-cid @CID@ \\
  --cpu-count @CPUS@ --memory @MEMORY@ --eif-path /opt/mintline/signer.eif
ExecStop=/usr/bin/nitro-cli terminate-enclave --enclave-name signer
[Install]
WantedBy=multi-user.target
END

# Docker's default seccomp profile forbids vsock, the one thing that the host is there for.
cat > /etc/systemd/system/mintline-signer-host.service <<'END'
[Unit]
Description=Mintline: the signer's host
Requires=docker.service
Wants=mintline-enclave.service
After=docker.service mintline-enclave.service
[Service]
Restart=always
RestartSec=2
TimeoutStopSec=40
ExecStartPre=/bin/bash -c 'aws ecr get-login-password --region @REGION@ | \\
  docker login --username AWS --password-stdin @REGISTRY@'
ExecStart=/usr/bin/docker run --rm --name signer-host --network host --read-only --cap-drop ALL \\
  --security-opt no-new-privileges --security-opt seccomp=unconfined --env-file /etc/mintline/host.env \\
  --volume @AUDIT@:@AUDIT@ \\
  --log-driver awslogs --log-opt awslogs-region=@REGION@ --log-opt awslogs-group=@LOGS@ \\
  @REGISTRY@/@REPOSITORY@:@TAG@
ExecStop=/usr/bin/docker stop --time 30 signer-host
[Install]
WantedBy=multi-user.target
END

systemctl daemon-reload
systemctl enable --now nitro-enclaves-allocator docker
systemctl disable --now sshd || true
systemctl enable mintline-enclave mintline-signer-host
@ROLL@ '@IMAGE@'
systemctl start mintline-signer-host
"""


def boot(deployment: Deployment, *, settings: Mapping[str, str], enclave_cid: int) -> str:
    """Return the script that an instance runs once, at its first start."""
    values = {
        "AUDIT": AUDIT_DIR,
        "MEMORY": str(ENCLAVE_MEMORY),
        "CPUS": str(ENCLAVE_CPUS),
        "CID": str(enclave_cid),
        "SETTINGS": "\n".join(f"{name}={value}" for name, value in settings.items()),
        "ROLL": PATH_OF_ROLL,
        "BUCKET": deployment.artifact_bucket_name(),
        "IMAGE": deployment.enclave_image,
        "REGION": deployment.region,
        "LOGS": deployment.log_group_name("signer"),
        "REGISTRY": f"{deployment.account}.dkr.ecr.{deployment.region}.{deployment.domain}",
        "REPOSITORY": deployment.repository_name("signer"),
        "TAG": deployment.image_tag,
    }
    script = _TEMPLATE
    for name, value in values.items():
        script = script.replace(f"@{name}@", value)
    return script
