"""What people read and steer with: all pages under one name.

Knows: which pages there are.
Does not know: what is on them, who may read.
"""

from flask import Blueprint

from webui import (
    domains,
    domains_change,
    domains_list,
    message,
    overview,
    queue,
    report,
    settings_alerts,
    settings_own,
    settings_second,
    settings_tokens,
    settings_users,
    tracking,
)
from webui.control import Questions
from webui.login import Access


def blueprint(questions: Questions, access: Access) -> Blueprint:
    """The pages."""
    pages = Blueprint("pages", __name__)
    for page in (overview, queue, message, domains, domains_change, domains_list, tracking, report):
        page.install(pages, questions)
    for room in (settings_own, settings_second, settings_users, settings_tokens, settings_alerts):
        room.install(pages, access)
    return pages
