"""The simulator's memory: an append-only file of what was created, and one of what was deleted.

A create is on the disk before it is answered, as money taken would be. One process owns a directory.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sora_gateway.clock import Clock
from sora_gateway.entropy import Entropy
from sora_gateway.upstream.simulator.faults import FaultValue
from sora_gateway.upstream.simulator.files import SimulatorFiles
from sora_gateway.upstream.simulator.journal import Journal
from sora_gateway.upstream.simulator.timeline import MODERATION, Record, drawn_duration


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """*duration* (median) in seconds, *sigma* its log-normal spread, *failure_rate* a share of 1.

    *directives* obeys ``[[fault:...]]`` in prompts. With an *api_key*, requests need it as a bearer token.
    """

    duration: float = 8.0
    sigma: float = 0.25
    failure_rate: float = 0.0
    render: Literal["full", "clip"] = "full"
    directives: bool = False
    api_key: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """A paid request that passed validation: what the video is to be."""

    prompt: str
    model: str
    seconds: int
    size: str
    image: bytes | None = None
    """The reference image, of that size."""
    remixed_from: str | None = None
    characters: list[str] = field(default_factory=list)
    """Their ids."""


class SimulatorState:
    """All jobs and characters of one simulator; they outlive it in *directory*, which is made if missing.

    Raises:
        StartupError: a journal there is damaged in the middle.
    """

    def __init__(self, directory: Path, clock: Clock, entropy: Entropy, options: SimulatorOptions) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.clock = clock
        self.options = options
        self.files = SimulatorFiles(directory / "files", rendering=options.render == "full")
        self.seen: Counter[str] = Counter()
        """How often something was asked for in this process's life: what counted faults count."""
        self._entropy = entropy
        self._creates = Journal(directory / "creates.jsonl")
        self._deletes = Journal(directory / "deletes.jsonl")
        self._makings = Journal(directory / "characters.jsonl")
        self._records = {line["id"]: Record(**line) for line in self._creates.lines}
        self._deleted = {line["id"] for line in self._deletes.lines}
        self._characters = {line["id"]: line for line in self._makings.lines}

    def paid_creates(self) -> int:
        """How many creates were ever taken, those of deleted jobs too."""
        return len(self._records)

    def records(self) -> list[Record]:
        """Every job that is not deleted, oldest first."""
        return [record for record in self._records.values() if record.id not in self._deleted]

    def find(self, video_id: str) -> Record | None:
        """The job, unless it is deleted or was never there."""
        return None if video_id in self._deleted else self._records.get(video_id)

    def visible(self, video_id: str) -> Record | None:
        """The same, as the outside may see it: a job with amnesia was taken and is not known."""
        record = self.find(video_id)
        return None if record is None or "amnesia" in record.faults else record

    def character(self, character_id: str) -> dict[str, Any] | None:
        """OpenAI's object of a character: ``id``, ``name`` and ``created_at``."""
        return self._characters.get(character_id)

    async def create(
        self, order: Order, faults: dict[str, FaultValue], client_request_id: str = ""
    ) -> Record:
        """Takes a job: when this returns, it is on the disk.

        Raises:
            OSError: the disk would not take it; nothing was created.
        """
        reference = "" if order.image is None else await self.files.keep(order.image)
        record = self._drawn(order, reference, faults, client_request_id)

        def remember() -> None:
            self._records[record.id] = record

        await self._creates.append(record.as_json(), remember)
        return record

    async def create_character(self, name: str) -> dict[str, Any]:
        """Makes a character, and returns its object: when this returns, it is on the disk.

        Raises:
            OSError: the disk would not take it; nothing was created.
        """
        made = {"id": self._entropy.new_id("char_sim"), "name": name, "created_at": int(self.clock.now())}

        def remember() -> None:
            self._characters[made["id"]] = made

        await self._makings.append(made, remember)
        return made

    async def delete(self, video_id: str) -> None:
        """Forgets a job, and stops it if it runs.

        Raises:
            OSError: the disk would not take it.
        """
        await self._deletes.append(
            {"id": video_id, "at": self.clock.now()}, lambda: self._deleted.add(video_id)
        )

    async def aclose(self) -> None:
        """Stops what is being rendered, lets what is being written finish. Safe to call twice."""
        await self.files.aclose()
        await self._creates.settled()
        await self._deletes.settled()
        await self._makings.settled()

    def _drawn(
        self, order: Order, reference: str, faults: dict[str, FaultValue], client_request_id: str
    ) -> Record:
        options = self.options
        duration = drawn_duration(options.duration, options.sigma, self._entropy.fraction())
        failure = "video_generation_failed" if self._entropy.fraction() < options.failure_rate else ""
        if isinstance(exactly := faults.get("duration"), float):
            duration = exactly
        if "fail" in faults:
            failure = str(faults["fail"] or MODERATION)
        return Record(
            id=self._entropy.new_id("video_sim"),
            prompt=order.prompt,
            model=order.model,
            seconds=str(order.seconds),
            size=order.size,
            created_at=self.clock.now(),
            duration=duration,
            failure=failure,
            client_request_id=client_request_id,
            faults=faults,
            reference=reference,
            remixed_from=order.remixed_from,
            characters=order.characters,
        )
