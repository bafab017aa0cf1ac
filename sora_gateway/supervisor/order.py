"""What a request has become once it has passed every check."""

from __future__ import annotations

from dataclasses import dataclass

from sora_gateway.core.asset import InputFile
from sora_gateway.core.fair_queue import Lane
from sora_gateway.core.job import ExternalId, Job, JobId
from sora_gateway.core.operation import Operation
from sora_gateway.core.visibility import Visibility


@dataclass(frozen=True, slots=True)
class Order:
    """What to make, for whom, where, from what and at what price."""

    owner: str
    prompt: str
    model: str
    upstream: str
    upstream_model: str
    seconds: int
    size: str
    credits: int = 0
    price_version: str = ""
    """Of the price list that *credits* are from."""
    lane: Lane = Lane.NORMAL
    tags: tuple[str, ...] = ()
    retry_of: JobId | None = None
    operation: Operation = Operation.CREATE
    source_id: JobId | None = None
    source_external_id: ExternalId | None = None
    extended_by: int | None = None
    characters: str = ""
    visibility: Visibility = Visibility.PRIVATE
    inputs: tuple[InputFile, ...] = ()

    def job(self, job_id: JobId, now: float, batch_id: str | None = None) -> Job:
        """The queued job that it becomes."""
        return Job(
            id=job_id,
            owner=self.owner,
            prompt=self.prompt,
            model=self.model,
            upstream=self.upstream,
            upstream_model=self.upstream_model,
            seconds=self.seconds,
            size=self.size,
            credits=self.credits,
            retry_of=self.retry_of,
            operation=self.operation,
            source_id=self.source_id,
            source_external_id=self.source_external_id,
            extended_by=self.extended_by,
            characters=self.characters,
            visibility=self.visibility,
            created_at=now,
            lane=self.lane,
            batch_id=batch_id,
        )
