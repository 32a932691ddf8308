"""The typed reader finds everything that the sample's template declares, with the names this machine gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.intrinsics import TemplateError
from local.template import Deployment, load, merge_globals

SAMPLE = Path(__file__).parent / "sample" / "template.yaml"
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def sandbox() -> Deployment:
    return load(SAMPLE, {"Environment": "sandbox"})


def test_a_function_has_the_globals_and_its_own(sandbox: Deployment) -> None:
    function = sandbox.functions["Moods"]
    assert (function.name, function.handler, function.timeout, function.memory) == (
        "tollgate-Moods",
        "moods.handler.handler",
        1,
        256,
    )
    assert function.import_path == (SAMPLE.parent / "functions", SAMPLE.parent / "layers/shared/python")
    assert sandbox.functions["Echo"].timeout == 10


def test_environment_joins_globals_and_own_and_takes_overrides(sandbox: Deployment) -> None:
    assert sandbox.environment("Echo") == {
        "ENVIRONMENT": "sandbox",
        "ALLOWED": "",
        "JOINED": "a-b",
        "CHOSEN": "in-eu-central-1",
        "ABSENT_OR_TABLE": "tollgate-Rows",
    }
    own = sandbox.environment("Relay", {("WorkQueue", None): "http://here/queue", ("RowKey", "Arn"): "arn:here"})
    assert (own["WORK_QUEUE_URL"], own["ROW_KEY"]) == ("http://here/queue", "arn:here")
    assert sandbox.environment("Relay")["ROW_KEY"].startswith("arn:aws:kms:eu-central-1:000000000000:key/")


def test_resources_whose_condition_fails_are_absent(sandbox: Deployment) -> None:
    assert "OnlyInProduction" not in sandbox.queues
    assert "OnlyInProduction" in load(SAMPLE).queues
    assert load(SAMPLE).environment("Echo")["CHOSEN"] == "no"


def test_tables_queues_keys_and_buckets(sandbox: Deployment) -> None:
    rows = sandbox.tables["Rows"]
    assert rows.definition["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    assert (rows.ttl_attribute, sandbox.tables["Seen"].ttl_attribute) == ("expires", None)
    assert sandbox.queues["OrderedQueue"].name == "tollgate-OrderedQueue.fifo"
    dead = "arn:aws:sqs:eu-central-1:000000000000:tollgate-DeadQueue"
    assert sandbox.queues["WorkQueue"].attributes["RedrivePolicy"] == (
        f'{{"deadLetterTargetArn":"{dead}","maxReceiveCount":"2"}}'
    )
    assert sandbox.keys["RowKey"].aliases == ("alias/rows",)
    assert sandbox.buckets["Objects"].name == "tollgate-objects"


def test_sources(sandbox: Deployment) -> None:
    (stream,) = sandbox.streams
    assert (stream.function, stream.table, stream.batch_size, stream.bisects) == ("Relay", "tollgate-Rows", 5, True)
    assert (stream.retries, stream.reports_failures, stream.starts_at) == (1, True, "TRIM_HORIZON")
    assert stream.on_failure_arn == sandbox.queues["DeadQueue"].arn
    assert [source.reports_failures for source in sandbox.queue_sources] == [True, False]
    assert [schedule.expression for schedule in sandbox.schedules] == ["rate(1 day)", "cron(0 3 * * ? *)"]
    assert [schedule.payload for schedule in sandbox.schedules] == [None, {"job": "nightly"}]
    assert "GET /items/special" in {route.key for route in sandbox.routes}


@pytest.mark.parametrize(
    "name", ["Echo", "echo", "tollgate-Echo", "arn:aws:lambda:eu-central-1:000000000000:function:tollgate-Echo:live"]
)
def test_a_function_is_found_by_each_of_its_names(sandbox: Deployment, name: str) -> None:
    found = sandbox.find_function(name)
    assert found is not None
    assert found.logical_id == "Echo"


def test_globals_merge_as_sam_merges_them() -> None:
    defaults = {"Layers": ["a"], "Timeout": 3, "Environment": {"Variables": {"X": 1, "Y": 2}}}
    own = {"Layers": ["b"], "Timeout": 9, "Environment": {"Variables": {"Y": {"Ref": "Z"}}}, "Handler": "h"}
    assert merge_globals(defaults, own) == {
        "Layers": ["a", "b"],
        "Timeout": 9,
        "Environment": {"Variables": {"X": 1, "Y": {"Ref": "Z"}}},
        "Handler": "h",
    }


@pytest.mark.parametrize(
    ("block", "complaint"),
    [
        ("Topic: {Type: AWS::SNS::Topic}", "Topic: the local machine has no AWS::SNS::Topic"),
        (
            "F: {Type: AWS::Serverless::Function, Properties: {Handler: a.b, CodeUri: ., Events: {E: {Type: S3}}}}",
            "F.E: the local machine has no event source S3",
        ),
        (
            (
                "F: {Type: AWS::Serverless::Function, Properties: {Handler: a.b, CodeUri: ., "
                "Events: {E: {Type: SQS, Properties: {Queue: q, BatchSiz: 1}}}}}"
            ),
            "F.E: not served by the local machine: BatchSiz",
        ),
    ],
)
def test_what_would_be_missing_here_is_refused(tmp_path: Path, block: str, complaint: str) -> None:
    template = tmp_path / "template.yaml"
    template.write_text(f"Resources:\n  {block}\n")
    with pytest.raises(TemplateError, match=complaint):
        assert load(template).functions


def test_unknown_and_missing_parameters_are_refused(tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    template.write_text("Parameters: {Needed: {Type: String}}\nResources: {}\n")
    with pytest.raises(TemplateError, match="Needed has no default"):
        load(template)
    with pytest.raises(TemplateError, match="no parameter Other"):
        load(template, {"Needed": "x", "Other": "y"})
    assert load(template, {"Needed": "x"}, offered={"Other": "y"}).functions == {}


@pytest.mark.parametrize("environment", ["sandbox", "production"])
def test_the_repository_s_own_template_is_served_whole(environment: str) -> None:
    deployment = load(REPOSITORY / "template.yaml", {"Environment": environment})
    for logical_id, function in deployment.functions.items():
        assert deployment.environment(logical_id)["ENVIRONMENT"] == environment
        assert function.timeout > 0
    assert any(route.path and route.path.startswith("/sandbox") for route in deployment.routes) is (
        environment == "sandbox"
    )
