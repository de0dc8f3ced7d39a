"""SPF as a proof of the sender: what passes, what does not, and what strangers' records do."""

import time

import dns.rcode
import pytest

from backupmx.admission import sender as room
from backupmx.core.message import NULL_SENDER, Proof
from tests.admission.senders import CLIENT, PASS, house
from tests.admission.signer import quoted


@pytest.mark.parametrize(
    ("record", "proof"),
    [
        (PASS, Proof.SPF),
        ('"v=spf1 ip4:192.0.2.0/24 -all"', Proof.SPF),
        ('"v=spf1 a:mail.sender.test -all"', Proof.SPF),
        ('"v=spf1 mx -all"', Proof.SPF),
        ('"v=spf1 include:provider.test -all"', Proof.SPF),
        ('"v=spf1 redirect=provider.test"', Proof.SPF),
        ('"v=spf1 exists:%{ir}.%{v}.list.test -all"', Proof.SPF),
        ('"v=spf1 exp=why.sender.test ip4:192.0.2.7 -all"', Proof.SPF),
        ('"v=spf1 -all"', Proof.NONE),
        ('"v=spf1 ~all"', Proof.NONE),
        ('"v=spf1 ?all"', Proof.NONE),
        ('"v=spf1 ip4:192.0.2.8"', Proof.NONE),
        ('"v=spf1 ?ip4:192.0.2.7 -all"', Proof.NONE),
        ('"v=spf10 ip4:192.0.2.7"', Proof.NONE),
        ('"some other text"', Proof.NONE),
        ('"v=spf1 ip4:192.0.2.7 nonsense"', Proof.NONE),
        ('"v=spf1 ip4:192.0.2.7/33"', Proof.NONE),
        ('"v=spf1 include:nobody.test ip4:192.0.2.7"', Proof.NONE),
        ('"v=spf1 include:sender.test ip4:192.0.2.7"', Proof.NONE),
        ('"v=spf1 a:%{x}.test ip4:192.0.2.7"', Proof.NONE),
    ],
)
async def test_spf_is_a_proof_only_when_it_passes(record: str, proof: Proof) -> None:
    """Fail, softfail, neutral, none and permerror are not; I3."""
    async with house() as at:
        at.names.has("mail.sender.test", "A", CLIENT).has("sender.test", "MX", "10 mail.sender.test.")
        at.names.has("provider.test", "TXT", PASS).has("7.2.0.192.in-addr.list.test", "A", "127.0.0.2")
        at.spf(record)
        assert await at.prove() is proof
        assert not at.troubles


async def test_two_records_of_one_domain_are_none() -> None:
    """RFC 7208 section 4.5."""
    async with house() as at:
        at.names.has("sender.test", "TXT", PASS, '"v=spf1 +all"')
        assert await at.prove() is Proof.NONE


async def test_helo_alone_proves_nothing_of_the_sender() -> None:
    """And its name is not even asked for; nobody is told why a client failed."""
    async with house() as at:
        at.spf(PASS, "helo.test").spf('"v=spf1 -all exp=why.sender.test"')
        assert await at.prove() is Proof.NONE
        assert at.names.asked == [("sender.test", "TXT")]


@pytest.mark.parametrize("sender", [NULL_SENDER, "a@[192.0.2.7]", "a@localhost", "a@sender_.test", f"{'a' * 320}@sender.test"])
async def test_senders_without_a_domain_of_their_own_are_not_asked_for(sender: str) -> None:
    """The null sender, an address, a host of every network; nor those who are too long to be."""
    async with house() as at:
        assert await at.prove(sender=sender) is Proof.NONE
        assert not at.names.asked


async def test_hazard_pyspf_parts_an_address_within_quotes() -> None:
    """Whose domain it would be, the sender could choose."""
    async with house() as at:
        assert await at.spf(PASS).prove(sender='"x@evil.test"@sender.test') is Proof.SPF
        assert at.names.asked == [("sender.test", "TXT")]


@pytest.mark.parametrize(
    "client", ["127.0.0.1", "::1", "10.1.2.3", "192.168.1.1", "100.64.0.1", "fd00::1", "fe80::1", "::ffff:127.0.0.1"]
)
@pytest.mark.parametrize("record", ['"v=spf1 ip4:127.0.0.0/8 ip4:10.0.0.0/8 ip6:::1 -all"', '"v=spf1 +all"'])
async def test_hazard_pyspf_lets_clients_of_our_own_network_pass(client: str, record: str) -> None:
    """A stranger's DNS says nothing of them, whatever it says."""
    async with house() as at:
        at.spf(record)
        assert await at.prove(client=client) is Proof.NONE
        assert not at.names.asked


@pytest.mark.parametrize("client", ["2001:db8::7", "::ffff:192.0.2.7"])
async def test_spf_of_ipv6_clients(client: str) -> None:
    """An IPv4 address in IPv6's clothes is what it is."""
    async with house() as at:
        at.spf('"v=spf1 ip6:2001:db8::/32 ip4:192.0.2.7 -all"')
        assert await at.prove(client=client) is Proof.SPF


async def test_internationalised_senders() -> None:
    """A domain is asked for in A-labels; a local part that is not ASCII matches no macro (RFC 8616 section 4)."""
    async with house() as at:
        at.spf(PASS, "xn--bcher-kva.example")
        assert await at.prove(sender="käthe@bücher.example") is Proof.SPF
        at.spf('"v=spf1 exists:%{l}.sender.test -all"')
        at.names.has("xn--kthe-loa.sender.test", "A", "127.0.0.2").has("käthe.sender.test", "A", "127.0.0.2")
        assert await at.prove(sender="käthe@sender.test") is Proof.NONE


@pytest.mark.parametrize("terms", [10, 11])
async def test_so_many_terms_may_ask(terms: int) -> None:
    """RFC 7208 section 4.6.4: ten."""
    async with house() as at:
        hosts = [f"h{number}.sender.test" for number in range(terms)]
        for host in hosts:
            at.names.has(host, "A", "192.0.2.99")
        at.spf(quoted(f"v=spf1 {' '.join(f'a:{host}' for host in hosts)} ip4:192.0.2.7"))
        assert await at.prove() is (Proof.SPF if terms == 10 else Proof.NONE)


@pytest.mark.parametrize("voids", [2, 3])
async def test_so_many_questions_may_have_no_answer(voids: int) -> None:
    """RFC 7208 section 4.6.4: two."""
    async with house() as at:
        at.spf(f'"v=spf1 {" ".join(f"a:void{number}.test" for number in range(voids))} ip4:192.0.2.7"')
        assert await at.prove() is (Proof.SPF if voids == 2 else Proof.NONE)


async def test_one_check_asks_so_much_and_no_more() -> None:
    """RFC 7208 would let ten MX records of ten hosts each be a hundred questions to somebody who is to be flooded."""
    async with house() as at:
        for term in range(10):
            at.names.has(f"m{term}.test", "MX", *[f"{host} h{term}x{host}.victim.test." for host in range(10)])
            for host in range(10):
                at.names.has(f"h{term}x{host}.victim.test", "A", "192.0.2.99")
        at.spf(f'"v=spf1 {" ".join(f"mx:m{term}.test" for term in range(10))} ip4:192.0.2.7"')
        assert await at.prove() is Proof.NONE
        assert len(at.names.asked) == 50


async def test_trouble_with_dns_is_no_proof_and_is_soon_forgotten() -> None:
    """Temperror."""
    async with house() as at:
        at.spf(PASS)
        at.names.failing = dns.rcode.SERVFAIL
        assert await at.prove() is Proof.NONE
        at.names.failing = None
        assert await at.prove() is Proof.NONE
        at.now[0] += room.TROUBLE_REMEMBERED_S
        assert await at.prove() is Proof.SPF


@pytest.mark.parametrize(
    "record",
    [
        "v=spf1 ip4:192.0.2.7 " + "ip4:192.0.2.9 " * 200,
        "v=spf1 ip4:192.0.2.7 a:" + "." + "a" * 1900 + "!",
        "v=spf1 ip4:192.0.2.7 a:%{d}" + "." * 1900,
        "v=spf1 ip4:192.0.2.7 a:" + "%{s}" * 470,
    ],
)
async def test_hazard_pyspf_takes_long_for_long_terms(record: str) -> None:
    """Its expressions need seconds for what fits into DNS, and stop the worker meanwhile."""
    async with house() as at:
        at.spf(quoted(record))
        began = time.process_time()
        assert await at.prove() is Proof.NONE
        assert time.process_time() - began < 0.1


async def test_many_records_in_one_answer_are_an_error() -> None:
    """And none of them is compared."""
    async with house() as at:
        at.spf('"v=spf1 a:many.test"').names.has("many.test", "A", CLIENT, *[f"192.0.2.{number}" for number in range(8, 150)])
        assert await at.prove() is Proof.NONE
        at.spf('"v=spf1 a:few.test"', "other.test").names.has("few.test", "A", CLIENT, "192.0.2.8")
        assert await at.prove(sender="a@other.test") is Proof.SPF
