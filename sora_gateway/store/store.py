"""The store as everybody else sees it: units of work in, values out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from sora_gateway.clock import Clock
from sora_gateway.core.asset import StoredFile
from sora_gateway.core.character import Character
from sora_gateway.core.claim import Claim
from sora_gateway.core.event_log import StoredEvent
from sora_gateway.core.job import Event, ExternalId, Job, JobId, State
from sora_gateway.core.money import Movement
from sora_gateway.core.plans import Allowance
from sora_gateway.core.principal import Principal
from sora_gateway.core.reconcile import Unanswered
from sora_gateway.core.reference import SavedImage
from sora_gateway.store import (
    accepting,
    attempts,
    audit,
    changed_settings,
    characters,
    claims,
    doubts,
    durations,
    events,
    facets,
    jobs,
    reference_images,
    restored,
    shares,
    tags,
    templates,
    upstreams,
)
from sora_gateway.store.accepting import NewJob
from sora_gateway.store.alerts import Alerts
from sora_gateway.store.attempts import AttemptRecord
from sora_gateway.store.audit import AuditEntry, AuditFilter, Recorded
from sora_gateway.store.changed_settings import ChangedSetting, Value
from sora_gateway.store.credits import Credits
from sora_gateway.store.doubts import Doubt
from sora_gateway.store.durations import Sample
from sora_gateway.store.events import EventScope, Replay
from sora_gateway.store.facets import Facets
from sora_gateway.store.jobs import Answered, BatchSummary, Change, Filter, Intent
from sora_gateway.store.people import People
from sora_gateway.store.readers import Readers
from sora_gateway.store.shares import ShareRecord
from sora_gateway.store.space import Space
from sora_gateway.store.statistics import Statistics
from sora_gateway.store.templates import TemplateRecord
from sora_gateway.store.totals import Totals
from sora_gateway.store.upkeep import Upkeep
from sora_gateway.store.upstreams import AddedUpstream, Failure
from sora_gateway.store.webhooks import Webhooks
from sora_gateway.store.writer import Commits, Transaction, Writer

if TYPE_CHECKING:
    from sora_gateway.store.administration import Administration

T = TypeVar("T")


class Store:
    """``async with Store(path, on_commit) as store``; the schema must be current (:mod:`.schema`)."""

    def __init__(
        self, database: Path, on_commit: Callable[[list[StoredEvent]], None], clock: Clock | None = None
    ) -> None:
        self.database = database
        self._writer = Writer(database, on_commit, clock)
        self._readers = Readers(database)
        self.people = People(self._writer, self._readers)
        self.credits = Credits(self._writer, self._readers)
        self.webhooks = Webhooks(self._writer, self._readers)
        self.alerts = Alerts(self._writer, self._readers)
        self.statistics = Statistics(self._readers)
        self.space = Space(database, self._readers)
        self.totals = Totals(self._readers)
        self.upkeep = Upkeep(self._writer, self._readers)
        self._stack = AsyncExitStack()
        self.epoch = ""
        self.restored_at = 0.0
        """When it was restored from a backup, 0 if never: what was sent before may have been sent again since."""

    async def __aenter__(self) -> Store:
        async with AsyncExitStack() as stack:
            # Readers close first: the last connection to close would checkpoint, and only the writer may.
            await stack.enter_async_context(self._writer)
            await stack.enter_async_context(self._readers)
            row = await self._readers.one("SELECT value FROM meta WHERE key = 'epoch'")
            assert row is not None
            self.epoch = row["value"]
            self.restored_at = await restored.moment(self._readers)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def commits(self) -> int:
        return self._writer.commits

    @property
    def measured(self) -> Commits:
        """What its transactions were like."""
        return self._writer.measured

    async def writable(self) -> bool:
        """Whether what is to be kept now can be."""
        return await self._writer.writable()

    @cached_property
    def administration(self) -> Administration:
        """Imported when an administrator comes."""
        from sora_gateway.store.administration import Administration

        return Administration(self._writer, self._readers)

    # --- jobs ------------------------------------------------------------------------------------

    async def accept(self, job: Job, inputs: tuple[StoredFile, ...] = (), claim: Claim | None = None) -> Job:
        """Stores a new job with its hold, durable when this returns; or returns the job that *claim* made before.

        Raises InsufficientCredits, IdempotencyMismatch.
        """
        return (await self.accept_together([NewJob(job, inputs)], claim))[0]

    async def accept_together(
        self, new: Sequence[NewJob], claim: Claim | None = None, allowance: Allowance | None = None
    ) -> list[Job]:
        """The same for all of one person's *new* jobs, or none of them, within what their plan allows.

        Raises InsufficientCredits, TooManyRequests, IdempotencyMismatch.
        """
        return await self._writer.run(lambda tx: accepting.accept(tx, new, claim, allowance))

    async def made(self, made_id: str) -> list[Job]:
        """The job of that id, or all of that batch."""
        return await self._writer.run(lambda tx: jobs.made(tx, made_id))

    async def tags_of_many(self, job_ids: Sequence[JobId]) -> dict[str, list[str]]:
        return await tags.of_many(self._readers, job_ids)

    async def tag(self, job_id: str, words: Sequence[str]) -> None:
        """Replaces the tags of a job."""
        await self._writer.run(lambda tx: tags.put(tx, job_id, words))

    async def tags(self, principal: Principal) -> dict[str, int]:
        """The caller's own tags, and how many of their jobs have each."""
        return await tags.counts(self._readers, principal)

    async def made_by(self, claim: Claim, at: float) -> str | None:
        """The id of what *claim* made before, None if it is the first. Raises IdempotencyMismatch."""
        return await self._writer.run(lambda tx: claims.taken(tx, claim, at))

    async def save(
        self,
        before: Job,
        after: Job,
        event: Event,
        movement: Movement,
        attempt: Intent | Answered | None = None,
        assets: tuple[StoredFile, ...] = (),
        decided: AuditEntry | None = None,
    ) -> None:
        """Stores one change of a job with everything that belongs to it; told to subscribers before this returns."""
        await self._writer.run(
            lambda tx: jobs.save(tx, before, after, event, movement, attempt, assets, decided)
        )

    async def save_together(self, changes: Sequence[Change]) -> None:
        """Stores changes of many jobs, all of them or none."""

        def save(tx: Transaction) -> None:
            for change in changes:
                jobs.save(tx, change.before, change.after, change.event, change.movement)

        await self._writer.run(save)

    async def unfinished(self) -> list[Job]:
        return await jobs.unfinished(self._readers)

    async def kept_jobs(self) -> set[str]:
        """Ids of all jobs that have files, or may still get them."""
        return await jobs.kept(self._readers)

    async def get(self, job_id: JobId) -> Job | None:
        return await jobs.get(self._readers, job_id)

    async def find(self, text: str, principal: Principal) -> Job:
        """The one function that resolves either id. Raises NotFound."""
        return await jobs.find(self._readers, text, principal)

    async def page(self, principal: Principal, wanted: Filter) -> tuple[list[Job], bool]:
        return await jobs.page(self._readers, principal, wanted)

    async def facets(self, principal: Principal, wanted: Filter) -> Facets:
        """By what the jobs of a list differ; of *wanted* only whose they are counts."""
        return await facets.of(self._readers, principal, wanted)

    async def batch(self, batch_id: str, principal: Principal) -> BatchSummary:
        """Raises NotFound."""
        return await jobs.batch(self._readers, batch_id, principal)

    async def counts(self, principal: Principal) -> dict[State, int]:
        return await jobs.counts(self._readers, principal)

    async def assets(self, job_id: str) -> Mapping[str, StoredFile]:
        return await jobs.assets(self._readers, job_id)

    async def assets_of_many(self, job_ids: list[JobId]) -> dict[str, list[str]]:
        return await jobs.assets_of_many(self._readers, job_ids)

    async def emails(self, owners: Collection[str]) -> dict[str, str]:
        """The addresses of these people, by their ids."""
        return await jobs.emails(self._readers, list(owners)) if owners else {}

    async def paid_since(self, moment: float) -> dict[str, list[tuple[str, float, int]]]:
        return await attempts.paid_since(self._readers, moment)

    async def attempts(self, job_id: str) -> list[AttemptRecord]:
        return await attempts.of_job(self._readers, job_id)

    async def durations(self, upstream: str) -> list[Sample]:
        """What the newest jobs of *upstream* took, newest first; of each kind of job so many at most."""
        return await durations.newest(self._readers, upstream)

    # --- creates whose answer is missing ---------------------------------------------------------

    async def doubts(self) -> list[Doubt]:
        """Every job whose outcome is unknown, oldest first."""
        return await doubts.doubts(self._readers)

    async def unanswered(self, upstreams: Sequence[str], since: float) -> list[Unanswered]:
        return await doubts.unanswered(self._readers, upstreams, since, self.restored_at)

    async def linked(
        self, upstreams: Sequence[str], external_ids: Iterable[ExternalId]
    ) -> frozenset[ExternalId]:
        return await doubts.linked(self._readers, upstreams, external_ids)

    # --- what people did -------------------------------------------------------------------------

    async def audit(self, entry: AuditEntry) -> None:
        """Writes down what changes nothing else that is stored."""
        await self._writer.run(lambda tx: audit.write(tx, entry))

    async def audited(self, target: str) -> list[AuditEntry]:
        """What was done to *target*, oldest first."""
        return await audit.of_target(self._readers, target)

    async def audit_page(self, wanted: AuditFilter) -> tuple[list[Recorded], bool]:
        """The newest entries that fit, and whether there are more."""
        return await audit.page(self._readers, wanted)

    # --- settings --------------------------------------------------------------------------------

    async def change_settings(self, changes: Sequence[tuple[str, Value | None, AuditEntry]]) -> None:
        """Stores new values by their keys, all of them or none; None forgets what was changed before."""

        def change(tx: Transaction) -> None:
            for key, value, entry in changes:
                changed_settings.change(tx, key, value, entry)

        await self._writer.run(change)

    async def changed_settings(self) -> list[ChangedSetting]:
        return await changed_settings.changed(self._readers)

    # --- characters ------------------------------------------------------------------------------

    async def begin_character(self, character: Character, claim: Claim | None) -> Character:
        """Stores the intent, durable when this returns; or returns what *claim* made before."""
        return await self._writer.run(lambda tx: characters.insert(tx, character, claim))

    async def conclude_character(self, character_id: str, external_id: str | None) -> None:
        await self._writer.run(lambda tx: characters.conclude(tx, character_id, external_id))

    async def forget_character(self, character_id: str) -> None:
        await self._writer.run(lambda tx: characters.forget(tx, character_id))

    async def character(self, character_id: str, principal: Principal) -> Character:
        """Raises NotFound."""
        return await characters.find(self._readers, character_id, principal)

    # --- share links -----------------------------------------------------------------------------

    async def create_share(self, share: ShareRecord, entry: AuditEntry) -> None:
        """Raises Conflict if the job has too many."""
        await self._writer.run(lambda tx: shares.create(tx, share, entry))

    async def revoke_share(self, share_id: str, job_id: str, at: float, entry: AuditEntry) -> None:
        """Raises NotFound."""
        await self._writer.run(lambda tx: shares.revoke(tx, share_id, job_id, at, entry))

    async def shares(self, job_id: str, now: float) -> list[ShareRecord]:
        """The links to a job that work, newest first."""
        return await shares.of_job(self._readers, job_id, now)

    async def opened_share(self, share_id: str, now: float) -> tuple[ShareRecord, Job] | None:
        """A link that works, and the job that it opens."""
        return await shares.opened(self._readers, share_id, now)

    # --- saved reference images ------------------------------------------------------------------

    async def add_reference(self, image: SavedImage, limit: int) -> SavedImage:
        """Stores an image, or returns the one that it repeats. Raises Conflict."""
        return await self._writer.run(lambda tx: reference_images.add(tx, image, limit))

    async def remove_reference(self, image_id: str) -> None:
        """Raises NotFound."""
        await self._writer.run(lambda tx: reference_images.remove(tx, image_id))

    async def reference(self, image_id: str, principal: Principal) -> SavedImage:
        """Raises NotFound."""
        return await reference_images.find(self._readers, image_id, principal)

    async def reference_page(
        self, principal: Principal, wanted: reference_images.Page
    ) -> tuple[list[SavedImage], bool]:
        return await reference_images.page(self._readers, principal, wanted)

    async def reference_paths(self) -> set[str]:
        return await reference_images.paths(self._readers)

    # --- templates -------------------------------------------------------------------------------

    async def create_template(self, template: TemplateRecord, limit: int) -> None:
        """Raises Conflict when its owner has so many."""
        await self._writer.run(lambda tx: templates.create(tx, template, limit))

    async def change_template(self, template: TemplateRecord) -> None:
        """Raises NotFound."""
        await self._writer.run(lambda tx: templates.change(tx, template))

    async def remove_template(self, template_id: str) -> None:
        await self._writer.run(lambda tx: templates.remove(tx, template_id))

    async def template(self, template_id: str, principal: Principal) -> TemplateRecord:
        """Raises NotFound."""
        return await templates.find(self._readers, template_id, principal)

    async def templates(self, principal: Principal) -> list[TemplateRecord]:
        return await templates.visible(self._readers, principal)

    # --- upstreams -------------------------------------------------------------------------------

    async def put_upstream(self, upstream: AddedUpstream, entry: AuditEntry) -> None:
        await self._writer.run(lambda tx: upstreams.put(tx, upstream, entry))

    async def enable_upstream(self, name: str, enabled: bool, entry: AuditEntry) -> None:
        await self._writer.run(lambda tx: upstreams.enable(tx, name, enabled, entry))

    async def remove_upstream(self, name: str, entry: AuditEntry) -> None:
        await self._writer.run(lambda tx: upstreams.remove(tx, name, entry))

    async def added_upstreams(self) -> list[AddedUpstream]:
        return await upstreams.added(self._readers)

    async def failures(self, upstream: str, limit: int) -> list[Failure]:
        return await upstreams.failures(self._readers, upstream, limit)

    async def in_doubt(self) -> dict[str, int]:
        return await upstreams.in_doubt(self._readers)

    async def begin_anew(self, epoch: str, entry: AuditEntry, *, last_word: bool) -> int:
        """Makes a restored database fit to be served; to be opened anew afterwards. See :mod:`.restored`."""
        return await self._writer.run(lambda tx: restored.begin_anew(tx, epoch, entry, last_word=last_word))

    # --- events ----------------------------------------------------------------------------------

    async def head(self) -> int:
        return await events.head(self._readers)

    async def oldest_event(self) -> int:
        return await events.oldest(self._readers)

    async def events_after(self, scope: EventScope, seq: int, limit: int) -> Replay:
        return await events.after(self._readers, scope, seq, limit)

    async def events_of(self, job_id: str, newest: int) -> list[StoredEvent]:
        return await events.newest_of(self._readers, job_id, newest)

    async def run(self, work: Callable[[Transaction], T]) -> T:
        """A unit of work of the caller's own; for this package's tests and the benchmarks."""
        return await self._writer.run(work)
