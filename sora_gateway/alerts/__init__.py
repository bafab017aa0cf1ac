"""Operator alerts: Slack, Feishu, DingTalk, ntfy or any other program is told when the gateway needs somebody."""
