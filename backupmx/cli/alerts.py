"""`backupmx alerts`: what is wrong now, whether messages about it arrive, and a time without any."""

import sys
from datetime import UTC, datetime, timedelta

import rich_click as click

from backupmx.cli.options import asker, config_option, json_option, server
from backupmx.cli.selection import parsed
from backupmx.cli.terminal import Column, say, show, show_json, show_table
from backupmx.control.answers import AlertsAnswer, AnyAnswer, Done, TestedAnswer
from backupmx.control.requests import GetAlerts, MuteAlerts, TestAlerts
from backupmx.core import notation, words

COLUMNS = (Column("WHAT"), Column("WHOSE"), Column("FOR"), Column("TOLD"), Column("SAID", whole=False))
MOMENTS = ("%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d", "%H:%M")


@click.group()
@config_option
def alerts() -> None:
    """See what is wrong now, try whether messages about it arrive, and have a time without any."""


@alerts.command("list")
@json_option
@config_option
def list_alerts(as_json: bool) -> None:
    """List what is wrong now, whether or not anybody is told of it."""
    answer = server().ask(GetAlerts())
    if not isinstance(answer, AlertsAnswer):
        _fail(answer)
        return
    if as_json:
        for each in answer.standing:
            about = each.condition
            show_json(
                {
                    "kind": about.kind,
                    "subject": about.subject,
                    "grave": about.grave,
                    "since": each.since,
                    "told": each.told,
                    "said": about.said,
                }
            )
        return
    now = datetime.now(UTC)
    rows = (
        (
            each.condition.title,
            each.condition.subject or "-",
            words.age(each.since, now),
            f"{words.age(each.told, now)} ago" if each.told else "-",
            each.condition.said,
        )
        for each in answer.standing
    )
    show_table(COLUMNS, rows)
    if not answer.standing:
        show("Nothing is wrong.")
    if answer.muted:
        say(f"nobody is told of anything until {_moment(answer.muted)}: backupmx alerts unmute")
    if not answer.places:
        say("nobody is told: [alerts] urls is empty")


@alerts.command("test")
@json_option
@config_option
def test_alerts(as_json: bool) -> None:
    """Send a message to everybody who is told of alerts, and say whom it did not reach (exit 1)."""
    answer = server().ask(TestAlerts(asker()))
    if not isinstance(answer, TestedAnswer):
        _fail(answer)
        return
    for each in answer.answered:
        if as_json:
            show_json({"place": each.place, "sent": not each.why, "why": each.why or None})
        else:
            show(f"{each.place}: {each.why or 'sent'}")
    if not answer.answered:
        say("nobody is told: [alerts] urls is empty")
    sys.exit(1 if not answer.answered or any(each.why for each in answer.answered) else 0)


def _until(text: str) -> datetime:
    """A moment of this machine's time, the next one if it has no day."""
    now = datetime.now().astimezone()
    for form in MOMENTS:
        try:
            found = datetime.strptime(text, form)  # noqa: DTZ007 - what is typed is local time
        except ValueError:
            continue
        if form == "%H:%M":
            today = datetime.combine(now.date(), found.time()).astimezone()
            return today if today > now else today + timedelta(days=1)
        return found.astimezone()
    raise ValueError('must be a moment, like "2026-05-03 18:00" or "18:00"')


@alerts.command("mute")
@click.argument("duration", required=False, callback=parsed(notation.duration))
@click.option("--until", metavar="MOMENT", callback=parsed(_until), help='In the place of DURATION: "18:00", "2026-05-03 18:00".')
@config_option
def mute(duration: timedelta | None, until: datetime | None) -> None:
    """Tell nobody anything for a time, like 2h: a maintenance window. What is wrong still then is told afterwards."""
    if (duration is None) == (until is None):
        raise click.UsageError("give a DURATION like 2h, or --until")
    end = until.astimezone(UTC) if until else datetime.now(UTC) + (duration or timedelta())
    answer = server().ask(MuteAlerts(end, asker()))
    if not isinstance(answer, Done):
        _fail(answer)
    show(f"nobody is told of anything until {_moment(end)}")


@alerts.command("unmute")
@config_option
def unmute() -> None:
    """End the maintenance window."""
    answer = server().ask(MuteAlerts(None, asker()))
    if not isinstance(answer, Done):
        _fail(answer)
    show("from now on admins are told again")


def _moment(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M %Z")


def _fail(answer: AnyAnswer) -> None:
    say(*getattr(answer, "problems", ("no answer that fits",)))
    sys.exit(1)
