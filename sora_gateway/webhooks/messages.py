"""What an endpoint is told: the public view of the video at the moment of telling, under today's rights.

Nothing of it is stored with the delivery: addresses of files are signed when it is sent, and a video that was deleted
meanwhile is told of no more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from pydantic_core import to_json

from sora_gateway.core.job import Job, JobId
from sora_gateway.core.webhooks import TEST_EVENT
from sora_gateway.core.wire import iso
from sora_gateway.store import Store
from sora_gateway.store.webhook_deliveries import DeliveryRecord
from sora_gateway.store.webhooks import Recipient

if TYPE_CHECKING:
    from sora_gateway.core.views import Beside, Task


class NotTold(Exception):
    """Nobody is to be told of it any more. The text is a sentence for the endpoint's owner."""


class Messages:
    """*address* makes the whole address of a job's file from its id and variant."""

    def __init__(self, store: Store, address: Callable[[str, str], str]) -> None:
        self._store = store
        self._address = address
        self.kept_until: Callable[[Job, Collection[str]], float | None] = lambda *_: None
        """When the files of a job with these tags go because of their age."""

    async def body(self, delivery: DeliveryRecord, recipient: Recipient) -> bytes:
        """JSON as Standard Webhooks has it. Raises NotTold."""
        if not recipient.active:
            raise NotTold("The account was disabled.")
        data: dict[str, object] = {"webhookId": recipient.webhook.id}
        if delivery.type != TEST_EVENT:
            data = (await self._task(delivery, recipient)).model_dump(by_alias=True, mode="json")
        return to_json({"type": delivery.type, "timestamp": iso(delivery.created_at), "data": data})

    async def _task(self, delivery: DeliveryRecord, recipient: Recipient) -> Task:
        from sora_gateway.core.views import task_view  # there is something to tell

        assert delivery.job_id is not None
        job = await self._store.get(JobId(delivery.job_id))
        if job is None or job.deleted_at is not None:
            raise NotTold("The video was deleted.")
        webhook = recipient.webhook
        if job.owner != webhook.owner and not (webhook.everybody and recipient.administers):
            raise NotTold("The video is somebody else's.")
        return task_view(job, await self._beside(job, recipient), reader=webhook.owner)

    async def _beside(self, job: Job, recipient: Recipient) -> Beside:
        from sora_gateway.core.views import Beside

        variants = await self._store.assets_of_many([job.id])
        emails = {recipient.webhook.owner: recipient.email}
        if job.owner not in emails:
            emails = await self._store.emails([job.owner])
        tags = await self._store.tags_of_many([job.id])
        return Beside(
            {variant: self._address(job.id, variant) for variant in variants.get(job.id, ())},
            emails.get(job.owner),
            tags=tags.get(job.id, ()),
            kept_until=self.kept_until(job, tags.get(job.id, ())),
        )
