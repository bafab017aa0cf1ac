"""Backups: made while the gateway runs, checked, kept in number, and put back without paying anything twice."""
