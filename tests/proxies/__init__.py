"""The shipped configurations of nginx, Caddy and HAProxy, each with the real program in front of a real gateway.

``make test-proxies``; the programs come from Debian (``apt-get install nginx-light caddy haproxy``).
"""
