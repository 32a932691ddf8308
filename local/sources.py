"""Starts what feeds the functions besides HTTP: table streams, queues and schedules, all as the template has them."""

from __future__ import annotations

from pathlib import Path

from local.aws_client import AwsClient
from local.background import Background
from local.cloud import Cloud
from local.functions import Functions
from local.positions import Positions
from local.queues import QueueReader
from local.schedules import Timer
from local.streams import WATCH_EVERY, ChangeWatch, Outlet, StreamReader
from local.template import Deployment

POLL_WITHOUT_FILE = 0.25


class Sources:
    """The readers of one deployment."""

    def __init__(self, deployment: Deployment, functions: Functions, positions: Positions) -> None:
        self._deployment = deployment
        self._functions = functions
        self._positions = positions
        self._queues: list[QueueReader] = []

    def start(self, background: Background, cloud: Cloud, database: AwsClient, file: Path | None) -> None:
        """Read for ever in the background. `file` is the database's, None if it has none to watch."""
        self._start_streams(background, database, file)
        self._start_queues(background, cloud)
        for schedule in self._deployment.schedules:
            background.run(schedule.name, Timer(schedule, self._positions, self._functions.begin).run)

    async def settle(self) -> None:
        """Let the batches from queues that are under way end."""
        for queue in self._queues:
            await queue.settle(within=3.0)

    def _start_streams(self, background: Background, database: AwsClient, file: Path | None) -> None:
        watch = ChangeWatch(file, WATCH_EVERY if file else POLL_WITHOUT_FILE)
        outlet = Outlet(self._functions.invoke, self._functions.send_to)
        for source in self._deployment.streams:
            table = self._deployment.table_by_name(source.table)
            reader = StreamReader(source, table, database, self._positions, outlet, watch.listen())
            background.run(source.name, reader.run)
        if self._deployment.streams:
            background.run("watch", watch.run)

    def _start_queues(self, background: Background, cloud: Cloud) -> None:
        for source in self._deployment.queue_sources:
            url = cloud.queue_url(self._deployment.queue_by_arn(source.queue_arn))
            reader = QueueReader(source, url, cloud.client, self._functions.invoke)
            self._queues.append(reader)
            background.run(source.name, reader.run)
