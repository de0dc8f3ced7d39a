"""The command line: one module for each command group; parses, asks control, prints.

Knows: control's words, terminals.
Does not know: the rooms behind control.
"""
