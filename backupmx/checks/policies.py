"""What a domain, or this machine, promises senders of its TLS: does it hold here?

Knows: TLSA records of our names (RFC 7672), MTA-STS policies of the domains (RFC 8461).
Does not know: the primaries' promises, which the courier keeps.
"""

import hashlib

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec.structs import replace

from backupmx.checks import certificate
from backupmx.checks.certificate import Chain
from backupmx.checks.names import ASK_AGAIN, text_record
from backupmx.core import dane
from backupmx.core.dane import Tlsa
from backupmx.core.finding import About, Finding, InDns
from backupmx.core.sts import Policy
from backupmx.courier.resolver import Found, NotFound, Resolver
from backupmx.courier.sts import Sts

SMTP_PORT = 25


async def tlsa(name: str, chain: Chain | Finding, resolver: Resolver) -> Finding:
    """Do the TLSA records of one of our names, if there are any, name the certificate that senders see?"""
    about = About("tlsa", name)
    found = await resolver.tlsa(name, SMTP_PORT)
    if isinstance(found, NotFound):
        wanted = () if isinstance(chain, Finding) else (_line(name, _of(chain)),)
        said = "no TLSA record: none is needed"
        return about.good(said, InDns(wanted)) if found.absent else about.unknown(found.why, ASK_AGAIN)
    if isinstance(chain, Finding):
        return about.unknown("there are TLSA records, and the certificate cannot be looked at", chain.mend)
    return _held_against(about, found, chain)


def _held_against(about: About, found: Found[Tlsa], chain: Chain) -> Finding:
    own, *authorities = chain
    wanted = _line(about.subject, _of(chain))
    there = tuple(_line(about.subject, record) for record in found.records)
    dns = InDns((wanted,), there)
    usable = dane.usable(found.records)
    if not usable:
        said = "no TLSA record that senders could use: they give mail as if there were none"
        return about.odd(said, f"Set in DNS: `{wanted}`", dns)
    named = [record for record in usable if record.usage == dane.ITSELF and _names(record, own)]
    signed = [record for record in usable if record.usage == dane.AUTHORITY and any(_names(record, each) for each in authorities)]
    if not named and not signed:
        said = "no TLSA record names the certificate in use: senders who go by DANE give no mail to this machine"
        mend = f"Set in DNS now: `{wanted}` (and keep the key when the certificate is renewed: `certbot renew --reuse-key`)"
        return about.bad(said, mend, dns)
    return about.good("a TLSA record names the certificate in use", InDns(there, there))


def _of(chain: Chain) -> Tlsa:
    """The record that names a certificate by its key, and holds for as long as the key is kept."""
    return Tlsa(dane.ITSELF, dane.KEY, dane.SHA_256, hashlib.sha256(_key(chain[0])).digest())


def _line(name: str, record: Tlsa) -> str:
    return f"_{SMTP_PORT}._tcp.{name}. IN TLSA {record.usage} {record.selector} {record.matching} {record.data.hex()}"


def _names(record: Tlsa, one: x509.Certificate) -> bool:
    return record.names(one.public_bytes(Encoding.DER), _key(one))


def _key(one: x509.Certificate) -> bytes:
    return one.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


async def sts(domain: str, ours: tuple[str, ...], chain: Chain | Finding, resolver: Resolver, policies: Sts) -> Finding:
    """Does a domain's MTA-STS policy, if it has one, let senders come here? `ours` are our names in its MX records."""
    about, name = About("mta-sts", domain), f"_mta-sts.{domain}"
    texts = await resolver.texts(name)
    if isinstance(texts, NotFound):
        return about.good("no MTA-STS policy: none is needed") if texts.absent else about.unknown(texts.why, ASK_AGAIN)
    there = tuple(text_record(name, text) for text in texts.records)
    finding = await _promise(about, ours, chain, policies)
    # the record is right, whatever the policy that it announces says
    return replace(finding, dns=InDns(there, there))


async def _promise(about: About, ours: tuple[str, ...], chain: Chain | Finding, policies: Sts) -> Finding:
    domain = about.subject
    policy = await policies.policy(domain)
    if isinstance(policy, str):
        mend = (
            f"See what is at https://mta-sts.{domain}/.well-known/mta-sts.txt: it must be there, as plain text, under a "
            f"certificate for mta-sts.{domain}. Or take the TXT record of _mta-sts.{domain} away."
        )
        return about.odd(f"a policy is announced, and senders cannot have it: {policy}", mend)
    return _admitted(about, policy, ours, chain)


def _admitted(about: About, policy: Policy, ours: tuple[str, ...], chain: Chain | Finding) -> Finding:
    if policy.mode == "none":
        return about.good("the policy asks nothing of senders (mode: none)")
    if not ours:
        said = "there is a policy, and this machine is not in the MX records that it is about"
        return about.unknown(said, "Mend the MX records first.")
    # who is only on trial gets mail all the same
    tell = about.bad if policy.mode == "enforce" else about.odd
    out = [host for host in ours if not policy.admits(host)]
    if out:
        mend = (
            f"Add to https://mta-sts.{about.subject}/.well-known/mta-sts.txt the line `mx: {out[0]}`. "
            f"Then change the id in the TXT record of _mta-sts.{about.subject}."
        )
        return tell(f"the policy does not admit {out[0]}: senders who go by it do not come here", mend)
    if isinstance(chain, Finding):
        return about.unknown("the policy admits this machine, and the certificate cannot be looked at", chain.mend)
    bad = [host for host in ours if certificate.self_signed(chain[0]) or not certificate.covers(chain[0], host)]
    if bad:
        said = f"the policy wants a certificate for {bad[0]} from a public authority, and the one in use is none"
        mend = (
            f"Get one: `certbot certonly --standalone -d {bad[0]}`, and name its files in the configuration: "
            "[smtp] tls_certificate and tls_key"
        )
        return tell(f"{said}: senders who go by it do not come here", mend)
    return about.good(f"the policy admits {', '.join(ours)}")
