"""`backupmx demo`: a stand-in primary, the real `serve` and `web`, and a live view that tells the story.

Knows: the command line, the control socket, SMTP as any client speaks it.
Does not know: the rooms of the server that it shows.
"""
