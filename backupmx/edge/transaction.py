"""One mail transaction as MAIL, RCPT, DATA and BDAT build it up (RFC 5321 section 3.3, RFC 3030).

Knows: the order of these commands, their arguments, admission, the transaction with a primary that goes along.
Does not know: the other commands, sockets, content.
"""

import asyncio
import re
from collections.abc import Coroutine
from typing import Any

from backupmx.admission.verdict import Ask, Refuse, Take, Verdict
from backupmx.core import parameters, path, replies
from backupmx.core.message import NULL_SENDER, Client, Envelope, Recipient
from backupmx.core.parameters import MailWish
from backupmx.core.replies import Answer
from backupmx.edge.terms import Chunk, Terms
from backupmx.ports import Handover

_BDAT = re.compile(rb" *([0-9]{1,15})(?: +(LAST))? *", re.IGNORECASE)
_NO_WISH = MailWish()
Asking = Coroutine[Any, Any, Answer]
"""A reply that takes a while."""


class Transaction:
    """Takes one command at a time and says what is to be replied."""

    __slots__ = ("_alone", "_asked", "_chunks", "_handover", "_recipients", "_sender", "_terms", "_wish", "begun")

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self.begun = 0
        """How many there were in this connection."""
        self._handover: Handover | None = None
        self.reset()

    def reset(self) -> None:
        """Forget what was said."""
        if self._handover is not None:
            self._handover.abandon()
        self._handover = None
        """The transaction with a primary that is asked for its own word."""
        self._alone = False
        """Whether no primary could be had for this transaction: it is not waited for again."""
        self._asked = 0
        """Recipients that it took."""
        self._sender: str | None = None
        self._recipients: dict[str, Recipient] = {}
        """By local part and configured domain: who is named twice is one recipient."""
        self._wish = _NO_WISH
        self._chunks: bool | None = None
        """None: no BDAT yet; False: one was refused, and so is what follows it (RFC 3030 section 2)."""

    @property
    def open(self) -> bool:
        """Whether MAIL was taken."""
        return self._sender is not None

    @property
    def in_chunks(self) -> bool:
        """Whether a BDAT was taken, and more may come."""
        return self._chunks is True

    def envelope(self, client: Client) -> Envelope:
        """All that was said."""
        assert self._sender is not None
        wish, recipients = self._wish, tuple(self._recipients.values())
        return Envelope(self._sender, recipients, client, wish.eight_bit, wish.smtputf8, wish.requires_tls, wish.ret, wish.envid)

    def handover(self) -> Handover | None:
        """Who takes the content at once: the primary, if every recipient is its own. Else the spool takes it for all of them."""
        handover, self._handover = self._handover, None
        if handover is None or (handover.alive and self._asked == len(self._recipients)):
            return handover
        handover.abandon()
        return None

    def mail(self, rest: bytes, *, esmtp: bool, tls: bool) -> Answer:
        """MAIL, with all that follows the verb."""
        if self._sender is not None:
            return replies.BAD_SEQUENCE if self._chunks is None else replies.CHUNKS_BEGUN
        given = path.argument(rest[5:]) if rest[:5].upper() == b"FROM:" else None
        if given is None:
            return replies.BAD_SENDER
        sender = path.mailbox(given.path)
        if sender is None and given.path:
            return replies.BAD_SENDER
        wish = parameters.of_mail(given.parameters, esmtp=esmtp, tls=tls)
        if isinstance(wish, Answer):
            return wish
        if problem := self._cannot(wish, sender):
            return problem
        self.begun += 1
        self._sender, self._wish = str(sender) if sender else NULL_SENDER, wish
        return replies.SENDER_OK

    def _cannot(self, wish: MailWish, sender: path.Mailbox | None) -> Answer | None:
        terms = self._terms
        if sender is not None and not (sender.ascii or wish.smtputf8):
            return replies.NEEDS_SMTPUTF8
        if wish.size > terms.max_size:
            return replies.TOO_BIG
        if terms.room() <= wish.size:
            return replies.NO_SPACE
        return replies.TOO_MANY_MESSAGES if self.begun >= terms.max_messages else None

    def rcpt(self, rest: bytes, *, esmtp: bool, client: Client) -> Answer | Asking:  # noqa: PLR0911 - one line a refusal
        """RCPT, with all that follows the verb."""
        if self._sender is None:
            return replies.BAD_SEQUENCE
        if self._chunks is not None:
            return replies.CHUNKS_BEGUN
        given = path.argument(rest[3:]) if rest[:3].upper() == b"TO:" else None
        mailbox = path.mailbox(given.path) if given else None
        if given is None or (mailbox is None and given.path.lower() != b"postmaster"):
            return replies.BAD_RECIPIENT
        wish = parameters.of_recipient(given.parameters, esmtp=esmtp)
        if isinstance(wish, Answer):
            return wish
        admission = self._terms.admission
        verdict = admission.judge(mailbox) if mailbox else admission.postmaster()
        if isinstance(verdict, Refuse):
            return verdict.answer
        if mailbox and not (self._wish.smtputf8 or mailbox.local.isascii()):
            return replies.NEEDS_SMTPUTF8
        recipient = verdict.recipient
        one = f"{mailbox.local if mailbox else 'postmaster'}@{recipient.domain}"
        if one in self._recipients:
            return replies.RECIPIENT_OK
        if len(self._recipients) >= self._terms.max_recipients:
            return replies.TOO_MANY_RECIPIENTS
        if given.parameters:
            recipient = Recipient(recipient.address, recipient.domain, wish.notify, wish.orcpt)
        return self._exists(one, recipient, client)

    def _exists(self, one: str, recipient: Recipient, client: Client) -> Answer | Asking:
        admission = self._terms.admission
        if admission.shut(client.address):
            return replies.HARVESTING
        pause = admission.pause(client.address)
        if pause or (not self._alone and admission.relays(recipient.domain)):
            return self._asking(one, recipient, client, pause)
        verdict = admission.weigh(recipient, self._sender or NULL_SENDER, client.address)
        if isinstance(verdict, Ask):
            return self._asking(one, recipient, client, pause, verdict)
        return self._settle(one, verdict, client)

    async def _asking(
        self, one: str, recipient: Recipient, client: Client, pause: float, verdict: Verdict | None = None
    ) -> Answer:
        """A recipient about whom somebody must be asked, or a client that has to wait for every answer."""
        transaction, admission = self.begun, self._terms.admission
        if pause:
            await asyncio.sleep(pause)
        if verdict is None and self._goes_on(transaction) and not self._alone and admission.relays(recipient.domain):
            verdict = await self._ask_primary(recipient, client)
        if verdict is None and self._goes_on(transaction):
            verdict = admission.weigh(recipient, self._sender or NULL_SENDER, client.address)
        if isinstance(verdict, Ask):
            verdict = await verdict.verdict()
        if verdict is None or not self._goes_on(transaction):
            return replies.BAD_SEQUENCE  # to nobody
        return self._settle(one, verdict, client)

    def _goes_on(self, transaction: int) -> bool:
        """Whether the client is not gone meanwhile: nobody is asked for it any more."""
        return self._sender is not None and self.begun == transaction

    async def _ask_primary(self, recipient: Recipient, client: Client) -> Take | Refuse | None:
        """In-session; None when the primary has no word to say. One transaction goes to one primary."""
        transaction, admission = self.begun, self._terms.admission
        if self._handover is None:
            handover = await admission.hand_over(recipient.domain, self.envelope(client), self._wish.size)
            if handover is None:
                self._alone = True
                return None
            if not self._goes_on(transaction):
                handover.abandon()
                return None
            self._handover = handover
        handover = self._handover
        if handover.route != await admission.route(recipient.domain):
            return None
        reply = await handover.recipient(recipient)
        if reply is None:
            return None
        if handover.refuses_sender:
            return Refuse(replies.of_primary(reply))
        verdict = admission.heard(recipient, reply, client.address)
        self._asked += isinstance(verdict, Take)
        return verdict

    def _settle(self, one: str, verdict: Take | Refuse, client: Client) -> Answer:
        if isinstance(verdict, Refuse):
            self._terms.admission.refused(verdict.answer, client.address)
            return verdict.answer
        self._recipients[one] = verdict.recipient
        return replies.RECIPIENT_OK

    def not_ready(self) -> Answer | None:
        """Why no content may come."""
        if self._sender is None:
            return replies.BAD_SEQUENCE
        return None if self._recipients else replies.NO_RECIPIENTS

    def data(self) -> Answer | None:
        """Why DATA may not be."""
        return self.not_ready() or (None if self._chunks is None else replies.CHUNKS_BEGUN)

    def bdat(self, rest: bytes) -> Chunk | None:
        """What is announced; None when that cannot be known."""
        match = _BDAT.fullmatch(rest)
        if match is None:
            return None
        refusal = self.not_ready() or (replies.BAD_SEQUENCE if self._chunks is False else None)
        if refusal is None:
            self._chunks = True
        return Chunk(int(match[1]), match[2] is not None, refusal)

    def spoil(self) -> None:
        """A chunk was refused: of this transaction nothing can come any more (RFC 3030 section 2)."""
        self._chunks = False
