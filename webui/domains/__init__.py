"""The protected domains: all at a glance and each on its sheet, its settings, its recipients, its records in DNS."""
