"""Rows and files held against each other, by an operator; an operation like those of :mod:`.operations`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sora_gateway.errors import InvalidRequest
from sora_gateway.retention.reconciler import Wanted

if TYPE_CHECKING:
    from sora_gateway.operations import Services


async def storage_check(
    services: Services, after: str, hashes: bool, repair: bool, even_if_most_are_missing: bool = False
) -> Mapping[str, Any]:
    """One part of the walk: that behind *after*, which the part before gave (empty for the first).

    ``after`` of the answer is null at the end. Raises Conflict if a repair finds most files missing.
    """
    try:
        step = await services.reconciler.step(after, Wanted(hashes, repair, even_if_most_are_missing))
    except ValueError:
        raise InvalidRequest(f"{after[:100]!r} is no part of the walk.") from None
    return {
        "files": step.files,
        "rows": step.rows,
        "after": step.after,
        "findings": [
            {
                "fault": finding.fault.value,
                "job_id": finding.job_id,
                "path": finding.path,
                "size": finding.size,
                "repaired": finding.repaired,
            }
            for finding in step.findings
        ],
    }
