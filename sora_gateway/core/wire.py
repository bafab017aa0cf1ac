"""What everything is made of that people and programs read: the bases of the models, and how a moment is written.

Apart from the models themselves (:mod:`.views`, :mod:`.messages`), because a start needs none of those.
"""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

FIRST_MOMENT = datetime(1, 1, 1, tzinfo=UTC).timestamp()
LAST_MOMENT = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()
"""Between them a moment has a year of four digits in UTC."""


class View(BaseModel):
    """Base of everything in ``/api``: snake case inside, camelCase on the wire."""

    # Validators are built at a model's first use: most starts need few of them, and all take 7 % of a start.
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, defer_build=True)


class OpenAIView(BaseModel):
    """Base of everything in ``/v1``: the names of OpenAI's API on both sides."""

    model_config = ConfigDict(defer_build=True)


def iso(moment: float | None) -> str | None:
    """Epoch seconds as ISO 8601 in UTC with milliseconds; of what cannot be written so, the nearest that can."""
    if moment is None:
        return None
    # With a time zone people can name moments that have no year in UTC, and a code adds its days to any moment.
    return (
        datetime.fromtimestamp(min(max(moment, FIRST_MOMENT), LAST_MOMENT), UTC).isoformat(
            timespec="milliseconds"
        )[:-6]
        + "Z"
    )
