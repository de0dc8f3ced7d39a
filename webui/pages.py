"""What people read and steer with: all pages under one name.

Knows: which pages there are.
Does not know: what is on them, who may read.
"""

from flask import Blueprint

from webui import message, overview, queue, report, tracking
from webui.control import Questions


def blueprint(questions: Questions) -> Blueprint:
    """The pages."""
    pages = Blueprint("pages", __name__)
    for page in (overview, queue, message, tracking, report):
        page.install(pages, questions)
    return pages
