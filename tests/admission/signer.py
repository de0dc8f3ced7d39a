"""A domain that signs its mail, with dkimpy and keys of its own."""

import base64
import hashlib
import re
from dataclasses import dataclass, field

import dkim
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, load_pem_private_key
from dkim.canonicalization import CanonicalizationPolicy
from dkim.crypto import RSASSA_PKCS1_v1_5_sign, parse_pem_private_key

LETTER = b"From: a@sender.test\r\nTo: user@example.com\r\nSubject: hello\r\n\r\nhello  there\r\n"


def _new_key() -> bytes:
    key = rsa.generate_private_key(65537, 1024)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


@dataclass
class Signer:
    """One key, under the selector `s1` of a domain."""

    domain: str = "sender.test"
    key: bytes = field(default_factory=_new_key)

    @property
    def name(self) -> str:
        """Where the key's record stands."""
        return f"s1._domainkey.{self.domain}"

    def record(self, more: str = "") -> str:
        """The key's record, as a zone file has it."""
        key = load_pem_private_key(self.key, None).public_key()
        text = base64.b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
        return quoted(f"v=DKIM1; k=rsa; {more}p={text}")

    def sign(
        self, letter: bytes = LETTER, *, canon: bytes = b"relaxed", fields: tuple[bytes, ...] = (b"from",), **words: object
    ) -> bytes:
        """The letter, with a signature at its top."""
        signed = dkim.sign(
            letter, b"s1", self.domain.encode(), self.key, canonicalize=(canon, canon), include_headers=list(fields), **words
        )
        return bytes(signed) + letter

    def sign_with(self, tags: bytes, letter: bytes = LETTER, covers: bytes = b"from") -> bytes:
        """The letter, with a signature that has other tags in the place of `t=`, covers another field, and holds."""
        unsigned, _, _ = re.sub(rb"t=\d+;", tags, self.sign(letter)).replace(b"h=from", b"h=" + covers).partition(b" b=")
        value = unsigned.removeprefix(b"DKIM-Signature:") + b" b="
        policy = CanonicalizationPolicy.from_c_value(b"relaxed/relaxed")
        headers = policy.canonicalize_headers(dkim.DKIM(letter).headers)
        digest = hashlib.sha256()
        dkim.hash_headers(digest, policy, headers, [covers], (b"DKIM-Signature", value), {})
        signature = RSASSA_PKCS1_v1_5_sign(digest, parse_pem_private_key(self.key))
        return b"DKIM-Signature:" + value + base64.b64encode(bytes(signature)) + b"\r\n" + letter


def quoted(text: str) -> str:
    """A TXT record in pieces of at most 255 octets."""
    return " ".join(f'"{text[start : start + 255]}"' for start in range(0, len(text), 255))
