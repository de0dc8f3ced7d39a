"""A new machine being set up in a browser: the one-time code, a few questions, what the network says to the answers.

Knows: the steps, and that there is nothing else to see before the last of them.
Does not know: what makes a machine somebody's, how names and ports are looked at.
"""
