"""AWS clients: made once per process, with explicit time-outs, and only for the services that a function uses.

botocore finds out about services by reading megabytes of JSON. The deployed dependencies layer carries a trimmed copy
(`tollgate_botocore_data`, written by the build) and this factory uses it where it is there, which takes about a third
off a function's start. Nothing else in the code base creates a client.
"""

from __future__ import annotations

import functools
import importlib.util
from typing import TYPE_CHECKING, Any, cast

import botocore.session
from botocore.config import Config
from botocore.loaders import Loader

from tollgate.store.direct import DirectClient

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

TRIMMED_DATA = "tollgate_botocore_data"

_CONFIG = Config(
    # What botocore would do per call and we do not need: a quarter of a read's CPU time.
    parameter_validation=False,
    user_agent="tollgate",
    account_id_endpoint_mode="disabled",
    connect_timeout=1,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=10,
    tcp_keepalive=True,
)


@functools.cache
def session() -> botocore.session.Session:
    """The process's only botocore session."""
    made = botocore.session.Session()
    spec = importlib.util.find_spec(TRIMMED_DATA)
    if spec is not None and spec.submodule_search_locations:
        path = next(iter(spec.submodule_search_locations))
        made.register_component("data_loader", Loader(extra_search_paths=[path], include_default_search_paths=False))
    return made


def _client(service: str, config: Config = _CONFIG) -> Any:
    return session().create_client(service, config=config)


@functools.cache
def dynamodb() -> DynamoDBClient:
    """A DynamoDB client: 1 s to connect, 5 s to read, three attempts after a direct one (`tollgate.store.direct`)."""
    client, credentials = _client("dynamodb"), session().get_credentials()
    return cast("DynamoDBClient", DirectClient(client, credentials) if credentials else client)


@functools.cache
def kms() -> KMSClient:
    return cast("KMSClient", _client("kms"))


@functools.cache
def sqs() -> SQSClient:
    return cast("SQSClient", _client("sqs"))


@functools.cache
def s3() -> S3Client:
    """An S3 client. Objects under a KMS key take only URLs signed with version 4, and only virtual addressing gives
    URLs of the bucket's own region, which a new bucket answers without a redirect."""
    own = Config(signature_version="s3v4", s3={"addressing_style": "virtual"})
    return cast("S3Client", _client("s3", _CONFIG.merge(own)))


@functools.cache
def lambda_() -> Any:
    """A Lambda client that waits for a whole invocation and never repeats one."""
    return _client("lambda", Config(connect_timeout=1, read_timeout=70, retries={"total_max_attempts": 1}))
