"""Strangers who send mail all the time, and write down what they were promised."""

import hashlib
import random
import smtplib
import threading
from collections import Counter
from dataclasses import dataclass, field

RECIPIENT = "someone@example.com"
SENDERS = 4
PATIENCE_S = 60.0


@dataclass(slots=True)
class Promises:
    """What was sent by number; what of it was answered with 250."""

    sent: dict[int, bytes] = field(default_factory=dict)
    kept: set[int] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def letter(self) -> tuple[int, bytes]:
        """A new one; one in ten is large."""
        with self.lock:
            number = len(self.sent)
            size = 400_000 if number % 10 == 9 else random.randrange(500, 8000)
            text = random.Random(number).randbytes(size // 2).hex()
            lines = "\r\n".join(text[at : at + 72] for at in range(0, len(text), 72))
            content = f"Subject: {number}\r\nMessage-ID: <{number}@sender.example>\r\n\r\n{lines}\r\n".encode()
            self.sent[number] = content
            return number, content

    def promised(self, number: int) -> None:
        with self.lock:
            self.kept.add(number)

    def digest(self, number: int) -> str:
        return hashlib.sha256(self.sent[number]).hexdigest()


class Senders:
    """Several at a time, each one message after the other, until the line breaks or they are told to stop."""

    def __init__(self, port: int, promises: Promises) -> None:
        self._port = port
        self._promises = promises
        self._enough = threading.Event()
        self.said: Counter[str] = Counter()
        """What went wrong, and what was answered instead of 250."""
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(SENDERS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._enough.set()
        for thread in self._threads:
            thread.join(PATIENCE_S * 2)

    def _send(self) -> None:
        while not self._enough.is_set():
            try:
                self._session()
            except (OSError, smtplib.SMTPException) as error:
                self.said[repr(error)] += 1
                # a line that broke: was there a 250, it counts; was there none, nothing was promised
                self._enough.wait(0.2)

    def _session(self) -> None:
        with smtplib.SMTP("127.0.0.1", self._port, "sender.example", timeout=PATIENCE_S) as line:
            for _ in range(10):
                if self._enough.is_set():
                    return
                number, content = self._promises.letter()
                line.ehlo_or_helo_if_needed()
                line.mail(f"s{number}@sender.example")
                reply = line.rcpt(RECIPIENT)
                if reply[0] == 250:
                    reply = line.data(content)
                    if reply[0] == 250:
                        self._promises.promised(number)
                        continue
                self.said[repr(reply)] += 1
                line.rset()
