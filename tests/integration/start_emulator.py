"""Start the AWS emulator as the local stack does, with a way to copy a deployment's resources under a prefix.

A deployment is over a hundred requests to create, and hundreds of tests want one for themselves.
`/_tests/copy/FROM/TO` gives another prefix what was created under the first; `/_tests/drop/PREFIX`
forgets a prefix. Runs in the emulator's own environment, as devstack/start_ministack.py does.
"""

from __future__ import annotations

import copy
import runpy
import uuid
from pathlib import Path
from typing import Any

from ministack import app  # type: ignore[import-not-found] # it is not in the environment of the tests
from ministack.services import dynamodb, kms, s3, sqs  # type: ignore[import-not-found]

START = Path(__file__).resolve().parents[2] / "devstack/start_ministack.py"
STORES: list[dict[Any, Any]] = [
    store._data
    for store in (
        *(dynamodb._tables, dynamodb._ttl_settings),
        *(sqs._queues, sqs._queue_name_to_url),
        *(s3._buckets, s3._bucket_versioning),
        *(kms._aliases, kms._alias_dates),
    )
]
"""Where the emulator keeps what is created under a prefix; KMS keys are found by their aliases."""
STREAMS: list[dict[Any, Any]] = [dynamodb._stream_records._data, dynamodb._stream_trimmed._data]
"""What a deployment's tables have streamed: nothing to copy, but to forget."""
KEYS: dict[Any, Any] = kms._keys._data

answer_ready = app._handle_ready_request


def renamed(value: Any, names: dict[str, str]) -> Any:
    """Copy containers and replace names in texts; whatever else there is, such as keys, is shared."""
    if isinstance(value, str):
        for old, new in names.items():
            value = value.replace(old, new)
    elif isinstance(value, dict):
        parts = {renamed(key, names): renamed(part, names) for key, part in value.items()}
        value = copy.copy(value)  # of the same kind: the items of a table are a defaultdict
        value.clear()
        value.update(parts)
    elif isinstance(value, list | tuple | set):
        value = type(value)(renamed(part, names) for part in value)
    return value


def under(store: dict[Any, Any], prefix: str) -> list[Any]:
    """Return a store's keys that are of a prefix; a key is an account, perhaps a region, and a name."""
    return [key for key in store if f"{prefix}-" in str(key[-1])]


def copy_deployment(source: str, target: str) -> None:
    """Give `target` what there is under `source`, with KMS keys of its own."""
    ids = {kms._aliases._data[alias] for alias in under(kms._aliases._data, source)}
    names = {source: target} | {key_id: str(uuid.uuid4()) for key_id in ids}
    for store in [*STORES, KEYS]:
        wanted = under(store, source) if store is not KEYS else [key for key in store if key[-1] in ids]
        store.update({renamed(key, names): renamed(store[key], names) for key in wanted})


def drop_deployment(prefix: str) -> None:
    """Forget what there is under a prefix."""
    for alias in under(kms._aliases._data, prefix):
        KEYS.pop((*alias[:-1], kms._aliases._data[alias]), None)
    for store in [*STORES, *STREAMS]:
        for key in under(store, prefix):
            del store[key]


def answer(path: str, request_id: str) -> Any:
    """Answer the two requests of the tests; any other as the emulator does."""
    parts = path.split("/")
    if parts[:3] == ["", "_tests", "copy"]:
        copy_deployment(*parts[3:])
    elif parts[:3] == ["", "_tests", "drop"]:
        drop_deployment(*parts[3:])
    else:
        return answer_ready(path, request_id)
    return 200, {}, b""


app._handle_ready_request = answer
if __name__ == "__main__":
    runpy.run_path(str(START), run_name="__main__")
