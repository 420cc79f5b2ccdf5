"""A line's resources over real emulators: made once, found again after a restart, missed when gone."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from eth_abi.abi import decode, encode

from mintline import resources
from mintline.chain.calls import Call
from mintline.chain.collection import ISSUER_ROLE, METADATA_ROLE, PAUSER_ROLE, RELAYER_ROLE
from mintline.chain.factory import is_implementation_calldata
from mintline.errors import Misconfigured
from mintline.eth import selector
from mintline.metadata_urls import checked_image
from mintline.object_keys import collection_object_key
from mintline.records.keys import scoped
from mintline.resources import COLLECTIONS, METADATA, QUEUES, TABLES
from mintline_devstack import emulators
from mintline_devstack.emulator_clients import EmulatorClients, open_clients
from mintline_devstack.emulators import PREFIX
from mintline_devstack.known import Known
from mintline_devstack.ports import Ports, free_ports
from mintline_devstack.principals import issue_credentials
from mintline_devstack.provisioning import set_up
from mintline_devstack.state_folder import StateFolder, write_json
from mintline_devstack.supervisor import Supervisor
from mintline_ops.run_file import read_json

pytestmark = pytest.mark.integration

BUILD = resources.BUILD.queue_name(PREFIX)


@asynccontextmanager
async def emulated(state: StateFolder, ports: Ports) -> AsyncIterator[EmulatorClients]:
    """Run the emulators from a state folder, saved when this ends."""
    state.prepare()
    supervisor = Supervisor(state.logs, on_event=lambda _: None)
    credentials = issue_credentials(state)
    async with aiohttp.ClientSession() as http:
        try:
            await supervisor.start(
                emulators.ministack(state, ports, http), emulators.anvil(state, ports, http)
            )
            await supervisor.start(emulators.kms_front(state, ports, http))
            async with open_clients(ports, credentials["operator"]) as clients:
                yield clients
        finally:
            await supervisor.stop()
    assert supervisor.disorderly == []


async def has_role(
    clients: EmulatorClients, known: Known, role: bytes, account: str, contract: str | None = None
) -> bool:
    data = selector("hasRole(bytes32,address)") + encode(["bytes32", "address"], [role, account])
    response = await clients.node.call(Call(sender=known.admin, to=contract or known.contract, data=data))
    return bool(decode(["bool"], response)[0])


async def check_relayers(clients: EmulatorClients, known: Known) -> None:
    subjects = [(await clients.stores.read(key)).subject for key in known.relayers]
    assert subjects == ["platform:relayer-1", "platform:relayer-2"]
    assert known.factory is not None
    for key in known.relayers:
        assert await has_role(clients, known, RELAYER_ROLE, key.address)
        assert await has_role(clients, known, RELAYER_ROLE, key.address, known.factory.address)
        assert await clients.node.balance(key.address) >= 10**21
    assert known.factory.multi_token is not None
    for code in (known.factory.implementation, known.factory.multi_token):
        added = is_implementation_calldata(code)
        response = await clients.node.call(Call(sender=known.admin, to=known.factory.address, data=added))
        assert decode(["bool"], response) == (True,)


async def contract_uri(clients: EmulatorClients, known: Known) -> str:
    call = Call(sender=known.admin, to=known.contract, data=selector("contractURI()"))
    (uri,) = decode(["string"], await clients.node.call(call))
    return str(uri)


async def published(clients: EmulatorClients, known: Known) -> dict[str, Any]:
    """Return what the api serves behind `contractURI`."""
    key = collection_object_key(31337, known.contract)
    stored = await clients.aws.s3.get_object(Bucket=METADATA.bucket_name(PREFIX), Key=key)
    return dict(json.loads(await stored["Body"].read()))


async def factory_base(clients: EmulatorClients, known: Known) -> str:
    assert known.factory is not None
    call = Call(sender=known.admin, to=known.factory.address, data=selector("baseURI()"))
    (base,) = decode(["string"], await clients.node.call(call))
    return str(base)


async def test_first_start__when_done__has_everything_that_the_services_need(tmp_path: Path) -> None:
    state, ports = StateFolder(tmp_path), free_ports()
    async with emulated(state, ports) as clients:
        known = await set_up(state, ports, clients)
        assert len((await clients.aws.sqs.list_queues())["QueueUrls"]) == 2 * len(QUEUES)
        assert len((await clients.aws.dynamodb.list_tables())["TableNames"]) == len(TABLES)
        assert await has_role(clients, known, ISSUER_ROLE, known.issuer.address)
        assert await has_role(clients, known, PAUSER_ROLE, known.admin)
        assert await has_role(clients, known, METADATA_ROLE, known.admin)
        assert not await has_role(clients, known, ISSUER_ROLE, known.admin)
        await check_relayers(clients, known)
        assert await clients.node.balance(known.treasury.address) >= 10**21
        collection = await clients.dynamo.get(COLLECTIONS, {"collection_id": scoped(31337, known.contract)})
        assert collection is not None
        assert collection["deployed_block"] == known.deployed_block
        assert await contract_uri(clients, known) == f"{ports.url('api')}/v1/metadata/{known.contract}"
        assert await factory_base(clients, known) == f"{ports.url('api')}/v1/metadata/"
        image = (await published(clients, known))["image"]
        assert checked_image(image) == image
    assert state.known.stat().st_mode & 0o777 == 0o600


@dataclass(frozen=True)
class Saved:
    """A state folder as two runs left it, one after the other."""

    earlier: Path
    later: Path
    known: Known

    def copy(self, target: Path, *, fallen_back: tuple[str, ...] = ()) -> StateFolder:
        """Copy what the later run left, but for emulators that fell back to the earlier one."""
        shutil.copytree(self.later, target, dirs_exist_ok=True)
        for name in fallen_back:
            shutil.rmtree(target / name)
            shutil.copytree(self.earlier / name, target / name)
        return StateFolder(target)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    root = tmp_path_factory.mktemp("saved")
    state = StateFolder(root / "later")

    async def one_run(*, send: bool) -> Known:
        ports = free_ports()
        async with emulated(state, ports) as clients:
            known = await set_up(state, ports, clients)
            if send:
                url = (await clients.aws.sqs.get_queue_url(QueueName=BUILD))["QueueUrl"]
                await clients.aws.sqs.send_message(
                    QueueUrl=url, MessageBody="kept", MessageGroupId="g", MessageDeduplicationId="d"
                )
            return known

    asyncio.run(one_run(send=False))
    shutil.copytree(state.path, root / "earlier")
    known = asyncio.run(one_run(send=True))
    return Saved(root / "earlier", state.path, known)


async def test_later_start__when_on_other_ports__finds_all_again_and_repoints_the_uris(
    saved: Saved, tmp_path: Path
) -> None:
    state, ports = saved.copy(tmp_path), free_ports()
    async with emulated(state, ports) as clients:
        known = await set_up(state, ports, clients)
        assert known.last_run != saved.known.last_run
        changed = {"api_url": ports.url("api"), "last_run": known.last_run}
        assert known == saved.known.model_copy(update=changed)
        assert await contract_uri(clients, known) == f"{ports.url('api')}/v1/metadata/{known.contract}"
        assert await factory_base(clients, known) == f"{ports.url('api')}/v1/metadata/"
        url = (await clients.aws.sqs.get_queue_url(QueueName=BUILD))["QueueUrl"]
        received = await clients.aws.sqs.receive_message(QueueUrl=url)
        assert [message["Body"] for message in received["Messages"]] == ["kept"]


@pytest.mark.parametrize(
    ("name", "words"),
    [("ministack", "queues and tables have lost the last run"), ("anvil", "the chain has lost the last run")],
)
async def test_later_start__when_one_emulator_fell_back_to_an_earlier_run__says_which(
    saved: Saved, tmp_path: Path, name: str, words: str
) -> None:
    state, ports = saved.copy(tmp_path, fallen_back=(name,)), free_ports()
    async with emulated(state, ports) as clients:
        with pytest.raises(Misconfigured, match=rf"{words}.*make clean"):
            await set_up(state, ports, clients)


async def test_later_start__when_both_emulators_fell_back__goes_on_from_there(
    saved: Saved, tmp_path: Path
) -> None:
    state, ports = saved.copy(tmp_path, fallen_back=("ministack", "anvil")), free_ports()
    async with emulated(state, ports) as clients:
        assert (await set_up(state, ports, clients)).contract == saved.known.contract


@pytest.mark.parametrize("lost", ["the entry", "the key", "the second"])
async def test_later_start__when_the_state_has_no_relayer_or_factory__then_they_are_made(
    saved: Saved, tmp_path: Path, lost: str
) -> None:
    """As in the state of an earlier version, or after a power cut in the run that made it."""
    state, ports = saved.copy(tmp_path), free_ports()
    remembered = read_json(state.known)
    if lost == "the entry":
        del remembered["relayer"]
        del remembered["factory"]
    elif lost == "the second":
        del remembered["more_relayers"]
    else:
        remembered["relayer"]["secret_id"] += "0"
    write_json(state.known, remembered)
    async with emulated(state, ports) as clients:
        known = await set_up(state, ports, clients)
        assert len(set(known.relayers) - set(saved.known.relayers)) == 1
        await check_relayers(clients, known)
        assert known.contract == saved.known.contract
        assert Known.model_validate(read_json(state.known)) == known


async def test_later_start__when_the_chain_was_lost__says_so_in_one_line(
    saved: Saved, tmp_path: Path
) -> None:
    state, ports = saved.copy(tmp_path), free_ports()
    (state.anvil / "state.json").unlink()
    async with emulated(state, ports) as clients:
        with pytest.raises(Misconfigured, match=r"damaged: .*contract missing.*make clean"):
            await set_up(state, ports, clients)


async def test_later_start__when_nothing_was_saved__begins_anew(saved: Saved, tmp_path: Path) -> None:
    state, ports = saved.copy(tmp_path), free_ports()
    (state.anvil / "state.json").unlink()
    shutil.rmtree(state.ministack / "state")
    async with emulated(state, ports) as clients:
        known = await set_up(state, ports, clients)
        assert known.issuer.address != saved.known.issuer.address
        assert await has_role(clients, known, ISSUER_ROLE, known.issuer.address)


@pytest.mark.parametrize("name", ["ministack/state/sqs.json", "anvil/state.json"])
def test_saved_state__when_it_is_cut_off__is_refused_before_anything_starts(
    tmp_path: Path, name: str
) -> None:
    state = StateFolder(tmp_path)
    state.prepare()
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text('{"cut of')
    with pytest.raises(Misconfigured, match=rf"{name}.*make clean"):
        emulators.check_saved_state(state)


async def test_anvil__when_its_saved_state_is_of_another_kind__is_called_damaged(tmp_path: Path) -> None:
    state, ports = StateFolder(tmp_path), free_ports()
    state.prepare()
    (state.anvil / "state.json").write_text("{}")
    assert read_json(state.anvil / "state.json") == {}
    supervisor = Supervisor(state.logs, on_event=lambda _: None)
    async with aiohttp.ClientSession() as http:
        with pytest.raises(Misconfigured) as failure:
            await supervisor.start(emulators.anvil(state, ports, http))
        await supervisor.stop()
    damaged = emulators.damaged_by(str(failure.value), state)
    assert damaged is not None
    assert "make clean" in str(damaged)
