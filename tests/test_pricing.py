"""What a video costs, and the name of the list that says so."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sora_gateway.core.pricing import PriceList, Rule

BASE = Rule(per_video=2, per_second=1)


def test_the_first_rule_that_fits_counts_and_the_base_price_else() -> None:
    prices = PriceList(
        BASE,
        (
            Rule(model="sora-2-pro", size="1792x1024", per_second=9),
            Rule(model="sora-2-pro", per_second=5),
            Rule(size="64x64", per_video=1),
        ),
    )
    assert prices.quote("sora-2-pro", "1792x1024", 4).credits == 36
    assert prices.quote("sora-2-pro", "720x1280", 4).credits == 20
    assert prices.quote("sora-2", "64x64", 4).credits == 1
    assert prices.quote("sora-2", "720x1280", 4).credits == 6


def test_without_credits_everything_is_free() -> None:
    assert PriceList(BASE, (Rule(per_video=5),), enabled=False).quote("sora-2", "720x1280", 4).credits == 0


def test_equal_lists_have_one_name_and_another_price_another_name() -> None:
    one = PriceList(BASE, (Rule(model="a", per_video=1),))
    assert one.version == PriceList(BASE, (Rule(model="a", per_video=1),)).version
    assert one.version != PriceList(BASE, (Rule(model="a", per_video=2),)).version
    assert one.quote("b", "1x1", 1).version == one.version


@given(st.integers(0, 100), st.integers(0, 100), st.integers(1, 60))
def test_a_price_is_its_parts(per_video: int, per_second: int, seconds: int) -> None:
    quote = PriceList(Rule(per_video, per_second)).quote("m", "1x1", seconds)
    assert quote.credits == quote.per_video + quote.per_second * seconds
