"""Whose are these videos? Creates whose answer was lost, and what an upstream's list has: verdicts out.

A wrong match gives one person another's video, and a wrong "it is not there" pays twice. So a video is matched only
where nothing else could be meant, and is called absent only when everything that could be it is accounted for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum

from sora_gateway.core.job import ExternalId, JobId
from sora_gateway.core.observation import Listed

LOOKS = (15.0, 60.0, 180.0)
"""Seconds after a create was sent at which the list is looked at; the last of them settles it."""
EARLY, LATE = 5.0, 60.0
"""Seconds before the sending, and after the create's deadline, within which its video was made."""
RESENDS: tuple[float, ...] = (
    5.0,
    20.0,
    60.0,
    180.0,
    600.0,
    1800.0,
    3600.0,
    7200.0,
    14400.0,
    28800.0,
    57600.0,
    79200.0,
)
"""Seconds after a create was sent at which it is sent again with its idempotency key, where one is honoured."""
KEY_LIFETIME = 82800.0
"""Seconds after which a key is not trusted any more: servers keep one for a day."""
NEVER = float("inf")
MAX_CANDIDATES = 20
"""Videos that are shown to whoever decides."""


class OnAmbiguous(StrEnum):
    """What becomes of a create that nobody can find."""

    HOLD = "hold"
    """A person decides."""
    RESUBMIT_IF_ABSENT = "resubmit_if_absent"
    """Once per job it is sent again when a complete list does not have it."""


class Standing(Enum):
    """What may still become of a create without an id."""

    DOUBTFUL = "doubtful"
    """Its answer is lost: it is looked for."""
    UNDER_WAY = "under_way"
    """Its answer may still come, and name one of the videos."""
    CLOSED = "closed"
    """A person has decided on it; one of the videos may be its all the same."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A create that was, or may have been, sent and has no id. Times in seconds since the epoch, on our clock."""

    job_id: JobId
    attempt_id: str
    number: int
    owner: str
    prompt: str
    model: str
    """The upstream's name for it."""
    seconds: int
    size: str
    made_from: str
    """Operation, files and characters in one word: what no list tells."""
    sent_at: float
    standing: Standing
    sent_by: float = 0.0
    """The latest moment at which it may have been sent: later than :attr:`sent_at` only for what was restored from a
    backup."""

    @property
    def tokens(self) -> frozenset[str]:
        """What the create carried that an upstream might keep: the request's id and the idempotency key."""
        return frozenset({self.attempt_id, f"{self.job_id}-{self.number}"})


@dataclass(frozen=True, slots=True)
class Seen:
    """What an upstream's list had."""

    rows: tuple[Listed, ...]
    """Newest first."""
    linked: frozenset[ExternalId] = frozenset()
    """Ids among them that belong to creates whose answer we have."""
    since: float = NEVER
    """Every video made since this moment, on the upstream's clock, is among the rows; infinite when that is not
    known of any."""
    skew: float | None = None
    """Seconds by which the upstream's clock is ahead of ours; None when it does not tell."""


class Kind(StrEnum):
    FOUND = "found"
    ABSENT = "absent"
    """The list is complete, and has nothing that could be it."""
    AMBIGUOUS = "ambiguous"
    """It may be there, but whose a video is cannot be told."""
    NOT_SEEN = "not_seen"
    """It was not recognised, and that proves nothing."""


@dataclass(frozen=True, slots=True)
class Verdict:
    kind: Kind
    external_id: ExternalId | None = None
    candidates: tuple[Listed, ...] = ()
    """Videos that may be it, for a person to look at; newest first."""


def next_moment(moments: Sequence[float], age: float, done: float | None) -> float | None:
    """Seconds from now to the next of *moments* in the life of a create; None when the last has passed and was used.

    *age* is that of the create, *done* its age at the latest use of a moment by this process, both in seconds. What
    has become due while nobody was there is one use.
    """
    for moment in moments:
        if done is None or done < moment:
            # A clock that was set back makes nobody wait for longer than the whole of it.
            return min(max(0.0, moment - age), moments[-1])
    return None


def looks(timeout: float) -> tuple[float, ...]:
    """When to look at the list, in seconds after the sending of a create that may take *timeout* seconds.

    A complete list that does not have it at the last of these moments proves something.
    """
    return (*LOOKS[:-1], max(LOOKS[-1], timeout + 2 * LATE))


def begin(sent_at: float, skew: float | None) -> float:
    """The moment, on the upstream's clock, back to which a list must reach to prove that a create is not in it."""
    return float("-inf") if skew is None else sent_at - EARLY + min(0.0, skew)


def judge(creates: Sequence[Unanswered], seen: Seen, timeout: float) -> dict[JobId, Verdict]:
    """What the list says about each doubtful one of *creates*, which are all that have no id.

    *timeout* is how long a create may take, in seconds.
    """
    return _Judge(creates, seen, timeout).verdicts()


class _Fit(Enum):
    CERTAIN = "it carries our own word for the create"
    LIKELY = "all that is told is the same"
    POSSIBLE = "too little is told, or something may have been renamed"
    IMPOSSIBLE = "it is another video"


@dataclass(frozen=True, slots=True)
class _Told:
    """What is told of a video, in one notation; None where nothing is."""

    prompt: str | None
    model: str | None
    seconds: float | None
    size: tuple[int, int] | None

    @classmethod
    def of(cls, prompt: str | None, model: str | None, seconds: str | None, size: str | None) -> _Told:
        return cls(_words(prompt), _word(model), _number(seconds), _sides(size))


@dataclass(slots=True)
class _Group:
    """Creates and the rows that may be theirs, by number; no row may belong to creates of two groups."""

    creates: list[int]
    rows: set[int]


class _Judge:
    def __init__(self, creates: Sequence[Unanswered], seen: Seen, timeout: float) -> None:
        self._seen = seen
        self._timeout = timeout
        # Oldest first, both. A list tells whole seconds: its own order decides between equal ones.
        rows = {row.external_id: row for row in seen.rows if row.external_id not in seen.linked}
        self._rows = [row for row in reversed(rows.values()) if self._anybodys(row, creates)]
        self._rows.sort(key=lambda row: row.created_at or 0.0)
        self._creates = sorted(creates, key=lambda each: (each.sent_at, each.number))
        told = [_Told.of(row.prompt, row.model, row.seconds, row.size) for row in self._rows]
        self._matching: list[set[int]] = []
        self._possible: list[list[int]] = []
        for create in self._creates:
            wanted = _Told.of(create.prompt, create.model, str(create.seconds), create.size)
            fits = [self._fit(create, wanted, row, told[number]) for number, row in enumerate(self._rows)]
            best = _Fit.CERTAIN if _Fit.CERTAIN in fits else _Fit.LIKELY
            self._matching.append({number for number, fit in enumerate(fits) if fit is best})
            self._possible.append([number for number, fit in enumerate(fits) if fit is _Fit.POSSIBLE])

    def verdicts(self) -> dict[JobId, Verdict]:
        return {
            self._creates[number].job_id: verdict
            for group in self._groups()
            for number, verdict in self._of_group(group).items()
            if self._creates[number].standing is Standing.DOUBTFUL
        }

    # --- one create, one row -----------------------------------------------------------------------

    def _fit(self, create: Unanswered, wanted: _Told, row: Listed, told: _Told) -> _Fit:
        if row.token:
            return _Fit.CERTAIN if row.token in create.tokens else _Fit.IMPOSSIBLE
        in_time = self._in_time(create, row)
        if in_time is False or told.prompt not in (None, wanted.prompt):
            return _Fit.IMPOSSIBLE
        same_order = told.seconds in (None, wanted.seconds) and told.size in (None, wanted.size)
        if not same_order and told.prompt is None:
            return _Fit.IMPOSSIBLE
        # Servers rename models and round durations: where that is all that differs, it may still be ours.
        same = same_order and told.model in (None, wanted.model)
        enough = told.prompt is not None or (told.seconds is not None and told.size is not None)
        return _Fit.LIKELY if in_time and same and enough else _Fit.POSSIBLE

    def _anybodys(self, row: Listed, creates: Sequence[Unanswered]) -> bool:
        """Whether it was made within the time of any create: most of a long list was not."""
        return bool(row.token) or any(self._in_time(create, row) is not False for create in creates)

    def _in_time(self, create: Unanswered, row: Listed) -> bool | None:
        """Whether it was made within the create's time; None when its moment, or its clock, is not sure."""
        if row.created_at is None:
            return None
        skew = self._seen.skew
        earliest = create.sent_at - EARLY
        latest = max(create.sent_at, create.sent_by) + self._timeout + LATE
        if earliest <= row.created_at - (skew or 0.0) <= latest:
            return True
        if skew is None or earliest + min(0.0, skew) <= row.created_at <= latest + max(0.0, skew):
            return None
        return False

    # --- those that compete for the same rows --------------------------------------------------------

    def _groups(self) -> list[_Group]:
        groups: list[_Group] = []
        for number, rows in enumerate(self._matching):
            group = _Group([number], set(rows))
            for other in [each for each in groups if each.rows & group.rows]:
                groups.remove(other)
                group = _Group(other.creates + group.creates, other.rows | group.rows)
            groups.append(group)
        return groups

    def _of_group(self, group: _Group) -> Mapping[int, Verdict]:
        if not group.rows:
            return {number: self._without(number) for number in group.creates}
        pairs = self._pairs(sorted(group.creates), sorted(group.rows))
        if pairs is None:
            ambiguous = Verdict(Kind.AMBIGUOUS, None, self._shown(group.rows))
            return dict.fromkeys(group.creates, ambiguous)
        return {
            number: Verdict(Kind.FOUND, self._rows[row].external_id, self._shown([row]))
            for number, row in pairs
        }

    def _pairs(self, creates: list[int], rows: list[int]) -> list[tuple[int, int]] | None:
        """Which row is whose, or None when that cannot be told."""
        those = [self._creates[number] for number in creates]
        if any(create.standing is Standing.UNDER_WAY for create in those) or self._strangers(those, rows):
            # The answer of one under way will say which video is its own.
            return None
        if len(rows) == 1 and len({create.job_id for create in those}) == 1:
            # Whichever attempt of the job it was.
            return [(number, rows[0]) for number in creates]
        alike = {
            (each.owner, each.prompt, each.model, each.seconds, each.size, each.made_from) for each in those
        }
        if len(creates) != len(rows) or len(alike) != 1:
            return None
        pairs = list(zip(creates, rows, strict=True))
        return pairs if all(row in self._matching[number] for number, row in pairs) else None

    def _strangers(self, creates: list[Unanswered], rows: list[int]) -> bool:
        """Whether one of the rows might, if something was renamed or misdated, be another person's."""
        owners = {create.owner for create in creates}
        return any(
            other.owner not in owners and set(rows) & set(self._possible[number])
            for number, other in enumerate(self._creates)
        )

    def _without(self, number: int) -> Verdict:
        possible = self._possible[number]
        complete = self._seen.since <= begin(self._creates[number].sent_at, self._seen.skew)
        kind = Kind.ABSENT if complete and not possible else Kind.NOT_SEEN
        return Verdict(kind, None, self._shown(possible))

    def _shown(self, rows: Iterable[int]) -> tuple[Listed, ...]:
        return tuple(self._rows[number] for number in sorted(rows, reverse=True)[:MAX_CANDIDATES])


def covered_since(pages: Iterable[Sequence[Listed]]) -> float:
    """The moment since which pages of a list that goes on are complete: that of their oldest row.

    Infinite when they are not newest first, or do not tell when their rows were made.
    """
    latest = NEVER
    for page in pages:
        for row in page:
            if row.created_at is None or row.created_at > latest:
                return NEVER
            latest = row.created_at
    return latest


# --- what is told in many ways ---------------------------------------------------------------------------


def _words(text: str | None) -> str | None:
    return " ".join(text.split()) or None if text else None


def _word(text: str | None) -> str | None:
    return text.strip().casefold() or None if text else None


def _number(text: str | None) -> float | None:
    match = re.fullmatch(r"\s*([0-9]{1,6}(?:\.[0-9]{1,6})?)\s*s?\s*", text or "")
    return float(match[1]) if match else None


def _sides(text: str | None) -> tuple[int, int] | None:
    match = re.fullmatch(r"\s*([0-9]{1,5})\s*[xX×*]\s*([0-9]{1,5})\s*", text or "")
    return (int(match[1]), int(match[2])) if match else None
