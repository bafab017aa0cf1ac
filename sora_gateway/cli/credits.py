"""``credits``, ``plan`` and ``code``: they work while the gateway runs and while it does not."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any

from sora_gateway.cli.operate import operate
from sora_gateway.cli.options import Commands, Run, add_command, add_group, add_settings, number, settings_of
from sora_gateway.cli.terminal import print_table

MOST = 10**9
MOST_CODES = 100
MOST_DAYS = 3650
_AMOUNT = number(int, 1, MOST)


def register(commands: Commands) -> None:
    _register_credits(add_group(commands, "credits", "the books"))
    _register_plans(add_group(commands, "plan", "what people may have made"))
    _register_codes(add_group(commands, "code", "codes that bring credits or a plan"))


def _register_credits(money: Commands) -> None:
    grant = _with_email(money, "grant", "give a person credits", _grant)
    grant.add_argument("amount", metavar="AMOUNT", type=_AMOUNT)
    grant.add_argument("--note", default="", help="what for; the person reads it too")
    adjust = _with_email(money, "adjust", "correct a balance", _adjust)
    adjust.add_argument(
        "amount", metavar="AMOUNT", type=number(int, -MOST, MOST), help="less than zero takes away"
    )
    adjust.add_argument("--note", required=True, help="why; the person reads it too")
    _with_email(money, "show", "show a person's balance, plan and latest entries", _show)
    add_settings(add_command(money, "check", "check that the books balance", _check))
    add_settings(add_command(money, "disputes", "show failed videos whose credits are still held", _disputes))
    for name, summary, run in (
        ("settle", "take the credits of a disputed video", _settle),
        ("release", "give the credits of a disputed video back", _release),
    ):
        decision = add_command(money, name, summary, run)
        decision.add_argument("job", metavar="ID", help="the video's id, as in `credits disputes`")
        add_settings(decision)


def _register_plans(plans: Commands) -> None:
    add_settings(add_command(plans, "list", "show the plans", _plan_list))
    give = _with_email(plans, "set", "put a person on a plan", _plan_set)
    give.add_argument("plan", metavar="PLAN", help="its name; `default` is everybody's who has no other")
    give.add_argument(
        "--until", metavar="MOMENT", help="when the default plan follows, as 2026-12-31T00:00:00Z"
    )


def _register_codes(codes: Commands) -> None:
    create = add_command(codes, "create", "make codes and print them, this once", _code_create)
    create.add_argument("--count", type=number(int, 1, MOST_CODES), default=1, help="so many codes (1)")
    create.add_argument("--credits", type=_AMOUNT, default=0, help="what each gives")
    create.add_argument("--plan", help="the plan that each gives")
    create.add_argument(
        "--plan-days", type=number(int, 1, MOST_DAYS), metavar="DAYS", help="for so long; without, for ever"
    )
    create.add_argument("--uses", type=_AMOUNT, default=1, help="by so many different people (1)")
    create.add_argument(
        "--expires", type=number(float, 0.001, MOST_DAYS), metavar="DAYS", help="days until it stops working"
    )
    create.add_argument("--note", default="", help="what they are for")
    add_settings(create)
    add_settings(add_command(codes, "list", "show the codes, not what people type", _code_list))
    revoke = add_command(codes, "revoke", "make a code useless", _code_revoke)
    revoke.add_argument("id", metavar="ID", help="the code's id, as in `code list`")
    add_settings(revoke)


def _with_email(commands: Commands, name: str, summary: str, run: Run) -> argparse.ArgumentParser:
    parser = add_command(commands, name, summary, run)
    parser.add_argument("email", metavar="EMAIL")
    add_settings(parser)
    return parser


def _grant(arguments: argparse.Namespace) -> int:
    return _tell_balance(_moved(arguments, "credits.grant"))


def _adjust(arguments: argparse.Namespace) -> int:
    return _tell_balance(_moved(arguments, "credits.adjust"))


def _moved(arguments: argparse.Namespace, operation: str) -> Any:
    return operate(
        settings_of(arguments),
        operation,
        email=arguments.email,
        amount=arguments.amount,
        note=arguments.note,
    )


def _tell_balance(person: Mapping[str, Any]) -> int:
    print(f"{person['email']} has {person['available']} credits, and {person['held']} held.")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    person = operate(settings_of(arguments), "credits.show", email=arguments.email)
    _tell_balance(person)
    until = f" until {person['until']}" if person["until"] else ""
    used = person["used"]
    print(
        f"Plan {person['plan']}{until}; asked for {used['hour']} videos in the last hour and {used['day']} in the last"
        f" day, {used['credits']} credits."
    )
    print_table(
        (
            entry["at"], entry["kind"], f"{entry['available']:+d}", f"{entry['held']:+d} held",
            entry["job_id"] or "", entry["note"],
        )
        for entry in person["entries"]
    )  # fmt: skip
    return 0


def _check(arguments: argparse.Namespace) -> int:
    complaints: list[str] = operate(settings_of(arguments), "credits.check")["complaints"]
    for complaint in complaints:
        print(complaint)
    if not complaints:
        print("The books balance.")
    return 1 if complaints else 0


def _disputes(arguments: argparse.Namespace) -> int:
    disputes = operate(settings_of(arguments), "credits.disputes")
    print_table(
        (
            each["id"], each["email"], f"{each['credits']} credits", each["model"], each["upstream"],
            each["external_id"] or "", each["error"] or "", f"ended {each['ended_at']}",
        )
        for each in disputes
    )  # fmt: skip
    if not disputes:
        # Not on standard output: what reads that counts lines.
        print("Nothing waits for a decision.", file=sys.stderr)
    return 0


def _settle(arguments: argparse.Namespace) -> int:
    return _decide(arguments, "credits.settle")


def _release(arguments: argparse.Namespace) -> int:
    return _decide(arguments, "credits.release")


def _decide(arguments: argparse.Namespace, operation: str) -> int:
    done = operate(settings_of(arguments), operation, job_id=arguments.job)
    print(f"The {done['credits']} credits of {done['id']} are {done['charge']}.")
    return 0


def _plan_list(arguments: argparse.Namespace) -> int:
    print_table(
        (
            plan["name"],
            "makes videos" if plan["may_generate"] else "makes none",
            f"{plan['monthly_credits']} credits a month",
            f"{_limit(plan['concurrency'])} at once",
            f"{_limit(plan['per_hour'])} an hour",
            f"{_limit(plan['per_day'])} a day",
            f"{_limit(plan['daily_credits'])} credits a day",
            plan["priority"],
            f"files kept for {plan['keep_days']} days" if plan["keep_days"] else "",
            f"{plan['people']} people",
        )
        for plan in operate(settings_of(arguments), "plan.list")
    )
    return 0


def _limit(value: int) -> str:
    return str(value) if value else "any"


def _plan_set(arguments: argparse.Namespace) -> int:
    person = operate(
        settings_of(arguments),
        "plan.set",
        email=arguments.email,
        plan=arguments.plan,
        until=arguments.until,
    )
    until = f" until {person['until']}" if person["until"] else ""
    print(f"{person['email']} has the plan {person['plan']}{until}.")
    return 0


def _code_create(arguments: argparse.Namespace) -> int:
    made = operate(
        settings_of(arguments),
        "code.create",
        count=arguments.count,
        credits=arguments.credits,
        plan=arguments.plan,
        plan_days=arguments.plan_days,
        uses=arguments.uses,
        expires_in=None if arguments.expires is None else arguments.expires * 86400,
        note=arguments.note,
    )
    for code in made:
        print(code["code"])
    return 0


def _code_list(arguments: argparse.Namespace) -> int:
    codes = operate(settings_of(arguments), "code.list")
    print_table(
        (
            code["id"], f"{code['prefix']}...", f"{code['credits']} credits", _plan_of(code),
            f"{code['uses_left']} uses left", f"expires {code['expires_at']}" if code["expires_at"] else "",
            f"revoked {code['revoked_at']}" if code["revoked_at"] else "", code["note"],
        )
        for code in codes
    )  # fmt: skip
    if not codes:
        print("There are no codes.", file=sys.stderr)
    return 0


def _plan_of(code: Mapping[str, Any]) -> str:
    if not code["plan"]:
        return ""
    return f"plan {code['plan']}" + (f" for {code['plan_days']} days" if code["plan_days"] else "")


def _code_revoke(arguments: argparse.Namespace) -> int:
    operate(settings_of(arguments), "code.revoke", code_id=arguments.id)
    print(f"{arguments.id} is revoked.")
    return 0
