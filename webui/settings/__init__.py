"""Settings: one's own account, and for admins users, tokens and alerts; one file for each page, and what they share."""
