"""Sessions read botocore's models without the endpoints of services that nobody here opens."""

from __future__ import annotations

from typing import get_args

import pytest
from botocore.loaders import Loader
from botocore.regions import EndpointResolver
from botocore.session import get_session

from mintline.aws.models import ENDPOINTS, USED, model_loader
from mintline.aws.session import ServiceName

REGIONS = ("eu-west-1", "us-east-1", "us-gov-west-1", "cn-north-1", "ap-southeast-7", "xx-new-1")
WHOLE = Loader().load_data(ENDPOINTS)


@pytest.mark.parametrize("service", sorted(USED))
def test_endpoints__when_a_service_is_used__then_they_are_botocores_own(service: str) -> None:
    few, whole = EndpointResolver(model_loader().load_data(ENDPOINTS)), EndpointResolver(WHOLE)
    for region in REGIONS:
        assert few.construct_endpoint(service, region) == whole.construct_endpoint(service, region)
    for partition in whole.get_available_partitions():
        assert few.get_available_endpoints(service, partition) == whole.get_available_endpoints(
            service, partition
        )


def test_endpoints__when_a_client_can_be_opened__then_its_service_is_among_them() -> None:
    session = get_session()
    prefixes = {session.get_service_model(name).endpoint_prefix for name in get_args(ServiceName)}
    assert prefixes <= USED


def test_endpoints__when_a_service_is_not_used__then_they_are_left_out() -> None:
    kept = {
        name
        for partition in model_loader().load_data(ENDPOINTS)["partitions"]
        for name in partition["services"]
    }
    assert kept == USED
