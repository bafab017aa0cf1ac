"""``[credits]``, ``[pricing]``, ``[plans.NAME]`` and ``[limits]``: what videos cost people, and how much they may ask for."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sora_gateway.section import Section, Size

MOST = 1_000_000_000_000
"""Credits that somebody gets at once; the database counts to nine million times as many."""


class Credits(Section):
    enabled: bool = Field(
        default=False, description="Whether credits stop anybody; without it every price is 0."
    )
    starting_balance: int = Field(default=0, ge=0, le=MOST, description="Credits that a new person gets.")
    on_cancel: Literal["settle", "release"] = Field(
        default="settle",
        description="A job cancelled after the upstream took it, with no word that it stopped: settle or release.",
    )


class PricingRule(Section):
    model: str = Field(default="", description="The model that it is for; empty: any.")
    size: Size | Literal[""] = Field(default="", description="The size that it is for; empty: any.")
    per_video: int = Field(default=0, ge=0, description="Credits for every such video.")
    per_second: int = Field(default=0, ge=0, description="Credits for every second of it.")


class Pricing(Section):
    per_video: int = Field(default=0, ge=0, description="Credits for every video.")
    per_second: int = Field(default=0, ge=0, description="Credits for every second of it.")
    rules: tuple[PricingRule, ...] = Field(
        default=(),
        description="Other prices for some models and sizes ([[pricing.rules]]); the first that fits counts.",
    )


class Plan(Section):
    may_generate: bool = Field(default=True, description="Whether people on it may have videos made.")
    monthly_credits: int = Field(
        default=0, ge=0, le=MOST, description="Credits that each of them gets every month."
    )
    concurrency: int = Field(
        default=0,
        ge=0,
        description="Videos of one person in the making at once; others wait; 0 is unlimited.",
    )
    per_hour: int = Field(
        default=0, ge=0, description="Videos that one person may ask for in an hour; 0 is unlimited."
    )
    per_day: int = Field(default=0, ge=0, description="The same for a day; 0 is unlimited.")
    daily_credits: int = Field(
        default=0, ge=0, description="Credits that one person may spend in any 24 hours; 0 is unlimited."
    )
    priority: Literal["vip", "normal", "batch"] = Field(
        default="normal", description="Whose turn it is first: vip, normal or batch."
    )
    keep_days: int = Field(
        default=0,
        ge=0,
        le=36_500,
        description="Days for which the files of their videos are kept; 0: as retention.keep_days says.",
    )


class Limits(Section):
    per_person: int = Field(
        default=1200,
        ge=0,
        description="Requests of one person in a minute, by all their keys; 0 is unlimited.",
    )
    per_key: int = Field(
        default=1200, ge=0, description="Requests with one API key in a minute; 0 is unlimited."
    )
    per_address: int = Field(
        default=300,
        ge=0,
        description="Requests from one address by who is not signed in, in a minute; 0 is unlimited.",
    )
    creates_per_person: int = Field(
        default=120,
        ge=0,
        description="Requests of one person in a minute that may cost something; 0 is unlimited.",
    )
    batch: int = Field(default=100, ge=0, description="Videos in one batch; 0 is unlimited.")
    templates: int = Field(default=200, ge=0, description="Saved templates of one person; 0 is unlimited.")
