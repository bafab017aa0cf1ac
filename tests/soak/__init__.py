"""``make soak``: a gateway under steady load that is killed again and again, and what it comes to in the end.

``python -m tests.soak --seconds 300 --seed 1``. The gateway, its upstream and the receiver of its webhooks are as far
apart as for an operator; everything that people were told is written down, and held against the database, the files and
the upstream's own count when all is over (:mod:`tests.soak.verdict`).
"""
