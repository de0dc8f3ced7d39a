"""What people read and steer with: all pages under one name.

Knows: which pages there are.
Does not know: what is on them, who may read.
"""

from flask import Blueprint

from webui import message, overview, queue, report, tracking
from webui.control import Questions
from webui.domains import change, roster, sheet
from webui.login import Access
from webui.settings import alerts, backup, own, second, tokens, users


def blueprint(questions: Questions, access: Access) -> Blueprint:
    """The pages."""
    pages = Blueprint("pages", __name__)
    for page in (overview, queue, message, sheet, change, roster, tracking, report):
        page.install(pages, questions)
    for page in (own, second, users, tokens, alerts, backup):
        page.install(pages, access)
    return pages
