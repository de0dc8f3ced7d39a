"""Settings: one's own account, and for admins users, tokens and alerts; one file for each page, and what they share.

Knows: forms, and what is said of what came of them.
Does not know: where accounts are kept, who may do what.
"""
