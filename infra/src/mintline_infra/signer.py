"""The signer: instances with enclaves, that no one logs in to and that nothing leads out of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from mintline.resources import SIGN
from mintline_infra import service_metrics
from mintline_infra.deployment import Deployment
from mintline_infra.deployment_parts import Minting
from mintline_infra.fargate import ADMIN_PORT
from mintline_infra.platform import PlatformStack
from mintline_infra.services import PATIENCE, Environment
from mintline_infra.signer_boot import (
    AUDIT_DIR,
    PATH_OF_ROLL,
    PATH_OF_ROLL_POLICY,
    POLICY_FILE,
    Fleet,
    boot,
)

ENCLAVE_CID = 16
ENCLAVE_PORT = 5000
KMS_PROXY_PORT = 8000
RATE = 100
"""Intents a second and instance: a sixth of what 1.6 ms of CPU each (host and enclave, measured) allow."""
MOST = 4
GROUP_ID = "SignerInstances"
"""The group's logical id, by which its instances signal that they serve."""
SMALL_CPUS, SMALL_MEMORY = 1, 2048
"""Of an enclave on two vCPUs and 4 GiB: on Graviton a vCPU is a core, and the host has to keep one.
Source: Nitro Enclaves user guide, "Requirements" (two vCPUs) and "Working with multiple enclaves"."""
SMALL_PAUSE = cdk.Duration.minutes(10)
"""For how long an update leaves the instance before it in service beside a new one, which does not signal."""
START_UP = cdk.Duration.minutes(15)
"""How long an instance may take from its launch until it serves: ten minutes of waiting, and its set-up."""
ROLL_WITHIN = 600
"""Seconds for an instance's roll: fetching, 180 for the enclave to start, and those until it signs."""


def host_settings(deployment: Deployment, minting: Minting) -> dict[str, str]:
    """Return what the host process reads; its KMS proxy leads to KMS and nowhere else."""
    handed = {} if deployment.signing_policy is None else {"MINTLINE_SIGNING_POLICY": POLICY_FILE}
    return {
        **handed,
        "MINTLINE_AWS_REGION": deployment.region,
        "MINTLINE_RESOURCE_PREFIX": deployment.prefix,
        "MINTLINE_ADMIN_HOST": "127.0.0.1",
        "MINTLINE_ADMIN_PORT": str(ADMIN_PORT),
        **service_metrics.settings(deployment),
        "MINTLINE_ISSUER": minting.issuer.model_dump_json(),
        "MINTLINE_AUDIT_DIR": AUDIT_DIR,
        "MINTLINE_AUDIT_BUCKET": deployment.audit_bucket_name(),
        "MINTLINE_AUTHORIZATION_KEY_SECRETS": json.dumps(minting.authorization_key.secrets),
        "MINTLINE_ENCLAVE_ADDRESS": f"vsock://{ENCLAVE_CID}:{ENCLAVE_PORT}",
        "MINTLINE_KMS_PROXY_ADDRESS": f"vsock://any:{KMS_PROXY_PORT}",
        "MINTLINE_KMS_PROXY_TARGET": f"kms.{deployment.region}.{deployment.domain}:443",
    }


class SignerStack(cdk.Stack):
    """An auto-scaling group that pulls from `sign.fifo`; nothing connects to it."""

    def __init__(self, scope: Construct, name: str, environment: Environment) -> None:
        super().__init__(scope, name, env=environment.env, description="Mintline: the signer.")
        deployment, platform = environment.deployment, environment.platform
        group = ec2.SecurityGroup(
            self,
            "group",
            vpc=platform.vpc,
            allow_all_outbound=False,
            description="Mintline: the signer. Nothing in, TLS out to endpoints of AWS.",
        )
        group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "endpoints of AWS")
        settings = host_settings(deployment, environment.minting)
        if deployment.small:
            self._small(deployment, platform, group, settings)
            return
        fleet = Fleet(enclave_cid=ENCLAVE_CID, stack=self.stack_name, group=GROUP_ID)
        script = boot(deployment, settings=settings, fleet=fleet)
        self.group = self._instances(deployment, platform, group, script)
        self._scale(deployment)
        _roll_document(self, deployment)
        if deployment.signing_policy is not None:
            _roll_policy_document(self, deployment)

    def _small(
        self,
        deployment: Deployment,
        platform: PlatformStack,
        group: ec2.SecurityGroup,
        settings: Mapping[str, str],
    ) -> None:
        """Make a group whose instances signal by S3, the one way to CloudFormation that costs nothing.

        A wait condition cannot be used again, so each version of the instances has its own.
        """

        def script(url: str) -> str:
            fleet = Fleet(
                enclave_cid=ENCLAVE_CID,
                stack=self.stack_name,
                group=GROUP_ID,
                wait_url=url,
                cpus=SMALL_CPUS,
                memory=SMALL_MEMORY,
            )
            return boot(deployment, settings=settings, fleet=fleet)

        version = hashlib.sha256(f"{_ami(deployment)} {script('')}".encode()).hexdigest()[:16]
        handle = cdk.CfnWaitConditionHandle(self, f"signalled{version}")
        self.group = self._instances(deployment, platform, group, script(handle.ref))
        wait = cdk.CfnWaitCondition(
            self,
            f"serves{version}",
            handle=handle.ref,
            timeout=str(START_UP.to_seconds()),
            count=deployment.copies,
        )
        resource = self.group.node.default_child
        assert isinstance(resource, autoscaling.CfnAutoScalingGroup)
        wait.add_dependency(resource)

    def _instances(
        self,
        deployment: Deployment,
        platform: PlatformStack,
        group: ec2.SecurityGroup,
        script: str,
    ) -> autoscaling.AutoScalingGroup:
        small, least = deployment.small, deployment.copies
        template = self._template(deployment, group, script)
        created = autoscaling.AutoScalingGroup(
            self,
            "instances",
            auto_scaling_group_name=f"{deployment.prefix}-signer",
            vpc=platform.vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            launch_template=template,
            min_capacity=least,
            max_capacity=least + 1 if small else MOST,
            group_metrics=[autoscaling.GroupMetrics.all()],
            signals=None if small else autoscaling.Signals.wait_for_min_capacity(timeout=START_UP),
            update_policy=autoscaling.UpdatePolicy.rolling_update(
                min_instances_in_service=1,
                max_batch_size=1,
                wait_on_resource_signals=not small,
                pause_time=SMALL_PAUSE if small else START_UP,
            ),
            notifications=[
                autoscaling.NotificationConfiguration(
                    topic=platform.alarms, scaling_events=autoscaling.ScalingEvents.ALL
                )
            ],
        )
        instances = created.node.default_child
        assert isinstance(instances, autoscaling.CfnAutoScalingGroup)
        instances.override_logical_id(GROUP_ID)
        instances.health_check_grace_period = START_UP.to_seconds()
        # A sick instance is replaced once another one serves: with two of them, never both at once.
        instances.instance_maintenance_policy = (
            autoscaling.CfnAutoScalingGroup.InstanceMaintenancePolicyProperty(
                min_healthy_percentage=100, max_healthy_percentage=100 + 100 // least
            )
        )
        return created

    def _template(self, deployment: Deployment, group: ec2.SecurityGroup, script: str) -> ec2.LaunchTemplate:
        small = deployment.small
        machine = (
            # Graviton: its smallest size with cores to spare for an enclave, or with one.
            ec2.InstanceType.of(ec2.InstanceClass.C6G, ec2.InstanceSize.LARGE)
            if small
            else ec2.InstanceType.of(ec2.InstanceClass.C7G, ec2.InstanceSize.XLARGE)
        )
        return ec2.LaunchTemplate(
            self,
            "template",
            launch_template_name=f"{deployment.prefix}-signer",
            instance_type=machine,
            machine_image=ec2.MachineImage.generic_linux({deployment.region: _ami(deployment)}),
            nitro_enclave_enabled=True,
            require_imdsv2=True,
            http_put_response_hop_limit=1,
            detailed_monitoring=not small,
            role=iam.Role.from_role_arn(self, "role", deployment.role_arn("signer"), mutable=False),
            security_group=group,
            block_devices=[
                ec2.BlockDevice(
                    device_name="/dev/xvda",
                    volume=ec2.BlockDeviceVolume.ebs(
                        10 if small else 20, encrypted=True, volume_type=ec2.EbsDeviceVolumeType.GP3
                    ),
                )
            ],
            user_data=ec2.UserData.custom(script),
        )

    def _scale(self, deployment: Deployment) -> None:
        """Keep ten seconds of work waiting for each instance at most."""
        kinds = autoscaling.CfnScalingPolicy

        def stat(
            name: str, namespace: str, metric: str, dimensions: Mapping[str, str]
        ) -> autoscaling.CfnScalingPolicy.TargetTrackingMetricDataQueryProperty:
            return kinds.TargetTrackingMetricDataQueryProperty(
                id=name,
                return_data=False,
                metric_stat=kinds.TargetTrackingMetricStatProperty(
                    stat="Average",
                    metric=kinds.MetricProperty(
                        namespace=namespace,
                        metric_name=metric,
                        dimensions=[
                            kinds.MetricDimensionProperty(name=key, value=value)
                            for key, value in dimensions.items()
                        ],
                    ),
                ),
            )

        autoscaling.CfnScalingPolicy(
            self,
            "backlog-per-instance",
            auto_scaling_group_name=self.group.auto_scaling_group_name,
            policy_type="TargetTrackingScaling",
            target_tracking_configuration=kinds.TargetTrackingConfigurationProperty(
                target_value=RATE * PATIENCE,
                customized_metric_specification=kinds.CustomizedMetricSpecificationProperty(
                    metrics=[
                        stat(
                            "waiting",
                            "AWS/SQS",
                            "ApproximateNumberOfMessagesVisible",
                            {"QueueName": SIGN.queue_name(deployment.prefix)},
                        ),
                        stat(
                            "running",
                            "AWS/AutoScaling",
                            "GroupInServiceInstances",
                            {"AutoScalingGroupName": f"{deployment.prefix}-signer"},
                        ),
                        kinds.TargetTrackingMetricDataQueryProperty(
                            id="backlog",
                            expression="waiting / IF(running > 0, running, 1)",
                            return_data=True,
                        ),
                    ]
                ),
            ),
        )


def _ami(deployment: Deployment) -> str:
    assert deployment.signer_ami is not None, "a deployment that mints names it"
    return deployment.signer_ami


def _roll_document(scope: Construct, deployment: Deployment) -> None:
    """Make the SSM document that puts another enclave image on the instances, if it measures as stated."""
    _rolling(scope, deployment, "enclave", "enclave's image", PATH_OF_ROLL, key="image", register="pcr0")


def _roll_policy_document(scope: Construct, deployment: Deployment) -> None:
    """Make the SSM document that puts another policy document on the instances, if it measures as stated."""
    _rolling(
        scope, deployment, "policy", "policy document", PATH_OF_ROLL_POLICY, key="policy", register="pcr16"
    )


def _rolling(
    scope: Construct, deployment: Deployment, name: str, what: str, path: str, *, key: str, register: str
) -> None:
    ssm.CfnDocument(
        scope,
        f"roll-{name}",
        name=f"{deployment.prefix}-roll-{name}",
        document_type="Command",
        update_method="NewVersion",
        content={
            "schemaVersion": "2.2",
            "description": f"Replace the {what}, if the new one measures as stated.",
            "parameters": {
                key: {"type": "String", "allowedPattern": "^[A-Za-z0-9._/-]{1,512}$"},
                register: {"type": "String", "allowedPattern": "^[0-9a-f]{96}$"},
            },
            "mainSteps": [
                {
                    "action": "aws:runShellScript",
                    "name": "roll",
                    "inputs": {
                        "timeoutSeconds": str(ROLL_WITHIN),
                        "runCommand": [f"{path} '{{{{ {key} }}}}' '{{{{ {register} }}}}'"],
                    },
                }
            ],
        },
    )
