"""The whole machine on the sample: HTTP, streams, queues, schedules, keys, credentials, and the commands beside it."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest

from tests.local.running import ROOT, SAMPLE, Machine, command, free_port, is_alive, own_environment, running, until

pytestmark = pytest.mark.xdist_group("machine")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with running(tmp_path_factory.mktemp("machine") / "data") as started:
        yield started


# ------------------------------------------------------------------ functions and HTTP


def test_the_template_s_environment_and_the_raw_target_reach_the_function(machine: Machine) -> None:
    content = machine.get("/echo/a%2Fb//c?x=1&x=2&=&y=%20+")
    assert content["environment"] | {"ALLOWED": ""} == {
        "JOINED": "a-b",
        "CHOSEN": "in-eu-central-1",
        "ABSENT_OR_TABLE": "tollgate-Rows",
        "ENVIRONMENT": "sandbox",
        "ALLOWED": "",
        "AWS_LAMBDA_FUNCTION_NAME": "tollgate-Echo",
        "TZ": "UTC",
    }
    assert content["environment"]["ALLOWED"].startswith(f"127.0.0.1:{machine.port},localhost:{machine.port},")
    event = content["event"]
    assert (event["rawPath"], event["rawQueryString"]) == ("/echo/a%2Fb//c", "x=1&x=2&=&y=%20+")
    assert event["pathParameters"] == {"proxy": "a/b//c"}


def test_routes_follow_their_precedence(machine: Machine) -> None:
    assert machine.get("/items/special")["event"]["routeKey"] == "GET /items/special"
    assert machine.get("/items/7")["event"]["routeKey"] == "GET /items/{id}"
    assert machine.request("PUT", "/items/7")[1]["event"]["routeKey"] == "ANY /items/{id}"
    assert machine.request("GET", "/nowhere") == (404, {"message": "Not Found"})


@pytest.mark.parametrize(
    ("mood", "status"), [("raise", 500), ("exit", 500), ("sleep", 504), ("status", 500), ("large", 500), ("plain", 200)]
)
def test_moods_of_a_function(machine: Machine, mood: str, status: int) -> None:
    found, content = machine.request("GET", f"/moods/{mood}")
    assert found == status
    assert content == ({"hello": "world"} if status == 200 else {"message": "Internal Server Error"})


def test_a_binary_answer_arrives_as_bytes(machine: Machine) -> None:
    assert machine.request("GET", "/moods/binary") == (200, bytes(range(256)))


def test_a_function_that_cannot_start_has_its_reason_in_its_log(machine: Machine) -> None:
    assert machine.request("GET", "/broken") == (500, {"message": "Internal Server Error"})
    assert "Unable to import module" in (machine.data / "logs" / "Broken.log").read_text()


def test_a_warm_call_is_quick(machine: Machine) -> None:
    rounds = []
    for _ in range(3):
        times = []
        for _ in range(30):
            started = time.perf_counter()
            machine.get("/health")
            times.append(time.perf_counter() - started)
        rounds.append(sorted(times)[15])
    assert min(rounds) < 0.015


# ------------------------------------------------------------------ streams, queues, keys, objects, other functions


def test_a_row_comes_back_decrypted_and_its_stream_record_arrives(machine: Machine) -> None:
    assert machine.request("PUT", "/rows/row-stream", "sealed text") == (200, "row-stream")
    assert machine.get("/rows/row-stream") == "sealed text"
    machine.await_seen("stream row-stream")


def test_rows_that_the_filter_leaves_out_do_not_arrive(machine: Machine) -> None:
    machine.request("PUT", "/rows/unannounced", "x")
    machine.request("PUT", "/rows/row-after", "x")
    machine.await_seen("stream row-after")
    assert "stream unannounced" not in machine.seen()


def test_a_record_that_always_fails_ends_in_the_failure_queue(machine: Machine) -> None:
    machine.request("PUT", "/rows/row-poison-1", "x")
    machine.request("PUT", "/rows/row-refused-1", "x")
    machine.request("PUT", "/rows/row-survives", "x")
    machine.await_seen("stream row-survives")
    until(lambda: sum("DDBStreamBatchInfo" in body for body in machine.get("/dead")) >= 2)


def test_messages_are_worked_off_and_poison_ends_in_the_dead_letter_queue(machine: Machine) -> None:
    machine.request("POST", "/work?times=12", "job-")
    machine.request("POST", "/work", "poison-")
    machine.await_seen(*(f"queue job-{number}" for number in range(12)))
    machine.await_seen("tried poison-0 1", "tried poison-0 2")
    until(lambda: "poison-0" in machine.get("/dead"))
    assert "tried poison-0 3" not in machine.seen()


def test_an_ordered_queue_delivers_with_its_group(machine: Machine) -> None:
    machine.request("POST", "/work?times=3&group=g1", "step-")
    machine.await_seen(*(f"queue step-{number} of g1" for number in range(3)))


def test_objects_are_kept(machine: Machine) -> None:
    machine.request("PUT", "/objects/thing", "content")
    assert base64.b64decode(machine.get("/objects/thing")) == b"content"


def test_functions_invoke_each_other(machine: Machine) -> None:
    assert machine.request("POST", "/call/plain") == (200, {"from": "caller"})
    assert machine.request("POST", "/call/failing") == (200, {"error": "Unhandled", "payload": "ValueError"})
    assert machine.request("POST", "/call/missing") == (200, "ResourceNotFoundException")
    assert machine.request("POST", "/call/event") == (200, 202)
    machine.await_seen("stream row-later")


# ------------------------------------------------------------------ credentials and the issuer


def test_the_credentials_are_complete_and_private(machine: Machine) -> None:
    path = machine.data / "credentials.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    content = json.loads(path.read_text())
    assert content["base_url"] == f"http://127.0.0.1:{machine.port}"
    assert [account["name"] for account in content["accounts"]] == ["demo", "other"]
    first, second = content["accounts"]
    assert first["id"] != second["id"]
    assert first["vault"]["api_key"] != second["vault"]["api_key"]


def test_an_id_token_is_issued_and_verifies_against_the_issuer_s_keys(machine: Machine) -> None:
    account = json.loads((machine.data / "credentials.json").read_text())["accounts"][1]["oidc"]
    done = command(machine.data, "id-token", "--account", "other")
    assert done.returncode == 0, done.stderr
    with urllib.request.urlopen(f"{account['issuer']}/.well-known/openid-configuration") as answer:
        provider = json.load(answer)
    with urllib.request.urlopen(provider["jwks_uri"]) as answer:
        key = jwt.PyJWK(json.load(answer)["keys"][0], "RS256")
    claims = jwt.decode(
        done.stdout.strip(), key, algorithms=["RS256"], audience=account["client_id"], issuer=account["issuer"]
    )
    assert claims["sub"] == account["subject"]


# ------------------------------------------------------------------ the commands beside a running machine


def test_what_a_newcomer_reads_works_when_it_is_pasted(machine: Machine) -> None:
    lines = [line for line in machine.output.splitlines() if line.startswith("  curl ")]
    assert len(lines) == 3
    done = subprocess.run(["sh", "-c", lines[2]], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    assert json.loads(done.stdout) == {"status": "ok"}
    key = json.loads((machine.data / "credentials.json").read_text())["accounts"][0]["vault"]["api_key"]
    shown = subprocess.run(
        ["sh", "-c", lines[1].replace("curl -s", "echo")], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert f"x-api-key: {key}" in shown.stdout


def test_a_second_machine_on_the_same_data_says_so_in_one_line(machine: Machine) -> None:
    for arguments in (("run", "--port", str(free_port())), ("reset",)):
        done = command(machine.data, *arguments)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
        assert f"already running at http://127.0.0.1:{machine.port}" in done.stderr
    assert machine.get("/health") == {"status": "ok"}


def test_a_taken_port_is_named_in_one_line(machine: Machine, tmp_path: Path) -> None:
    done = command(tmp_path / "data", "run", "--port", str(machine.port))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [f"local: port {machine.port} is taken; `PORT=<another> make run` moves it"]


def test_invoke_uses_the_running_machine(machine: Machine, tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text('{"action": "create_account", "name": "third"}')
    done = command(machine.data, "invoke", "provisioning", str(event))
    assert done.returncode == 0
    assert json.loads(done.stdout)["name"] == "third"
    event.write_text("{}")
    assert command(machine.data, "invoke", "Moods", str(event)).returncode == 1
    unknown = command(machine.data, "invoke", "Nobody", str(event))
    assert (unknown.returncode, unknown.stderr) == (1, "local: Function not found\n")


def test_nothing_is_logged_by_the_machine_itself(machine: Machine) -> None:
    assert not (machine.data / "logs" / "machine.log").exists()


def test_an_idle_machine_is_small(machine: Machine) -> None:
    pids = [machine.process.pid, *machine.children()]
    total = 0
    for pid in pids:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    assert total < 600 * 1024  # with a worker of each of the sample's functions, all of them still warm


# ------------------------------------------------------------------ stopping, killing, restarting


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of a machine that ran once and stopped; tests work on copies, which start quicker than from nothing."""
    machine = Machine(tmp_path_factory.mktemp("finished") / "data").start()
    machine.request("PUT", "/rows/row-kept", "kept")
    machine.request("PUT", "/objects/kept", "kept")
    machine.await_seen("stream row-kept")
    pids = [machine.process.pid, *machine.children()]
    assert machine.stop(signal.SIGINT) == 0
    assert not any(map(is_alive, pids))
    return machine.data


@pytest.fixture
def data(finished: Path, tmp_path: Path) -> Path:
    """A copy of finished data."""
    copy = tmp_path / "data"
    shutil.copytree(finished, copy)
    (copy / "ports.json").unlink()  # other copies may be in use
    return copy


def test_a_signal_stops_everything_and_keeps_everything(data: Path) -> None:
    keys = (data / "credentials.json").read_text()
    machine = Machine(data).start()
    assert machine.get("/rows/row-kept")
    assert base64.b64decode(machine.get("/objects/kept")) == b"kept"
    machine.request("PUT", "/rows/row-more", "more")
    machine.await_seen("stream row-kept", "stream row-more")
    found, before = (
        [account["vault"] for account in json.loads(text)["accounts"]]
        for text in ((data / "credentials.json").read_text(), keys)
    )
    assert found == before
    assert machine.stop(signal.SIGTERM) == 0


def test_kill_9_never_parts_keys_from_rows(tmp_path: Path) -> None:
    """Killed twice: first all at once, soon after the very first start; then the machine alone."""
    machine = Machine(tmp_path / "data").start()
    machine.request("PUT", "/rows/row-1", "1")
    machine.request("PUT", "/objects/row-1", "1")
    machine.kill_everything()
    machine.start()
    assert machine.get("/rows/row-1")
    machine.request("PUT", "/rows/row-2", "2")
    os.kill(machine.process.pid, signal.SIGKILL)
    machine.process.wait(10)
    machine.start()
    assert machine.get("/rows/row-1")
    assert machine.get("/rows/row-2")
    assert base64.b64decode(machine.get("/objects/row-1")) == b"1"
    machine.await_seen("stream row-1", "stream row-2")
    machine.kill_everything()


def test_a_first_start_can_be_killed_at_any_moment(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "data")
    for moment in ("lock", "processes.json", "data/dynamodb.db", "data/cloud/kms.json"):
        machine.launch()
        until(lambda moment=moment: (machine.data / moment).exists())  # type: ignore[misc]
        machine.kill_everything()
    with running(machine.data, port=machine.port) as again:
        again.request("PUT", "/rows/row-x", "x")
        assert again.get("/rows/row-x")


@pytest.mark.parametrize(
    ("lost", "complaint"), [("cloud/kms.json", "the keys are missing"), ("dynamodb.db", "the tables are missing")]
)
def test_half_of_the_data_is_refused_until_it_is_reset(data: Path, lost: str, complaint: str) -> None:
    (data / "data" / lost).unlink()
    done = command(data, "run", "--port", str(free_port()))
    assert done.returncode == 1
    assert f"{complaint}; `make reset` forgets all local data" in done.stderr.splitlines()[-1]
    assert command(data, "reset").returncode == 0
    assert not data.exists()


def test_a_program_that_dies_under_the_machine_ends_it_with_a_word(data: Path) -> None:
    machine = Machine(data).start()
    ministack = next(
        int(pid)
        for pid, program in json.loads((machine.data / "processes.json").read_text()).items()
        if "ministack" in program
    )
    os.kill(ministack, signal.SIGKILL)
    assert machine.process.wait(30) == 1
    assert "local: ministack ended unexpectedly" in machine.output


def test_what_was_missed_or_lost_is_made_up_for_at_the_next_start(data: Path) -> None:
    """A schedule that was due meanwhile runs once; a lost credentials file means new accounts, and a word about it."""
    positions = data / "data" / "positions.json"
    values = json.loads(positions.read_text())
    for schedule in ("schedule/TickOften", "schedule/TickDaily"):
        values[schedule] -= 3 * 86400
    positions.write_text(json.dumps(values))
    before = (data / "credentials.json").read_text()
    (data / "credentials.json").unlink()
    with running(data) as again:
        assert "The credentials file was missing" in again.output
        assert (data / "credentials.json").read_text() != before
        again.await_seen("tick aws.events", "tick nightly")


# ------------------------------------------------------------------ other ways to start it


def test_services_runs_a_command_against_throw_away_data(tmp_path: Path) -> None:
    script = (
        "import json, os, sys, urllib.request as u, boto3;"
        "assert json.load(open(os.environ['TOLLGATE_CREDENTIALS']))['accounts'][0]['name'] == 'demo';"
        "assert 'tollgate-Rows' in boto3.client('dynamodb').list_tables()['TableNames'];"
        "print(u.urlopen(os.environ['TOLLGATE_BASE_URL'] + '/health').read().decode(), os.environ['TOLLGATE_DATA']);"
        "sys.exit(7)"
    )
    done = command(tmp_path, "services", "--", sys.executable, "-c", script)
    assert done.returncode == 7, done.stderr
    health, data = done.stdout.rsplit(" ", 1)
    assert json.loads(health) == {"status": "ok"}
    assert not Path(data.strip()).exists()


def test_invoke_starts_what_it_needs_when_nothing_runs(data: Path, tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text('{"action": "create_account", "name": "alone"}')
    done = command(data, "invoke", "Provisioning", str(event))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["name"] == "alone"
    unknown = command(data, "invoke", "Nobody", str(event))
    assert unknown.returncode == 1
    assert "it has Broken, Caller, Echo" in unknown.stderr


def test_without_dynoxide_ministack_serves_the_tables(tmp_path: Path) -> None:
    environment = {"TOLLGATE_DYNAMODB": "ministack"}
    machine = Machine(tmp_path / "data", environment=environment).start()
    assert "dynoxide's binary is not here" in machine.output
    machine.request("PUT", "/rows/row-a", "a")
    machine.await_seen("stream row-a")
    assert machine.stop() == 0
    with running(machine.data, port=machine.port, environment=environment) as again:
        assert again.get("/rows/row-a")
        again.request("PUT", "/rows/row-b", "b")
        again.await_seen("stream row-a", "stream row-b")
    refused = command(machine.data, "run", "--port", str(machine.port))
    assert "local data was written by ministack" in refused.stderr


def test_a_template_that_cannot_be_served_is_refused_in_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "template.yaml"
    broken.write_text(SAMPLE.read_text().replace("Type: AWS::S3::Bucket", "Type: AWS::SNS::Topic"))
    done = subprocess.run(
        [sys.executable, "-m", "local", "--data", str(tmp_path / "data"), "--template", str(broken), "run"],
        cwd=ROOT,
        env=own_environment({"PORT": str(free_port())}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "local: Objects: the local machine has no AWS::SNS::Topic\n"
