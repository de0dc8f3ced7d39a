# ruff: noqa
"""A stand-in for the spool until the real ones are here."""

from datetime import timedelta
import hashlib
from msgspec.structs import replace
from backupmx.core.message import *
from backupmx.core.queue import *
from backupmx.core.outcome import *


class StandIn:
    def __init__(self):
        self.m = {}

    def intake(self, id):
        spool = self

        class I:
            data = b""

            async def write(self, c):
                self.data += c

            async def commit(self, e, arrived):
                spool.m[id] = Message(
                    id, arrived, len(self.data), 1, b"x" * 16, e, {r.domain: Schedule(arrived) for r in e.recipients}
                )

            async def abandon(self):
                pass

        return I()

    async def lease(self, domain, owner, now, until, limit):
        out = []
        for m in list(self.m.values()):
            if m.state() is State.WAITING and domain in m.schedule:
                s = m.schedule[domain]
                m = replace(m, schedule={**m.schedule, domain: Schedule(until, s.attempts + 1, s.deferrals, owner)})
                self.m[m.id] = m
                out.append(Lease(m, domain, m.pending(domain), owner, until))
        return tuple(out[:limit])

    async def settle(self, lease, outcomes, now, due):
        m = self.m[lease.message.id]
        p = dict(m.progress)
        sch = dict(m.schedule)
        for a, o in outcomes.items():
            fate = {Delivered: Fate.DELIVERED, Deferred: Fate.PENDING, Failed: Fate.QUARANTINED}[type(o)]
            p[a] = Progress(fate, str(o.reply), o.host, now)
        m = replace(m, progress=p)
        if m.pending(lease.domain):
            sch[lease.domain] = replace(sch[lease.domain], due=due, owner=None)
        else:
            del sch[lease.domain]
        self.m[m.id] = replace(m, schedule=sch)

    async def set_aside(self, id, d):
        self.m[id] = replace(self.m[id], damage=d)

    async def hold(self, ids, by, why, now):
        out = []
        for i in ids:
            if i in self.m and self.m[i].state() in (State.WAITING, State.LEASED):
                self.m[i] = replace(self.m[i], hold=Hold(by, why, now))
                out.append(i)
        return tuple(out)

    async def release(self, ids, now):
        out = []
        for i in ids:
            if i in self.m and self.m[i].state() in (State.HELD, State.QUARANTINED, State.DAMAGED):
                m = self.m[i]
                self.m[i] = replace(
                    m, hold=None, damage=None, progress={}, schedule={r.domain: Schedule(now) for r in m.envelope.recipients}
                )
                out.append(i)
        return tuple(out)

    async def retry(self, ids, now):
        return tuple(i for i in ids if i in self.m and self.m[i].state() is State.WAITING)

    async def remove(self, ids):
        return tuple(i for i in ids if self.m.pop(i, None))

    def get(self, id):
        return self.m.get(id)

    def census(self):
        total = {}
        dom = {}
        for m in self.m.values():
            for d in (total, *(dom.setdefault(x, {}) for x in m.domains())):
                s = m.state()
                s = State.WAITING if s is State.LEASED else s
                c = d.get(s, Count())
                d[s] = Count(c.messages + 1, c.bytes + m.size, min(filter(None, [c.oldest, m.arrived])))
        return Census(total, dom)

    def page(self, w, after=None, limit=50):
        found = [
            m
            for i, m in sorted(self.m.items(), reverse=True)
            if (after is None or i < after)
            and (w.domain is None or w.domain in m.domains())
            and (w.state is None or m.state() is w.state)
            and (w.sender is None or w.sender.lower() in m.envelope.sender.lower())
            and (w.recipient is None or any(w.recipient.lower() in r.address.lower() for r in m.envelope.recipients))
            and (w.before is None or m.arrived < w.before)
        ]
        return Page(tuple(found[:limit]), found[limit - 1].id if len(found) > limit else None)

    def matching(self, prefix, limit=2):
        return tuple(sorted(i for i in self.m if i.startswith(prefix)))[:limit]

    def stats(self):
        return SpoolStats(1, 2**30, 2**20, 2**20, 2**33, 2**30, 2**32, 0)
