"""A domain changed over the control socket of a real server: its processes go by it, and mail is taken for it."""

from pathlib import Path

from backupmx.control.answers import AmendedAnswer, DomainAnswer
from backupmx.control.client import ControlClient
from backupmx.control.requests import AmendDomain, GetDomain
from backupmx.core.amendment import Change
from backupmx.errors import ControlUnavailable
from serve.instance import Client, eventually, running


def test_a_domain_that_is_added_takes_mail(tmp_path: Path) -> None:
    """The file has it, the processes take it, and the log has who did it."""
    with running(tmp_path) as instance:
        client = ControlClient(tmp_path / "control.sock", 20)

        def told() -> DomainAnswer:
            answer = client.ask(GetDomain("other.example"))
            assert isinstance(answer, DomainAnswer)
            return answer

        wanted = {"primary": "127.0.0.1:9", "holding_window": "3d"}
        answer = client.ask(AmendDomain(Change.ADD, "other.example", told().sheet.digest, "petra", wanted))
        assert isinstance(answer, AmendedAnswer)
        assert not answer.amended.faults

        def applied() -> bool:
            try:
                return told().sheet.applied
            except ControlUnavailable:
                return False

        eventually(applied, "the processes go by the file")
        with Client(instance.port) as sender:
            said = sender.mail(b"Subject: hello\r\n\r\nhello\r\n", to=("user@other.example",))
        assert said.startswith("250 ")
        assert 'by=petra what="domain add other.example' in instance.log.read_text()
