"""Faults on demand: ``[[fault:NAME]]`` or ``[[fault:NAME=VALUE]]`` in a prompt, several allowed.

Pure: text in, a mapping out. What each fault does is in :data:`FAULTS`, which is its documentation too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType


class Value(Enum):
    """What may follow the equals sign."""

    NONE = "no value"
    OPTIONAL = "an optional number"
    NUMBER = "a number"
    WORD = "an optional word"


@dataclass(frozen=True, slots=True)
class Fault:
    value: Value
    effect: str


FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        # Creates. Refusals come before anything is paid for, unless they say otherwise.
        "create_400": Fault(Value.NONE, "refused as invalid"),
        "create_401": Fault(Value.OPTIONAL, "the first N creates of this prompt (all) find the key invalid"),
        "create_402": Fault(
            Value.OPTIONAL, "the first N creates of this prompt (all) find the account empty"
        ),
        "create_429": Fault(Value.NUMBER, "the first create is refused with Retry-After: N seconds"),
        "create_503": Fault(Value.OPTIONAL, "with N: the first create, Retry-After: N; without: all, bare"),
        "create_500": Fault(Value.WORD, "answers 500; with =committed, after the job was taken"),
        "create_502_html": Fault(Value.WORD, "answers 502 in HTML; with =committed, after the job was taken"),
        "moderation": Fault(Value.NONE, "refused by moderation"),
        "create_drop_before": Fault(Value.NONE, "the connection breaks before the job is taken"),
        "create_drop": Fault(Value.NONE, "the job is taken, then the connection breaks without an answer"),
        "create_half": Fault(Value.NONE, "the job is taken, then the connection breaks in mid-answer"),
        "create_empty": Fault(Value.NONE, "the job is taken, the answer is 200 and empty"),
        "create_no_id": Fault(Value.NONE, "the job is taken, the answer has no id"),
        "create_hang": Fault(Value.NUMBER, "the job is taken, the answer comes after N seconds"),
        "once": Fault(Value.NONE, "the faults above meet only the first create of this prompt"),
        # The job.
        "duration": Fault(Value.NUMBER, "takes exactly N seconds"),
        "fail": Fault(Value.WORD, "fails at the end with this code (moderation_blocked)"),
        "never": Fault(Value.NONE, "never ends"),
        "amnesia": Fault(Value.NONE, "accepted, then unknown to every read"),
        "stuck": Fault(Value.NUMBER, "progress never passes N percent"),
        "backwards": Fault(Value.NONE, "progress falls back once, past the middle"),
        "no_progress": Fault(Value.NONE, "progress is null"),
        "poll_500": Fault(Value.OPTIONAL, "the first N reads of the job (all) answer 500"),
        # The file (variant video).
        "content_404": Fault(Value.NUMBER, "the first N requests for the file answer 404"),
        "content_drop": Fault(Value.OPTIONAL, "the first N (all) break at 60 % of the declared length"),
        "truncate": Fault(Value.OPTIONAL, "the first N (all) end in good order at 60 %, without a length"),
        "wrong_type": Fault(Value.OPTIONAL, "the first N (all) are an HTML page with status 200"),
    }
)

_DIRECTIVE = re.compile(r"\[\[fault:([a-z0-9_]+)(?:=([^\]\s]{1,64}))?\]\]")
_WORD = re.compile(r"[a-z0-9_]+")

FaultValue = float | str | None
Faults = Mapping[str, FaultValue]
NO_FAULTS: Faults = MappingProxyType({})


def parse_faults(prompt: str) -> dict[str, FaultValue]:
    """The directives in *prompt*: name -> number, word or None. The last one of a name counts.

    Raises:
        ValueError: a fault is unknown or its value is of the wrong kind; the text is one sentence for people.
    """
    return {name: _value(name, value) for name, value in _DIRECTIVE.findall(prompt)}


def without_directives(prompt: str) -> str:
    """What is left for people to see."""
    return " ".join(_DIRECTIVE.sub(" ", prompt).split())


def applies(faults: Faults, name: str, earlier: int) -> bool:
    """Whether fault *name* meets a request that *earlier* ones like it came before.

    A number on a counted fault is how many it meets; without one it meets all.
    """
    if name not in faults:
        return False
    count = faults[name]
    return not isinstance(count, float) or earlier < count


def _value(name: str, text: str) -> FaultValue:
    fault = FAULTS.get(name)
    if fault is None:
        raise ValueError(f"There is no fault called {name}; there are {', '.join(FAULTS)}.")
    if not text:
        if fault.value is Value.NUMBER:
            raise ValueError(f"The fault {name} needs a number: [[fault:{name}=3]].")
        return None
    if fault.value is Value.WORD and _WORD.fullmatch(text):
        return text
    if fault.value in (Value.NUMBER, Value.OPTIONAL) and re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text):
        return float(text)
    raise ValueError(f"The fault {name} takes {fault.value.value}, not {text!r}.")
