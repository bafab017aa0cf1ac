"""What a video costs in credits: integers, by rules whose first match counts. Nothing is ever rounded."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import astuple, dataclass

ANY = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """Credits for videos of *model* and *size*; an empty one fits any."""

    per_video: int = 0
    per_second: int = 0
    model: str = ANY
    size: str = ANY

    def fits(self, model: str, size: str) -> bool:
        return self.model in (ANY, model) and self.size in (ANY, size)

    def price(self, seconds: int) -> int:
        return self.per_video + self.per_second * seconds


@dataclass(frozen=True, slots=True)
class Quote:
    """What one video costs: *credits*, of which *per_video* once and *per_second* for each of its seconds.

    *version* names the price list, which is frozen in the hold together with the price.
    """

    credits: int
    per_video: int
    per_second: int
    version: str


class PriceList:
    """*rules* are asked in their order, then *base*, which fits everything. Without *enabled* everything is free."""

    def __init__(self, base: Rule, rules: Sequence[Rule] = (), *, enabled: bool = True) -> None:
        self._rules = (*rules, Rule(base.per_video, base.per_second)) if enabled else (Rule(),)
        said = repr([astuple(rule) for rule in self._rules])
        self.version = hashlib.sha256(said.encode()).hexdigest()[:12]

    def quote(self, model: str, size: str, seconds: int) -> Quote:
        """What a video of so many *seconds* costs."""
        rule = next(rule for rule in self._rules if rule.fits(model, size))
        return Quote(rule.price(seconds), rule.per_video, rule.per_second, self.version)
