"""A new machine is set up: a one-time code, a few answers, and from then on it is somebody's.

Knows: what is asked, what makes a machine somebody's, and in which order that is written.
Does not know: HTML, terminals, how mail is taken and given back.
"""
