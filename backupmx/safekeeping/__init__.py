"""Keeps a whole instance in one file, and brings it back: configuration, recipients, users, with or without the mail.

Knows: what belongs to an instance, how it is sealed for a key, what must be right before it is put in place.
Does not know: the form of the stream (`spool`), who asks, and what is told to them.
"""
