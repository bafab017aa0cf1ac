"""What an alert says, in English and in Chinese. Names of upstreams and numbers are all that it tells: messages go to
services of others, and a prompt or an address is nobody's there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sora_gateway.core.alerts import AlertKind, Message, Note, Phase, Trouble

NAME = "sora-gateway"
"""In every message: Feishu and DingTalk can be told to take only those with a keyword."""


@dataclass(frozen=True, slots=True)
class Text:
    """A message in words. *urgent* is whether it says something that is newly wrong."""

    title: str
    lines: tuple[str, ...]
    urgent: bool = False

    @property
    def whole(self) -> str:
        return "\n".join((self.title, *self.lines))


@dataclass(frozen=True, slots=True)
class _Language:
    wrong: Mapping[tuple[AlertKind, str], str]
    """By kind and cause; the empty cause is any other."""
    over: Mapping[tuple[AlertKind, str], str]
    phases: Mapping[Phase, str]
    titles: tuple[str, str, str]
    """Something is newly wrong; is still wrong; is over."""
    since: str
    more: str
    silent: str
    test: str
    testing: str


_EN = _Language(
    wrong={
        (AlertKind.UPSTREAM, "silent"): "Upstream {subject} does not answer. Its videos wait; it is tried again by itself.",
        (AlertKind.UPSTREAM, "refused"): "Upstream {subject} refuses our account: look at its key and its balance. Its videos wait.",
        (AlertKind.UPSTREAM, "switched_off"): "Upstream {subject} is switched off by an administrator. Its videos wait.",
        (AlertKind.SPEND_CAP, ""): "Upstream {subject} has reached its spend cap of 24 hours. Its videos wait.",
        (AlertKind.UNKNOWN, ""): "Videos that upstream {subject} may have accepted, nobody knows: {count}. Decide with: sora-gateway unknown list",
        (AlertKind.DISPUTE, ""): "Failed videos whose credits somebody has to decide on: {count}.",
        (AlertKind.STORAGE, "disk"): "The disk has less free space than media.min_free_disk. No new videos are taken.",
        (AlertKind.STORAGE, "room"): "The disk has less free space than retention.free_below, and as many videos were removed in a day as may be; look whether something else fills it.",
        (AlertKind.STORAGE, "database"): "The database cannot be read or written. Look at the log and at the disk.",
        (AlertKind.WEBHOOKS, "disabled"): "Webhooks that were disabled in the last day because they kept failing: {count}.",
        (AlertKind.WEBHOOKS, "failing"): "Webhooks that have failed for more than an hour: {count}.",
        (AlertKind.WEBHOOKS, "waiting"): "Webhook messages that should have been sent long ago: {count}.",
        (AlertKind.BACKUP, ""): "The latest backup is older than it should be. Look at the log and at backup.directory.",
    },
    over={
        (AlertKind.UPSTREAM, ""): "Upstream {subject} is not paused any more.",
        (AlertKind.SPEND_CAP, ""): "Upstream {subject} is below its spend cap again.",
        (AlertKind.UNKNOWN, ""): "No video of upstream {subject} is in doubt any more.",
        (AlertKind.DISPUTE, ""): "No credits wait for a decision any more.",
        (AlertKind.STORAGE, "disk"): "The disk has enough free space again.",
        (AlertKind.STORAGE, "room"): "The disk has the room of retention.free_below again, or videos may be removed for it again.",
        (AlertKind.STORAGE, "database"): "The database can be read and written again.",
        (AlertKind.WEBHOOKS, "disabled"): "No webhook was disabled in the last day.",
        (AlertKind.WEBHOOKS, "failing"): "No webhook has been failing for long any more.",
        (AlertKind.WEBHOOKS, "waiting"): "Webhook messages are sent in time again.",
        (AlertKind.BACKUP, ""): "There is a recent backup again.",
    },
    phases={Phase.RAISED: "New", Phase.WORSE: "Worse", Phase.STILL: "Still", Phase.RESOLVED: "Over"},
    titles=("needs attention", "still needs attention", "all right again"),
    since=" (since {moment} UTC)",
    more="And {number} more, in the next message.",
    silent="That is much for an hour: nothing more is said before {moment} UTC.",
    test="test",
    testing="This is a test: alerts arrive here.",
)  # fmt: skip

_ZH = _Language(
    wrong={
        (AlertKind.UPSTREAM, "silent"): "上游 {subject} 没有应答。其视频在等待，网关会自动重试。",
        (AlertKind.UPSTREAM, "refused"): "上游 {subject} 拒绝了我们的账户：请检查密钥和余额。其视频在等待。",
        (AlertKind.UPSTREAM, "switched_off"): "上游 {subject} 已被管理员停用。其视频在等待。",
        (AlertKind.SPEND_CAP, ""): "上游 {subject} 已达到 24 小时花费上限。其视频在等待。",
        (AlertKind.UNKNOWN, ""): "上游 {subject} 有 {count} 个视频不知是否已被接受。请用以下命令决定：sora-gateway unknown list",
        (AlertKind.DISPUTE, ""): "有 {count} 个失败视频的积分等待人工决定。",
        (AlertKind.STORAGE, "disk"): "磁盘剩余空间低于 media.min_free_disk。不再接受新视频。",
        (AlertKind.STORAGE, "room"): "磁盘剩余空间低于 retention.free_below，且一天内可删除的视频已达上限；请检查是否有其他程序在占用磁盘。",
        (AlertKind.STORAGE, "database"): "数据库无法读写。请检查日志和磁盘。",
        (AlertKind.WEBHOOKS, "disabled"): "最近一天有 {count} 个 webhook 因持续失败被停用。",
        (AlertKind.WEBHOOKS, "failing"): "有 {count} 个 webhook 已失败超过一小时。",
        (AlertKind.WEBHOOKS, "waiting"): "有 {count} 条 webhook 消息早该发出却仍在等待。",
        (AlertKind.BACKUP, ""): "最近一次备份已过期。请检查日志和 backup.directory。",
    },
    over={
        (AlertKind.UPSTREAM, ""): "上游 {subject} 不再暂停。",
        (AlertKind.SPEND_CAP, ""): "上游 {subject} 的花费已回到上限以下。",
        (AlertKind.UNKNOWN, ""): "上游 {subject} 不再有结果不明的视频。",
        (AlertKind.DISPUTE, ""): "不再有等待决定的积分。",
        (AlertKind.STORAGE, "disk"): "磁盘剩余空间已恢复。",
        (AlertKind.STORAGE, "room"): "磁盘剩余空间已恢复到 retention.free_below，或又可以删除视频以腾出空间。",
        (AlertKind.STORAGE, "database"): "数据库已恢复读写。",
        (AlertKind.WEBHOOKS, "disabled"): "最近一天没有 webhook 被停用。",
        (AlertKind.WEBHOOKS, "failing"): "不再有长时间失败的 webhook。",
        (AlertKind.WEBHOOKS, "waiting"): "webhook 消息已恢复按时发送。",
        (AlertKind.BACKUP, ""): "已有新的备份。",
    },
    phases={Phase.RAISED: "新告警", Phase.WORSE: "加重", Phase.STILL: "仍未解决", Phase.RESOLVED: "已恢复"},
    titles=("需要处理", "仍需处理", "已恢复"),
    since="（自 {moment} UTC 起）",
    more="另有 {number} 条，见下一条消息。",
    silent="一小时内消息过多：{moment} UTC 之前不再发送。",
    test="测试",
    testing="这是一条测试消息：告警会发到这里。",
)  # fmt: skip

_LANGUAGES = {"en": _EN, "zh": _ZH}


def text_of(message: Message, language: str, gateway: str) -> Text:
    """*message* in words; *gateway* says which one speaks, where there are several."""
    words = _LANGUAGES[language]
    phases = {note.phase for note in message.notes}
    urgent = bool(phases & {Phase.RAISED, Phase.WORSE})
    title = words.titles[0 if urgent else 1 if Phase.STILL in phases else 2]
    lines = [f"{words.phases[note.phase]}: {_said(note, words)}" for note in message.notes]
    if message.more:
        lines.append(words.more.format(number=message.more))
    if message.silent_until is not None:
        lines.append(words.silent.format(moment=_moment(message.silent_until)))
    return Text(_title(gateway, title), tuple(lines), urgent)


def trial_text(language: str, gateway: str) -> Text:
    words = _LANGUAGES[language]
    return Text(_title(gateway, words.test), (words.testing,))


def sentence(trouble: Trouble, *, over: bool = False, language: str = "en") -> str:
    """What is the matter, or is not any more."""
    words = _LANGUAGES[language]
    table = words.over if over else words.wrong
    text = table.get((trouble.kind, trouble.cause)) or table[trouble.kind, ""]
    return text.format(subject=trouble.subject, count=trouble.count)


def _said(note: Note, words: _Language) -> str:
    language = "zh" if words is _ZH else "en"
    text = sentence(note.trouble, over=note.phase is Phase.RESOLVED, language=language)
    return text + words.since.format(moment=_moment(note.since))


def _title(gateway: str, title: str) -> str:
    return f"{NAME} {gateway}: {title}" if gateway else f"{NAME}: {title}"


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")
