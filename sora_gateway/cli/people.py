"""``user`` and ``key``: they work while the gateway runs and while it does not."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from sora_gateway.cli.operate import operate
from sora_gateway.cli.options import Commands, Run, add_command, add_group, add_settings, number, settings_of
from sora_gateway.cli.terminal import print_table
from sora_gateway.errors import StartupError

if TYPE_CHECKING:
    from sora_gateway.settings import Settings

ROLES = ("admin", "member", "viewer")
SCOPES = ("account", "admin", "videos:read", "videos:write")
MOST_DAYS = 3650


def register(commands: Commands) -> None:
    users = add_group(commands, "user", "the people who may use the gateway")
    create = _with_email(users, "create", "add a person", _user_create)
    create.add_argument("--role", choices=ROLES, default="member", help="what they may do (member)")
    create.add_argument("--password-stdin", action="store_true", help="read a password from standard input")
    add_settings(add_command(users, "list", "show everybody", _user_list))
    password = _with_email(users, "set-password", "replace a password and end the sessions", _set_password)
    password.add_argument(
        "--password-stdin", action="store_true", required=True, help="read the password from standard input"
    )
    _with_email(users, "disable", "end a person's sessions and keys", _user_disable)
    _with_email(users, "enable", "let a disabled person in again", _user_enable)
    _with_email(users, "link", "print a link that signs a person in once, within an hour", _user_link)
    _with_email(users, "reset", "print a link that sets a new password once, within a day", _user_reset)
    invite = add_command(
        users, "invite", "print a link that makes an account once, within a week", _user_invite
    )
    invite.add_argument("email", metavar="EMAIL", nargs="?", help="the only address that it is good for")
    invite.add_argument("--role", choices=ROLES, default="member", help="what it makes of them (member)")
    add_settings(invite)

    keys = add_group(commands, "key", "keys for programs")
    create = add_command(keys, "create", "make a key and print it, this once", _key_create)
    create.add_argument("--user", metavar="EMAIL", required=True, help="whose key it is")
    create.add_argument("--name", default="command line", help="what it is for")
    create.add_argument(
        "--scope",
        action="append",
        choices=SCOPES,
        help="what it may do; again for more (videos:read videos:write)",
    )
    create.add_argument(
        "--expires", type=number(float, 0.001, MOST_DAYS), metavar="DAYS", help="days until it stops working"
    )
    add_settings(create)
    listing = add_command(keys, "list", "show the keys in use", _key_list)
    listing.add_argument("--user", metavar="EMAIL", help="only this person's")
    add_settings(listing)
    revoke = add_command(keys, "revoke", "make a key useless", _key_revoke)
    revoke.add_argument("id", metavar="ID", help="the key's id, as in `key list`")
    add_settings(revoke)


def _with_email(commands: Commands, name: str, summary: str, run: Run) -> argparse.ArgumentParser:
    parser = add_command(commands, name, summary, run)
    parser.add_argument("email", metavar="EMAIL")
    add_settings(parser)
    return parser


def _password() -> str:
    """The first line of standard input. Not an option: other people on the machine can read those."""
    if sys.stdin.isatty():
        from getpass import getpass

        return getpass("Password: ")
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise StartupError("There is no password on standard input.")
    return password


def _user_create(arguments: argparse.Namespace) -> int:
    password = _password() if arguments.password_stdin else None
    made = operate(
        settings_of(arguments), "user.create", email=arguments.email, role=arguments.role, password=password
    )
    print(f"Added {made['email']} as {made['role']}.")
    return 0


def _user_list(arguments: argparse.Namespace) -> int:
    rows = [
        (
            user["email"], user["role"], f"{user['available']} credits", f"{user['held']} held",
            f"since {user['created_at']}", f"disabled {user['disabled_at']}" if user["disabled_at"] else "",
        )
        for user in operate(settings_of(arguments), "user.list")
    ]  # fmt: skip
    print_table(rows)
    return 0


def _set_password(arguments: argparse.Namespace) -> int:
    operate(settings_of(arguments), "user.set_password", email=arguments.email, password=_password())
    print(f"{arguments.email} has a new password; open sessions are ended.")
    return 0


def _user_disable(arguments: argparse.Namespace) -> int:
    operate(settings_of(arguments), "user.disable", email=arguments.email)
    print(f"{arguments.email} is disabled.")
    return 0


def _user_enable(arguments: argparse.Namespace) -> int:
    operate(settings_of(arguments), "user.enable", email=arguments.email)
    print(f"{arguments.email} is enabled.")
    return 0


def _user_link(arguments: argparse.Namespace) -> int:
    settings = settings_of(arguments)
    return _print_link(settings, "login", operate(settings, "user.link", email=arguments.email))


def _user_reset(arguments: argparse.Namespace) -> int:
    settings = settings_of(arguments)
    return _print_link(settings, "reset", operate(settings, "user.reset", email=arguments.email))


def _user_invite(arguments: argparse.Namespace) -> int:
    settings = settings_of(arguments)
    link = operate(settings, "user.invite", email=arguments.email, role=arguments.role)
    return _print_link(settings, "invite", link)


def _print_link(settings: Settings, kind: str, link: Any) -> int:
    # Without a running gateway the address is the one that it will have.
    server = settings.server
    host = "localhost" if server.host in ("0.0.0.0", "::") else server.host  # noqa: S104 - compared, not bound
    address = link["address"] or server.public_url or f"http://{host}:{server.port}{server.root_path}"
    print(f"{address}/#{kind}={link['token']}")
    return 0


def _key_create(arguments: argparse.Namespace) -> int:
    made = operate(
        settings_of(arguments),
        "key.create",
        email=arguments.user,
        name=arguments.name,
        scopes=arguments.scope,
        expires_in=None if arguments.expires is None else arguments.expires * 86400,
    )
    print(made["key"])
    return 0


def _key_list(arguments: argparse.Namespace) -> int:
    rows = [
        (
            key["id"], key["email"], f"{key['prefix']}...", key["name"],
            f"used {key['last_used_at']}" if key["last_used_at"] else "never used", ", ".join(key["scopes"]),
            f"expires {key['expires_at']}" if key["expires_at"] else "",
        )
        for key in operate(settings_of(arguments), "key.list", email=arguments.user)
    ]  # fmt: skip
    print_table(rows)
    return 0


def _key_revoke(arguments: argparse.Namespace) -> int:
    operate(settings_of(arguments), "key.revoke", key_id=arguments.id)
    print(f"{arguments.id} is revoked.")
    return 0
