"""Backup MX: the secondary mail server that holds mail safely and gives it back."""

__version__ = "0.1.0"
