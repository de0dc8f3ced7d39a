"""The protected domains: all at a glance and each on its sheet, its settings, its recipients, its records in DNS.

Knows: what an admin wants to see of a domain, and the forms that change it.
Does not know: how the configuration file is changed, how names are looked up.
"""
