"""Ids whose order is that of their making."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.core.ids import time_ordered
from sora_gateway.entropy import SystemEntropy

moments = st.integers(0, 2**47).map(lambda milliseconds: milliseconds / 1000)
randoms = st.text("0123456789abcdef", min_size=32, max_size=32)


@given(moments, moments, randoms, randoms)
def test_a_later_moment_makes_a_greater_id(first: float, second: float, one: str, other: str) -> None:
    earlier, later = sorted((first, second))
    if later - earlier >= 0.002:
        assert time_ordered("video", earlier, one) < time_ordered("video", later, other)


@given(moments, randoms)
def test_an_id_has_a_prefix_and_32_digits(moment: float, random: str) -> None:
    prefix, _, digits = time_ordered("video", moment, random).partition("_")
    assert (prefix, len(digits)) == ("video", 32)
    assert digits.endswith(random[-20:])


def test_ids_of_one_moment_differ() -> None:
    entropy = SystemEntropy()
    assert len({time_ordered("video", 1.8e9, entropy.new_id("video")) for _ in range(1000)}) == 1000
