"""What a signer's instance does when it starts: the enclave, then the host beside it, both under systemd."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mintline_infra.deployment import Deployment
from mintline_infra.fargate import ADMIN_PORT

AUDIT_DIR = "/var/lib/mintline/audit"
"""The enclave's audit trail, on the instance's encrypted disk; the image's user owns it."""
PATH_OF_ROLL = "/usr/local/sbin/mintline-roll-enclave"
PATH_OF_ROLL_POLICY = "/usr/local/sbin/mintline-roll-policy"
POLICY_DIR = "/opt/mintline/policy"
"""What the host's container mounts: a folder, since a file that is replaced would stay the old one there."""
POLICY_FILE = f"{POLICY_DIR}/policy.json"
ENCLAVE_CPUS = 2
ENCLAVE_MEMORY = 3072
"""MiB, taken from the instance for as long as it runs."""

PATH_OF_RUN = "/usr/local/sbin/mintline-run-enclave"
PATH_OF_READY = "/usr/local/sbin/mintline-signer-ready"
PATH_OF_SIGNS = "/usr/local/sbin/mintline-signer-signs"
PATH_OF_CHECK = "/usr/local/sbin/mintline-check-signer"
SICK_AFTER = 600
"""Seconds without a ready signer after which the group replaces the instance."""
READY_WITHIN = 600
"""Seconds that a first start waits for a ready signer, however slowly the host answers."""
ROLLED_WITHIN = 120
"""Seconds in which an enclave has to be ready with another image or policy document."""
ROLLED_LOOKS = 6
"""Looks in a row, five seconds apart, that must find it so: KMS's denial shows with the first messages."""

_TEMPLATE = """\
#!/bin/bash
set -euo pipefail
umask 077
# CloudFormation waits for it. A later start of an instance is signalled too, and then means nothing to it.
trap '/opt/aws/bin/cfn-signal --exit-code $? @SIGNALLED@ || true' EXIT
dnf install -y aws-nitro-enclaves-cli aws-cfn-bootstrap docker jq
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
# mintline-roll-enclave IMAGE [PCR0]: fetch an image, check what it measures, and run it. Succeeds once it
# serves and KMS denies it nothing. At an instance's first start, before the host's, it waits for nothing.
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
before=$(systemctl is-active mintline-enclave || true)
systemctl restart mintline-enclave
if [ "$before" = inactive ]; then
  echo "runs $1, PCR0 $measured"
  exit 0
fi
if ! @SIGNS@; then
  echo "does not sign with $1 (PCR0 $measured): the host's log says why; roll the old image back" >&2
  exit 1
fi
echo "signs with $1, PCR0 $measured"
END

@ROLLING_POLICY@
cat > @RUN@ <<'END'
#!/bin/bash
# Runs the enclave, tells systemd that it runs, and ends when it does not any more.
set -euo pipefail
nitro-cli run-enclave --enclave-name signer --enclave-cid @CID@ \\
  --cpu-count @CPUS@ --memory @MEMORY@ --eif-path /opt/mintline/signer.eif
systemd-notify --ready
unknown=0
while sleep 5; do
  if ! described=$(timeout 20 nitro-cli describe-enclaves); then
    unknown=$((unknown + 1))
    if [ "$unknown" -ge 3 ]; then
      echo "nitro-cli does not say whether the enclave runs" >&2
      exit 1
    fi
    continue
  fi
  unknown=0
  state=$(jq -r '.[] | select(.EnclaveName == "signer") | .State' <<< "$described")
  if [ "$state" != RUNNING ]; then
    echo "the enclave is ${state:-gone}" >&2
    exit 1
  fi
done
END

cat > @READY@ <<'END'
#!/bin/bash
# mintline-signer-ready [CHECK]: succeeds if the host runs and its enclave answers it. Whether SQS and KMS do,
# another instance would not change.
set -o pipefail
curl --silent --max-time 10 http://127.0.0.1:@ADMIN@/readyz | \\
  jq -e ".checks.${1:-enclave} == \\"ok\\"" > /dev/null
END

cat > @SIGNS@ <<'END'
#!/bin/bash
# mintline-signer-signs: waits for @LOOKS@ looks in a row that find the signer ready and denied nothing by
# KMS, and fails if they do not come within @ROLLED_WITHIN@ seconds.
set -euo pipefail
until=$(($(date +%s) + @ROLLED_WITHIN@))
looks=0
while [ "$looks" -lt @LOOKS@ ]; do
  if [ "$(date +%s)" -ge "$until" ]; then
    exit 1
  fi
  sleep 5
  if @READY@ && @READY@ kms; then looks=$((looks + 1)); else looks=0; fi
done
END

cat > @CHECK@ <<'END'
#!/bin/bash
# Tells the group that this instance is sick once it has not been ready for @SICK@ seconds.
set -euo pipefail
since=/run/mintline-signer-unready
if @READY@; then
  rm -f "$since"
  exit 0
fi
[ -e "$since" ] || date +%s > "$since"
if [ $(($(date +%s) - $(cat "$since"))) -ge @SICK@ ]; then
@REPLACE@
fi
END
chmod 0700 @ROLL@ @RUN@ @READY@ @SIGNS@ @CHECK@

cat > /etc/systemd/system/mintline-enclave.service <<'END'
[Unit]
Description=Mintline: the signer's enclave
Requires=nitro-enclaves-allocator.service
After=nitro-enclaves-allocator.service
StartLimitIntervalSec=0
[Service]
Type=notify
NotifyAccess=all
ExecStartPre=-/usr/bin/nitro-cli terminate-enclave --enclave-name signer
ExecStart=@RUN@
ExecStopPost=-/usr/bin/nitro-cli terminate-enclave --enclave-name signer
TimeoutStartSec=180
Restart=always
RestartSec=5
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
StartLimitIntervalSec=0
[Service]
Restart=always
RestartSec=2
TimeoutStopSec=70
@PULL@
ExecStart=/usr/bin/docker run --rm --name signer-host --network host --read-only --cap-drop ALL \\
  --security-opt no-new-privileges --security-opt seccomp=unconfined --env-file /etc/mintline/host.env \\
  --volume @AUDIT@:@AUDIT@ @MOUNTED@\\
  --log-driver awslogs --log-opt awslogs-region=@REGION@ --log-opt awslogs-group=@LOGS@ \\
  @HOST@
ExecStop=/usr/bin/docker stop --time 60 signer-host
[Install]
WantedBy=multi-user.target
END

cat > /etc/systemd/system/mintline-check-signer.service <<'END'
[Unit]
Description=Mintline: whether this instance signs
[Service]
Type=oneshot
# The next check comes in a minute; what hangs would keep it away.
TimeoutStartSec=55
ExecStart=@CHECK@
END

cat > /etc/systemd/system/mintline-check-signer.timer <<'END'
[Unit]
Description=Mintline: whether this instance signs, every minute
[Timer]
OnActiveSec=60
OnUnitActiveSec=60
[Install]
WantedBy=timers.target
END

systemctl daemon-reload
systemctl enable --now nitro-enclaves-allocator docker
systemctl disable --now sshd || true
systemctl enable mintline-enclave mintline-signer-host
systemctl enable --now mintline-check-signer.timer
@FETCH_POLICY@
@ROLL@ '@IMAGE@'
@LOAD@
systemctl start mintline-signer-host
until=$(($(date +%s) + @READY_WITHIN@))
while [ "$(date +%s)" -lt "$until" ]; do
  if @READY@; then
    exit 0
  fi
  sleep 5
done
echo "the signer was not ready within ten minutes" >&2
exit 1
"""


_REPORT = """\
  token=$(curl --silent --fail --max-time 5 -X PUT http://169.254.169.254/latest/api/token \\
    -H 'X-aws-ec2-metadata-token-ttl-seconds: 60')
  id=$(curl --silent --fail --max-time 5 http://169.254.169.254/latest/meta-data/instance-id \\
    -H "X-aws-ec2-metadata-token: $token")
  aws autoscaling set-instance-health --region @REGION@ --cli-connect-timeout 5 --cli-read-timeout 10 \\
    --instance-id "$id" --health-status Unhealthy"""
_PULL = """\
ExecStartPre=/bin/bash -c 'aws ecr get-login-password --region @REGION@ | \\
  docker login --username AWS --password-stdin @REGISTRY@'"""
_LOAD = """\
aws s3 cp --only-show-errors 's3://@BUCKET@/@ARCHIVE@' /opt/mintline/host.tar
@CHECKSUM@
loaded=$(docker load --quiet --input /opt/mintline/host.tar)
docker tag "${loaded#Loaded image: }" mintline-signer-host:deployed
rm /opt/mintline/host.tar"""
"""A small deployment's instances do not reach the registry."""
_ROLLING_POLICY = """\
install -d -o 10001 -g 10001 -m 0700 @POLICY@
cat > @ROLL_POLICY@ <<'END'
#!/bin/bash
# mintline-roll-policy DOCUMENT [PCR16]: fetch a policy document, check what it measures, and restart the
# enclave: it takes one document in its life. Succeeds once it serves by it and KMS denies it nothing. An
# enclave that does not run yet is not started.
set -euo pipefail
fetched=$(mktemp @POLICY@/fetched.XXXXXX)
trap 'rm -f "$fetched"' EXIT
aws s3 cp --only-show-errors "s3://@BUCKET@/$1" "$fetched"
measured=$({ head -c 48 /dev/zero; openssl dgst -sha384 -binary "$fetched"; } | openssl dgst -sha384 -r)
measured=${measured%% *}
if [ -n "${2:-}" ] && [ "$measured" != "$2" ]; then
  echo "the policy document measures $measured, not $2" >&2
  exit 1
fi
chown 10001:10001 "$fetched"
mv "$fetched" @POLICY@/policy.json
before=$(systemctl is-active mintline-enclave || true)
systemctl try-restart mintline-enclave
if [ "$before" = inactive ]; then
  echo "stored $1, PCR16 $measured"
  exit 0
fi
if ! @SIGNS@; then
  echo "does not sign by $1 (PCR16 $measured): the host's log says why; roll the old document back" >&2
  exit 1
fi
echo "signs by $1, PCR16 $measured"
END
chmod 0700 @ROLL_POLICY@
"""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What an instance's scripts have to know of its stack and its machine."""

    enclave_cid: int
    stack: str
    group: str
    """The logical id of the instance's group, to which it signals that it serves."""
    wait_url: str | None = None
    """The presigned URL to which it signals instead, where it does not reach CloudFormation."""
    cpus: int = ENCLAVE_CPUS
    memory: int = ENCLAVE_MEMORY


def host_archive(deployment: Deployment) -> str:
    """Return the key in the artifact bucket of the host's image, as `docker save` writes it."""
    return f"signer-host-{deployment.image_tag}.tar"


def boot(deployment: Deployment, *, settings: Mapping[str, str], fleet: Fleet) -> str:
    """Return the script that an instance runs at its first start; it ends with a signal to its stack."""
    values = {
        **_ways(deployment, fleet),
        **_handing_over(deployment),
        "AUDIT": AUDIT_DIR,
        "MEMORY": str(fleet.memory),
        "CPUS": str(fleet.cpus),
        "CID": str(fleet.enclave_cid),
        "SETTINGS": "\n".join(f"{name}={value}" for name, value in settings.items()),
        "ROLL": PATH_OF_ROLL,
        "RUN": PATH_OF_RUN,
        "READY": PATH_OF_READY,
        "SIGNS": PATH_OF_SIGNS,
        "CHECK": PATH_OF_CHECK,
        "SICK": str(SICK_AFTER),
        "READY_WITHIN": str(READY_WITHIN),
        "ROLLED_WITHIN": str(ROLLED_WITHIN),
        "LOOKS": str(ROLLED_LOOKS),
        "ADMIN": str(ADMIN_PORT),
        "BUCKET": deployment.artifact_bucket_name(),
        "IMAGE": deployment.enclave_image,
        "REGION": deployment.region,
        "LOGS": deployment.log_group_name("signer"),
        "REGISTRY": f"{deployment.account}.dkr.ecr.{deployment.region}.{deployment.domain}",
    }
    script = _TEMPLATE
    for name, value in values.items():
        script = script.replace(f"@{name}@", value)
    return script


def _handing_over(deployment: Deployment) -> dict[str, str]:
    """Return how the host gets the policy document, if it is not part of the enclave's image."""
    if deployment.signing_policy is None:
        return dict.fromkeys(("ROLLING_POLICY", "FETCH_POLICY", "MOUNTED"), "")
    return {
        "ROLLING_POLICY": _ROLLING_POLICY,
        "FETCH_POLICY": f"@ROLL_POLICY@ '{deployment.signing_policy}'",
        "MOUNTED": "--volume @POLICY@:@POLICY@:ro ",
        "ROLL_POLICY": PATH_OF_ROLL_POLICY,
        "POLICY": POLICY_DIR,
    }


def _ways(deployment: Deployment, fleet: Fleet) -> dict[str, str]:
    """Return how an instance gets its image, signals, and has itself replaced: what it reaches differs."""
    version = deployment.image_version("signer")
    if fleet.wait_url is None:
        repository = deployment.repository_name("signer")
        return {
            "SIGNALLED": f"--region @REGION@ --stack {fleet.stack} --resource {fleet.group}",
            "REPLACE": _REPORT,
            "PULL": _PULL,
            "LOAD": "",
            "HOST": f"@REGISTRY@/{repository}{'@' if version.startswith('sha256:') else ':'}{version}",
        }
    digest = version.removeprefix("sha256:")
    checked = f"echo '{digest}  /opt/mintline/host.tar' | sha256sum --check --quiet"
    return {
        "SIGNALLED": f'--id "$(hostname)" "{fleet.wait_url}"',
        # The group terminates an instance that does not run, and starts another one.
        "REPLACE": "  systemctl poweroff",
        "PULL": "",
        "LOAD": _LOAD.replace("@ARCHIVE@", host_archive(deployment)).replace(
            "@CHECKSUM@", checked if version.startswith("sha256:") else ""
        ),
        "HOST": "mintline-signer-host:deployed",
    }
