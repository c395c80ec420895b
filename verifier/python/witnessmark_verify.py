#!/usr/bin/env python3
"""Verifies a Witnessmark evidence bundle (.wmk) against a trust policy, offline.

    python3 witnessmark_verify.py BUNDLE --trust FILE [--json] [--time-limit SECONDS]

A second implementation of spec/verification.md, written by the pages in spec/; it shares no code with
the TypeScript in verifier/. One file, Python 3.11 or later, nothing but its standard library. It opens the two files
that it is given, no other file and no connection, and runs nothing that they hold.

How to read it: the parts come in the order in which spec/verification.md needs them. Each function names the
clause that it implements. "Fault" carries an error code of the spec; a check turns it into its verdict.

     1  Words and limits                      7  Time stamps: DER, certificates, tokens
     2  Strict CBOR, fields, varint           8  Records of the evidence
     3  Hashes and curves                     9  The bundle
     4  COSE_Sign1 and owners' signatures    10  The trust policy
     5  Merkle trees                         11  The trail
     6  Chain: RLP, headers, proofs, links   12  The checks, 13 facts, 14 report, 15 command line

Memory: items are decoded once; content that deflate has made small is inflated leaf by leaf and let go again.
Time: --time-limit ends the process. Nothing calls itself deeper than the depth that its format allows.
"""

from __future__ import annotations

import argparse
import bisect
import datetime
import hashlib
import json
import os
import re
import sys
import threading
import traceback
import zlib
from array import array
from calendar import timegm
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Callable, Iterable, Iterator, NamedTuple, Sequence

# ==================================================================================================================
# 1  Words and limits
# ==================================================================================================================


class Fault(Exception):
    """Bytes that are not what they claim to be: `code` is one of the spec's error codes."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code + (": " + detail if detail else ""))
        self.code = code
        self.detail = detail or "refused by the rule of this code"


def require(holds: Any, code: str, detail: str = "") -> None:
    if not holds:
        raise Fault(code, detail)


MIB = 1 << 20
MAX_SEQ = 2**32 - 1
MAX_ENTRIES = 2**20
MAX_UINT = 2**53 - 1
MAX_COUNT = 131_072  # frames or records in a leaf (spec/leaf.md)
MAX_PAYLOAD = 16 * MIB  # bytes of a leaf's payload (spec/leaf.md)
SECOND = 10**9  # ns

CLOCK_SOURCES = ("replay", "unsynchronised", "ntp", "gnss", "ptp")
CAPTURE_SOURCES = ("native", "socketcan", "replay", "synthetic")
ACCOUNTINGS = ("exact", "none", "not_applicable")
STAMP_SOURCES = ("hardware", "kernel", "log")
ACCESSES = ("listen_only", "silent", "polling", "not_applicable")
STATES = ("recording", "paused_by_owner", "parked", "shutdown")
CAUSES = (
    "power_off", "agent_stopped", "agent_crashed", "suspended", "bus_idle", "paused_by_owner", "bus_off",
    "interface_down", "interface_missing", "overflow", "storage_full", "rolled_back", "unknown",
)  # fmt: skip
CUSTODY_ROLES = ("agent", "owner", "grantee", "operator", "authority")
CUSTODY_ACTIONS = ("granted", "revoked", "disclosed", "refused", "received", "exported", "transferred", "erased")

# ==================================================================================================================
# 2  Strict CBOR, fields, varint (spec/encoding.md)
# ==================================================================================================================

MAX_CBOR_DEPTH = 8
MAX_CBOR_VALUES = 2**19


def decode_cbor(data: bytes, limit: int = MIB) -> Any:
    """Strict CBOR ("Reading"): int, bytes, str or list. The steps are in the order of the page."""
    require(len(data) <= limit, "CBOR_TOO_LARGE")
    size = len(data)
    at = 0
    values = 0

    def item(depth: int) -> Any:  # calls itself at most MAX_CBOR_DEPTH deep
        nonlocal at, values
        values += 1
        require(values <= MAX_CBOR_VALUES, "CBOR_TOO_MANY")
        require(at < size, "CBOR_TRUNCATED")
        head = data[at]
        at += 1
        major, info = head >> 5, head & 31
        require(major <= 4 and info <= 27, "CBOR_TYPE_REFUSED")
        argument = info
        if info >= 24:
            width = 1 << (info - 24)
            require(at + width <= size, "CBOR_TRUNCATED")
            argument = int.from_bytes(data[at : at + width], "big")
            at += width
            least = 24 if width == 1 else 1 << (4 * width)
            require(argument >= least, "CBOR_NOT_CANONICAL")
        if major == 0:
            return argument
        if major == 1:
            require(argument < 2**63, "CBOR_INTEGER_RANGE")
            return -1 - argument
        require(argument <= size - at, "CBOR_TRUNCATED")
        if major == 4:
            require(depth < MAX_CBOR_DEPTH, "CBOR_TOO_DEEP")
            return [item(depth + 1) for _ in range(argument)]
        content = data[at : at + argument]
        at += argument
        if major == 2:
            return content
        try:
            text = content.decode("utf-8", "strict")
        except UnicodeDecodeError:
            raise Fault("CBOR_TEXT") from None
        require(not text.startswith("\ufeff"), "CBOR_TEXT")
        return text

    value = item(0)
    require(at == size, "CBOR_TRAILING_BYTES")
    return value


def cbor_head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([major << 5 | argument])
    for info, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << (8 * width):
            return bytes([major << 5 | info]) + argument.to_bytes(width, "big")
    raise ValueError("no CBOR integer")


def encode_cbor(value: Any) -> bytes:
    if isinstance(value, int):
        return cbor_head(0, value) if value >= 0 else cbor_head(1, -1 - value)
    if isinstance(value, bytes):
        return cbor_head(2, len(value)) + value
    if isinstance(value, str):
        text = value.encode("utf-8")
        return cbor_head(3, len(text)) + text
    return cbor_head(4, len(value)) + b"".join(encode_cbor(element) for element in value)


class Fields:
    """The elements of an array, taken in order, each with its type and limit ("Records")."""

    def __init__(self, value: Any) -> None:
        require(type(value) is list, "FIELD_TYPE")
        self.values: list[Any] = value
        self.next = 0

    def take(self, kind: type) -> Any:
        require(self.next < len(self.values), "FIELD_MISSING")
        value = self.values[self.next]
        self.next += 1
        require(type(value) is kind, "FIELD_TYPE")
        return value

    def uint(self, most: int = MAX_UINT) -> int:
        value = self.take(int)
        require(value >= 0, "FIELD_TYPE")
        require(value <= most, "FIELD_RANGE")
        return value

    def uint64(self) -> int:
        return self.uint(2**64 - 1)

    def int64(self) -> int:
        value = self.take(int)
        require(-(2**63) <= value < 2**63, "FIELD_RANGE")
        return value

    def text(self, most_bytes: int) -> str:
        value = self.take(str)
        require(len(value.encode("utf-8")) <= most_bytes, "FIELD_LENGTH")
        return value

    def word(self, words: Sequence[str]) -> str:
        value = self.take(str)
        require(value in words, "FIELD_WORD")
        return value

    def bytes(self, length: int) -> bytes:
        value = self.take(bytes)
        require(len(value) == length, "FIELD_LENGTH")
        return value

    def bytes_or_none(self, length: int) -> bytes | None:
        value = self.take(bytes)
        require(len(value) in (0, length), "FIELD_LENGTH")
        return value or None

    def bytes_up_to(self, most: int) -> bytes:
        value = self.take(bytes)
        require(len(value) <= most, "FIELD_LENGTH")
        return value

    def list(self, most: int, read: Callable[[Fields], Any], least: int = 0) -> list[Any]:
        """A list of arrays, each of which `read` takes apart and leaves nothing of."""
        elements = self.take(list)
        require(least <= len(elements) <= most, "FIELD_LENGTH")
        return [whole(element, read) for element in elements]

    def bytes_list(self, most: int, length: int | None = None, most_bytes: int = 0, least: int = 0) -> list[bytes]:
        elements = Fields(self.take(list))
        count = len(elements.values)
        require(least <= count <= most, "FIELD_LENGTH")
        one = (lambda: elements.bytes_up_to(most_bytes)) if length is None else (lambda: elements.bytes(length))
        return [one() for _ in range(count)]

    def one(self, read: Callable[[Fields], Any]) -> Any:
        return whole(self.take(list), read)

    def optional(self, read: Callable[[Fields], Any]) -> Any:
        """An empty array for "none", or exactly the fields that `read` takes."""
        elements = self.take(list)
        return whole(elements, read) if elements else None

    def end(self) -> None:
        require(self.next == len(self.values), "FIELD_UNKNOWN")


def whole(value: Any, read: Callable[[Fields], Any]) -> Any:
    fields = Fields(value)
    result = read(fields)
    fields.end()
    return result


def decode_record(data: bytes, kind: int, limit: int, read: Callable[[Fields], Any]) -> Any:
    """`[type, version, fields…]` ("Reading a record")."""
    value = decode_cbor(data, limit)
    require(type(value) is list, "FIELD_TYPE")
    require(len(value) > 0 and type(value[0]) is int and value[0] == kind, "RECORD_TYPE")
    require(len(value) > 1 and type(value[1]) is int and value[1] == 0, "RECORD_VERSION")
    fields = Fields(value)
    fields.next = 2
    result = read(fields)
    fields.end()
    return result


def read_varint(data: bytes, at: int, code: str, end: int | None = None) -> tuple[int, int]:
    """A shortest varint below 2^53 and where it ends ("Varint")."""
    value = 0
    for place in range(8):
        require(at < (len(data) if end is None else end), code)
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            require((byte != 0 or place == 0) and value <= MAX_UINT, code)
            return value, at
    raise Fault(code)


# ==================================================================================================================
# 3  Hashes and curves
# ==================================================================================================================


def sha256(*parts: bytes) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


def _keccak_constants() -> tuple[list[int], list[tuple[int, int, int]]]:
    """Round constants (an LFSR) and, for the walk of rho and pi, from lane, to lane and rotation (FIPS 202, 3.2)."""
    rounds, register = [], 1
    for _ in range(24):
        constant = 0
        for j in range(7):
            if register & 1:
                constant |= 1 << ((1 << j) - 1)
            register <<= 1
            if register & 0x100:
                register ^= 0x171
        rounds.append(constant)
    walk, x, y = [], 1, 0
    for step in range(24):
        to_x, to_y = y, (2 * x + 3 * y) % 5
        walk.append((x + 5 * y, to_x + 5 * to_y, (step + 1) * (step + 2) // 2 % 64))
        x, y = to_x, to_y
    return rounds, walk


KECCAK_ROUNDS, KECCAK_WALK = _keccak_constants()
MASK64 = 2**64 - 1


def _keccak_f(a: list[int]) -> list[int]:
    for constant in KECCAK_ROUNDS:
        c = [a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] for x in range(5)]
        d = [c[x - 1] ^ ((c[(x + 1) % 5] << 1 & MASK64) | c[(x + 1) % 5] >> 63) for x in range(5)]
        b = [0] * 25
        b[0] = a[0] ^ d[0]
        for source, target, turn in KECCAK_WALK:
            lane = a[source] ^ d[source % 5]
            b[target] = (lane << turn & MASK64) | lane >> (64 - turn)
        a = [b[y + x] ^ (~b[y + (x + 1) % 5] & b[y + (x + 2) % 5]) for y in (0, 5, 10, 15, 20) for x in range(5)]
        a[0] ^= constant
    return a


@lru_cache(maxsize=4096)
def keccak256(data: bytes) -> bytes:
    """Keccak-256 as Ethereum uses it: rate 136, padding 01 … 80 (not that of SHA-3)."""
    rate = 136
    padded = bytearray(data) + b"\x01" + bytes(-(len(data) + 1) % rate)
    padded[-1] |= 0x80
    state = [0] * 25
    for start in range(0, len(padded), rate):
        for lane in range(rate // 8):
            at = start + 8 * lane
            state[lane] ^= int.from_bytes(padded[at : at + 8], "little")
        state = _keccak_f(state)
    return b"".join(lane.to_bytes(8, "little") for lane in state[:4])


class Curve(NamedTuple):
    """y² = x³ + ax + b over the integers modulo p; the base point (x, y) has the prime order n."""

    p: int
    a: int
    b: int
    n: int
    x: int
    y: int


SECP256K1 = Curve(
    p=2**256 - 2**32 - 977,
    a=0,
    b=7,
    n=0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
    x=0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    y=0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)
P256 = Curve(
    p=2**256 - 2**224 + 2**192 + 2**96 - 1,
    a=-3,
    b=0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    n=0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    x=0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    y=0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
P384 = Curve(
    p=2**384 - 2**128 - 2**96 + 2**32 - 1,
    a=-3,
    b=0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
    n=0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    x=0xAA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB7,
    y=0x3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F,
)
P521 = Curve(
    p=2**521 - 1,
    a=-3,
    b=0x0051953EB9618E1C9A1F929A21A0B68540EEA2DA725B99B315F3B8B489918EF109E156193951EC7E937B1652C0BD3BB1BF073573DF883D2C34F1EF451FD46B503F00,  # noqa: E501
    n=0x01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409,  # noqa: E501
    x=0x00C6858E06B70404E9CD9E3ECB662395B4429C648139053FB521F828AF606B4D3DBAA14B5E77EFE75928FE1DC127A2FFA8DE3348B3C1856A429BF97E7E31C2E5BD66,  # noqa: E501
    y=0x011839296A789A3BC0045C8A5FB42C7D1BD998F54449579B446817AFBD17273E662C97EE72995EF42640C550B9013FAD0761353C7086A272C24088BE94769FD16650,  # noqa: E501
)

Point = tuple[int, int]
Jacobian = tuple[int, int, int]  # (X, Y, Z) stands for (X/Z², Y/Z³); Z = 0 for the point at infinity


def _double(curve: Curve, point: Jacobian) -> Jacobian:
    x, y, z = point
    p = curve.p
    if z == 0 or y == 0:
        return (0, 1, 0)
    yy = y * y % p
    s = 4 * x * yy % p
    m = 3 * x * x
    if curve.a:
        zz = z * z % p
        m += curve.a * zz * zz
    m %= p
    x3 = (m * m - 2 * s) % p
    return (x3, (m * (s - x3) - 8 * yy * yy) % p, 2 * y * z % p)


def _add(curve: Curve, first: Jacobian, second: Jacobian) -> Jacobian:
    if first[2] == 0:
        return second
    if second[2] == 0:
        return first
    p = curve.p
    x1, y1, z1 = first
    x2, y2, z2 = second
    zz1, zz2 = z1 * z1 % p, z2 * z2 % p
    u1, u2 = x1 * zz2 % p, x2 * zz1 % p
    s1, s2 = y1 * zz2 * z2 % p, y2 * zz1 * z1 % p
    if u1 == u2:
        return _double(curve, first) if s1 == s2 else (0, 1, 0)
    h, r = (u2 - u1) % p, (s2 - s1) % p
    hh = h * h % p
    hhh, v = h * hh % p, u1 * hh % p
    x3 = (r * r - hhh - 2 * v) % p
    return (x3, (r * (v - x3) - s1 * hhh) % p, h * z1 * z2 % p)


def _sum_of_multiples(curve: Curve, k: int, base: Point, m: int, other: Point) -> Point | None:
    """k·base + m·other, two bits of both at a time (Shamir's trick); None for the point at infinity."""
    row_base: list[Jacobian] = [(0, 1, 0), (*base, 1)]
    row_other: list[Jacobian] = [(0, 1, 0), (*other, 1)]
    for row in (row_base, row_other):
        row.append(_double(curve, row[1]))
        row.append(_add(curve, row[2], row[1]))
    table = [[_add(curve, b, o) for o in row_other] for b in row_base]
    result: Jacobian = (0, 1, 0)
    for shift in range((max(k.bit_length(), m.bit_length()) + 1) // 2 * 2 - 2, -2, -2):
        result = _double(curve, _double(curve, result))
        result = _add(curve, result, table[k >> shift & 3][m >> shift & 3])
    x, y, z = result
    if z == 0:
        return None
    inverse = pow(z, -1, curve.p)
    return (x * inverse * inverse % curve.p, y * inverse**3 % curve.p)


def lift_x(curve: Curve, x: int, odd: int) -> Point | None:
    """The point of the curve with this x and an odd or even y. All four primes are 3 modulo 4."""
    if x >= curve.p:
        return None
    square = (x * x * x + curve.a * x + curve.b) % curve.p
    y = pow(square, (curve.p + 1) // 4, curve.p)
    if y * y % curve.p != square:
        return None
    if y & 1 != odd:
        y = curve.p - y
    return (x, y) if y != curve.p else None


def is_on_curve(curve: Curve, point: Point) -> bool:
    x, y = point
    return x < curve.p and y < curve.p and (y * y - x * x * x - curve.a * x - curve.b) % curve.p == 0


def ecdsa_holds(curve: Curve, key: Point, digest: bytes, r: int, s: int) -> bool:
    """ECDSA as in FIPS 186-5, 6.4.2; of a longer digest the leftmost bits, as many as n has."""
    if not (0 < r < curve.n and 0 < s < curve.n):
        return False
    z = int.from_bytes(digest, "big") >> max(0, 8 * len(digest) - curve.n.bit_length())
    w = pow(s, -1, curve.n)
    point = _sum_of_multiples(curve, z * w % curve.n, (curve.x, curve.y), r * w % curve.n, key)
    return point is not None and point[0] % curve.n == r


# ==================================================================================================================
# 4  COSE_Sign1 (spec/signatures.md) and owners' signatures (spec/grant.md)
# ==================================================================================================================


class Key(NamedTuple):
    """A public key: COSE algorithm (-47 ES256K, -7 ES256) and compressed point."""

    algorithm: int
    bytes: bytes


CURVES = {-47: (SECP256K1, 8), -7: (P256, 1)}
ALGORITHM_NAMES = {"ES256K": -47, "ES256": -7}


@lru_cache(maxsize=4096)
def key_point(key: Key) -> Point:
    require(len(key.bytes) == 33 and key.bytes[0] in (2, 3), "KEY_MALFORMED")
    point = lift_x(CURVES[key.algorithm][0], int.from_bytes(key.bytes[1:], "big"), key.bytes[0] & 1)
    if point is None:
        raise Fault("KEY_MALFORMED")
    return point


@lru_cache(maxsize=4096)
def key_id(key: Key) -> bytes:
    """COSE Key Thumbprint ("Key identifier")."""
    x, y = (coordinate.to_bytes(32, "big") for coordinate in key_point(key))
    curve = bytes([CURVES[key.algorithm][1]])
    return sha256(b"\xa4\x01\x02\x20", curve, b"\x21\x58\x20", x, b"\x22\x58\x20", y)


def cose_typ(kind: str) -> bytes:
    return b"application/vnd.witnessmark." + kind.encode("ascii")


def cose_protected(kind: str, key: Key) -> bytes:
    typ = cose_typ(kind)
    named = cbor_head(3, len(typ)) + typ
    return b"\xa3\x01" + encode_cbor(key.algorithm) + b"\x04\x58\x20" + key_id(key) + b"\x10" + named


def sig_structure(kind: str, key: Key, payload: bytes) -> bytes:
    """What is signed, and what the record id is the SHA-256 of ("Bytes")."""
    return encode_cbor(["Signature1", cose_protected(kind, key), b"witnessmark/v1/" + cose_typ(kind), payload])


def record_id(kind: str, key: Key, payload: bytes) -> bytes:
    return sha256(sig_structure(kind, key, payload))


class Cose(NamedTuple):
    protected: bytes
    payload: bytes
    signature: bytes


def read_cose(data: bytes) -> Cose:
    """The parts of a COSE_Sign1, not believed ("Verification", steps 1 and 2)."""
    require(len(data) <= 66_047, "COSE_TOO_LARGE")
    parts: list[bytes] = []
    at = 1
    require(data[:1] == b"\x84", "COSE_MALFORMED")
    for part in range(3):
        if part == 1:
            require(data[at : at + 1] == b"\xa0", "COSE_MALFORMED")
            at += 1
        require(at < len(data) and data[at] >> 5 == 2, "COSE_MALFORMED")
        info = data[at] & 31
        width = {24: 1, 25: 2}.get(info, 0 if info < 24 else -1)
        require(width >= 0 and at + 1 + width <= len(data), "COSE_MALFORMED")
        length = int.from_bytes(data[at + 1 : at + 1 + width], "big") if width else info
        at += 1 + width
        require(width == 0 or length >= (24 if width == 1 else 256), "COSE_MALFORMED")
        require(at + length <= len(data), "COSE_MALFORMED")
        parts.append(data[at : at + length])
        at += length
    require(at == len(data) and len(parts[2]) == 64, "COSE_MALFORMED")
    return Cose(*parts)


@lru_cache(maxsize=65536)
def signature_holds(key: Key, digest: bytes, signature: bytes) -> bool:
    """ECDSA with r ‖ s, s at most half the order ("Low S")."""
    curve = CURVES[key.algorithm][0]
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    return len(signature) == 64 and s <= curve.n // 2 and ecdsa_holds(curve, key_point(key), digest, r, s)


def verify_cose(kind: str, key: Key, data: bytes) -> bytes:
    """The payload, once the signature holds ("Verification", all steps)."""
    cose = read_cose(data)
    key_point(key)
    require(cose.protected == cose_protected(kind, key), "COSE_HEADER")
    require(signature_holds(key, record_id(kind, key, cose.payload), cose.signature), "SIGNATURE_INVALID")
    return cose.payload


class OwnerSignature(NamedTuple):
    """kind 0: r ‖ s ‖ v by a key; kind 1: what a wallet that is a contract takes."""

    kind: int
    bytes: bytes


def read_owner_signature(fields: Fields) -> OwnerSignature:
    """spec/grant.md, "Owner's signature"."""
    kind = fields.uint(1)
    if kind == 1:
        return OwnerSignature(1, fields.bytes_up_to(4096))
    signature = fields.bytes(65)
    s = int.from_bytes(signature[32:64], "big")
    require(s <= SECP256K1.n // 2 and signature[64] in (27, 28), "OWNER_SIGNATURE_FORM")
    return OwnerSignature(0, signature)


@lru_cache(maxsize=65536)
def recover_address(digest: bytes, signature: bytes) -> bytes | None:
    """The address whose key made r ‖ s ‖ v over the digest (SEC 1, 4.1.6; spec/grant.md, "Verification", step 2)."""
    n = SECP256K1.n
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    if not (0 < r < n and 0 < s < n):
        return None
    point = lift_x(SECP256K1, r, signature[64] - 27)
    if point is None:
        return None
    w = pow(r, -1, n)
    z = int.from_bytes(digest, "big")
    key = _sum_of_multiples(SECP256K1, -z * w % n, (SECP256K1.x, SECP256K1.y), s * w % n, point)
    if key is None:
        return None
    return keccak256(key[0].to_bytes(32, "big") + key[1].to_bytes(32, "big"))[-20:]


def owner_signed(signature: OwnerSignature, digest: bytes, owner: bytes) -> bool | None:
    """None where the owner's wallet is a contract: no file can show what it answers."""
    if signature.kind == 1:
        return None
    require(recover_address(digest, signature.bytes) == owner, "OWNER_SIGNATURE_INVALID")
    return True


def eip712_word(value: Any) -> bytes:
    """One member: an int, an address, bytes16 or bytes32, a string, or a list of strings (spec/grant.md, "Digest")."""
    if isinstance(value, int):
        return value.to_bytes(32, "big")
    if isinstance(value, str):
        return keccak256(value.encode("utf-8"))
    if isinstance(value, list):
        return keccak256(b"".join(eip712_word(text) for text in value))
    return bytes(12) + value if len(value) == 20 else value + bytes(32 - len(value))


def eip712_digest(domain: list[Any], struct: str, members: list[Any]) -> bytes:
    """`domain` is [] or [chain id, contract] behind name and version; `struct` is the encoded type."""
    members_of_domain = "string name,string version" + (",uint256 chainId,address verifyingContract" if domain else "")
    words = [keccak256(f"EIP712Domain({members_of_domain})".encode())]
    words += [eip712_word(value) for value in ["Witnessmark", "0", *domain]]
    separator = keccak256(b"".join(words))
    content = keccak256(keccak256(struct.encode()) + b"".join(eip712_word(value) for value in members))
    return keccak256(b"\x19\x01" + separator + content)


# ==================================================================================================================
# 5  Merkle trees (spec/merkle.md)
# ==================================================================================================================


def merkle_root(leaves: Iterable[bytes]) -> bytes:
    """"Root", built from below."""
    row = [sha256(b"\x00", leaf) for leaf in leaves]
    if not row:
        return sha256()
    while len(row) > 1:
        above = [sha256(b"\x01", row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)]
        row = above + row[len(above) * 2 :]
    return row[0]


def root_from_proof(size: int, indexes: Sequence[int], leaves: Sequence[bytes], proof: Sequence[bytes]) -> bytes:
    """"Verification", steps 1 to 3: what steps 1 to 4 compare with the root."""
    require(len(leaves) > 0 and len(leaves) == len(indexes), "MERKLE_INDEX")
    require(all(i < j for i, j in zip(indexes, indexes[1:])) and 0 <= indexes[0], "MERKLE_INDEX")
    require(indexes[-1] < size <= MAX_UINT, "MERKLE_INDEX")
    known = [(i, sha256(b"\x00", leaf)) for i, leaf in zip(indexes, leaves)]
    width, used = size, 0
    while width > 1:
        above = []
        at = 0
        while at < len(known):
            i, node = known[at]
            at += 1
            sibling = i ^ 1
            if at < len(known) and known[at][0] == sibling:
                parent = sha256(b"\x01", node, known[at][1])
                at += 1
            elif sibling < width:
                require(used < len(proof) and len(proof[used]) == 32, "MERKLE_PROOF_LENGTH")
                other = proof[used]
                used += 1
                parent = sha256(b"\x01", node, other) if sibling > i else sha256(b"\x01", other, node)
            else:
                parent = node
            above.append((i // 2, parent))
        known, width = above, (width + 1) // 2
    require(used == len(proof), "MERKLE_PROOF_LENGTH")
    return known[0][1]


def verify_merkle(
    size: int, indexes: Sequence[int], leaves: Sequence[bytes], proof: Sequence[bytes], root: bytes
) -> None:
    require(root_from_proof(size, indexes, leaves, proof) == root, "MERKLE_ROOT_MISMATCH")


# ==================================================================================================================
# 6  Chain: RLP, block headers, state proofs, header links (spec/evm-proofs.md)
# ==================================================================================================================

MAX_RLP_DEPTH = 4
EMPTY_TRIE = bytes.fromhex("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421")
HISTORY_CONTRACT = bytes.fromhex("0000f90827f1c53a10cb7a02335b175320002935")
HISTORY_CODE = bytes.fromhex("6e49e66782037c0555897870e29fa5e552daf4719552131a0abce779daec0a5d")
HISTORY_RING = 8191


def decode_rlp(data: bytes, limit: int) -> Any:
    """"RLP": bytes or a list, in one form per value only."""
    require(len(data) <= limit, "RLP_TOO_LARGE")

    def item(at: int, end: int, depth: int) -> tuple[Any, int]:  # calls itself at most MAX_RLP_DEPTH deep
        require(at < end, "RLP_TRUNCATED")
        first = data[at]
        if first < 0x80:
            return data[at : at + 1], at + 1
        is_list = first >= 0xC0
        short = first - (0xC0 if is_list else 0x80)
        start = at + 1
        length = short
        if short > 55:
            width = short - 55
            start += width
            require(start <= end, "RLP_TRUNCATED")
            length = int.from_bytes(data[at + 1 : start], "big")
            require(data[at + 1] != 0 and length > 55, "RLP_NON_CANONICAL")
        stop = start + length
        require(stop <= end, "RLP_TRUNCATED")
        if not is_list:
            require(not (length == 1 and data[start] < 0x80), "RLP_NON_CANONICAL")
            return data[start:stop], stop
        require(depth < MAX_RLP_DEPTH, "RLP_TOO_DEEP")
        elements = []
        while start < stop:
            element, start = item(start, stop, depth + 1)
            elements.append(element)
        return elements, stop

    value, at = item(0, len(data), 0)
    require(at == len(data), "RLP_TRAILING_BYTES")
    return value


def rlp_length(value: Any) -> int:
    """Bytes of an item's encoding, up to 55 bytes of content exactly, above that at least 56."""
    if isinstance(value, list):
        return 1 + sum(rlp_length(element) for element in value)
    return 1 if len(value) == 1 and value[0] < 0x80 else 1 + len(value)


class Header(NamedTuple):
    hash: bytes
    parent: bytes
    state_root: bytes
    number: int
    timestamp: int  # s since 1970 UTC


# Field widths of a block header: a number for exactly so many bytes, ("q", n) for a quantity of at most n.
HEADER_WIDTHS: tuple[Any, ...] = (
    32, 32, 20, 32, 32, 32, 256, ("q", 32), ("q", 8), ("q", 8), ("q", 8), ("q", 8), ("up to", 1024), 32, 8,
    ("q", 32), 32, ("q", 8), ("q", 8), 32, 32,
)  # fmt: skip


@lru_cache(maxsize=1024)
def decode_header(data: bytes) -> Header:
    """"Block header"."""
    fields = decode_rlp(data, 2048)
    require(isinstance(fields, list), "HEADER_NOT_A_LIST")
    require(len(fields) in (15, 16, 17, 20, 21), "HEADER_FIELD_COUNT")
    for value, width in zip(fields, HEADER_WIDTHS):
        require(isinstance(value, bytes), "HEADER_FIELD_TYPE")
        if isinstance(width, int):
            require(len(value) == width, "HEADER_FIELD_WIDTH")
        else:
            require(len(value) <= width[1], "HEADER_FIELD_WIDTH")
            require(width[0] != "q" or value[:1] != b"\x00", "HEADER_QUANTITY")
    number, timestamp = int.from_bytes(fields[8], "big"), int.from_bytes(fields[11], "big")
    return Header(keccak256(data), fields[0], fields[3], number, timestamp)


class Nodes:
    """A node list: trie nodes by hash, and which of them a proof has needed ("Node list")."""

    def __init__(self, nodes: Sequence[bytes]) -> None:
        require(len(nodes) <= 65_536, "PROOF_NODE_COUNT")
        self.by_hash: dict[bytes, bytes] = {}
        self.used: set[bytes] = set()
        before = b""
        for node in nodes:
            require(1 <= len(node) <= 1024, "PROOF_NODE_SIZE")
            name = keccak256(node)
            require(name > before, "PROOF_NODE_ORDER")
            self.by_hash[name] = node
            before = name

    def node(self, name: bytes) -> bytes:
        require(name in self.by_hash, "PROOF_NODE_MISSING")
        self.used.add(name)
        return self.by_hash[name]

    def require_all_used(self) -> None:
        require(len(self.used) == len(self.by_hash), "PROOF_NODE_UNUSED")


def decode_node(data: bytes) -> list[Any]:
    try:
        value = decode_rlp(data, 1024)
    except Fault:
        raise Fault("PROOF_NODE_MALFORMED") from None
    require(isinstance(value, list) and len(value) in (2, 17), "PROOF_NODE_MALFORMED")
    return value


def require_child(child: Any) -> None:
    if isinstance(child, list):
        require(len(child) in (2, 17) and rlp_length(child) < 32, "PROOF_NODE_MALFORMED")
    else:
        require(len(child) in (0, 32), "PROOF_NODE_MALFORMED")


def node_path(data: Any) -> tuple[bool, list[int]]:
    """A path in hex-prefix form: whether it is a leaf's, and its nibbles."""
    require(isinstance(data, bytes) and len(data) > 0 and data[0] >> 4 <= 3, "PROOF_NODE_MALFORMED")
    is_leaf, is_odd = bool(data[0] & 0x20), bool(data[0] & 0x10)
    require(is_odd or data[0] & 0x0F == 0, "PROOF_NODE_MALFORMED")
    nibbles = [half for byte in data for half in (byte >> 4, byte & 15)]
    return is_leaf, nibbles[1:] if is_odd else nibbles[2:]


def walk_trie(root: bytes, key: bytes, nodes: Nodes) -> bytes | None:
    """"Walk": the value under a key of 32 bytes, or None when the trie provably lacks it."""
    if root == EMPTY_TRIE:
        return None
    nibbles = [half for byte in key for half in (byte >> 4, byte & 15)]
    at = 0
    below_extension = False
    child: Any = root
    while True:
        node = child
        if isinstance(child, bytes):
            encoded = nodes.node(child)
            require(len(encoded) >= 32 or child is root, "PROOF_NODE_MALFORMED")
            node = decode_node(encoded)
        require(not below_extension or len(node) == 17, "PROOF_NODE_MALFORMED")
        below_extension = False
        if len(node) == 17:
            for entry in node[:16]:
                require_child(entry)
            require(sum(1 for entry in node[:16] if entry) >= 2 and node[16] == b"", "PROOF_NODE_MALFORMED")
            require(at < 64, "PROOF_NODE_MALFORMED")
            child = node[nibbles[at]]
            at += 1
            if not child:
                return None
            continue
        is_leaf, path = node_path(node[0])
        if is_leaf:
            require(at + len(path) == 64, "PROOF_NODE_MALFORMED")
            require(isinstance(node[1], bytes) and len(node[1]) > 0, "PROOF_NODE_MALFORMED")
            return node[1] if path == nibbles[at:] else None
        require(len(path) > 0 and at + len(path) < 64, "PROOF_NODE_MALFORMED")
        require_child(node[1])
        require(node[1], "PROOF_NODE_MALFORMED")
        if path != nibbles[at : at + len(path)]:
            return None
        at += len(path)
        child, below_extension = node[1], True


class Account(NamedTuple):
    storage_root: bytes
    code_hash: bytes


def prove_account(state_root: bytes, address: bytes, nodes: Nodes) -> Account | None:
    """"Account"."""
    value = walk_trie(state_root, keccak256(address), nodes)
    if value is None:
        return None
    try:
        fields = decode_rlp(value, 1024)
    except Fault:
        raise Fault("PROOF_ACCOUNT_MALFORMED") from None
    require(isinstance(fields, list) and len(fields) == 4, "PROOF_ACCOUNT_MALFORMED")
    require(all(isinstance(item, bytes) for item in fields), "PROOF_ACCOUNT_MALFORMED")
    nonce, balance, storage_root, code_hash = fields
    require(len(nonce) <= 8 and len(balance) <= 32, "PROOF_ACCOUNT_MALFORMED")
    require(nonce[:1] != b"\x00" and balance[:1] != b"\x00", "PROOF_ACCOUNT_MALFORMED")
    require(len(storage_root) == 32 and len(code_hash) == 32, "PROOF_ACCOUNT_MALFORMED")
    return Account(storage_root, code_hash)


def prove_slot(storage_root: bytes, slot: bytes, nodes: Nodes) -> int:
    """"Storage slot": the word, zero where the trie has none."""
    value = walk_trie(storage_root, keccak256(slot), nodes)
    if value is None:
        return 0
    try:
        word = decode_rlp(value, 1024)
    except Fault:
        raise Fault("PROOF_VALUE_MALFORMED") from None
    require(isinstance(word, bytes) and 1 <= len(word) <= 32 and word[0] != 0, "PROOF_VALUE_MALFORMED")
    return int.from_bytes(word, "big")


def mapping_slot(key: int | bytes, slot: bytes) -> bytes:
    """m(k, s) = keccak(pad32(k) ‖ s) (spec/registry-facts.md)."""
    padded = key.to_bytes(32, "big") if isinstance(key, int) else key.rjust(32, b"\x00")
    return keccak256(padded + slot)


def anchor_slot(publisher: bytes, window_seq: int) -> bytes:
    """"Slot of an anchor"."""
    return mapping_slot(window_seq, mapping_slot(publisher, bytes(32)))


class Hop(NamedTuple):
    header: bytes
    numbers: list[int] | None  # of a history hop; None of a parent hop


class HeaderLink(NamedTuple):
    chain_id: int
    hops: list[Hop]
    nodes: list[bytes]


def decode_header_link(data: bytes) -> HeaderLink:
    """"Header link record"."""

    def hop(fields: Fields) -> Hop:
        kind = fields.uint()
        header = fields.bytes_up_to(2048)
        require(kind in (1, 2), "HOP_KIND")
        if kind == 2:
            return Hop(header, None)
        numbers = Fields(fields.take(list))
        require(len(numbers.values) <= HISTORY_RING, "FIELD_LENGTH")
        return Hop(header, [numbers.uint64() for _ in numbers.values])

    def read(fields: Fields) -> HeaderLink:
        return HeaderLink(fields.uint64(), fields.list(1024, hop), fields.bytes_list(65_536, most_bytes=4096))

    return decode_record(data, 16, 16 * MIB, read)


class ShownBlocks(NamedTuple):
    """What a header link shows: its newest block, block hashes by number, and times where a header is there."""

    chain_id: int
    newest: Header
    hashes: dict[int, bytes]
    times: dict[int, int]


def verify_header_link(link: HeaderLink) -> ShownBlocks:
    """"Verification", "Header link"."""
    require(len(link.hops) > 0, "HEADER_LINK_EMPTY")
    require(len(link.hops) <= 1024, "HEADER_LINK_TOO_LONG")
    nodes = Nodes(link.nodes)
    newest = decode_header(link.hops[0].header)
    hashes = {newest.number: newest.hash}
    times: dict[int, int] = {}
    before: int | None = None
    for hop in link.hops:
        header = decode_header(hop.header)
        require(header.number in hashes, "HEADER_LINK_UNKNOWN")
        require(hashes[header.number] == header.hash, "HEADER_LINK_MISMATCH")
        require(before is None or header.number < before, "HEADER_LINK_ORDER")
        before = header.number
        times[header.number] = header.timestamp
        if hop.numbers is None:
            require(header.number > 0, "HEADER_LINK_RANGE")
            shown = [(header.number - 1, header.parent)]
        else:
            shown = history_hashes(header, hop.numbers, nodes)
        for number, block_hash in shown:
            require(number not in hashes, "HEADER_LINK_REPEATED")
            hashes[number] = block_hash
    nodes.require_all_used()
    return ShownBlocks(link.chain_id, newest, hashes, times)


def history_hashes(header: Header, numbers: list[int], nodes: Nodes) -> list[tuple[int, bytes]]:
    """A history hop: block hashes out of the EIP-2935 contract's storage."""
    require(len(numbers) > 0, "HEADER_LINK_NUMBERS_EMPTY")
    account = prove_account(header.state_root, HISTORY_CONTRACT, nodes)
    if account is None:
        raise Fault("HEADER_LINK_HISTORY_ABSENT")
    require(account.code_hash == HISTORY_CODE, "HEADER_LINK_HISTORY_CODE")
    shown: list[tuple[int, bytes]] = []
    for number in numbers:
        require(not shown or number < shown[-1][0], "HEADER_LINK_ORDER")
        require(header.number - HISTORY_RING <= number < header.number, "HEADER_LINK_RANGE")
        word = prove_slot(account.storage_root, (number % HISTORY_RING).to_bytes(32, "big"), nodes)
        require(word != 0, "HEADER_LINK_HASH_ABSENT")
        shown.append((number, word.to_bytes(32, "big")))
    return shown


# ==================================================================================================================
# 7  Time stamps: DER, certificates, tokens (spec/time-stamp.md; RFC 3161, 5280, 5652, 6960)
# ==================================================================================================================


class Der(NamedTuple):
    """One element: its tag, and where element and content lie in `data`."""

    tag: int
    data: bytes
    start: int
    body: int
    end: int

    @property
    def content(self) -> bytes:
        return self.data[self.body : self.end]

    @property
    def encoded(self) -> bytes:
        return self.data[self.start : self.end]


INTEGER, BIT_STRING, OCTET_STRING, NULL, OID, ENUMERATED, SEQUENCE, SET = 2, 3, 4, 5, 6, 10, 0x30, 0x31
BOOLEAN, UTC_TIME, GENERALIZED_TIME = 1, 0x17, 0x18


def explicit(number: int) -> int:
    return 0xA0 | number


def implicit(number: int) -> int:
    return 0x80 | number


def der_element(data: bytes, at: int, end: int) -> Der:
    """"DER": tags of one byte, definite lengths in their shortest form."""
    require(at + 2 <= end and data[at] & 0x1F != 0x1F, "DER_MALFORMED")
    length, body = data[at + 1], at + 2
    if length >= 0x80:
        width = length & 0x7F
        require(1 <= width <= 4 and body + width <= end, "DER_MALFORMED")
        length = int.from_bytes(data[body : body + width], "big")
        require(length >= 0x80 and data[body] != 0, "DER_MALFORMED")
        body += width
    require(body + length <= end, "DER_MALFORMED")
    return Der(data[at], data, at, body, body + length)


def der_outermost(data: bytes) -> Der:
    element = der_element(data, 0, len(data))
    require(element.end == len(data), "DER_MALFORMED")
    return element


class DerParts:
    """The elements inside another, taken in order."""

    def __init__(self, outer: Der, tag: int | None = None) -> None:
        require(tag is None or outer.tag == tag, "DER_MALFORMED")
        self.data, self.at, self.limit = outer.data, outer.body, outer.end

    def is_next(self, *tags: int) -> bool:
        return self.at < self.limit and self.data[self.at] in tags

    def take(self, *tags: int) -> Der:
        element = der_element(self.data, self.at, self.limit)
        require(not tags or element.tag in tags, "DER_MALFORMED")
        self.at = element.end
        return element

    def optional(self, *tags: int) -> Der | None:
        return self.take(*tags) if self.is_next(*tags) else None

    def parts(self, tag: int = SEQUENCE) -> DerParts:
        return DerParts(self.take(tag))

    def rest(self, *tags: int) -> list[Der]:
        elements = []
        while self.at < self.limit:
            elements.append(self.take(*tags))
        return elements

    def end(self) -> None:
        require(self.at == self.limit, "DER_MALFORMED")


def only_part(outer: Der, *tags: int) -> Der:
    parts = DerParts(outer)
    element = parts.take(*tags)
    parts.end()
    return element


def der_integer(element: Der) -> int:
    content = element.content
    require(len(content) > 0, "DER_MALFORMED")
    if len(content) > 1:
        require(not (content[0] == 0 and content[1] < 0x80), "DER_MALFORMED")
        require(not (content[0] == 0xFF and content[1] >= 0x80), "DER_MALFORMED")
    return int.from_bytes(content, "big", signed=True)


def der_unsigned(element: Der, most: int | None = None) -> int:
    """Not negative, and where `most` is given at most that."""
    value = der_integer(element)
    require(value >= 0 and (most is None or value <= most), "DER_MALFORMED")
    return value


def der_boolean(element: Der) -> bool:
    require(element.content in (b"\x00", b"\xff"), "DER_MALFORMED")
    return element.content == b"\xff"


def der_bits(element: Der) -> tuple[bytes, int]:
    """A bit string's bytes and how many bits of the last are unused; those are zero."""
    content = element.content
    require(len(content) > 0 and content[0] <= 7, "DER_MALFORMED")
    require(content[0] == 0 or len(content) > 1, "DER_MALFORMED")
    return content[1:], content[0]


def der_octets_of_bits(element: Der) -> bytes:
    octets, unused = der_bits(element)
    require(unused == 0, "DER_MALFORMED")
    return octets


def der_oid(element: Der) -> str:
    content = element.content
    require(1 <= len(content) <= 64 and content[-1] < 0x80, "DER_MALFORMED")
    arcs: list[int] = []
    value, is_first_byte = 0, True
    for byte in content:
        require(not (is_first_byte and byte == 0x80), "DER_MALFORMED")
        value = value << 7 | byte & 0x7F
        is_first_byte = byte < 0x80
        if is_first_byte:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(str(arc) for arc in (first, arcs[0] - 40 * first, *arcs[1:]))


def der_time(element: Der) -> int:
    """ns since 1970 UTC."""
    try:
        text = element.content.decode("ascii")
    except UnicodeDecodeError:
        raise Fault("DER_MALFORMED") from None
    pattern = r"(\d\d)" if element.tag == UTC_TIME else r"(\d{4})"
    fraction = "" if element.tag == UTC_TIME else r"(?:\.(\d{0,8}[1-9]))?"
    match = re.fullmatch(pattern + r"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)" + fraction + "Z", text)
    if match is None:
        raise Fault("DER_MALFORMED")
    year, month, day, hour, minute, second = (int(group) for group in match.groups()[:6])
    if element.tag == UTC_TIME:
        year += 1900 if year >= 50 else 2000
    require(1 <= month <= 12 and hour < 24 and minute < 60 and second < 60, "DER_MALFORMED")
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    days = (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1]
    require(1 <= day <= days, "DER_MALFORMED")
    # Counted from 400 years later: the calendar repeats, and timegm knows no year 0.
    seconds = timegm((year + 400, month, day, hour, minute, second)) - 146_097 * 86_400
    digits = (match.group(7) or "") if element.tag == GENERALIZED_TIME else ""
    return seconds * SECOND + int(digits.ljust(9, "0"))


DIGESTS = {
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
RSA_KEY, RSA_PSS, MGF1 = "1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10", "1.2.840.113549.1.1.8"
RSA_WITH = {
    "1.2.840.113549.1.1.11": "sha256",
    "1.2.840.113549.1.1.12": "sha384",
    "1.2.840.113549.1.1.13": "sha512",
}
EC_KEY = "1.2.840.10045.2.1"
ECDSA_WITH = {"1.2.840.10045.4.3.2": "sha256", "1.2.840.10045.4.3.3": "sha384", "1.2.840.10045.4.3.4": "sha512"}
EC_CURVES = {"1.2.840.10045.3.1.7": P256, "1.3.132.0.34": P384, "1.3.132.0.35": P521}
DIGEST_INFO = {  # DER of DigestInfo up to the digest (RFC 8017, 9.2, note 1)
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}


class Algorithm(NamedTuple):
    oid: str
    parameters: Der | None
    encoded: bytes


def read_algorithm(element: Der) -> Algorithm:
    parts = DerParts(element, SEQUENCE)
    oid = der_oid(parts.take(OID))
    parameters = parts.take() if parts.at < parts.limit else None
    parts.end()
    return Algorithm(oid, parameters, element.encoded)


def has_no_parameters(algorithm: Algorithm, may_be_null: bool = True) -> bool:
    parameters = algorithm.parameters
    if parameters is None:
        return True
    return may_be_null and parameters.tag == NULL and parameters.content == b""


def digest_name(algorithm: Algorithm) -> str:
    require(algorithm.oid in DIGESTS and has_no_parameters(algorithm), "ALGORITHM_UNSUPPORTED")
    return DIGESTS[algorithm.oid]


class SubjectKey(NamedTuple):
    """SubjectPublicKeyInfo: its algorithm, and the key, which is read when a signature is to be checked by it."""

    algorithm: Algorithm
    bytes: bytes


def read_subject_key(element: Der) -> SubjectKey:
    parts = DerParts(element, SEQUENCE)
    key = SubjectKey(read_algorithm(parts.take(SEQUENCE)), der_octets_of_bits(parts.take(BIT_STRING)))
    parts.end()
    return key


def rsa_key(data: bytes) -> tuple[int, int]:
    """Modulus and exponent (RFC 8017, A.1.1; "Algorithms")."""
    numbers = DerParts(der_outermost(data), SEQUENCE)
    first, second = numbers.take(INTEGER), numbers.take(INTEGER)
    numbers.end()
    require(first.end - first.body <= 1025, "ALGORITHM_UNSUPPORTED")
    modulus, exponent = der_unsigned(first), der_unsigned(second)
    require(2048 <= modulus.bit_length() <= 8192 and modulus % 2 == 1, "ALGORITHM_UNSUPPORTED")
    require(exponent % 2 == 1 and 3 <= exponent < 2**32, "ALGORITHM_UNSUPPORTED")
    return modulus, exponent


def ec_point(curve: Curve, data: bytes) -> Point | None:
    """SEC 1, 2.3.4, compressed or not."""
    width = (curve.p.bit_length() + 7) // 8
    x = int.from_bytes(data[1 : 1 + width], "big")
    if len(data) == 1 + width and data[0] in (2, 3):
        return lift_x(curve, x, data[0] & 1)
    point = (x, int.from_bytes(data[1 + width :], "big"))
    return point if len(data) == 1 + 2 * width and data[0] == 4 and is_on_curve(curve, point) else None


def rsa_pkcs1_holds(key: tuple[int, int], digest: str, message: bytes, signature: bytes) -> bool:
    """RFC 8017, 8.2.2: the encoded message is built and compared."""
    modulus, exponent = key
    width = (modulus.bit_length() + 7) // 8
    value = int.from_bytes(signature, "big")
    if len(signature) != width or value >= modulus:
        return False
    info = DIGEST_INFO[digest] + hashlib.new(digest, message).digest()
    expected = b"\x00\x01" + b"\xff" * (width - len(info) - 3) + b"\x00" + info
    return pow(value, exponent, modulus).to_bytes(width, "big") == expected


def rsa_pss_holds(key: tuple[int, int], digest: str, salt_length: int, message: bytes, signature: bytes) -> bool:
    """RFC 8017, 8.1.2 and 9.1.2, with MGF1 over the same digest."""
    modulus, exponent = key
    width = (modulus.bit_length() + 7) // 8
    value = int.from_bytes(signature, "big")
    if len(signature) != width or value >= modulus:
        return False
    bits = modulus.bit_length() - 1
    size = (bits + 7) // 8
    number = pow(value, exponent, modulus)
    if number.bit_length() > 8 * size:
        return False
    encoded = number.to_bytes(size, "big")
    hash_size = hashlib.new(digest).digest_size
    masked, h = encoded[: size - hash_size - 1], encoded[size - hash_size - 1 : -1]
    unused = 8 * size - bits
    if size < hash_size + salt_length + 2 or encoded[-1] != 0xBC or masked[0] >> (8 - unused) != 0:
        return False
    mask = b"".join(
        hashlib.new(digest, h + counter.to_bytes(4, "big")).digest() for counter in range(len(masked) // hash_size + 1)
    )
    db = bytearray(a ^ b for a, b in zip(masked, mask))
    db[0] &= 0xFF >> unused
    zeros = len(db) - salt_length - 1
    if any(db[:zeros]) or db[zeros] != 1:
        return False
    salt = bytes(db[zeros + 1 :])
    return hashlib.new(digest, bytes(8) + hashlib.new(digest, message).digest() + salt).digest() == h


class Scheme(NamedTuple):
    """A signature algorithm that is believed: "rsa", "pss" or "ecdsa", its digest and the length of its salt."""

    kind: str
    digest: str
    salt_length: int = 0


def scheme_of(algorithm: Algorithm, digest: str | None = None) -> Scheme:
    """"Algorithms". `digest`: of a signer who states it beside the algorithm, which may then leave it out."""
    if algorithm.oid == RSA_PSS:
        return pss_scheme(algorithm)
    if algorithm.oid in ECDSA_WITH and algorithm.parameters is None:
        return Scheme("ecdsa", ECDSA_WITH[algorithm.oid])
    name = RSA_WITH.get(algorithm.oid, digest if algorithm.oid == RSA_KEY else None)
    if name is None or not has_no_parameters(algorithm):
        raise Fault("ALGORITHM_UNSUPPORTED")
    return Scheme("rsa", name)


def pss_scheme(algorithm: Algorithm) -> Scheme:
    """All parameters but the trailer are stated (RFC 4055, 3.1)."""
    if algorithm.parameters is None or algorithm.parameters.tag != SEQUENCE:
        raise Fault("ALGORITHM_UNSUPPORTED")
    parts = DerParts(algorithm.parameters)
    stated = [parts.optional(explicit(number)) for number in range(3)]
    parts.end()
    require(all(stated), "ALGORITHM_UNSUPPORTED")
    digest = digest_name(read_algorithm(DerParts(stated[0]).take(SEQUENCE)))
    mask = read_algorithm(DerParts(stated[1]).take(SEQUENCE))
    require(mask.oid == MGF1 and mask.parameters is not None, "ALGORITHM_UNSUPPORTED")
    require(digest_name(read_algorithm(mask.parameters)) == digest, "ALGORITHM_UNSUPPORTED")
    return Scheme("pss", digest, der_unsigned(DerParts(stated[2]).take(INTEGER), 512))


@lru_cache(maxsize=4096)
def der_ecdsa(signature: bytes) -> tuple[int, int] | None:
    try:
        parts = DerParts(der_outermost(signature), SEQUENCE)
        r, s = der_integer(parts.take(INTEGER)), der_integer(parts.take(INTEGER))
        parts.end()
    except Fault:
        return None
    return r, s


class Budget:
    """Signatures that may still be checked for all stamps of a bundle."""

    def __init__(self, left: int) -> None:
        self.left = left

    def spend(self) -> None:
        require(self.left > 0, "SIGNATURE_BUDGET")
        self.left -= 1


def x509_signature_holds(
    key: SubjectKey, scheme: Scheme, message: bytes, signature: bytes, budget: Budget
) -> bool:
    """A key of another kind than the signature's is not the one that signed."""
    budget.spend()
    if scheme.kind == "ecdsa":
        if key.algorithm.oid != EC_KEY:
            return False
        named = key.algorithm.parameters
        curve = EC_CURVES.get(der_oid(named)) if named is not None and named.tag == OID else None
        if curve is None:
            raise Fault("ALGORITHM_UNSUPPORTED")
        point, pair = ec_point(curve, key.bytes), der_ecdsa(signature)
        if point is None or pair is None:
            return False
        return ecdsa_holds(curve, point, hashlib.new(scheme.digest, message).digest(), *pair)
    if key.algorithm.oid not in ((RSA_KEY,) if scheme.kind == "rsa" else (RSA_KEY, RSA_PSS)):
        return False
    rsa = rsa_key(key.bytes)
    if scheme.kind == "pss":
        return rsa_pss_holds(rsa, scheme.digest, scheme.salt_length, message, signature)
    return rsa_pkcs1_holds(rsa, scheme.digest, message, signature)


KEY_USAGE, BASIC_CONSTRAINTS, EXTENDED_USAGE = "2.5.29.15", "2.5.29.19", "2.5.29.37"
SUBJECT_KEY, DISTRIBUTION_POINTS = "2.5.29.14", "2.5.29.31"
KNOWN_EXTENSIONS = {  # the last: authority key identifier, subject alternative names, certificate policies
    KEY_USAGE, BASIC_CONSTRAINTS, EXTENDED_USAGE, SUBJECT_KEY, DISTRIBUTION_POINTS,
    "2.5.29.35", "2.5.29.17", "2.5.29.32",
}  # fmt: skip
TIME_STAMPING, OCSP_SIGNING = "1.3.6.1.5.5.7.3.8", "1.3.6.1.5.5.7.3.9"
DIGITAL_SIGNATURE, NON_REPUDIATION, SIGNS_CERTIFICATES, SIGNS_LISTS = 0, 1, 5, 6  # bits of a key usage


class Extension(NamedTuple):
    critical: bool
    value: bytes


class Certificate(NamedTuple):
    der: bytes
    signed: bytes
    serial: int
    algorithm: Algorithm
    issuer: bytes
    not_before: int  # ns
    not_after: int
    subject: bytes
    key: SubjectKey
    extensions: dict[str, Extension]
    signature: bytes


def read_extensions(element: Der) -> dict[str, Extension]:
    extensions: dict[str, Extension] = {}
    for entry in DerParts(element).rest(SEQUENCE):
        parts = DerParts(entry)
        oid = der_oid(parts.take(OID))
        flag = parts.optional(BOOLEAN)
        value = parts.take(OCTET_STRING).content
        parts.end()
        require(oid not in extensions, "DER_MALFORMED")
        extensions[oid] = Extension(flag is not None and der_boolean(flag), value)
    return extensions


def read_certificate(data: bytes) -> Certificate:
    """RFC 5280, 4.1."""
    outer = DerParts(der_outermost(data), SEQUENCE)
    signed = outer.take(SEQUENCE)
    algorithm_at = outer.take(SEQUENCE)
    signature = der_octets_of_bits(outer.take(BIT_STRING))
    outer.end()
    parts = DerParts(signed)
    version = parts.optional(explicit(0))
    if version is not None:
        der_unsigned(DerParts(version).take(INTEGER), 2)
    serial = der_integer(parts.take(INTEGER))
    require(parts.take(SEQUENCE).encoded == algorithm_at.encoded, "DER_MALFORMED")
    algorithm = read_algorithm(algorithm_at)
    issuer = parts.take(SEQUENCE).encoded
    validity = parts.parts()
    not_before = der_time(validity.take(UTC_TIME, GENERALIZED_TIME))
    not_after = der_time(validity.take(UTC_TIME, GENERALIZED_TIME))
    validity.end()
    subject, key = parts.take(SEQUENCE).encoded, read_subject_key(parts.take(SEQUENCE))
    parts.optional(implicit(1))
    parts.optional(implicit(2))
    extensions = parts.optional(explicit(3))
    parts.end()
    known = {} if extensions is None else read_extensions(only_part(extensions, SEQUENCE))
    return Certificate(
        data, signed.encoded, serial, algorithm, issuer, not_before, not_after, subject, key, known, signature
    )


def has_key_usage(certificate: Certificate, *bits: int) -> bool:
    """Whether one of these usages is there; a certificate that has no key usage may do anything."""
    usage = certificate.extensions.get(KEY_USAGE)
    if usage is None:
        return True
    octets, _ = der_bits(_outermost_of(usage, BIT_STRING))
    return any(bit // 8 < len(octets) and octets[bit // 8] & 0x80 >> bit % 8 for bit in bits)


def _outermost_of(extension: Extension, tag: int) -> Der:
    element = der_outermost(extension.value)
    require(element.tag == tag, "DER_MALFORMED")
    return element


def extended_usages(certificate: Certificate) -> list[str]:
    usage = certificate.extensions.get(EXTENDED_USAGE)
    if usage is None:
        return []
    return [der_oid(oid) for oid in DerParts(_outermost_of(usage, SEQUENCE)).rest(OID)]


def subject_key_identifier(certificate: Certificate) -> bytes | None:
    extension = certificate.extensions.get(SUBJECT_KEY)
    if extension is None:
        return None
    element = der_element(extension.value, 0, len(extension.value))
    require(element.tag == OCTET_STRING, "DER_MALFORMED")
    return element.content


def basic_constraints(certificate: Certificate) -> tuple[bool, int | None]:
    """Whether it is a certification authority, and how many authorities may stand between it and the signer's."""
    extension = certificate.extensions.get(BASIC_CONSTRAINTS)
    if extension is None:
        return False, None
    parts = DerParts(_outermost_of(extension, SEQUENCE))
    flag, length = parts.optional(BOOLEAN), parts.optional(INTEGER)
    parts.end()
    if flag is None or not der_boolean(flag):
        return False, None
    return True, None if length is None else der_unsigned(length, 255)


class Authority(NamedTuple):
    """A time stamp authority of the policy."""

    cls: str
    certificate: Certificate
    policies: list[str]


class Token(NamedTuple):
    """What a token says that holds."""

    gen_time: int  # ns
    accuracy: int | None  # ns
    policy: str
    serial: int
    signer_serial: int
    authority: Authority


class TokenInfo(NamedTuple):
    policy: str
    imprint: bytes
    serial: int
    gen_time: int
    accuracy: int | None


def read_token_info(data: bytes) -> TokenInfo:
    """Step 5, but for the comparison of the imprint (RFC 3161, 2.4.2)."""
    parts = DerParts(der_outermost(data), SEQUENCE)
    require(der_unsigned(parts.take(INTEGER), 255) == 1, "STAMP_TOKEN")
    policy = der_oid(parts.take(OID))
    imprint_parts = parts.parts()
    digest = digest_name(read_algorithm(imprint_parts.take(SEQUENCE)))
    imprint = imprint_parts.take(OCTET_STRING).content
    imprint_parts.end()
    require(digest == "sha256" and len(imprint) == 32, "STAMP_TOKEN")
    serial = der_unsigned(parts.take(INTEGER))
    gen_time = der_time(parts.take(GENERALIZED_TIME))
    accuracy_at = parts.optional(SEQUENCE)
    accuracy = None if accuracy_at is None else read_accuracy(accuracy_at)
    ordering = parts.optional(BOOLEAN)
    if ordering is not None:
        der_boolean(ordering)
    nonce = parts.optional(INTEGER)
    if nonce is not None:
        der_unsigned(nonce)
    parts.optional(explicit(0))
    extensions = parts.optional(explicit(1))
    known = {} if extensions is None else read_extensions(extensions)
    parts.end()
    require(not any(extension.critical for extension in known.values()), "STAMP_TOKEN")
    return TokenInfo(policy, imprint, serial, gen_time, accuracy)


def read_accuracy(element: Der) -> int:
    parts = DerParts(element)
    seconds, millis, micros = parts.optional(INTEGER), parts.optional(implicit(0)), parts.optional(implicit(1))
    parts.end()
    limits = ((seconds, SECOND, 2**31), (millis, 10**6, 999), (micros, 10**3, 999))
    return sum(unit * der_unsigned(part, most) for part, unit, most in limits if part is not None)


class SignedToken(NamedTuple):
    """A token's parts (step 4)."""

    info: TokenInfo
    content: bytes  # encoded TSTInfo
    certificates: list[Certificate]
    issuer_and_serial: tuple[bytes, int] | None
    key_identifier: bytes | None
    digest: str
    attributes: dict[str, Der]
    signed: bytes
    algorithm: Algorithm
    signature: bytes


SIGNED_DATA, TST_INFO = "1.2.840.113549.1.7.2", "1.2.840.113549.1.9.16.1.4"
CONTENT_TYPE, MESSAGE_DIGEST = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4"
SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47"


def read_token(data: bytes) -> SignedToken:
    """Step 4 (RFC 5652, 5.1 and 5.3)."""
    outer = DerParts(der_outermost(data), SEQUENCE)
    require(der_oid(outer.take(OID)) == SIGNED_DATA, "STAMP_TOKEN")
    parts = DerParts(only_part(outer.take(explicit(0)), SEQUENCE))
    outer.end()
    require(der_unsigned(parts.take(INTEGER), 255) == 3, "STAMP_TOKEN")
    for element in DerParts(parts.take(SET)).rest(SEQUENCE):
        read_algorithm(element)
    encapsulated = parts.parts()
    require(der_oid(encapsulated.take(OID)) == TST_INFO, "STAMP_TOKEN")
    content = DerParts(encapsulated.take(explicit(0))).take(OCTET_STRING).content
    encapsulated.end()
    certificates_at = parts.optional(explicit(0))
    parts.optional(explicit(1))
    signers = DerParts(parts.take(SET))
    parts.end()
    signer = read_signer(DerParts(signers.take(SEQUENCE)))
    require(signers.at == signers.limit, "STAMP_TOKEN")
    info = read_token_info(content)
    elements = [] if certificates_at is None else DerParts(certificates_at).rest()
    require(len(elements) <= 16, "STAMP_TOKEN")
    certificates = [read_certificate(element.encoded) for element in elements if element.tag == SEQUENCE]
    return SignedToken(info, content, certificates, *signer)


def read_signer(signer: DerParts) -> tuple[Any, ...]:
    """SignerInfo: the last seven fields of SignedToken."""
    version = der_unsigned(signer.take(INTEGER), 255)
    issuer_and_serial, identifier = None, None
    if signer.is_next(implicit(0)):
        identifier = signer.take(implicit(0)).content
    else:
        name = signer.parts()
        issuer_and_serial = (name.take(SEQUENCE).encoded, der_integer(name.take(INTEGER)))
        name.end()
    require(version == (1 if identifier is None else 3), "STAMP_TOKEN")
    digest = digest_name(read_algorithm(signer.take(SEQUENCE)))
    attributes_at = signer.optional(explicit(0))
    if attributes_at is None:
        raise Fault("STAMP_TOKEN")
    algorithm = read_algorithm(signer.take(SEQUENCE))
    signature = signer.take(OCTET_STRING).content
    signer.optional(explicit(1))
    signer.end()
    attributes: dict[str, Der] = {}
    for element in DerParts(attributes_at).rest(SEQUENCE):
        attribute = DerParts(element)
        oid, values_at = der_oid(attribute.take(OID)), attribute.take(SET)
        attribute.end()
        values = DerParts(values_at).rest()
        require(oid not in attributes and len(values) == 1, "STAMP_TOKEN")
        attributes[oid] = values[0]
    signed = b"\x31" + attributes_at.encoded[1:]  # as SET OF instead of [0] (RFC 5652, 5.4)
    return issuer_and_serial, identifier, digest, attributes, signed, algorithm, signature


def token_signer(token: SignedToken, certificates: list[Certificate]) -> Certificate:
    """Step 6."""
    for certificate in certificates:
        if token.issuer_and_serial is not None:
            if (certificate.issuer, certificate.serial) == token.issuer_and_serial:
                return certificate
        elif (subject_key_identifier(certificate) or b"") == token.key_identifier:
            return certificate
    raise Fault("STAMP_SIGNER")


def require_binding(token: SignedToken, signer: Certificate) -> None:
    """Step 7."""
    content_type, digest = token.attributes.get(CONTENT_TYPE), token.attributes.get(MESSAGE_DIGEST)
    require(content_type is not None and content_type.tag == OID and der_oid(content_type) == TST_INFO, "STAMP_CONTENT")
    expected = hashlib.new(token.digest, token.content).digest()
    require(digest is not None and digest.tag == OCTET_STRING and digest.content == expected, "STAMP_CONTENT")
    attribute = token.attributes.get(SIGNING_CERTIFICATE_V2)
    if attribute is None:
        raise Fault("STAMP_CERTIFICATE")
    signing = DerParts(attribute, SEQUENCE)
    named = DerParts(signing.parts().take(SEQUENCE))  # the first ESSCertIDv2 (RFC 5035)
    name = "sha256"
    if named.is_next(SEQUENCE):
        name = digest_name(read_algorithm(named.take(SEQUENCE)))
    certificate_hash = named.take(OCTET_STRING).content
    issuer_serial = named.optional(SEQUENCE)
    named.end()
    require(hashlib.new(name, signer.der).digest() == certificate_hash, "STAMP_CERTIFICATE")
    if issuer_serial is not None:
        parts = DerParts(issuer_serial)
        names, serial = DerParts(parts.take(SEQUENCE)), der_integer(parts.take(INTEGER))
        parts.end()
        name_at = names.optional(explicit(4))
        is_issuer = name_at is not None and names.at == names.limit and name_at.content == signer.issuer
        require(is_issuer and serial == signer.serial, "STAMP_CERTIFICATE")


def require_purpose(signer: Certificate) -> None:
    """Step 9."""
    usage = signer.extensions.get(EXTENDED_USAGE)
    require(usage is not None and usage.critical and extended_usages(signer) == [TIME_STAMPING], "STAMP_USAGE")
    require(has_key_usage(signer, DIGITAL_SIGNATURE, NON_REPUDIATION), "STAMP_USAGE")


MAX_CHAIN = 8


def issued(issuer: Certificate, certificate: Certificate, budget: Budget) -> bool:
    return issuer.subject == certificate.issuer and x509_signature_holds(
        issuer.key, scheme_of(certificate.algorithm), certificate.signed, certificate.signature, budget
    )


def find_chain(
    signer: Certificate, certificates: list[Certificate], authorities: Sequence[Authority], budget: Budget
) -> tuple[list[Certificate], Authority]:
    """From the signer's certificate to one that is trusted (step 10)."""
    trusted = {authority.certificate.der: authority for authority in authorities}
    candidates = [authority.certificate for authority in authorities] + certificates

    def onward(chain: list[Certificate]) -> list[Certificate] | None:  # calls itself at most MAX_CHAIN deep
        if chain[-1].der in trusted:
            return chain
        if len(chain) == MAX_CHAIN:
            return None
        for candidate in candidates:
            if all(candidate.der != there.der for there in chain) and issued(candidate, chain[-1], budget):
                found = onward([*chain, candidate])
                if found is not None:
                    return found
        return None

    chain = onward([signer])
    if chain is None:
        raise Fault("AUTHORITY_UNKNOWN")
    return chain, trusted[chain[-1].der]


def require_chain(chain: list[Certificate], at: int) -> None:
    """Step 10 (RFC 5280, 6.1), for a time in ns."""
    for place, certificate in enumerate(chain):
        require(certificate.not_before <= at <= certificate.not_after, "STAMP_EXPIRED")
        for oid, extension in certificate.extensions.items():
            require(not extension.critical or oid in KNOWN_EXTENSIONS, "EXTENSION_UNSUPPORTED")
        if place > 0:
            is_authority, most_between = basic_constraints(certificate)
            between = sum(1 for below in chain[1:place] if below.subject != below.issuer)
            require(is_authority and has_key_usage(certificate, SIGNS_CERTIFICATES), "STAMP_CHAIN")
            require(most_between is None or between <= most_between, "STAMP_CHAIN")


class Word(NamedTuple):
    """What a revocation list or an OCSP response says of one certificate."""

    made: int  # ns
    next_update: int | None
    revoked_at: int | None
    reason: int | None


FORGIVEN_REASONS = (0, 3, 4, 5)  # unspecified, affiliationChanged, superseded, cessationOfOperation


def require_not_revoked(words: list[Word], at: int) -> None:
    """"Revocation", for one certificate and the time of the token."""
    for word in words:
        if word.revoked_at is not None:
            require(word.revoked_at > at and word.reason in FORGIVEN_REASONS, "STAMP_REVOKED")
    is_known = any(word.made >= at or (word.next_update is not None and word.next_update >= at) for word in words)
    require(is_known, "REVOCATION_UNKNOWN")


def word_of_list(data: bytes, certificate: Certificate, issuer: Certificate, budget: Budget) -> Word | None:
    """What a revocation list says (RFC 5280, 5.1). Behind the issuer's name it is read only once it is signed."""
    outer = DerParts(der_outermost(data), SEQUENCE)
    signed, algorithm_at = outer.take(SEQUENCE), outer.take(SEQUENCE)
    signature = der_octets_of_bits(outer.take(BIT_STRING))
    outer.end()
    parts = DerParts(signed)
    version = parts.optional(INTEGER)
    if version is not None:
        der_unsigned(version, 1)
    inner, name = parts.take(SEQUENCE), parts.take(SEQUENCE)
    if inner.encoded != algorithm_at.encoded or name.encoded != issuer.subject:
        return None
    if not has_key_usage(issuer, SIGNS_LISTS):
        return None
    scheme = scheme_of(read_algorithm(inner))
    if not x509_signature_holds(issuer.key, scheme, signed.encoded, signature, budget):
        return None
    made = der_time(parts.take(UTC_TIME, GENERALIZED_TIME))
    next_at = parts.optional(UTC_TIME, GENERALIZED_TIME)
    next_update = None if next_at is None else der_time(next_at)
    revoked, extensions_at = parts.optional(SEQUENCE), parts.optional(explicit(0))
    extensions = {} if extensions_at is None else read_extensions(only_part(extensions_at, SEQUENCE))
    parts.end()
    if not is_of_its_part(extensions, certificate):
        return None
    word: Word | None = Word(made, next_update, None, None)
    for entry in [] if revoked is None else DerParts(revoked).rest(SEQUENCE):
        parts = DerParts(entry)
        serial, revoked_at = der_integer(parts.take(INTEGER)), der_time(parts.take(UTC_TIME, GENERALIZED_TIME))
        of_entry = parts.optional(SEQUENCE)
        parts.end()
        if serial != certificate.serial:
            continue
        known = {} if of_entry is None else read_extensions(of_entry)
        if any(extension.critical and oid not in ENTRY_EXTENSIONS for oid, extension in known.items()):
            word = None
        else:
            reason_at = known.get(REASON)
            reason = None if reason_at is None else der_unsigned(_outermost_of(reason_at, ENUMERATED), 10)
            word = Word(made, next_update, revoked_at, reason)
    return word


REASON = "2.5.29.21"
ENTRY_EXTENSIONS = (REASON, "2.5.29.24")  # and the date of invalidity
LIST_NUMBER, AUTHORITY_KEY, DELTA, ISSUING_POINT = "2.5.29.20", "2.5.29.35", "2.5.29.27", "2.5.29.28"


def is_of_its_part(extensions: dict[str, Extension], certificate: Certificate) -> bool:
    """Whether a list speaks of this certificate: complete, or of a part that it names or belongs to."""
    for oid, extension in extensions.items():
        if oid == DELTA or (extension.critical and oid not in (LIST_NUMBER, AUTHORITY_KEY, ISSUING_POINT)):
            return False
    point = extensions.get(ISSUING_POINT)
    if point is None:
        return True
    parts = DerParts(_outermost_of(point, SEQUENCE))
    name = parts.optional(explicit(0))
    users, authorities = (parts.optional(implicit(number)) for number in (1, 2))
    is_of_users = users is not None and der_boolean(users)
    is_of_authorities = authorities is not None and der_boolean(authorities)
    if parts.at < parts.limit:
        return False  # only some reasons, or certificates of other issuers, or of attributes
    is_authority = basic_constraints(certificate)[0]
    if (is_of_users and is_authority) or (is_of_authorities and not is_authority):
        return False
    return name is None or names_point(certificate, DerParts(name).take().encoded)


def names_point(certificate: Certificate, name: bytes) -> bool:
    extension = certificate.extensions.get(DISTRIBUTION_POINTS)
    if extension is None:
        return False
    names = []
    for entry in DerParts(_outermost_of(extension, SEQUENCE)).rest(SEQUENCE):
        point = DerParts(entry).optional(explicit(0))
        if point is not None:
            names.append(DerParts(point).take().encoded)
    return name in names


OCSP_BASIC = "1.3.6.1.5.5.7.48.1.1"
NAMING_DIGESTS = {**DIGESTS, "1.3.14.3.2.26": "sha1"}
MAX_RESPONDERS = 4


def word_of_ocsp(data: bytes, certificate: Certificate, issuer: Certificate, budget: Budget) -> Word | None:
    """What an OCSP response says (RFC 6960, 4.2.1)."""
    outer = DerParts(der_outermost(data), SEQUENCE)
    status, answer = der_unsigned(outer.take(ENUMERATED), 6), outer.optional(explicit(0))
    typed = None if answer is None else DerParts(only_part(answer, SEQUENCE))
    outer.end()
    if status != 0 or typed is None or der_oid(typed.take(OID)) != OCSP_BASIC:
        return None
    basic = DerParts(der_outermost(typed.take(OCTET_STRING).content), SEQUENCE)
    typed.end()
    signed, algorithm = basic.take(SEQUENCE), read_algorithm(basic.take(SEQUENCE))
    signature = der_octets_of_bits(basic.take(BIT_STRING))
    beside_at = basic.optional(explicit(0))
    beside = None if beside_at is None else only_part(beside_at, SEQUENCE)
    basic.end()
    parts = DerParts(signed)
    version = parts.optional(explicit(0))
    if version is not None:
        der_unsigned(DerParts(version).take(INTEGER), 0)
    parts.take()  # who signed is found by trying the few who may
    made = der_time(parts.take(GENERALIZED_TIME))
    responses = parts.take(SEQUENCE)
    parts.optional(explicit(1))
    parts.end()
    word: Word | None = None
    for response in DerParts(responses).rest(SEQUENCE):
        word = single_response(response, certificate, issuer) or word
    if word is None:
        return None
    scheme = scheme_of(algorithm)
    responders = [issuer]
    carried = [] if beside is None else [read_certificate(c.encoded) for c in DerParts(beside).rest()]
    for one in carried[:MAX_RESPONDERS]:
        if OCSP_SIGNING in extended_usages(one) and has_key_usage(one, DIGITAL_SIGNATURE, NON_REPUDIATION):
            if one.not_before <= made <= one.not_after and issued(issuer, one, budget):
                responders.append(one)
    for one in responders:
        if x509_signature_holds(one.key, scheme, signed.encoded, signature, budget):
            return word
    return None


def single_response(element: Der, certificate: Certificate, issuer: Certificate) -> Word | None:
    parts = DerParts(element)
    name = parts.parts()
    algorithm = read_algorithm(name.take(SEQUENCE))
    name_hash, key_hash = name.take(OCTET_STRING).content, name.take(OCTET_STRING).content
    serial = der_integer(name.take(INTEGER))
    name.end()
    status = parts.take()
    made = der_time(parts.take(GENERALIZED_TIME))
    next_at = parts.optional(explicit(0))
    next_update = None if next_at is None else der_time(DerParts(next_at).take(GENERALIZED_TIME))
    parts.optional(explicit(1))
    parts.end()
    digest = NAMING_DIGESTS.get(algorithm.oid)
    if digest is None or serial != certificate.serial or status.tag == implicit(2):
        return None
    if hashlib.new(digest, issuer.subject).digest() != name_hash:
        return None
    if hashlib.new(digest, issuer.key.bytes).digest() != key_hash:
        return None
    if status.tag == implicit(0):
        return Word(made, next_update, None, None)
    revoked = DerParts(status, explicit(1))
    revoked_at = der_time(revoked.take(GENERALIZED_TIME))
    reason_at = revoked.optional(explicit(0))
    revoked.end()
    reason = None if reason_at is None else der_unsigned(DerParts(reason_at).take(ENUMERATED), 10)
    return Word(made, next_update, revoked_at, reason)


def word_of(data: bytes, certificate: Certificate, issuer: Certificate, budget: Budget) -> Word | None:
    """A revocation list begins with what is signed, an OCSP response with its status."""
    first = DerParts(der_element(data, 0, len(data)), SEQUENCE)
    read = word_of_list if first.is_next(SEQUENCE) else word_of_ocsp
    return read(data, certificate, issuer, budget)


def verify_token(
    data: bytes,
    imprint: bytes,
    beside: Sequence[bytes],
    revocation: Sequence[bytes],
    authorities: Sequence[Authority],
    budget: Budget,
) -> Token:
    """Steps 4 to 12."""
    token = read_token(data)
    info = token.info
    require(info.imprint == imprint, "STAMP_IMPRINT")
    certificates = token.certificates + [read_certificate(certificate) for certificate in beside]
    signer = token_signer(token, certificates)
    require_binding(token, signer)
    scheme = scheme_of(token.algorithm, token.digest)
    require(scheme.digest == token.digest, "STAMP_SIGNATURE")
    is_signed = x509_signature_holds(signer.key, scheme, token.signed, token.signature, budget)
    require(is_signed, "STAMP_SIGNATURE")
    require_purpose(signer)
    chain, authority = find_chain(signer, certificates, authorities, budget)
    require_chain(chain, info.gen_time)
    require(not authority.policies or info.policy in authority.policies, "STAMP_POLICY_UNKNOWN")
    for certificate, issuer in zip(chain, chain[1:]):
        words = [word_of(item, certificate, issuer, budget) for item in revocation]
        require_not_revoked([word for word in words if word is not None], info.gen_time)
    return Token(info.gen_time, info.accuracy, info.policy, info.serial, signer.serial, authority)

# ==================================================================================================================
# 8  Records of the evidence
# ==================================================================================================================

# ---- streams (spec/streams.md)

EFF, RTR, ERR = 1 << 31, 1 << 30, 1 << 29
BUS = r"[!-.0-9;-~]{1,15}"  # visible ASCII but for / and :
STEP = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"
STREAM_FORM = re.compile(
    rf"raw/(?P<bus>{BUS})/(?:(?P<id3>[0-9A-F]{{3}})|(?P<id8>[0-9A-F]{{8}})|(?P<error>error)"
    rf"|set/[A-Za-z0-9_-][A-Za-z0-9._-]{{0,63}})|(?:signal|gnss|records)(?:/{STEP})+"
)


class Stream(NamedTuple):
    """A name; of a raw stream also its bus, the implied id where there is one, and whether it is of error frames."""

    name: str
    bus: str | None = None
    implied_id: int | None = None
    is_error: bool = False


def is_bus(name: str) -> bool:
    return re.fullmatch(BUS, name) is not None and name not in (".", "..")


@lru_cache(maxsize=4096)
def parse_stream(name: str) -> Stream:
    match = STREAM_FORM.fullmatch(name) if len(name) <= 300 else None
    if match is None:
        raise Fault("STREAM_ID")
    bus = match["bus"]
    if bus is None:
        return Stream(name)
    require(is_bus(bus), "STREAM_ID")
    implied = None
    if match["id3"] is not None:
        implied = int(match["id3"], 16)
        require(implied <= 0x7FF, "STREAM_ID")
    elif match["id8"] is not None:
        implied = int(match["id8"], 16)
        require(implied <= 0x1FFFFFFF, "STREAM_ID")
        implied |= EFF
    return Stream(name, bus, implied, match["error"] is not None)


# ---- fields that several records share (spec/README.md, "Shared fields")


def read_beacon(fields: Fields) -> tuple[int, int, bytes]:
    return fields.uint64(), fields.uint64(), fields.bytes(32)


def read_key(fields: Fields) -> Key:
    algorithm = fields.take(int)
    require(algorithm in CURVES, "FIELD_WORD")
    point = fields.bytes(33)
    return Key(algorithm, point)


def read_span(fields: Fields, most: int) -> tuple[int, int, int]:
    """[log, first seq, count]"""
    return fields.uint(), fields.uint(MAX_SEQ), fields.uint(most)


def require_buses(names: list[str], may_be_empty: bool = False) -> None:
    for name in names:
        require(is_bus(name) or (may_be_empty and name == ""), "BUS_NAME")
    require(len(set(names)) == len(names), "BUS_REPEATED")


class Losses(NamedTuple):
    bus: str
    kernel_drops: int
    overruns: int
    bus_offs: int


class Gap(NamedTuple):
    bus: str  # "" for all buses
    start: int  # ns, wall clock
    end: int
    cause: str


def read_losses(fields: Fields) -> Losses:
    return Losses(sys.intern(fields.take(str)), fields.uint(), fields.uint(), fields.uint())


def read_gap(fields: Fields) -> Gap:
    bus = fields.take(str)
    require(bus == "" or is_bus(bus), "BUS_NAME")
    return Gap(sys.intern(bus), fields.int64(), fields.int64(), sys.intern(fields.word(CAUSES)))


# ---- session record (spec/session-record.md)


class Bus(NamedTuple):
    name: str
    source: str
    accounting: str
    stamp_source: str
    access: str


class SessionRecord(NamedTuple):
    tag: bytes
    epoch: int
    device_key_id: bytes
    log: int
    number: int
    key: Key
    last_header: bytes | None
    enrolment: bytes | None
    root_holder: str
    buses: list[Bus]
    predecessor: tuple[int, int, bytes] | None  # log, seq, statement id


def decode_session(data: bytes) -> SessionRecord:
    def bus(f: Fields) -> Bus:
        return Bus(
            f.take(str), f.word(CAPTURE_SOURCES), f.word(ACCOUNTINGS), f.word(STAMP_SOURCES), f.word(ACCESSES)
        )

    def read(f: Fields) -> SessionRecord:
        tag, epoch, device, log, number, key = f.bytes(16), f.uint(), f.bytes(32), f.uint(), f.uint(), f.one(read_key)
        f.bytes(16)  # boot id
        f.uint()  # boot count
        last_header = f.bytes_or_none(32)
        f.int64()  # started
        enrolment, root_holder = f.bytes_or_none(32), f.word(("owner", "unit"))
        for _ in range(4):
            f.bytes(32)  # hashes of software, configuration, stream table and filters
        f.bytes_or_none(32)  # decoder hash
        buses = f.list(256, bus)
        predecessor = f.optional(lambda p: (p.uint(), p.uint(MAX_SEQ), p.bytes(32)))
        return SessionRecord(
            tag, epoch, device, log, number, key, last_header, enrolment, root_holder, buses, predecessor
        )

    record = decode_record(data, 4, 24 * 1024, read)
    require_buses([b.name for b in record.buses], may_be_empty=True)
    require(record.number > 0 or record.last_header is None, "SESSION_START")
    require((record.log > 0) == (record.predecessor is not None), "SESSION_START")
    require(record.predecessor is None or record.predecessor[0] < record.log, "SESSION_START")
    return record


# ---- chunk header (spec/chunk-header.md)


class Recovered(NamedTuple):
    blocks: int
    root: bytes
    ending: str


class ChunkHeader(NamedTuple):
    tag: bytes
    epoch: int
    log: int
    seq: int
    previous: bytes | None
    session: bytes
    entry_count: int
    root: bytes
    mono_start: int
    mono_end: int
    wall_start: int
    wall_end: int
    clock_steps: int
    buses: list[Losses]
    beacon: tuple[int, int, bytes] | None
    gaps: list[Gap]
    state: str
    recovered: Recovered | None


def decode_chunk_header(data: bytes) -> ChunkHeader:
    def clock(f: Fields) -> int:
        f.word(CLOCK_SOURCES)
        steps = f.uint()
        f.optional(lambda q: (q.int64(), q.uint64()))
        return steps

    def read(f: Fields) -> ChunkHeader:
        tag, epoch, log, seq, previous = f.bytes(16), f.uint(), f.uint(), f.uint(MAX_SEQ), f.bytes_or_none(32)
        session = f.bytes(32)
        f.bytes(16)  # chunk nonce
        entry_count, root = f.uint(MAX_ENTRIES), f.bytes(32)
        times = [f.int64() for _ in range(4)]
        steps = f.one(clock)
        buses, beacon, gaps = f.list(256, read_losses), f.optional(read_beacon), f.list(64, read_gap)
        state = f.word(STATES)
        recovered = f.optional(lambda r: Recovered(r.uint(4096), r.bytes(32), r.word(("open", "damaged"))))
        return ChunkHeader(
            tag, epoch, log, seq, previous, session, entry_count, root, *times, steps, buses, beacon, gaps, state,
            recovered,
        )  # fmt: skip

    header = decode_record(data, 2, 16 * 1024, read)
    require_buses([losses.bus for losses in header.buses])
    require((header.seq == 0) != (header.previous is not None), "HEADER_PREVIOUS")
    require(header.mono_end >= header.mono_start, "HEADER_TIME")
    if header.recovered is not None:
        require(header.recovered.blocks > 0 or header.recovered.ending == "damaged", "HEADER_RECOVERED")
    return header


# ---- journal block (spec/journal-block.md)


class JournalBlock(NamedTuple):
    session: bytes
    index: int
    previous: bytes | None
    seq: int
    place: int
    durable: int
    mono_start: int
    mono_end: int
    wall_start: int
    wall_end: int
    buses: list[Losses]
    gaps: list[Gap]
    entry_count: int
    root: bytes


def decode_block(data: bytes) -> JournalBlock:
    def read(f: Fields) -> JournalBlock:
        session, index, previous = f.bytes(32), f.uint(), f.bytes_or_none(32)
        seq, place, durable = f.uint(MAX_SEQ), f.uint(), f.uint()
        f.bytes(16)  # block nonce
        times = [f.int64() for _ in range(4)]
        buses, gaps = f.list(256, read_losses), f.list(64, read_gap)
        entry_count, root = f.uint(MAX_ENTRIES), f.bytes(32)
        f.bytes(32)  # body hash
        return JournalBlock(session, index, previous, seq, place, durable, *times, buses, gaps, entry_count, root)

    block = decode_record(data, 8, 16 * 1024, read)
    require_buses([losses.bus for losses in block.buses])
    require((block.index == 0) != (block.previous is not None), "BLOCK_PREVIOUS")
    require(block.durable <= block.index, "BLOCK_DURABLE")
    require(block.mono_end >= block.mono_start, "BLOCK_TIME")
    return block


# ---- statement (spec/statement.md)


class Statement(NamedTuple):
    tag: bytes
    epoch: int
    log: int
    seq: int
    device_key_id: bytes
    session: bytes
    previous: bytes | None
    spans: list[tuple[int, int, int]]
    root: bytes


def decode_statement(data: bytes) -> Statement:
    def read(f: Fields) -> Statement:
        statement = Statement(
            f.bytes(16), f.uint(), f.uint(), f.uint(MAX_SEQ), f.bytes(32), f.bytes(32), f.bytes_or_none(32),
            f.list(64, lambda span: read_span(span, 65_536)), f.bytes(32),
        )  # fmt: skip
        f.optional(read_beacon)
        return statement

    statement = decode_record(data, 3, 8 * 1024, read)
    require((statement.seq == 0) != (statement.previous is not None), "STATEMENT_PREVIOUS")
    require_statement_spans(statement)
    return statement


def require_statement_spans(statement: Statement) -> None:
    """"Spans" of the page."""
    spans = statement.spans
    require(len(spans) > 0, "STATEMENT_SPANS")
    for log, first, count in spans:
        require(log <= statement.log and count >= 1 and first + count - 1 <= MAX_SEQ, "STATEMENT_SPANS")
    for (log, first, count), (next_log, next_first, _) in zip(spans, spans[1:]):
        require(next_log > log or (next_log == log and next_first > first + count), "STATEMENT_SPANS")
    require(sum(1 for span in spans if span[0] == statement.log) <= 1, "STATEMENT_SPANS")
    require(sum(count for _, _, count in spans) <= 65_536, "STATEMENT_SPANS")


# ---- receipt and window (spec/receipt.md, spec/window.md)


class WindowRecord(NamedTuple):
    chain_id: int
    contract: bytes
    publisher: bytes
    seq: int
    tree_size: int
    root: bytes
    previous: bytes


def decode_window_record(data: bytes) -> WindowRecord:
    def read(f: Fields) -> WindowRecord:
        return WindowRecord(
            f.uint64(), f.bytes(20), f.bytes(20), f.uint64(), f.uint(2**30), f.bytes(32), f.bytes(32)
        )

    record = decode_record(data, 5, 512, read)
    require(record.tree_size > 0, "WINDOW_EMPTY")
    return record


class Anchor(NamedTuple):
    header: bytes
    nodes: list[bytes]


def decode_anchored_window(data: bytes) -> tuple[bytes, list[Anchor]]:
    """The encoded window record and its anchors."""

    def anchor(f: Fields) -> Anchor:
        require(f.uint() == 1, "ANCHOR_KIND")
        return Anchor(f.bytes_up_to(4096), f.bytes_list(128, most_bytes=1024))

    record, anchors = decode_record(data, 7, 256 * 1024, lambda f: (f.bytes_up_to(512), f.list(8, anchor)))
    require(len(anchors) <= 1, "ANCHOR_REPEATED")
    return record, anchors


class Inclusion(NamedTuple):
    statement: bytes
    window: bytes
    levels: list[tuple[int, int, list[bytes]]]  # tree size, leaf index, path


def decode_inclusion(data: bytes) -> Inclusion:
    def level(f: Fields) -> tuple[int, int, list[bytes]]:
        return f.uint(2**30), f.uint(2**30), f.bytes_list(30, 32)

    inclusion = decode_record(data, 6, 16 * 1024, lambda f: Inclusion(f.bytes(32), f.bytes(32), f.list(4, level)))
    require(len(inclusion.levels) > 0, "INCLUSION_LEVELS")
    return inclusion


def statement_entry(statement: Statement, complete: bytes) -> bytes:
    """spec/window.md, "Label and entry"."""
    place = b"".join(number.to_bytes(8, "big") for number in (statement.epoch, statement.log, statement.seq))
    return sha256(b"wmk-label", statement.tag, statement.device_key_id, place) + sha256(complete)


def verify_inclusion(
    inclusion: Inclusion, statement_id: bytes, entry: bytes, window_hash: bytes, window: WindowRecord
) -> None:
    """spec/receipt.md, "Verification", steps 2 to 4."""
    require(inclusion.statement == statement_id, "INCLUSION_STATEMENT")
    require(inclusion.window == window_hash, "INCLUSION_WINDOW")
    leaf, size = entry, 0
    for size, index, path in inclusion.levels:
        leaf = root_from_proof(size, [index], [leaf], path)
    require(leaf == window.root and size == window.tree_size, "MERKLE_ROOT_MISMATCH")


def verify_evm_anchor(window: WindowRecord, window_hash: bytes, anchor: Anchor) -> tuple[Header, bytes]:
    """spec/receipt.md, "EVM anchor of W": its block, and the hash of the contract's code."""
    header = decode_header(anchor.header)
    nodes = Nodes(anchor.nodes)
    account = prove_account(header.state_root, window.contract, nodes)
    if account is None:
        raise Fault("ANCHOR_NO_CONTRACT")
    word = prove_slot(account.storage_root, anchor_slot(window.publisher, window.seq), nodes)
    nodes.require_all_used()
    require(word == int.from_bytes(window_hash, "big"), "ANCHOR_SLOT_MISMATCH")
    return header, account.code_hash


# ---- time stamp (spec/time-stamp.md)


class TimeStamp(NamedTuple):
    first: bytes
    rows: list[tuple[int, bytes]]  # tree size, root
    token: bytes
    certificates: list[bytes]
    revocation: list[bytes]


def decode_time_stamp(data: bytes) -> TimeStamp:
    def row(f: Fields) -> tuple[int, bytes]:
        return f.uint(2**30), f.bytes(32)

    def read(f: Fields) -> TimeStamp:
        return TimeStamp(
            f.bytes_up_to(512), f.list(8192, row), f.bytes_up_to(64 * 1024),
            f.bytes_list(16, most_bytes=64 * 1024), f.bytes_list(16, most_bytes=256 * 1024),
        )  # fmt: skip

    return decode_record(data, 21, 2 * MIB, read)


def covered_windows(stamp: TimeStamp) -> list[bytes]:
    """"Verification", steps 2 and 3: the hashes of the window records that the stamp covers."""
    first = decode_window_record(stamp.first)
    hashes = [sha256(stamp.first)]
    for i, (size, root) in enumerate(stamp.rows, 1):
        require(size > 0, "WINDOW_EMPTY")
        require(first.seq + i < 2**64, "CBOR_INTEGER_RANGE")
        record = [5, 0, first.chain_id, first.contract, first.publisher, first.seq + i, size, root, hashes[-1]]
        hashes.append(sha256(encode_cbor(record)))
    return hashes


# ---- registry facts (spec/registry-facts.md)


class RegistryFacts(NamedTuple):
    chain_id: int
    contract: bytes
    header: bytes
    words: dict[bytes, int]
    nodes: list[bytes]


def decode_registry_facts(data: bytes) -> RegistryFacts:
    def read(f: Fields) -> tuple[int, bytes, bytes, list[tuple[bytes, bytes]], list[bytes]]:
        return (
            f.uint64(), f.bytes(20), f.bytes_up_to(4096), f.list(256, lambda w: (w.bytes(32), w.bytes(32))),
            f.bytes_list(4096, most_bytes=1024),
        )  # fmt: skip

    chain_id, contract, header, words, nodes = decode_record(data, 17, MIB, read)
    ascend = all(before[0] < after[0] for before, after in zip(words, words[1:]))
    require(len(words) > 0 and ascend, "REGISTRY_SLOTS")
    values = {slot: int.from_bytes(value, "big") for slot, value in words}
    return RegistryFacts(chain_id, contract, header, values, nodes)


def verify_registry_facts(facts: RegistryFacts) -> tuple[Header, bytes]:
    """"Verification", steps 2 to 5: the block, and the hash of the contract's code."""
    header = decode_header(facts.header)
    nodes = Nodes(facts.nodes)
    account = prove_account(header.state_root, facts.contract, nodes)
    if account is None:
        raise Fault("REGISTRY_ABSENT")
    for slot, value in facts.words.items():
        require(prove_slot(account.storage_root, slot, nodes) == value, "REGISTRY_VALUE")
    nodes.require_all_used()
    return header, account.code_hash


# ---- enrolment (spec/enrolment.md)


class Enrolment(NamedTuple):
    chain_id: int
    contract: bytes
    owner: bytes
    tag: bytes
    epoch: int
    device_key: Key
    recovery_key: bytes
    vin_commitment: bytes
    odometer_km: int | None
    unit_serial: str
    software_hash: bytes
    key_protection: str
    vouchers: list[tuple[str, str, bytes]]  # role, name, evidence
    enrolled_at: int  # s
    vehicle_number: bytes
    registry_salt: bytes
    signature: OwnerSignature


def decode_enrolment(data: bytes) -> Enrolment:
    def voucher(f: Fields) -> tuple[str, str, bytes]:
        return f.word(("owner", "installer", "unit_maker", "tpm_maker")), f.text(120), f.bytes_up_to(6 * 1024)

    def read(f: Fields) -> Enrolment:
        chain_id, contract, owner, tag, epoch = f.uint64(), f.bytes(20), f.bytes(20), f.bytes(16), f.uint()
        key = f.one(read_key)
        return Enrolment(
            chain_id, contract, owner, tag, epoch, key, f.bytes(32), f.bytes(32), f.optional(lambda o: o.uint()),
            f.text(64), f.bytes(32), f.word(("file", "pkcs11", "tpm", "secure_element")), f.list(8, voucher),
            f.uint(), f.bytes(32), f.bytes(32), f.one(read_owner_signature),
        )  # fmt: skip

    enrolment = decode_record(data, 15, 64 * 1024, read)
    key_point(enrolment.device_key)
    return enrolment


def enrolment_digest(e: Enrolment) -> bytes:
    struct = (
        "Enrolment(address owner,bytes16 vehicle,uint64 epoch,bytes32 deviceKey,bytes32 recoveryKey,"
        "bytes32 vinCommitment,string odometerKm,string unitSerial,bytes32 softwareHash,string keyProtection,"
        "bytes32 vouchers,uint64 enrolledAt,bytes32 vehicleNumber,bytes32 registrySalt)"
    )
    odometer = "" if e.odometer_km is None else str(e.odometer_km)
    members = [
        e.owner, e.tag, e.epoch, key_id(e.device_key), e.recovery_key, e.vin_commitment, odometer, e.unit_serial,
        e.software_hash, e.key_protection, sha256(encode_cbor(e.vouchers)), e.enrolled_at, e.vehicle_number,
        e.registry_salt,
    ]  # fmt: skip
    return eip712_digest([e.chain_id, e.contract], struct, members)


# ---- grant (spec/grant.md)


class Grant(NamedTuple):
    chain_id: int
    contract: bytes
    owner: bytes
    tag: bytes
    epoch: int
    grantee: bytes
    grantee_key: bytes
    grantee_name: str
    streams: list[str]
    data_from: int  # s
    data_to: int
    purpose: str
    form: str
    issued_at: int
    expires_at: int
    disclosures: int
    notice_hash: bytes
    nonce: bytes
    signature: OwnerSignature


def decode_grant(data: bytes) -> Grant:
    def read(f: Fields) -> Grant:
        return Grant(
            f.uint64(), f.bytes(20), f.bytes(20), f.bytes(16), f.uint(), f.bytes(20), f.bytes(32), f.text(120),
            f.list(1024, lambda s: s.text(300)), f.uint(), f.uint(), f.text(500), f.word(("raw", "decoded")),
            f.uint(), f.uint(), f.uint(2**32 - 1), f.bytes(32), f.bytes(32), f.one(read_owner_signature),
        )  # fmt: skip

    grant = decode_record(data, 11, 512 * 1024, read)
    for name in grant.streams:
        parse_stream(name)
    ascend = all(before < after for before, after in zip(grant.streams, grant.streams[1:]))
    require(len(grant.streams) > 0 and ascend, "STREAMS_ORDER")
    require("records/journal" not in grant.streams, "GRANT_STREAM")
    require(grant.data_to > grant.data_from and grant.expires_at > grant.issued_at, "GRANT_TIMES")
    return grant


def grant_hash(g: Grant) -> bytes:
    """"Digest"."""
    struct = (
        "Grant(address owner,bytes16 vehicle,uint64 epoch,address grantee,bytes32 granteeKey,string granteeName,"
        "string[] streams,uint64 dataFrom,uint64 dataTo,string purpose,string form,uint64 issuedAt,uint64 expiresAt,"
        "uint32 disclosures,bytes32 noticeHash,bytes32 nonce)"
    )
    members = [
        g.owner, g.tag, g.epoch, g.grantee, g.grantee_key, g.grantee_name, g.streams, g.data_from, g.data_to,
        g.purpose, g.form, g.issued_at, g.expires_at, g.disclosures, g.notice_hash, g.nonce,
    ]  # fmt: skip
    return eip712_digest([g.chain_id, g.contract], struct, members)


# ---- custody record (spec/custody.md)


class CustodyRecord(NamedTuple):
    seq: int
    previous: bytes | None
    wall: int  # ns
    clock: str
    actor: str
    role: str
    action: str
    grant: bytes | None
    object: bytes | None
    spans: list[tuple[int, int, int]]
    streams: int
    leaves: int
    purpose: str
    detail: str
    tool: str
    tool_hash: bytes | None
    signature: tuple[bytes, OwnerSignature] | None  # address and signature


def decode_custody(data: bytes) -> CustodyRecord:
    def read(f: Fields) -> CustodyRecord:
        return CustodyRecord(
            f.uint(), f.bytes_or_none(32), f.int64(), f.word(CLOCK_SOURCES), f.text(120), f.word(CUSTODY_ROLES),
            f.word(CUSTODY_ACTIONS), f.bytes_or_none(32), f.bytes_or_none(32),
            f.list(64, lambda span: read_span(span, MAX_SEQ)), f.uint(),
            f.uint(), f.text(500), f.text(500), f.text(80), f.bytes_or_none(32),
            f.optional(lambda s: (s.bytes(20), s.one(read_owner_signature))),
        )  # fmt: skip

    record = decode_record(data, 12, 16 * 1024, read)
    require((record.seq == 0) != (record.previous is not None), "CUSTODY_PREVIOUS")
    return record


def custody_digest(r: CustodyRecord) -> bytes:
    """EIP-712 over fields 0, 1 and 4 to 17."""
    content = [
        12, 0, r.wall, r.clock, r.actor, r.role, r.action, r.grant or b"", r.object or b"", r.spans, r.streams,
        r.leaves, r.purpose, r.detail, r.tool, r.tool_hash or b"",
    ]  # fmt: skip
    struct = "Custody(string action,string purpose,bytes32 content)"
    return eip712_digest([], struct, [r.action, r.purpose, sha256(encode_cbor(content))])


# ---- fork proof, acceptance, broken promise (pages of those names; spec/uplink.md, "accepted")


class ForkProof(NamedTuple):
    sides: list[tuple[bytes, bytes]]  # statement and session record, COSE_Sign1 each


def decode_fork_proof(data: bytes) -> ForkProof:
    def side(f: Fields) -> tuple[bytes, bytes]:
        return f.bytes_up_to(32 * 1024), f.bytes_up_to(32 * 1024)

    proof = decode_record(data, 13, MIB, lambda f: ForkProof([f.one(side), f.one(side)]))
    require(proof.sides[0][0] < proof.sides[1][0], "FORK_ORDER")
    return proof


class Acceptance(NamedTuple):
    root: bytes
    tree_size: int
    accepted_at: int  # ms
    anchor_by: int
    chain_id: int
    contract: bytes


def decode_acceptance(data: bytes) -> Acceptance:
    def read(f: Fields) -> Acceptance:
        return Acceptance(f.bytes(32), f.uint(2**20), f.uint(), f.uint(), f.uint64(), f.bytes(20))

    acceptance = decode_record(data, 10, 256, read)
    require(acceptance.tree_size > 0 and acceptance.anchor_by >= acceptance.accepted_at, "ACCEPTANCE_PROMISE")
    return acceptance


class Accepted(NamedTuple):
    statement: bytes
    acceptance: bytes
    index: int
    path: list[bytes]


def decode_accepted(data: bytes) -> Accepted:
    def read(f: Fields) -> Accepted:
        return Accepted(f.bytes(32), f.bytes_up_to(1024), f.uint(2**20 - 1), f.bytes_list(20, 32))

    return whole(decode_cbor(data), read)


class BrokenPromise(NamedTuple):
    statement: bytes
    session_key: Key
    acceptance: bytes
    index: int
    path: list[bytes]
    late: tuple[bytes, bytes, bytes, list[bytes]] | None  # inclusion, anchored window, header, nodes


def decode_broken_promise(data: bytes) -> BrokenPromise:
    def late(f: Fields) -> tuple[bytes, bytes, bytes, list[bytes]]:
        return (
            f.bytes_up_to(16 * 1024), f.bytes_up_to(256 * 1024), f.bytes_up_to(4096),
            f.bytes_list(128, most_bytes=1024),
        )  # fmt: skip

    def read(f: Fields) -> BrokenPromise:
        return BrokenPromise(
            f.bytes_up_to(16 * 1024), f.one(read_key), f.bytes_up_to(1024), f.uint(2**20 - 1),
            f.bytes_list(20, 32), f.optional(late),
        )  # fmt: skip

    return decode_record(data, 14, MIB, read)


# ---- leaves (spec/leaf.md)


class Content(NamedTuple):
    """A leaf's count and payload."""

    count: int
    payload: bytes


SILENT = Content(0, b"")


class Packed(NamedTuple):
    """A packed leaf's parts, not inflated yet ("Storage form")."""

    count: int
    inflated_length: int
    body_at: int

    def bytes_inflated(self, packed: bytes) -> int:
        return self.inflated_length or len(packed) - self.body_at


def read_packed(packed: bytes) -> Packed:
    """"Opening a packed leaf", steps 1 to 3 and 4.1."""
    count, at = read_varint(packed, 0, "PACKED_LEAF")
    inflated_length, at = read_varint(packed, at, "PACKED_LEAF")
    require(1 <= count <= MAX_COUNT, "LEAF_COUNT")
    size = len(packed) - at
    require(0 < size <= MAX_PAYLOAD and inflated_length <= MAX_PAYLOAD, "LEAF_PAYLOAD")
    require(inflated_length <= 1032 * size, "INFLATE_LENGTH")
    return Packed(count, inflated_length, at)


def unpack(packed: bytes) -> Content:
    """A packed leaf's content; an empty one stands for the silent leaf."""
    if not packed:
        return SILENT
    parts = read_packed(packed)
    body = packed[parts.body_at :]
    return Content(parts.count, inflate(body, parts.inflated_length) if parts.inflated_length else body)


def inflate(body: bytes, length: int) -> bytes:
    """Raw deflate that gives exactly so many bytes; never makes more than one byte too many (step 4)."""
    inflater = zlib.decompressobj(-15)
    try:
        content = inflater.decompress(body, length + 1)
    except zlib.error:
        raise Fault("INFLATE_FAILED") from None
    require(len(content) <= length, "INFLATE_LENGTH")
    require(inflater.eof and not inflater.unused_data, "INFLATE_FAILED")
    require(len(content) == length, "INFLATE_LENGTH")
    return content


def leaf_hash(salt: bytes, stream: str, seq: int, content: Content) -> bytes:
    """SHA-256(0x00 ‖ salt ‖ leaf bytes) ("Leaf bytes")."""
    name = stream.encode("ascii")
    head = b"\x86\x01\x00" + cbor_head(3, len(name)) + name + cbor_head(0, seq) + cbor_head(0, content.count)
    return sha256(b"\x00", salt, head, cbor_head(2, len(content.payload)), content.payload)


# ---- presence leaf (spec/journal-block.md, "Presence leaf")


class Presence(NamedTuple):
    """In which blocks a stream is, as the leaf's map has it; empty where it is in none."""

    map: bytes

    def marks(self, block: int) -> bool:
        return bool(self.map) and bool(self.map[block // 8] & 0x80 >> block % 8)


def presence_of(content: Content, blocks: int) -> Presence:
    """The map fits the number of blocks and the count."""
    if content.count > 0:
        require(len(content.payload) == (blocks + 7) // 8, "PRESENCE_MAP")
        bits, unused = int.from_bytes(content.payload, "big"), -blocks % 8
        require(bits & ((1 << unused) - 1) == 0 and bits.bit_count() == content.count, "PRESENCE_MAP")
    return Presence(content.payload)


def presence_hash(salt: bytes, stream: str, seq: int, content: Content) -> bytes:
    return sha256(b"\x00", salt, encode_cbor([18, 0, stream, seq, content.count, content.payload]))


# ---- records payload (spec/records.md)


def decode_records(content: Content) -> list[bytes]:
    if content.count == 0:
        return []
    records = decode_cbor(content.payload, MAX_PAYLOAD)
    is_list = type(records) is list and len(records) > 0
    require(is_list and all(type(record) is bytes and record for record in records), "RECORDS_PAYLOAD")
    require(len(records) == content.count and len(records) <= MAX_COUNT, "RECORDS_COUNT")
    return records


# ---- raw payload (spec/raw-payload.md)


class Shape(NamedTuple):
    flags: int
    length: int
    raw_length_code: int
    id: int

    @property
    def data_bytes(self) -> int:
        return 0 if self.id & RTR else self.length


class RawLeaf(NamedTuple):
    """The frames of one raw leaf, in columns: the shape of each frame, and its offset in ns."""

    shapes: list[Shape]
    index: Sequence[int]
    offsets: array[int]


def decode_raw(content: Content, stream: Stream) -> RawLeaf:
    """"Decoding"."""
    payload, count, implied = content.payload, content.count, stream.implied_id
    require(1 <= count <= MAX_COUNT, "RAW_PAYLOAD")
    at = 0

    def take(length: int) -> bytes:
        nonlocal at
        require(at + length <= len(payload), "RAW_PAYLOAD")
        at += length
        return payload[at - length : at]

    first = take(1)[0]
    shapes: list[Shape] = []
    if first != 0x80:
        require(implied is not None, "RAW_PAYLOAD")
        require(first <= 8, "RAW_SHAPE")
        shapes.append(Shape(0, first, 0, implied or 0))
        index: Sequence[int] = bytes(count)
    else:
        n, at = read_varint(payload, at, "RAW_PAYLOAD")
        require(1 <= n <= count, "RAW_PAYLOAD")
        for _ in range(n):
            kind, length = take(2)
            code = take(1)[0] if kind & 0x10 else 0
            if kind & 0x40:
                frame_id = int.from_bytes(take(4), "big")
            else:
                require(implied is not None, "RAW_PAYLOAD")
                frame_id = (implied or 0) | (RTR if kind & 0x20 else 0)
            shape = Shape(kind & 0x8F, length, code, frame_id)
            require_shape(shape, implied)
            shapes.append(shape)
        planes = [take(count) for _ in range(0 if n == 1 else (max(1, (n - 1).bit_length()) + 7) // 8)]
        index = planes[0] if len(planes) == 1 else array("I", bytes(4 * count))
        for plane in planes if len(planes) > 1 else []:
            index = array("I", [high << 8 | low for high, low in zip(index, plane)])
        require(max(index) < n, "RAW_PAYLOAD")
    head = take(1)[0]
    width, unit = head & 0x7F, 1 if head & 0x80 else 1000
    require(width <= 7, "RAW_PAYLOAD")
    offsets = decode_offsets([take(count) for _ in range(width)], count, unit)
    counts = frames_of_shapes(shapes, index)
    widest = max(shape.data_bytes for shape in shapes)
    bitmap, firsts = take((widest + 7) // 8), take(widest)
    differences: list[bytes] = []
    for plane in range(widest):
        if bitmap[plane // 8] >> plane % 8 & 1:
            have = sum(n for shape, n in zip(shapes, counts) if shape.data_bytes > plane)
            differences.append(take(max(0, have - 1)))
        else:
            differences.append(b"")
    require(at == len(payload), "RAW_PAYLOAD")
    leaf = RawLeaf(shapes, index, offsets)
    require(encode_raw(leaf, implied, counts, firsts, differences) == payload, "RAW_NOT_CANONICAL")
    return leaf


def require_shape(shape: Shape, implied: int | None) -> None:
    """"A shape must be one that a frame can have"."""
    if shape.flags & 0x80:
        require(shape.length <= 64 and shape.raw_length_code == 0, "RAW_SHAPE")
    else:
        require(shape.length <= 8 and shape.flags == 0, "RAW_SHAPE")
        code = shape.raw_length_code
        require(code == 0 or (9 <= code <= 15 and shape.length == 8), "RAW_SHAPE")
    if implied is not None:
        low = 0x1FFFFFFF if implied & EFF else 0x7FF
        belongs = not shape.id & ERR and shape.id & EFF == implied & EFF and shape.id & low == implied & low
        require(belongs, "RAW_SHAPE")


def frames_of_shapes(shapes: list[Shape], index: Sequence[int]) -> list[int]:
    counts = [0] * len(shapes)
    if len(shapes) == 1:
        counts[0] = len(index)
    else:
        for place in index:
            counts[place] += 1
    return counts


def decode_offsets(planes: list[bytes], count: int, unit: int) -> array[int]:
    """"Times": differences of differences, folded to unsigned integers."""
    offsets = array("q")
    time = step = 0
    for i in range(count):
        folded = 0
        for plane in planes:
            folded = folded << 8 | plane[i]
        value = folded >> 1 if not folded & 1 else -(folded + 1 >> 1)
        step = value if i < 2 else step + value
        time = value if i == 0 else time + step
        if i == 0:
            step = 0
        offset = time * unit
        require(-(2**50) <= offset <= 2**50, "RAW_STAMP")
        offsets.append(offset)
    return offsets


def encode_raw(
    leaf: RawLeaf, implied: int | None, counts: list[int], firsts: bytes, differences: list[bytes]
) -> bytes:
    """The one payload of these frames. `firsts` and `differences` are their data, plane by plane."""
    order: dict[Shape, int] = {}
    if len(leaf.shapes) == 1:
        order[leaf.shapes[0]] = 0
        index = leaf.index
    else:
        index = [order.setdefault(leaf.shapes[place], len(order)) for place in leaf.index]
    only = next(iter(order))
    parts: list[bytes] = []
    if len(order) == 1 and only.flags == 0 and only.raw_length_code == 0 and only.id == implied:
        parts.append(bytes([only.length]))
    else:
        parts.append(b"\x80" + encode_varint(len(order)))
        for shape in order:
            kind = shape.flags | (0x10 if shape.raw_length_code else 0)
            tail = bytes([shape.raw_length_code]) if shape.raw_length_code else b""
            if implied is None or shape.id not in (implied, implied | RTR):
                kind |= 0x40
                tail += shape.id.to_bytes(4, "big")
            elif shape.id != implied:
                kind |= 0x20
            parts.append(bytes([kind, shape.length]) + tail)
        width = 0 if len(order) == 1 else (max(1, (len(order) - 1).bit_length()) + 7) // 8
        parts += [bytes(place >> shift & 0xFF for place in index) for shift in range(8 * width - 8, -8, -8)]
    parts += encode_offsets(leaf.offsets)
    widest = max(shape.data_bytes for shape in order)
    bitmap = bytearray((widest + 7) // 8)
    for plane in range(widest):
        if any(differences[plane]):
            bitmap[plane // 8] |= 1 << plane % 8
    parts += [bytes(bitmap), firsts[:widest]]
    parts += [row for row in differences if any(row)]
    return b"".join(parts)


def encode_varint(value: int) -> bytes:
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def encode_offsets(offsets: array[int]) -> list[bytes]:
    unit = 1000 if all(offset % 1000 == 0 for offset in offsets) else 1
    folded = array("Q")
    time = step = 0
    for i, offset in enumerate(offsets):
        now = offset // unit
        difference = now - time if i > 0 else now
        value = difference - step if i >= 2 else difference
        time, step = now, difference if i > 0 else 0
        folded.append(2 * value if value >= 0 else -2 * value - 1)
    width = (max(folded).bit_length() + 7) // 8
    head = bytes([width | (0x80 if unit == 1 else 0)])
    return [head] + [bytes(u >> shift & 0xFF for u in folded) for shift in range(8 * width - 8, -8, -8)]


# ---- arrival order (spec/arrival-order.md)


def require_arrival_order(content: Content, stamps: list[array[int]]) -> None:
    """"Decoding": the departures fit the frames. `stamps` has the offsets of each raw stream, in order of names."""
    payload, at = content.payload, 0
    places = [0] * len(stamps)
    heads = sorted((column[0], i) for i, column in enumerate(stamps) if len(column) > 0)
    left = sum(len(column) for column in stamps)

    def arrive(rank: int) -> None:
        _, stream = heads.pop(rank)
        places[stream] += 1
        if places[stream] < len(stamps[stream]):
            bisect.insort(heads, (stamps[stream][places[stream]], stream))

    for _ in range(content.count):
        implied, at = read_varint(payload, at, "ARRIVAL_ORDER")
        rank, at = read_varint(payload, at, "ARRIVAL_ORDER")
        require(implied <= left, "ARRIVAL_ORDER")
        for _ in range(implied):
            arrive(0)
        require(1 <= rank < len(heads), "ARRIVAL_ORDER")
        arrive(rank)
        left -= implied + 1
    require(at == len(payload), "ARRIVAL_ORDER")


# ==================================================================================================================
# 9  The bundle (spec/bundle.md)
# ==================================================================================================================

MAGIC = b"wmk-ev0\n"
MAX_BUNDLE = 2**30
MAX_ITEMS = 2**20
SECTIONS = {
    1: "sessions", 2: "headers", 3: "blocks", 4: "streams", 5: "leaves", 6: "statements", 7: "inclusions",
    8: "windows", 9: "stamps", 10: "links", 11: "enrolments", 12: "registry", 13: "grants", 14: "custody",
    15: "forkProofs", 16: "brokenPromises", 17: "acceptances",
}  # fmt: skip


class SessionItem(NamedTuple):
    data: bytes
    payload: bytes
    record: SessionRecord


class HeaderItem(NamedTuple):
    payload: bytes
    signature: bytes | None
    header: ChunkHeader


class BlockItem(NamedTuple):
    data: bytes
    payload: bytes
    block: JournalBlock
    in_block: array[int]  # index in the block of each opened leaf
    in_chunk: array[int]  # and its index in the chunk
    proof: list[bytes]


class OpenedLeaf(NamedTuple):
    index: int
    stream: int
    handle: bytes
    salt: bytes
    packed: bytes


class OpenedChunk(NamedTuple):
    log: int
    seq: int
    proof: list[bytes]
    leaves: list[OpenedLeaf]


class StatementItem(NamedTuple):
    data: bytes
    payload: bytes
    proof: list[bytes]
    statement: Statement


class WindowItem(NamedTuple):
    data: bytes
    hash: bytes
    record: WindowRecord
    anchors: list[Anchor]


class EnrolmentItem(NamedTuple):
    data: bytes
    id: bytes
    enrolment: Enrolment
    vin: tuple[bytes, str] | None  # salt and VIN


class CustodyItem(NamedTuple):
    data: bytes
    record: CustodyRecord


@dataclass
class Bundle:
    size: int = 0
    digest: bytes = b""
    digest_matches: bool = False
    sections: list[tuple[str, int, int]] = field(default_factory=list)  # name, items, bytes
    unknown_sections: list[int] = field(default_factory=list)
    sessions: list[SessionItem] = field(default_factory=list)
    headers: list[HeaderItem] = field(default_factory=list)
    blocks: list[BlockItem] = field(default_factory=list)
    streams: list[Stream] = field(default_factory=list)
    leaves: list[OpenedChunk] = field(default_factory=list)
    statements: list[StatementItem] = field(default_factory=list)
    inclusions: list[Inclusion] = field(default_factory=list)
    windows: list[WindowItem] = field(default_factory=list)
    stamps: list[TimeStamp] = field(default_factory=list)
    links: list[HeaderLink] = field(default_factory=list)
    enrolments: list[EnrolmentItem] = field(default_factory=list)
    registry: list[RegistryFacts] = field(default_factory=list)
    grants: list[Grant] = field(default_factory=list)
    custody: list[CustodyItem] = field(default_factory=list)
    forkProofs: list[ForkProof] = field(default_factory=list)
    brokenPromises: list[BrokenPromise] = field(default_factory=list)
    acceptances: list[Accepted] = field(default_factory=list)


def read_session_item(data: bytes) -> SessionItem:
    payload = read_cose(data).payload
    return SessionItem(data, payload, decode_session(payload))


def read_header_item(data: bytes) -> HeaderItem:
    """"Header item"."""
    payload, signature = whole(decode_cbor(data), lambda f: (f.bytes_up_to(16 * 1024), f.bytes_or_none(64)))
    return HeaderItem(payload, signature, decode_chunk_header(payload))


def read_block_item(data: bytes) -> BlockItem:
    """spec/journal-block.md, "In a bundle"."""
    in_block, in_chunk = array("q"), array("q")

    def leaf(f: Fields) -> None:
        in_block.append(f.uint(MAX_ENTRIES))
        in_chunk.append(f.uint(MAX_ENTRIES))

    def read(f: Fields) -> tuple[bytes, list[bytes]]:
        block = f.bytes_up_to(20 * 1024)
        f.list(MAX_ENTRIES, leaf)
        return block, f.bytes_list(MAX_ENTRIES, 32)

    block, proof = whole(decode_cbor(data), read)
    payload = read_cose(block).payload
    return BlockItem(block, payload, decode_block(payload), in_block, in_chunk, proof)


def read_stream_item(data: bytes) -> Stream:
    return parse_stream(data[:512].decode("latin-1"))  # what is not ASCII is in no name


def read_opened_chunk(data: bytes) -> OpenedChunk:
    """"Opened chunk"."""

    def leaf(f: Fields) -> OpenedLeaf:
        return OpenedLeaf(
            f.uint(MAX_ENTRIES), f.uint(MAX_ENTRIES), f.bytes(16), f.bytes(16), f.bytes_up_to(MAX_PAYLOAD)
        )

    def read(f: Fields) -> OpenedChunk:
        return OpenedChunk(f.uint(), f.uint(MAX_SEQ), f.bytes_list(MAX_ENTRIES, 32), f.list(MAX_ENTRIES, leaf))

    chunk = whole(decode_cbor(data, 64 * MIB), read)
    ascend = all(before.index < after.index for before, after in zip(chunk.leaves, chunk.leaves[1:]))
    require(len(chunk.leaves) > 0 and ascend, "LEAF_ORDER")
    return chunk


def read_statement_item(data: bytes) -> StatementItem:
    """"Statement item"."""
    statement, proof = whole(decode_cbor(data), lambda f: (f.bytes_up_to(64 * 1024), f.bytes_list(4096, 32)))
    payload = read_cose(statement).payload
    return StatementItem(statement, payload, proof, decode_statement(payload))


def read_window_item(data: bytes) -> WindowItem:
    record, anchors = decode_anchored_window(data)
    return WindowItem(record, sha256(record), decode_window_record(record), anchors)


def read_enrolment_item(data: bytes) -> EnrolmentItem:
    """"Enrolment item"."""

    def read(f: Fields) -> tuple[bytes, tuple[bytes, str] | None]:
        return f.bytes_up_to(66_047), f.optional(lambda v: (v.bytes(32), v.text(17)))

    enrolment, vin = whole(decode_cbor(data), read)
    payload = read_cose(enrolment).payload
    record = decode_enrolment(payload)
    return EnrolmentItem(enrolment, record_id("enrolment", record.device_key, payload), record, vin)


def read_custody_item(data: bytes) -> CustodyItem:
    return CustodyItem(data, decode_custody(read_cose(data).payload))


READERS: dict[str, Callable[[bytes], Any]] = {
    "sessions": read_session_item,
    "headers": read_header_item,
    "blocks": read_block_item,
    "streams": read_stream_item,
    "leaves": read_opened_chunk,
    "statements": read_statement_item,
    "inclusions": decode_inclusion,
    "windows": read_window_item,
    "stamps": decode_time_stamp,
    "links": decode_header_link,
    "enrolments": read_enrolment_item,
    "registry": decode_registry_facts,
    "grants": decode_grant,
    "custody": read_custody_item,
    "forkProofs": decode_fork_proof,
    "brokenPromises": decode_broken_promise,
    "acceptances": decode_accepted,
}


def section_items(data: bytes, at: int, end: int) -> Iterator[tuple[int, int]]:
    """Where the items of a section lie."""
    count = 0
    while at < end:
        count += 1
        require(count <= MAX_ITEMS, "BUNDLE_ITEMS")
        length, at = read_varint(data, at, "BUNDLE_TRUNCATED", end)
        require(at + length <= end, "BUNDLE_TRUNCATED")
        yield at, at + length
        at += length
    require(count > 0, "BUNDLE_ITEMS")


def read_bundle(data: bytes) -> Bundle:
    """"Verification" of the page, and the rules of BUNDLE in spec/verification.md."""
    require(len(data) <= MAX_BUNDLE, "BUNDLE_TOO_LARGE")
    require(data[: len(MAGIC)] == MAGIC, "BUNDLE_MAGIC")
    require(len(data) >= len(MAGIC) + 32, "BUNDLE_TRUNCATED")
    bundle = Bundle(size=len(data), digest=data[-32:])
    places: list[tuple[str, int, int]] = []
    at, end, number = len(MAGIC), len(data) - 32, 0
    while at < end:
        require(data[at] > number, "BUNDLE_SECTION_ORDER")
        number = data[at]
        length, start = read_varint(data, at + 1, "BUNDLE_TRUNCATED", end)
        at = start + length
        require(at <= end, "BUNDLE_TRUNCATED")
        if number in SECTIONS:
            count = size = 0
            for first, stop in section_items(data, start, at):
                count, size = count + 1, size + stop - first
            bundle.sections.append((SECTIONS[number], count, size))
            places.append((SECTIONS[number], start, at))
        else:
            require(number >= 64, "BUNDLE_SECTION_UNKNOWN")
            bundle.unknown_sections.append(number)
    bundle.digest_matches = hashlib.sha256(memoryview(data)[:end]).digest() == bundle.digest
    for name, start, stop in places:
        if name == "grants":
            require(sum(1 for _ in section_items(data, start, stop)) <= 256, "BUNDLE_ITEMS")
        read, items_of = READERS[name], getattr(bundle, name)
        for first, last in section_items(data, start, stop):
            items_of.append(read(data[first:last]))
    require_item_order(bundle)
    require_streams(bundle)
    return bundle


def require_item_order(bundle: Bundle) -> None:
    """Step 5. Headers and statements may stand twice: that is for HEADER_CHAIN and STATEMENT to say."""

    def ascending(places: list[Any], may_repeat: bool = False) -> None:
        for before, after in zip(places, places[1:]):
            require(before < after or (may_repeat and before == after), "BUNDLE_ITEM_ORDER")

    ascending([(item.record.log, item.record.number) for item in bundle.sessions])
    ascending([(item.header.log, item.header.seq) for item in bundle.headers], may_repeat=True)
    ascending([stream.name for stream in bundle.streams])
    ascending([(chunk.log, chunk.seq) for chunk in bundle.leaves])
    ascending([(item.statement.log, item.statement.seq) for item in bundle.statements], may_repeat=True)


def require_streams(bundle: Bundle) -> None:
    """Every name has a leaf, every leaf a name."""
    used = bytearray(len(bundle.streams))
    for chunk in bundle.leaves:
        for leaf in chunk.leaves:
            require(leaf.stream < len(used), "BUNDLE_STREAM")
            used[leaf.stream] = 1
    require(all(used), "BUNDLE_STREAM")


# ==================================================================================================================
# 10  The trust policy (spec/trust-policy.md)
# ==================================================================================================================

CHECK_CODES = (
    "BUNDLE", "DEVICE", "SESSION", "STATEMENT", "HEADER_SIGNATURE", "HEADER_CHAIN", "COVERED", "LEAVES", "STREAMS",
    "ORDER", "LOSS", "GAPS", "CAPTURE", "TAIL", "FORK", "PROMISE", "ACCEPTANCE", "WINDOW", "ANCHOR", "LINK",
    "BLOCK", "TIMESTAMP", "NOT_AFTER", "NOT_BEFORE", "ENROLMENT", "REGISTRY", "GRANT", "CUSTODY",
)  # fmt: skip
DEFAULT_REQUIRED = [
    "BUNDLE", "DEVICE", "SESSION", "STATEMENT", "HEADER_SIGNATURE", "HEADER_CHAIN", "COVERED", "LEAVES", "STREAMS",
    "WINDOW", "ANCHOR", "LINK", "BLOCK", "NOT_AFTER",
]  # fmt: skip
MAX_POLICY = 4 * MIB


class Chain(NamedTuple):
    chain_id: int
    cls: str
    contract: bytes
    code_hash: bytes
    publishers: list[bytes]
    blocks: dict[int, bytes]


class Registry(NamedTuple):
    chain_id: int
    contract: bytes
    code_hash: bytes


class Wallet(NamedTuple):
    chain_id: int
    address: bytes
    accepts: set[bytes]


class Policy(NamedTuple):
    device_keys: list[Key]
    owners: set[tuple[int, bytes]]  # chain id and address of those whose enrolments are believed
    service_keys: list[Key]
    chains: list[Chain]
    registries: list[Registry]
    wallets: list[Wallet]
    authorities: list[Authority]
    required: list[str]
    shown: dict[str, Any]  # as the report prints it


class PolicyObject:
    """A JSON object of which every key is taken ("Reading")."""

    def __init__(self, value: Any) -> None:
        require(isinstance(value, dict), "POLICY_VALUE", "expected an object")
        self.value: dict[str, Any] = value
        self.taken: set[str] = set()

    def take(self, key: str, kind: type) -> Any:
        self.taken.add(key)
        value = self.value.get(key)
        require(type(value) is kind, "POLICY_VALUE", f'"{key}" is missing or of another kind')
        return value

    def text(self, key: str) -> str:
        text = self.take(key, str)
        require(text != "", "POLICY_VALUE", f'"{key}" is empty')
        return text

    def optional_text(self, key: str) -> str | None:
        return self.text(key) if key in self.value else None

    def word(self, key: str, words: Sequence[str]) -> str:
        word = self.text(key)
        require(word in words, "POLICY_VALUE", f'"{key}" is none of {", ".join(words)}')
        return word

    def hex(self, key: str, length: int | None, most: int = 0) -> bytes:
        text = self.text(key)
        digits = text[2:] if text.startswith("0x") else text
        is_hex = re.fullmatch(r"(?:[0-9a-fA-F]{2})+", digits) is not None
        require(is_hex, "POLICY_VALUE", f'"{key}" is no hexadecimal text')
        data = bytes.fromhex(digits)
        fits = len(data) == length if length is not None else len(data) <= most
        require(fits, "POLICY_VALUE", f'"{key}" has another length')
        return data

    def number(self, key: str) -> int:
        text = self.text(key)
        is_number = re.fullmatch(r"0|[1-9][0-9]{0,19}", text) is not None and int(text) < 2**64
        require(is_number, "POLICY_VALUE", f'"{key}" is no decimal number in quotes, below 2^64')
        return int(text)

    def texts(self, key: str) -> list[str]:
        texts = self.take(key, list)
        require(all(isinstance(text, str) for text in texts), "POLICY_VALUE", f'"{key}" is no list of texts')
        return texts

    def prefixed(self, key: str, length: int) -> list[bytes]:
        texts = self.texts(key)
        for text in texts:
            is_hex = re.fullmatch(f"0x[0-9a-fA-F]{{{2 * length}}}", text) is not None
            require(is_hex, "POLICY_VALUE", f'"{key}" wants 0x and {length} bytes in hexadecimal')
        return [bytes.fromhex(text[2:]) for text in texts]

    def objects(self, key: str, read: Callable[[PolicyObject], Any]) -> list[Any]:
        return [read_object(value, read) for value in self.take(key, list)]

    def optional_objects(self, key: str, read: Callable[[PolicyObject], Any]) -> list[Any]:
        return self.objects(key, read) if key in self.value else []


def read_object(value: Any, read: Callable[[PolicyObject], Any]) -> Any:
    reader = PolicyObject(value)
    result = read(reader)
    unknown = [key for key in reader.value if key not in reader.taken]
    require(not unknown, "POLICY_KEY", f"unknown key {unknown[:1]}")
    return result


def once(what: str, names: Iterable[Any]) -> None:
    seen = set()
    for name in names:
        require(name not in seen, "POLICY_REPEATED", f"{what} {name!r} stands twice")
        seen.add(name)


def read_policy(data: bytes) -> Policy:
    """"Reading": POLICY_*."""

    def refused(_: str) -> None:
        raise ValueError("no JSON")

    try:
        value = json.loads(data.decode("utf-8", "strict"), parse_constant=refused)
    except (ValueError, RecursionError):
        raise Fault("POLICY_JSON", "it is no JSON in UTF-8") from None
    require(len(data) <= MAX_POLICY, "POLICY_JSON", "it is too large")
    return read_object(value, read_policy_object)


def read_policy_object(root: PolicyObject) -> Policy:
    root.taken.add("witnessmark-trust")
    version = root.value.get("witnessmark-trust")
    require(type(version) in (int, float) and version == 0, "POLICY_VERSION", 'expected "witnessmark-trust": 0')
    supplied_by, note = root.text("suppliedBy"), root.optional_text("note")
    device_keys = root.objects("deviceKeys", read_policy_key)
    owners = root.optional_objects("owners", read_policy_owner)
    service_keys = root.optional_objects("serviceKeys", read_policy_key)
    chains = root.objects("chains", read_policy_chain)
    registries = root.optional_objects("registries", read_policy_registry)
    wallets = root.optional_objects("wallets", read_policy_wallet)
    authorities = root.objects("timestampAuthorities", read_policy_authority)
    required = root.texts("required") if "required" in root.value else DEFAULT_REQUIRED
    require(all(code in CHECK_CODES for code in required), "POLICY_VALUE", '"required" names an unknown check')
    once("required check", required)
    unknown = [key for key in root.value if key not in root.taken]
    require(not unknown, "POLICY_KEY", f"unknown key {unknown[:1]}")
    once("device key", (shown["key"] for _, shown in device_keys))
    once("owner", (owner for owner, _ in owners))
    once("service key", (shown["key"] for _, shown in service_keys))
    once("chain and contract", ((chain.chain_id, chain.contract) for chain, _ in chains))
    once("registry", ((registry.chain_id, registry.contract) for registry, _ in registries))
    once("wallet", ((wallet.chain_id, wallet.address) for wallet, _ in wallets))
    once("time stamp authority", (shown["certificate"] for _, shown in authorities))
    shown: dict[str, Any] = {"witnessmark-trust": 0, "suppliedBy": supplied_by}
    if note is not None:
        shown["note"] = note
    shown["deviceKeys"] = [item for _, item in device_keys]
    if owners:
        shown["owners"] = [item for _, item in owners]
    if service_keys:
        shown["serviceKeys"] = [item for _, item in service_keys]
    shown["chains"] = [item for _, item in chains]
    if registries:
        shown["registries"] = [item for _, item in registries]
    if wallets:
        shown["wallets"] = [item for _, item in wallets]
    shown["timestampAuthorities"] = [item for _, item in authorities]
    shown["required"] = required
    return Policy(
        device_keys=[key for key, _ in device_keys],
        owners={owner for owner, _ in owners},
        service_keys=[key for key, _ in service_keys],
        chains=[chain for chain, _ in chains],
        registries=[registry for registry, _ in registries],
        wallets=[wallet for wallet, _ in wallets],
        authorities=[authority for authority, _ in authorities],
        required=required,
        shown=shown,
    )


def read_policy_key(o: PolicyObject) -> tuple[Key, dict[str, Any]]:
    algorithm, data, note = o.word("algorithm", tuple(ALGORITHM_NAMES)), o.hex("key", 33), o.optional_text("note")
    key = Key(ALGORITHM_NAMES[algorithm], data)
    try:
        key_point(key)
    except Fault:
        raise Fault("POLICY_VALUE", "a key is no point of its curve") from None
    return key, {"algorithm": algorithm, "key": data.hex(), **({} if note is None else {"note": note})}


def read_policy_owner(o: PolicyObject) -> tuple[tuple[int, bytes], dict[str, Any]]:
    chain_id, address, note = o.number("chainId"), o.hex("address", 20), o.optional_text("note")
    shown = {"chainId": str(chain_id), "address": hex0x(address), **({} if note is None else {"note": note})}
    return (chain_id, address), shown


def read_policy_chain(o: PolicyObject) -> tuple[Chain, dict[str, Any]]:
    def block(b: PolicyObject) -> tuple[int, bytes]:
        return b.number("number"), b.hex("hash", 32)

    chain_id, cls = o.number("chainId"), o.word("class", ("public", "consortium", "local"))
    contract, code_hash = o.hex("contract", 20), o.hex("codeHash", 32)
    publishers, blocks = o.prefixed("publishers", 20), o.objects("blocks", block)
    once("publisher", publishers)
    once("block number", (number for number, _ in blocks))
    shown = {
        "chainId": str(chain_id),
        "class": cls,
        "contract": hex0x(contract),
        "codeHash": hex0x(code_hash),
        "publishers": [hex0x(publisher) for publisher in publishers],
        "blocks": [{"number": str(number), "hash": hex0x(block_hash)} for number, block_hash in blocks],
    }
    return Chain(chain_id, cls, contract, code_hash, publishers, dict(blocks)), shown


def read_policy_registry(o: PolicyObject) -> tuple[Registry, dict[str, Any]]:
    registry = Registry(o.number("chainId"), o.hex("contract", 20), o.hex("codeHash", 32))
    shown = {
        "chainId": str(registry.chain_id),
        "contract": hex0x(registry.contract),
        "codeHash": hex0x(registry.code_hash),
    }
    return registry, shown


def read_policy_wallet(o: PolicyObject) -> tuple[Wallet, dict[str, Any]]:
    chain_id, address, accepts = o.number("chainId"), o.hex("address", 20), o.prefixed("accepts", 32)
    once("digest of a wallet", accepts)
    shown = {"chainId": str(chain_id), "address": hex0x(address), "accepts": [hex0x(digest) for digest in accepts]}
    return Wallet(chain_id, address, set(accepts)), shown


def read_policy_authority(o: PolicyObject) -> tuple[Authority, dict[str, Any]]:
    cls = o.word("class", ("qualified", "public", "local"))
    certificate, policies, note = o.hex("certificate", None, 16 * 1024), o.texts("policies"), o.optional_text("note")
    is_oid = all(re.fullmatch(r"[0-2](?:\.(?:0|[1-9][0-9]*))+", policy) for policy in policies)
    require(is_oid, "POLICY_VALUE", '"policies" wants object identifiers such as 1.2.3.4')
    once("policy of a time stamp authority", policies)
    try:
        parsed = read_certificate(certificate)
    except Fault:
        raise Fault("POLICY_VALUE", '"certificate" is no certificate') from None
    shown = {"class": cls, "certificate": certificate.hex(), "policies": policies}
    return Authority(cls, parsed, policies), {**shown, **({} if note is None else {"note": note})}


def hex0x(data: bytes) -> str:
    return "0x" + data.hex()


# ==================================================================================================================
# 11  The trail: parts in relation to each other, nothing believed (spec/verification.md, "Trail")
# ==================================================================================================================


class Device(NamedTuple):
    """A device key that is believed."""

    key: Key
    enrolment: Enrolment | None  # by which an owner whom the policy names took it; None where it names the key itself


class Devices:
    """Keys that the policy names, or that an owner whom it names has enrolled (spec/trust-policy.md, "Owners")."""

    def __init__(self, policy: Policy, enrolments: list[EnrolmentReading]) -> None:
        self.named = {key_id(key): Device(key, None) for key in policy.device_keys}
        self.enrolled: dict[tuple[bytes, bytes, int], Device] = {}
        for reading in enrolments:
            e = reading.verified
            if e is not None and (e.chain_id, e.owner) in policy.owners and is_by_owner(reading, policy):
                self.enrolled.setdefault((key_id(e.device_key), e.tag, e.epoch), Device(e.device_key, e))

    def of(self, record: SessionRecord) -> Device | None:
        """An enrolment is for one tag and epoch: of what its key signs elsewhere it says nothing."""
        named = self.named.get(record.device_key_id)
        return named or self.enrolled.get((record.device_key_id, record.tag, record.epoch))

    def keys(self) -> list[Key]:
        return [device.key for device in (*self.named.values(), *self.enrolled.values())]


@dataclass
class Session:
    item: SessionItem
    device: Device | None
    id: bytes | None

    @property
    def device_key(self) -> Key | None:
        return None if self.device is None else self.device.key

    @property
    def record(self) -> SessionRecord:
        return self.item.record


@dataclass
class Chunk:
    """A header of the bundle and what belongs to it."""

    item: HeaderItem
    session: Session | None
    id: bytes | None
    statement: int | None = None  # position of the statement that covers it
    blocks: list[BlockItem] | None = None  # of an opened recovered chunk
    blocks_session: Session | None = None  # that the first of them names
    opened: OpenedChunk | None = None

    @property
    def header(self) -> ChunkHeader:
        return self.item.header

    @property
    def place(self) -> tuple[int, int]:
        return self.item.header.log, self.item.header.seq


@dataclass
class Batch:
    """A statement of the bundle and the headers that it covers."""

    item: StatementItem
    session: Session | None
    id: bytes | None
    covers: list[tuple[int, int]] = field(default_factory=list)  # leaf index, position of the header
    covers_again: bool = False

    @property
    def statement(self) -> Statement:
        return self.item.statement


@dataclass
class Trail:
    sessions: list[Session]
    chunks: list[Chunk]
    batches: list[Batch]
    stray_blocks: int
    orphans: list[OpenedChunk]  # opened, but their header is not in the bundle


def read_trail(bundle: Bundle, devices: Devices) -> Trail:
    sessions = []
    for item in bundle.sessions:
        device = devices.of(item.record)
        session_id = None if device is None else record_id("session-record", device.key, item.payload)
        sessions.append(Session(item, device, session_id))
    by_id = {session.id: session for session in sessions if session.id is not None}
    chunks = []
    for header in bundle.headers:
        session = by_id.get(header.header.session)
        chunks.append(Chunk(header, session, id_under(session, "chunk-header", header.payload)))
    batches = []
    for item in bundle.statements:
        session = by_id.get(item.statement.session)
        batches.append(Batch(item, session, id_under(session, "statement", item.payload)))
    cover(chunks, batches)
    opened = {(chunk.log, chunk.seq): chunk for chunk in bundle.leaves}
    at = 0
    for chunk in chunks:
        chunk.opened = opened.pop(chunk.place, None)
        if chunk.opened is not None and chunk.header.recovered is not None:
            chunk.blocks = bundle.blocks[at : at + chunk.header.recovered.blocks]
            at += len(chunk.blocks)
            chunk.blocks_session = by_id.get(chunk.blocks[0].block.session) if chunk.blocks else None
    return Trail(sessions, chunks, batches, len(bundle.blocks) - at, list(opened.values()))


def is_behind_hole(before: Chunk | None, chunk: Chunk) -> bool:
    """Whether headers of the same log are missing between two."""
    return before is not None and before.header.log == chunk.header.log and chunk.header.seq > before.header.seq + 1


def begins_stretch(before: Chunk | None, chunk: Chunk) -> bool:
    """"HEADER_CHAIN": headers without a hole between them are a stretch."""
    return before is None or before.header.log != chunk.header.log or is_behind_hole(before, chunk)


def stretches_of(chunks: list[Chunk]) -> list[list[Chunk]]:
    stretches: list[list[Chunk]] = []
    for before, chunk in zip([None, *chunks], chunks):
        if begins_stretch(before, chunk):
            stretches.append([])
        stretches[-1].append(chunk)
    return stretches


def id_under(session: Session | None, kind: str, payload: bytes) -> bytes | None:
    """None without a session, or where its key is no point of its curve: then nothing can be signed by it."""
    if session is None:
        return None
    try:
        return record_id(kind, session.record.key, payload)
    except Fault:
        return None


def cover(chunks: list[Chunk], batches: list[Batch]) -> None:
    """A header is covered by the first statement one of whose spans holds it. Looks at each header once."""
    places = [chunk.place for chunk in chunks]
    for position, batch in enumerate(batches):
        before = 0
        for log, first, count in batch.statement.spans:
            at = bisect.bisect_left(places, (log, first))
            while at < len(places) and places[at] < (log, first + count) and not batch.covers_again:
                if chunks[at].statement is not None:
                    batch.covers_again = True
                else:
                    chunks[at].statement = position
                    batch.covers.append((before + places[at][1] - first, at))
                at += 1
            before += count


# ==================================================================================================================
# 12  The checks (spec/verification.md, "Checks")
# ==================================================================================================================


class Outcome(NamedTuple):
    verdict: str
    reason: str | None
    detail: str
    values: dict[str, Any] | None


def passed(detail: str, values: dict[str, Any] | None = None) -> Outcome:
    return Outcome("PASSED", None, detail, values)


def unknown(reason: str, detail: str, values: dict[str, Any] | None = None) -> Outcome:
    return Outcome("INDETERMINATE", reason, detail, values)


def failed(reason: str, detail: str, values: dict[str, Any] | None = None) -> Outcome:
    return Outcome("FAILED", reason, detail, values)


MAX_ROWS = 10_000


def rows_of(name: str, rows: list[Any], count: int) -> dict[str, Any]:
    """The first rows of a list, and where some are left out, how many ("Report", "JSON")."""
    return {name: rows} if count == len(rows) else {name: rows, "cut": count - len(rows)}


def fault_of(check: Callable[[], Any]) -> Fault | None:
    try:
        check()
    except Fault as fault:
        return fault
    return None


@dataclass
class Context:
    """What the checks look at: bundle, policy, and what is computed from both once."""

    bundle: Bundle
    policy: Policy
    devices: Devices
    trail: Trail
    readings: Readings
    inclusions: list[InclusionReading]
    windows: list[WindowReading]
    links: list[LinkReading]
    stamps: list[StampReading]
    acceptances: list[AcceptanceReading]
    enrolments: list[EnrolmentReading]
    registry: list[RegistryReading]
    grants: list[GrantReading]
    bounds: Bounds
    custody: CustodyReading

    def link_of(self, chain_id: int) -> LinkReading | None:
        return link_in(self.links, chain_id)


def read_context(bundle: Bundle, policy: Policy) -> Context:
    enrolments = [read_enrolment(item) for item in bundle.enrolments]
    devices = Devices(policy, enrolments)
    trail = read_trail(bundle, devices)
    readings = read_leaves(bundle, trail)
    windows = [read_window(item, policy) for item in bundle.windows]
    links = [read_link(link, windows, policy) for link in bundle.links]
    inclusions = read_inclusions(bundle, trail, windows)
    stamps = read_stamps(bundle, windows, policy)
    bounds = read_bounds(trail, inclusions, windows, links, stamps)
    return Context(
        bundle=bundle,
        policy=policy,
        devices=devices,
        trail=trail,
        readings=readings,
        inclusions=inclusions,
        windows=windows,
        links=links,
        stamps=stamps,
        acceptances=read_acceptances(bundle, trail, policy),
        enrolments=enrolments,
        registry=[read_registry(facts, links, policy) for facts in bundle.registry],
        grants=[read_grant(grant, policy) for grant in bundle.grants],
        bounds=bounds,
        custody=read_custody(bundle, readings, devices),
    )


def chunk_name(place: tuple[int, int]) -> str:
    return f"chunk {place[0]}/{place[1]}"


# ---- BUNDLE


def check_bundle(c: Context) -> Outcome:
    bundle = c.bundle
    values = {
        "bytes": bundle.size,
        "digest": bundle.digest.hex(),
        "sections": [list(section) for section in bundle.sections],
        "unknownSections": bundle.unknown_sections,
    }
    if not bundle.digest_matches:
        return failed("BUNDLE_DIGEST", "the digest at the end is not that of the bytes before it", values)
    if bundle.unknown_sections:
        return unknown("unknown_sections", f"nothing in sections {bundle.unknown_sections} was checked", values)
    return passed(f"well-formed, {bundle.size} bytes in {len(bundle.sections)} sections", values)


# ---- DEVICE


def check_device(c: Context) -> Outcome:
    sessions = c.trail.sessions
    if not sessions:
        return unknown("absent", "the bundle has no session record")
    ids = dict.fromkeys(session.record.device_key_id.hex() for session in sessions)
    values = {"deviceKeyIds": list(ids)}
    for session in sessions:
        key = session.device_key
        fault = None if key is None else fault_of(lambda: verify_cose("session-record", key, session.item.data))
        if fault is not None:
            return failed(fault.code, f"session {session.record.log}/{session.record.number}", values)
    if any(session.device_key is None for session in sessions):
        detail = "the policy names neither the device key of a session nor an owner who enrolled it in this bundle"
        return unknown("device_not_in_policy", detail, values)
    enrolments = [session.device.enrolment for session in sessions if session.device is not None]
    owners = dict.fromkeys(hex0x(enrolment.owner) for enrolment in enrolments if enrolment is not None)
    believed = "the policy names"
    if owners:  # whoever enrolled a key has said which device it is in
        believed = f"{' and '.join(owners)} has enrolled, whom the policy names: in which vehicle it is, is their word"
    return passed(f"{len(sessions)} session records signed by a device key that {believed}", values)


# ---- SESSION


def check_session(c: Context) -> Outcome:
    trail = c.trail
    if not trail.sessions:
        return unknown("absent", "the bundle has no session record")
    vehicles = {(s.record.tag, s.record.epoch, s.record.device_key_id) for s in trail.sessions}
    if len(vehicles) > 1:
        return failed("SESSION_VEHICLE", "the sessions are of several vehicles, epochs or device keys")
    for chunk in trail.chunks:
        h, s = chunk.header, chunk.session
        if s is not None and (h.tag, h.epoch, h.log) != (s.record.tag, s.record.epoch, s.record.log):
            return failed("SESSION_HEADER", f"{chunk_name(chunk.place)} is not of the log of its session")
    for batch in trail.batches:
        t, s = batch.statement, batch.session
        if s is not None:
            said = (t.tag, t.epoch, t.log, t.device_key_id)
            if said != (s.record.tag, s.record.epoch, s.record.log, s.record.device_key_id):
                return failed("SESSION_STATEMENT", f"statement {t.log}/{t.seq} is not of the log of its session")
    is_unnamed = any(session.id is None for session in trail.sessions)
    first_blocks = [chunk for chunk in trail.chunks if chunk.blocks]
    if (
        any(chunk.session is None for chunk in trail.chunks)
        or any(batch.session is None for batch in trail.batches)
        or any(chunk.blocks_session is None for chunk in first_blocks)
    ):
        if is_unnamed:
            return unknown("device_not_in_policy", "a session has no id without its device key")
        return failed("SESSION_UNKNOWN", "a header, a statement or a block names a session that is not there")
    named = {id(chunk.session) for chunk in trail.chunks} | {id(batch.session) for batch in trail.batches}
    named |= {id(chunk.blocks_session) for chunk in first_blocks}
    if any(id(session) not in named for session in trail.sessions):
        return failed("SESSION_UNUSED", "a session is named by nothing in the bundle")
    statement_ids = {(b.statement.log, b.statement.seq): b.id for b in reversed(trail.batches)}
    predecessors: dict[int, Any] = {}
    for session in trail.sessions:
        record = session.record
        if predecessors.setdefault(record.log, record.predecessor) != record.predecessor:
            return failed("SESSION_PREDECESSOR", f"sessions of log {record.log} name several predecessors")
        if record.predecessor is not None:
            log, seq, named_id = record.predecessor
            there = statement_ids.get((log, seq))
            if there is not None and there != named_id:
                return failed("SESSION_PREDECESSOR", f"statement {log}/{seq} is not the predecessor that is named")
    first = trail.sessions[0].record
    detail = f"{len(trail.chunks)} headers and {len(trail.batches)} statements of {len(trail.sessions)} sessions"
    return passed(detail, {"tag": first.tag.hex(), "epoch": first.epoch})


# ---- STATEMENT


def check_statement(c: Context) -> Outcome:
    batches = c.trail.batches
    if not batches:
        return unknown("absent", "the bundle has no statement")
    not_reached = False
    for before, batch in zip([None, *batches], batches):
        statement = batch.statement
        name = f"statement {statement.log}/{statement.seq}"
        if before is not None and before.statement.log == statement.log:
            if before.statement.seq == statement.seq:
                return failed("STATEMENT_TWICE", f"{name} is there twice: a fork")
            if before.statement.seq + 1 == statement.seq:
                if before.id is None:
                    not_reached = True
                elif before.id != statement.previous:
                    return failed("STATEMENT_PREVIOUS_ID", f"{name} does not name the statement before it")
        if batch.covers_again:
            return failed("STATEMENT_COVERS_AGAIN", f"{name} covers a header that another covers")
        session = batch.session
        if session is None:
            not_reached = True
            continue
        fault = fault_of(lambda: verify_cose("statement", session.record.key, batch.item.data))
        if fault is not None:
            return failed(fault.code, name)
        covered = [c.trail.chunks[at] for _, at in batch.covers]
        if any(chunk.id is None for chunk in covered):
            not_reached = True
            continue
        leaves = [sig_structure("chunk-header", chunk.session.record.key, chunk.item.payload) for chunk in covered]
        size = sum(count for _, _, count in statement.spans)
        indexes = [index for index, _ in batch.covers]
        fault = fault_of(lambda: verify_merkle(size, indexes, leaves, batch.item.proof, statement.root))
        if fault is not None:
            return failed(fault.code, name)
    if not_reached:
        return unknown("not_reached", "a session is not known")
    values = {"rule": "RFC 9162 multi-leaf proof over the Sig_structures of the headers"}
    return passed(f"{len(batches)} statements are signed and chained, and their trees hold their headers", values)


# ---- HEADER_SIGNATURE


def check_header_signature(c: Context) -> Outcome:
    tally = {"opened": 0, "recovered": 0, "withoutStatement": 0, "otherSession": 0, "carried": 0, "byTree": 0}
    chunks = c.trail.chunks
    opened = {(chunk.log, chunk.seq) for chunk in c.bundle.leaves}
    is_unsigned = is_missing = is_unknown = False
    for chunk in chunks:
        header, signature = chunk.header, chunk.item.signature
        statement = None if chunk.statement is None else c.trail.batches[chunk.statement].statement
        of_another = statement is not None and statement.session != header.session
        if chunk.place in opened:
            rule = "opened"
        elif header.recovered is not None:
            rule = "recovered"
        elif statement is None:
            rule = "withoutStatement"
        else:
            rule = "otherSession" if of_another else "byTree"
        tally["carried" if rule == "byTree" and signature is not None else rule] += 1
        if signature is None:
            is_unsigned |= of_another
            is_missing |= rule != "byTree"
        elif chunk.session is None:
            is_unknown = True
        else:
            fault = fault_of(lambda: verify_header(chunk.session.record.key, chunk.item.payload, signature))
            if fault is not None:
                return failed(fault.code, chunk_name(chunk.place))
    if is_unsigned:
        return failed("HEADER_UNSIGNED", "a header without a signature stands under another session's statement")
    if not chunks:
        return unknown("absent", "the bundle has no chunk header")
    if is_unknown:
        return unknown("not_reached", "a session that signed a header is not known")
    if is_missing:
        return unknown("absent", "a header needs its signature, and the bundle does not carry it")
    return passed(f"{len(chunks) - tally['byTree']} headers by signature, {tally['byTree']} by tree", tally)


def verify_header(key: Key, payload: bytes, signature: bytes) -> None:
    digest = record_id("chunk-header", key, payload)
    require(signature_holds(key, digest, signature), "SIGNATURE_INVALID")


# ---- HEADER_CHAIN


def check_header_chain(c: Context) -> Outcome:
    chunks = c.trail.chunks
    if not chunks:
        return unknown("absent", "the bundle has no chunk header")
    stretches = stretches_of(chunks)
    hole = missing_before(c, stretches)
    if hole is not None:
        return failed("HEADER_MISSING", f"before {chunk_name(hole.place)}")
    not_reached = False
    for stretch in stretches:
        for before, chunk in zip(stretch, stretch[1:]):
            try:
                not_reached |= not follows(before, chunk)
            except Fault as fault:
                return failed(fault.code, f"{chunk_name(chunk.place)} behind {chunk_name(before.place)}")
    if not_reached:
        return unknown("not_reached", "a session is not known")
    return passed(f"{len(chunks)} headers, each names the one before it", {"ranges": ranges_of(chunks)})


def missing_before(c: Context, stretches: list[list[Chunk]]) -> Chunk | None:
    """A log has one stretch, but for those that open nothing but custody of the bundle's grants."""
    custody = custody_of_grants(c)
    opens_custody = {(o.log, o.seq): all(leaf.stream in custody for leaf in o.leaves) for o in c.bundle.leaves}
    log: int | None = None  # of the last stretch that is not of custody alone
    for stretch in stretches:
        opened = [opens_custody[chunk.place] for chunk in stretch if chunk.place in opens_custody]
        if opened and all(opened):
            continue
        if stretch[0].header.log == log:
            return stretch[0]
        log = stretch[0].header.log
    return None


def follows(before: Chunk, chunk: Chunk) -> bool:
    """In a stretch. False where that cannot be told, since a session is not known."""
    require(chunk.header.seq != before.header.seq, "HEADER_TWICE")
    if before.id is None:
        return False
    require(chunk.header.previous == before.id, "HEADER_PREVIOUS_ID")
    if chunk.session is not None and chunk.session is not before.session:
        require(chunk.session.record.last_header == before.id, "HEADER_SESSION_START")
    if chunk.blocks:
        blocks_follow(before, chunk, chunk.blocks)
    return chunk.session is not None


def session_of_contents(chunk: Chunk) -> tuple[bool, Session | None]:
    """Whether it is known whose frames a chunk holds, and whose; nobody's where a recovered chunk has no block."""
    if chunk.header.recovered is None:
        return True, chunk.session
    if chunk.header.recovered.blocks == 0:
        return True, None
    return chunk.blocks_session is not None, chunk.blocks_session


def blocks_follow(before: Chunk, chunk: Chunk, blocks: list[BlockItem]) -> None:
    """spec/journal-block.md, "Verification", step 8."""
    first, session = blocks[0], chunk.blocks_session
    is_known, owner = session_of_contents(before)
    if session is None or not is_known:
        return
    if owner is session or before.session is session:
        if owner is session and before.blocks:
            require_block_after(before.blocks[-1], first, session)
    else:
        require(first.block.index == 0, "BLOCK_CHAIN")
        require(session.record.last_header == before.id, "HEADER_SESSION_START")


def ranges_of(chunks: list[Chunk]) -> list[dict[str, int]]:
    ranges: list[dict[str, int]] = []
    for stretch in stretches_of(chunks):
        log, first = stretch[0].place
        ranges.append({"log": log, "firstSeq": first, "lastSeq": stretch[-1].header.seq})
    return ranges


# ---- COVERED


def check_covered(c: Context) -> Outcome:
    chunks = c.trail.chunks
    if not chunks:
        return unknown("absent", "the bundle has no chunk header")
    uncovered = sum(1 for chunk in chunks if chunk.statement is None)
    if uncovered:
        values = {"headers": len(chunks), "uncovered": uncovered}
        return unknown("not_anchored", f"{uncovered} of {len(chunks)} headers under no statement", values)
    return passed(f"all {len(chunks)} headers under a statement")


# ---- LEAVES: what is read once, for several checks


class LeafPart(NamedTuple):
    """One opened leaf that is proven: its stream, its count, and in which block it is."""

    leaf: OpenedLeaf
    count: int
    block: int | None  # None in a chunk that is not recovered, and of a presence leaf
    presence: Presence | None


class ChunkReading(NamedTuple):
    chunk: Chunk
    parts: list[LeafPart]
    withheld: int


@dataclass
class Readings:
    """What the opened chunks hold; nothing is read behind the first fault."""

    chunks: list[ChunkReading] = field(default_factory=list)
    fault: Fault | None = None  # the first rule of LEAVES that does not hold
    is_not_reached: bool = False
    is_over_budget: bool = False
    frames: int = 0
    stream_fault: Fault | None = None  # the first leaf that breaks rule 1 of STREAMS
    is_over_frames: bool = False
    order_fault: Fault | None = None
    ordered: int = 0  # chunks with frames whose order is told
    unordered: int = 0

    @property
    def are_proven(self) -> bool:
        return self.fault is None and not self.is_not_reached and not self.is_over_budget


@dataclass
class LeafBudget:
    """Bytes that leaves may still declare, and frames ("Limits")."""

    bytes: int
    frames: int


class OverBudget(Exception):
    pass


def read_leaves(bundle: Bundle, trail: Trail) -> Readings:
    """"LEAVES", for all opened chunks in order."""
    readings = Readings()
    budget = LeafBudget(64 * MIB + 16 * bundle.size, 4_194_304 + 8 * bundle.size)
    orphans = {(chunk.log, chunk.seq) for chunk in trail.orphans}
    by_place = {chunk.place: chunk for chunk in reversed(trail.chunks)}
    try:
        for opened in bundle.leaves:
            place = (opened.log, opened.seq)
            require(place not in orphans, "LEAF_HEADER_MISSING", chunk_name(place))
            chunk = by_place[place]
            if chunk.header.recovered is not None:
                require(len(chunk.blocks or []) == chunk.header.recovered.blocks, "BLOCK_COUNT", chunk_name(place))
                if chunk.blocks and (chunk.session is None or chunk.blocks_session is None):
                    readings.is_not_reached = True
                    continue
                verify_blocks(chunk)
            readings.chunks.append(read_opened(bundle, chunk, opened, budget))
            read_frames(bundle, readings, readings.chunks[-1], budget)
        require(trail.stray_blocks == 0, "BLOCK_COUNT", "blocks of no opened recovered chunk")
    except Fault as fault:
        readings.fault = fault
    except OverBudget:
        readings.is_over_budget = True
    return readings


def verify_blocks(chunk: Chunk) -> None:
    """spec/journal-block.md, "Verification", steps 2 to 4 and 7."""
    blocks, session, header = chunk.blocks or [], chunk.blocks_session, chunk.header
    structures = []
    for place, item in enumerate(blocks):
        block = item.block
        key = session.record.key
        verify_cose("journal-block", key, item.data)
        require(block.session == session.id and block.seq == header.seq, "BLOCK_PLACE")
        require(block.place == place, "BLOCK_PLACE")
        if place > 0:
            require_block_after(blocks[place - 1], item, session)
        structures.append(sig_structure("journal-block", key, item.payload))
    require(merkle_root(structures) == header.recovered.root, "BLOCK_ROOT")
    require_block_summary(header, [item.block for item in blocks])
    if blocks:
        own, dead = chunk.session.record, session.record
        is_same = (own.tag, own.epoch, own.log, own.device_key_id) == (
            dead.tag, dead.epoch, dead.log, dead.device_key_id,
        )  # fmt: skip
        require(is_same and dead.number < own.number, "BLOCK_SESSION")


def require_block_after(before: BlockItem, after: BlockItem, session: Session) -> None:
    require(after.block.index == before.block.index + 1, "BLOCK_CHAIN")
    require(after.block.previous == record_id("journal-block", session.record.key, before.payload), "BLOCK_CHAIN")
    require(after.block.durable >= before.block.durable, "BLOCK_CHAIN")
    require(after.block.mono_start >= before.block.mono_end, "BLOCK_CHAIN")


def require_block_summary(header: ChunkHeader, blocks: list[JournalBlock]) -> None:
    """Step 4, and rule 4 of "Recovered chunk"."""
    sums: dict[str, list[int]] = {}
    for block in blocks:
        for losses in block.buses:
            so_far = sums.setdefault(losses.bus, [0, 0, 0])
            for i, count in enumerate(losses[1:]):
                so_far[i] += count
    counted = {losses.bus: list(losses[1:]) for losses in header.buses}
    require(counted == sums, "BLOCK_SUMMARY")
    if blocks:
        first, last = blocks[0], blocks[-1]
        require(header.mono_start == first.mono_start and header.wall_start == first.wall_start, "BLOCK_SUMMARY")
        require(header.mono_end == last.mono_end and header.wall_end == last.wall_end, "BLOCK_SUMMARY")
    gaps = joined_gaps(blocks)
    is_whole = header.gaps[: len(gaps)] == gaps
    require(is_whole or collects(header.gaps, gaps), "BLOCK_SUMMARY")
    require(header.entry_count >= sum(block.entry_count for block in blocks), "BLOCK_SUMMARY")


def collects(gaps: list[Gap], of_blocks: list[Gap]) -> bool:
    """Whether the 64th gap covers those of the blocks that are not named before it."""
    if len(gaps) < 64 or gaps[:63] != of_blocks[:63]:
        return False
    last = gaps[63]
    is_wide = all(last.start <= gap.start and gap.end <= last.end for gap in of_blocks[63:])
    return last.bus == "" and last.cause == "unknown" and is_wide


def joined_gaps(blocks: list[JournalBlock]) -> list[Gap]:
    """A part is joined to the last one of its bus and cause where it begins as that one ends."""
    gaps: list[Gap] = []
    last: dict[tuple[str, str], int] = {}
    for gap in (gap for block in blocks for gap in block.gaps):
        at = last.get((gap.bus, gap.cause))
        if at is not None and gaps[at].end == gap.start:
            gaps[at] = gaps[at]._replace(end=gap.end)
        else:
            last[(gap.bus, gap.cause)] = len(gaps)
            gaps.append(gap)
    return gaps


def read_opened(bundle: Bundle, chunk: Chunk, opened: OpenedChunk, budget: LeafBudget) -> ChunkReading:
    """"LEAVES", steps 3 to 6."""
    header, recovered = chunk.header, chunk.header.recovered
    blocks = chunk.blocks or []
    name = chunk_name(chunk.place)
    block_of: dict[int, int] = {}
    for number, item in enumerate(blocks):
        for index in item.in_chunk:
            require(index not in block_of, "BLOCK_LEAF", name)
            block_of[index] = number
    handle = b""
    seen: set[tuple[int, int | None]] = set()
    parts: list[LeafPart] = []
    entries: list[bytes] = []
    for leaf in opened.leaves:
        stream, block = bundle.streams[leaf.stream].name, block_of.get(leaf.index)
        require(leaf.index < header.entry_count, "LEAF_INDEX", name)
        require(leaf.handle > handle or not parts, "LEAF_ORDER", name)
        handle = leaf.handle
        require((leaf.stream, block) not in seen, "LEAF_TWICE", name)
        seen.add((leaf.stream, block))
        presence = None
        if leaf.packed:
            packed = read_packed(leaf.packed)
            if recovered is not None:
                require(packed.inflated_length == 0, "BLOCK_LEAF_PACKED", name)
            budget.bytes -= packed.inflated_length
            if budget.bytes < 0:
                raise OverBudget
        content = unpack(leaf.packed)
        if recovered is not None and block is None:
            presence = presence_of(content, recovered.blocks)
            entries.append(leaf.handle + presence_hash(leaf.salt, stream, header.seq, content))
        else:
            entries.append(leaf.handle + leaf_hash(leaf.salt, stream, header.seq, content))
        parts.append(LeafPart(leaf, content.count, block, presence))
    indexes = [leaf.index for leaf in opened.leaves]
    root = root_from_proof(header.entry_count, indexes, entries, opened.proof)
    require(root == header.root, "LEAF_HASH_MISMATCH", name)
    if recovered is None:
        return ChunkReading(chunk, parts, header.entry_count - len(parts))
    return ChunkReading(chunk, parts, presence_withheld(chunk, blocks, parts, dict(zip(indexes, entries))))


def presence_withheld(chunk: Chunk, blocks: list[BlockItem], parts: list[LeafPart], entries: dict[int, bytes]) -> int:
    """spec/journal-block.md, "Verification", steps 5 and 6: how many presence leaves are not opened."""
    name = chunk_name(chunk.place)
    for item in blocks:
        require(all(index in entries for index in item.in_chunk), "BLOCK_LEAF", name)
        require(len(item.in_chunk) > 0 or not item.proof, "BLOCK_LEAF", name)
        leaves = [entries[index] for index in item.in_chunk]
        if leaves:
            verify_merkle(item.block.entry_count, list(item.in_block), leaves, item.proof, item.block.root)
    presences = [part for part in parts if part.presence is not None]
    presence_by_stream = {part.leaf.stream: part.presence for part in presences}
    for part in parts:
        if part.block is not None and part.leaf.stream in presence_by_stream:
            require(presence_by_stream[part.leaf.stream].marks(part.block), "PRESENCE_MAP", name)
    of_blocks = sum(item.block.entry_count for item in blocks)
    withheld = chunk.header.entry_count - of_blocks - len(presences)
    require(withheld >= 0, "PRESENCE_SUM", name)
    require(withheld > 0 or sum(part.count for part in presences) == of_blocks, "PRESENCE_SUM", name)
    return withheld


def check_leaves(c: Context) -> Outcome:
    readings = c.readings
    if readings.fault is not None:
        return failed(readings.fault.code, readings.fault.detail)
    if readings.is_over_budget:
        return unknown("leaf_budget", "the leaves would take more memory than any honest bundle's")
    if readings.is_not_reached:
        return unknown("not_reached", "the session of a chunk, or of its blocks, is not known")
    if not readings.chunks:
        return unknown("absent", "the bundle opens no chunk")
    leaves = sum(len(reading.parts) for reading in readings.chunks)
    values: dict[str, Any] = {
        "rule": "SHA-256(0x00 ‖ salt ‖ leaf) in an RFC 9162 tree",
        "leaves": leaves,
        "chunks": len(readings.chunks),
    }
    recovered = [reading.chunk for reading in readings.chunks if reading.chunk.header.recovered is not None]
    if recovered:
        values["recovered"] = len(recovered)
        values["blocks"] = sum(len(chunk.blocks or []) for chunk in recovered)
    return passed(f"{leaves} leaves of {len(readings.chunks)} chunks give the signed roots", values)


# ---- STREAMS and ORDER


def read_frames(bundle: Bundle, readings: Readings, reading: ChunkReading, budget: LeafBudget) -> None:
    """"STREAMS", rule 1, and "ORDER", for one chunk: all of it, or block by block."""
    if readings.stream_fault is not None or readings.is_over_frames:
        return
    groups: dict[int | None, list[LeafPart]] = {}
    for part in reading.parts:
        if part.presence is None:
            groups.setdefault(part.block, []).append(part)
    told: list[bool] = []
    for block, parts in sorted(groups.items(), key=lambda group: group[0] or 0):
        stamps: list[array[int]] = []
        for part in sorted(parts, key=lambda part: part.leaf.stream):  # section 4 ascends by name
            stream = bundle.streams[part.leaf.stream]
            if stream.bus is None or part.count == 0:
                continue
            budget.frames -= part.count
            if budget.frames < 0:
                readings.is_over_frames = True
                return
            try:
                raw = decode_raw(unpack(part.leaf.packed), stream)
                is_error = all(shape.id & ERR for shape in raw.shapes)
                require(not stream.is_error or is_error, "STREAM_FRAME", stream.name)
            except Fault as fault:
                readings.stream_fault = fault
                return
            readings.frames += part.count
            stamps.append(raw.offsets)
        if not stamps:
            continue
        order = next((part for part in parts if bundle.streams[part.leaf.stream].name == "records/order"), None)
        blocks = reading.chunk.blocks or []
        entry_count = reading.chunk.header.entry_count if block is None else blocks[block].block.entry_count
        if len(parts) != entry_count or (order is None and block is None):
            told.append(False)
            continue
        told.append(True)
        try:
            require_arrival_order(SILENT if order is None else unpack(order.leaf.packed), stamps)
        except Fault as fault:
            readings.order_fault = readings.order_fault or fault
    if told:
        readings.ordered += all(told)
        readings.unordered += not all(told)


def check_streams(c: Context) -> Outcome:
    readings = c.readings
    if not readings.are_proven:
        return unknown("not_reached", "the leaves are not proven")
    if readings.stream_fault is not None:
        return failed(readings.stream_fault.code, readings.stream_fault.detail)
    if readings.is_over_frames:
        return unknown("leaf_budget", "more frames than any honest bundle of this size has")
    if not readings.chunks:
        return unknown("absent", "the bundle opens no chunk")
    withheld = {"least": min(r.withheld for r in readings.chunks), "most": max(r.withheld for r in readings.chunks)}
    hole = first_hole(c)
    if hole is not None:
        return unknown("not_disclosed", f"{hole} is not opened in a chunk of its range", {"withheld": withheld})
    claimed = [list(reading.chunk.place) for reading in readings.chunks if is_claimed_silent(reading)]
    streams = len(c.bundle.streams) - len(custody_of_grants(c))
    values: dict[str, Any] = {"streams": streams, "frames": readings.frames, "withheld": withheld}
    if claimed:
        values["claimedSilent"] = claimed
    return passed(f"{streams} streams without a hole, {readings.frames} frames", values)


def is_claimed_silent(reading: ChunkReading) -> bool:
    """Whether presence leaves are closed, and one that is opened leaves a block out."""
    if reading.chunk.header.recovered is None or reading.withheld == 0:
        return False
    blocks = len(reading.chunk.blocks or [])
    return any(part.presence is not None and part.count < blocks for part in reading.parts)


def opened_wholly(reading: ChunkReading) -> set[int]:
    """The streams of a chunk with their leaf; in a recovered one with presence leaf and a leaf for each mark."""
    if reading.chunk.header.recovered is None:
        return {part.leaf.stream for part in reading.parts}
    in_blocks: dict[int, int] = {}
    for part in reading.parts:
        if part.presence is None:
            in_blocks[part.leaf.stream] = in_blocks.get(part.leaf.stream, 0) + 1
    marked = {part.leaf.stream: part.count for part in reading.parts if part.presence is not None}
    return {stream for stream, count in marked.items() if in_blocks.get(stream, 0) == count}


def first_hole(c: Context) -> str | None:
    """"STREAMS", step 2. Of the custody of a grant only chunks with records are there, and CUSTODY counts."""
    custody = custody_of_grants(c)
    position = {chunk.place: at for at, chunk in reversed(list(enumerate(c.trail.chunks)))}
    spans: dict[tuple[int, int], list[int]] = {}  # log and stream: first, last, chunks opened wholly
    for reading in c.readings.chunks:
        at, whole_streams = position[reading.chunk.place], opened_wholly(reading)
        for stream in {part.leaf.stream for part in reading.parts} - custody:
            span = spans.setdefault((reading.chunk.header.log, stream), [at, at, 0])
            span[1] = at
            span[2] += stream in whole_streams
    for (_, stream), (first, last, count) in sorted(spans.items()):
        if count != last - first + 1:
            return c.bundle.streams[stream].name
    return None


def check_order(c: Context) -> Outcome:
    readings = c.readings
    if not readings.are_proven or readings.stream_fault is not None or readings.is_over_frames:
        return unknown("not_reached", "the frames are not proven")
    if readings.order_fault is not None:
        return failed(readings.order_fault.code, "the departures do not fit the frames")
    if readings.unordered:
        return unknown("order_not_disclosed", f"the order across streams is closed in {readings.unordered} chunks")
    if not readings.ordered:
        return unknown("absent", "no frames are opened")
    return passed(f"frames of all streams are in recorded order in {readings.ordered} chunks")


# ---- LOSS


def check_loss(c: Context) -> Outcome:
    chunks = c.trail.chunks
    if not chunks:
        return unknown("absent", "the bundle has no chunk header")
    accountings: set[str] = set()
    lost: list[Any] = []
    lost_count = 0
    not_counted: dict[str, list[int]] = {}
    is_unnamed = False
    for chunk in chunks:
        session, header = chunk.blocks_session or chunk.session, chunk.header
        if session is None:
            return unknown("not_reached", "a session is not known")
        stated = {bus.name: bus.accounting for bus in session.record.buses}
        for losses in header.buses:
            accounting = stated.get(losses.bus, stated.get(""))
            is_unnamed |= accounting is None
            if losses.kernel_drops + losses.overruns == 0:
                continue
            lost_count += 1
            if lost_count <= MAX_ROWS:
                times = [g for g in header.gaps if g.cause == "overflow" and g.bus in ("", losses.bus)]
                shown = [[str(g.start), str(g.end)] for g in times] or [[str(header.wall_start), str(header.wall_end)]]
                lost.append([losses.bus, *chunk.place, losses.kernel_drops, losses.overruns, shown])
        for bus, accounting in stated.items():
            accountings.add(accounting)
            if accounting == "none":
                times_of_bus = not_counted.setdefault(bus, [header.wall_start, header.wall_start])
                ends = [*times_of_bus, header.wall_start, header.wall_end]
                times_of_bus[:] = [min(ends), max(ends)]
    values = {
        "accountings": sorted(accountings),
        **rows_of("lost", lost, lost_count),
        "notCounted": [[bus, str(first), str(last)] for bus, (first, last) in not_counted.items()],
    }
    if lost:
        return unknown("frames_lost", f"frames were lost on a bus in a chunk {lost_count} times", values)
    if is_unnamed:
        return unknown("bus_unknown", "a session record does not say how losses on a bus are counted", values)
    if not_counted:
        return unknown("not_counted", f"a driver counts no losses on {len(not_counted)} buses", values)
    if "not_applicable" in accountings:
        return unknown("not_applicable", "a replayed or synthetic source loses nothing here", values)
    if not accountings:
        return unknown("absent", "no bus was recorded", values)
    return passed(f"no frame reported lost in {len(chunks)} chunks", values)


# ---- GAPS

RESTART_CAUSES = ("power_off", "agent_stopped", "agent_crashed", "storage_full", "rolled_back", "unknown")


def check_gaps(c: Context) -> Outcome:
    chunks = c.trail.chunks
    if not chunks:
        return unknown("absent", "the bundle has no chunk header")
    causes: dict[str, int] = {}
    rows: list[Any] = []
    for chunk in chunks:
        for gap in chunk.header.gaps:
            causes[gap.cause] = causes.get(gap.cause, 0) + 1
            if len(rows) < MAX_ROWS:
                rows.append([*chunk.place, gap.bus, str(gap.start), str(gap.end), gap.cause])
    rolled_back = rolled_back_logs(c.trail)
    values: dict[str, Any] = rows_of("gaps", rows, sum(causes.values()))
    if rolled_back:
        values["rolledBack"] = rolled_back
    named = restarts_named(chunks)
    for at, chunk in enumerate(chunks):
        before = chunks[at - 1] if at > 0 else None
        reason = unexplained(None if is_behind_hole(before, chunk) else before, chunk, named[at])
        if reason is not None:
            return unknown(reason, f"before or in {chunk_name(chunk.place)}", values)
    if rolled_back or "rolled_back" in causes:
        return unknown("rolled_back", "a disk lost its newest part", values)
    if "unknown" in causes:
        return unknown("unknown_cause", f"{causes['unknown']} gaps of unknown cause", values)
    return passed(f"{sum(causes.values())} gaps, each with its cause", values)


def rolled_back_logs(trail: Trail) -> list[dict[str, Any]]:
    predecessors = {
        s.record.log: s.record.predecessor for s in trail.sessions if s.record.predecessor is not None
    }
    statements = {batch.statement.log: batch.statement.seq for batch in trail.batches}
    newest = {chunk.header.log: chunk.header.seq for chunk in trail.chunks}
    return [
        {
            "log": log,
            "predecessor": [older, seq, statement_id.hex()],
            "newestStatement": statements.get(older),
            "newestChunk": newest.get(older),
        }
        for log, (older, seq, statement_id) in predecessors.items()
    ]


def unexplained(before: Chunk | None, chunk: Chunk, is_named: bool) -> str | None:
    """`overlap`, `unrecorded_hole` or `unrecorded_restart` between a header and the one before it, if that is shown."""
    if before is not None and not is_named:
        if before.header.log != chunk.header.log or before.session is not chunk.session:
            return "unrecorded_restart"
    if chunk.header.recovered is not None:
        return unexplained_in_blocks(before, chunk)
    if before is None or before.session is not chunk.session or before.header.log != chunk.header.log:
        return None
    if before.header.recovered is not None:
        return None  # it repeats the clock of the session that died
    is_set = chunk.header.clock_steps > 0
    return hole_reason(before.header.mono_end, chunk.header.mono_start, chunk.header.gaps, is_set)


def unexplained_in_blocks(before: Chunk | None, chunk: Chunk) -> str | None:
    if chunk.blocks_session is None:
        return None
    end = None
    if before is not None and before.header.log == chunk.header.log:
        if session_of_contents(before) == (True, chunk.blocks_session):
            end = before.header.mono_end
    for item in chunk.blocks or []:
        reason = None if end is None else hole_reason(end, item.block.mono_start, item.block.gaps, False)
        if reason is not None:
            return reason
        end = item.block.mono_end
    return None


def hole_reason(end: int, start: int, gaps: list[Gap], is_clock_set: bool) -> str | None:
    """Within a session one monotonic clock runs: a chunk or block starts as the one before ended."""
    if start < end:
        return "overlap"
    if start == end:
        return None
    lengths = [gap.end - gap.start for gap in gaps if gap.bus == ""]
    is_explained = lengths and (is_clock_set or max(lengths) >= start - end)
    return None if is_explained else "unrecorded_hole"


def restarts_named(chunks: list[Chunk]) -> list[bool]:
    """For each header, whether a restart there has its gap: there, or behind the recovered chunks that follow."""
    named = [False] * len(chunks)
    for at in range(len(chunks) - 1, -1, -1):
        chunk, after = chunks[at], chunks[at + 1] if at + 1 < len(chunks) else None
        named[at] = names_restart(chunks[at - 1] if at > 0 else None, chunk)
        if chunk.header.recovered is not None:
            is_last = after is None or begins_stretch(chunk, after)
            named[at] |= is_last or named[at + 1]
    return named


def names_restart(before: Chunk | None, chunk: Chunk) -> bool:
    header = chunk.header
    gaps = [gap for gap in header.gaps if gap.bus == "" and gap.cause in RESTART_CAUSES]
    follows_at_once = before is not None and before.place == (header.log, header.seq - 1)
    if len(header.gaps) == 64 and any(gap.cause == "unknown" for gap in gaps):
        return True  # the last of many stands for all that are not named
    if header.recovered is not None:
        return any(gap.start <= header.wall_end and gap.end > gap.start for gap in gaps)
    if before is None or not follows_at_once:
        return any(gap.end >= header.wall_start for gap in gaps)
    start = before.header.wall_end
    if any(gap.start <= start and gap.end >= header.wall_start for gap in gaps):
        return True
    reach = start  # several gaps, of which each begins before the one before it ends
    for gap in gaps:
        if gap.start <= reach < gap.end:
            reach = gap.end
    return reach > start and reach >= header.wall_start


# ---- CAPTURE


def check_capture(c: Context) -> Outcome:
    sessions = c.trail.sessions
    rows = {(b.name, b.source, b.stamp_source, b.access): None for s in sessions for b in s.record.buses}
    if not rows:
        return unknown("absent", "no session record names a bus")
    values = {"buses": [list(row) for row in rows]}
    sources = {source for _, source, _, _ in rows}
    for source in ("synthetic", "replay"):
        if source in sources:
            return unknown(source, f"a source is {source}: that the drive took place is not shown", values)
    names = {name for name, _, _, _ in rows}
    opened = {stream.bus for stream in c.bundle.streams if stream.bus is not None}
    if "" not in names and opened - names:
        return unknown("bus_unknown", "no session says where frames of an opened stream came from", values)
    return passed(f"captured from {len(names)} buses", values)


# ---- TAIL


class OpenEnd(NamedTuple):
    chunk: Chunk
    outside: tuple[Chunk, NotAfter] | None
    accepted: tuple[Chunk, int] | None  # ms
    is_followed: bool


def check_tail(c: Context) -> Outcome:
    chunks = c.trail.chunks
    if not chunks:
        return unknown("absent", "the bundle has no chunk header")
    damaged = [
        list(chunk.place) for chunk in chunks if chunk.header.recovered and chunk.header.recovered.ending == "damaged"
    ]
    if damaged:
        return failed("JOURNAL_DAMAGED", "a block that was on the disk is not what it was", {"damaged": damaged})
    ends = open_ends(c)
    values = {"openEnds": [open_end_values(end) for end in ends]}
    if any(end.is_followed for end in ends):
        return unknown("tail_may_be_cut", "a later session follows an open end: a crash, or a cut", values)
    if ends:
        return unknown("open_end", "the range, or a part of it, ends before its session does", values)
    return passed("every session in the range ends with a shutdown that it recorded", values)


def open_ends(c: Context) -> list[OpenEnd]:
    chunks = c.trail.chunks
    accepted_at: dict[int, int] = {}
    for reading in c.acceptances:
        if reading.holds and reading.statement is not None:
            at = accepted_at.setdefault(reading.statement, reading.accepted_at or 0)
            accepted_at[reading.statement] = min(at, reading.accepted_at or 0)
    ends: list[OpenEnd] = []
    outside: tuple[Chunk, NotAfter] | None = None
    accepted: tuple[Chunk, int] | None = None
    session = owner_for_tail(chunks[0], None)
    for at, chunk in enumerate(chunks):
        if at == 0 or chunks[at - 1].header.log != chunk.header.log:
            outside = accepted = None
        batch = None if chunk.statement is None else c.trail.batches[chunk.statement]
        if batch is not None and batch.session is chunk.session and chunk.header.recovered is None:
            bound = c.bounds.not_after[at]
            outside = outside if bound is None else (chunk, bound)
            if chunk.statement in accepted_at:
                accepted = (chunk, accepted_at[chunk.statement])
        after = chunks[at + 1] if at + 1 < len(chunks) else None
        is_hidden = after is not None and is_behind_hole(chunk, after)
        next_session = None if after is None else owner_for_tail(after, None if is_hidden else session)
        is_end = after is None or after.header.log != chunk.header.log or next_session is not session
        skips = (
            not is_hidden
            and session is not None
            and next_session is not None
            and next_session.record.log == session.record.log
            and next_session.record.number > session.record.number + 1
        )
        is_orderly = chunk.header.state == "shutdown" and chunk.header.recovered is None and not skips
        if is_end and not is_orderly:
            is_followed = (after is not None and not is_hidden) or chunk.header.recovered is not None
            ends.append(OpenEnd(chunk, outside, accepted, is_followed))
        session = next_session
    return ends


def owner_for_tail(chunk: Chunk, before: Session | None) -> Session | None:
    """A recovered chunk belongs to the session of its blocks; one that is not opened, to the session before it."""
    if chunk.header.recovered is None:
        return chunk.session
    return chunk.blocks_session or before


def open_end_values(end: OpenEnd) -> dict[str, Any]:
    outside = None
    if end.outside is not None:
        chunk, bound = end.outside
        outside = {
            "chunk": list(chunk.place),
            "chainId": str(bound.chain_id),
            "block": str(bound.block),
            "seconds": str(bound.seconds),
        }
    accepted = None if end.accepted is None else {"chunk": list(end.accepted[0].place), "ms": str(end.accepted[1])}
    return {"chunk": list(end.chunk.place), "knownOutside": outside, "accepted": accepted}


# ---- FORK


def check_fork(c: Context) -> Outcome:
    proofs = c.bundle.forkProofs
    if not proofs:
        return unknown("absent", "no fork proof; a verifier without a network cannot look for one")
    proven: list[tuple[Statement, int | None]] = []
    not_reached = False
    for proof in proofs:
        try:
            key = fork_key(c, proof)
            if key is None:
                not_reached = True
            else:
                proven.append(verify_fork(proof, key))
        except Fault as fault:
            return failed(fault.code, "a fork proof proves no fork")
    here = [(statement, first) for statement, first in proven if is_fork_here(c, statement, first)]
    if here:
        statement, first = min(here, key=lambda one: (one[0].log, one[0].seq))
        values = {
            "tag": statement.tag.hex(),
            "epoch": statement.epoch,
            "log": statement.log,
            "statementSeq": statement.seq,
            "chunkSeq": first,
        }
        return failed("FORK_PROVEN", f"log {statement.log} has two histories from chunk {first} on", values)
    if not_reached:
        return unknown("not_reached", "the device key is not known")
    return unknown("forked_elsewhere", "the device forked a log, but not what this bundle has of it")


def fork_key(c: Context, proof: ForkProof) -> Key | None:
    """The device key of the bundle's sessions; without sessions, the one that the proof's first session names."""
    if c.trail.sessions:
        return next((s.device_key for s in c.trail.sessions if s.device_key is not None), None)
    session = decode_session(read_cose(proof.sides[0][1]).payload)
    device = c.devices.of(session)
    return None if device is None else device.key


def verify_fork(proof: ForkProof, device_key: Key) -> tuple[Statement, int | None]:
    """spec/fork-proof.md, "Verification": a statement, and the chunk from which on its log is not complete."""
    statements: list[Statement] = []
    ids: list[bytes] = []
    for complete, session_record in proof.sides:
        payload = verify_cose("session-record", device_key, session_record)
        session = decode_session(payload)
        statement_payload = read_cose(complete).payload
        statement = decode_statement(statement_payload)
        require(statement.session == record_id("session-record", device_key, payload), "SESSION_MISMATCH")
        of_session = (session.tag, session.epoch, session.log, session.device_key_id)
        of_statement = (statement.tag, statement.epoch, statement.log, statement.device_key_id)
        require(of_session == of_statement and session.device_key_id == key_id(device_key), "SESSION_MISMATCH")
        verify_cose("statement", session.key, complete)
        statements.append(statement)
        ids.append(record_id("statement", session.key, statement_payload))
    places = [(statement.tag, statement.epoch, statement.log, statement.seq) for statement in statements]
    require(places[0] == places[1], "FORK_DIFFERENT_PLACE")
    require(ids[0] != ids[1], "FORK_SAME_STATEMENT")
    firsts = [first for statement in statements for log, first, _ in statement.spans if log == statement.log]
    return statements[0], min(firsts, default=None)


def is_fork_here(c: Context, statement: Statement, first: int | None) -> bool:
    """Whether the bundle has something of that log from the fork on, or nothing that the fork could leave alone."""
    if not c.trail.chunks and not c.trail.batches:
        return True

    def is_of_log(part: ChunkHeader | Statement) -> bool:
        return (part.tag, part.epoch, part.log) == (statement.tag, statement.epoch, statement.log)

    later_statements = (b.statement for b in c.trail.batches if b.statement.seq >= statement.seq)
    later_headers = (k.header for k in c.trail.chunks if first is not None and k.header.seq >= first)
    return any(map(is_of_log, later_statements)) or any(map(is_of_log, later_headers))


# ---- PROMISE


def check_promise(c: Context) -> Outcome:
    promises = c.bundle.brokenPromises
    if not promises:
        return unknown("absent", "no broken promise")
    unproven: tuple[str, str] | None = None
    for promise in promises:
        try:
            reason = promise_reason(c, promise)
        except Fault as fault:
            return failed(fault.code, "a broken promise is not what it claims to be")
        unproven = unproven or reason
    if unproven is not None:
        return unknown(*unproven)
    return passed(f"{len(promises)} promises of a service are broken")


def service_key_of(policy: Policy, acceptance: bytes) -> Key | None:
    """The service key of the policy whose protected header an acceptance has."""
    try:
        protected = read_cose(acceptance).protected
    except Fault:
        return None
    return next((key for key in policy.service_keys if cose_protected("acceptance", key) == protected), None)


def promise_reason(c: Context, promise: BrokenPromise) -> tuple[str, str] | None:
    """"PROMISE": None once it is proven broken."""
    service_key = service_key_of(c.policy, promise.acceptance)
    if service_key is None:
        return "service_not_in_policy", "the policy does not name the service that promised"
    statement = decode_statement(verify_cose("statement", promise.session_key, promise.statement))
    acceptance = decode_acceptance(verify_cose("acceptance", service_key, promise.acceptance))
    statement_id = record_id("statement", promise.session_key, read_cose(promise.statement).payload)
    verify_merkle(acceptance.tree_size, [promise.index], [statement_id], promise.path, acceptance.root)
    if promise.late is None:
        return "promise_alone", "no late anchor shows that the promise is broken"
    entry = statement_entry(statement, promise.statement)
    window, blocks = verify_late(promise, acceptance, statement_id, entry)
    trusted = next((t for t in c.policy.chains if (t.chain_id, t.contract) == window_place(window)), None)
    if trusted is None or window.publisher not in trusted.publishers:
        return "publisher_not_in_policy", "the policy does not name the publisher of the late window"
    link = c.link_of(acceptance.chain_id)
    standings = [standing_in(link, block) for block in blocks]
    require("other" not in standings, "PROMISE_ELSEWHERE")
    if "not_linked" in standings or link is None:
        return "block_not_linked", "a block of the proof is not linked"
    if link.newest != "named":
        return "block_not_in_policy", "the policy does not name the newest linked block"
    require(not was_anchored_in_time(c, acceptance, statement_id), "PROMISE_KEPT")
    return None


def window_place(window: WindowRecord) -> tuple[int, bytes]:
    return window.chain_id, window.contract


def verify_late(
    promise: BrokenPromise, acceptance: Acceptance, statement_id: bytes, entry: bytes
) -> tuple[WindowRecord, list[Header]]:
    """spec/broken-promise.md, steps 4 and 5: the late window, its block and the block without the anchor."""
    inclusion_data, window_data, header_data, node_data = promise.late
    inclusion = decode_inclusion(inclusion_data)
    record_data, anchors = decode_anchored_window(window_data)
    window, window_hash = decode_window_record(record_data), sha256(record_data)
    require(len(anchors) > 0, "PROMISE_MISMATCH")
    require(inclusion.statement == statement_id and inclusion.window == window_hash, "PROMISE_MISMATCH")
    require(window_place(window) == (acceptance.chain_id, acceptance.contract), "PROMISE_MISMATCH")
    verify_inclusion(inclusion, statement_id, entry, window_hash, window)
    block, _ = verify_evm_anchor(window, window_hash, anchors[0])
    require(1000 * block.timestamp > acceptance.anchor_by, "PROMISE_KEPT")
    empty = decode_header(header_data)
    nodes = Nodes(node_data)
    account = prove_account(empty.state_root, window.contract, nodes)
    if account is None:
        raise Fault("ANCHOR_NO_CONTRACT")
    word = prove_slot(account.storage_root, anchor_slot(window.publisher, window.seq), nodes)
    nodes.require_all_used()
    require(word == 0 and 1000 * empty.timestamp > acceptance.anchor_by, "PROMISE_UNPROVEN")
    return window, [block, empty]


def was_anchored_in_time(c: Context, acceptance: Acceptance, statement_id: bytes) -> bool:
    """An inclusion of the bundle that puts the statement into a window of a block up to the promised time."""
    for reading in c.inclusions:
        if reading.inclusion.statement != statement_id or reading.fault is not None or reading.window is None:
            continue
        window = c.windows[reading.window]
        if window_place(window.item.record) != (acceptance.chain_id, acceptance.contract):
            continue
        if not window.publisher_named:
            continue
        for anchor in window.anchors:
            if anchor.block is not None and anchor.fault is None:
                is_linked = standing_in(c.link_of(acceptance.chain_id), anchor.block) == "linked"
                if is_linked and 1000 * anchor.block.timestamp <= acceptance.anchor_by:
                    return True
    return False


# ---- ACCEPTANCE


class AcceptanceReading(NamedTuple):
    accepted: Accepted
    service_key: Key | None
    fault: Fault | None
    statement: int | None  # its position
    is_statement_unknown: bool
    accepted_at: int | None  # ms

    @property
    def holds(self) -> bool:
        return self.service_key is not None and self.fault is None


def read_acceptances(bundle: Bundle, trail: Trail, policy: Policy) -> list[AcceptanceReading]:
    ids = {batch.id: i for i, batch in enumerate(trail.batches) if batch.id is not None}
    return [read_acceptance(accepted, trail, ids, policy) for accepted in bundle.acceptances]


def read_acceptance(
    accepted: Accepted, trail: Trail, ids: dict[bytes, int], policy: Policy
) -> AcceptanceReading:
    position = ids.get(accepted.statement)
    is_unknown = position is None and any(batch.id is None for batch in trail.batches)
    key, accepted_at, fault = None, None, None
    try:
        key = service_key_of(policy, accepted.acceptance)
        if key is not None:
            acceptance = decode_acceptance(verify_cose("acceptance", key, accepted.acceptance))
            verify_merkle(
                acceptance.tree_size, [accepted.index], [accepted.statement], accepted.path, acceptance.root
            )
            accepted_at = acceptance.accepted_at
    except Fault as found:
        fault = found
    return AcceptanceReading(accepted, key, fault, position, is_unknown, accepted_at)


def check_acceptance(c: Context) -> Outcome:
    if not c.acceptances:
        return unknown("absent", "no acceptance of a service")
    seen: set[tuple[bytes, bytes]] = set()
    for reading in c.acceptances:
        name = (reading.accepted.statement, reading.accepted.acceptance)
        if name in seen:
            return failed("ACCEPTANCE_TWICE", "one acceptance of a statement is there twice")
        seen.add(name)
    for reading in c.acceptances:
        if reading.fault is not None:
            return failed(reading.fault.code, "an acceptance is not what it claims to be")
    if any(reading.statement is None and not reading.is_statement_unknown for reading in c.acceptances):
        return failed("ACCEPTANCE_STATEMENT", "an acceptance is of a statement that is not there")
    if any(reading.statement is None for reading in c.acceptances):
        return unknown("not_reached", "a statement has no id")
    if any(reading.service_key is None for reading in c.acceptances):
        return unknown("service_not_in_policy", "the policy does not name the service")
    rows = []
    for reading in c.acceptances:
        statement = c.trail.batches[reading.statement].statement
        rows.append(
            {
                "statement": [statement.log, statement.seq],
                "serviceKeyId": key_id(reading.service_key).hex(),
                "acceptedAtMs": str(reading.accepted_at),
            }
        )
    return passed(f"{len(rows)} statements accepted, by the clocks of their services", {"acceptances": rows})


# ---- WINDOW


class InclusionReading(NamedTuple):
    inclusion: Inclusion
    statement: int | None
    window: int | None
    fault: Fault | None


def read_inclusions(bundle: Bundle, trail: Trail, windows: list[WindowReading]) -> list[InclusionReading]:
    statements = {batch.id: i for i, batch in enumerate(trail.batches) if batch.id is not None}
    by_hash = {window.item.hash: i for i, window in enumerate(windows)}
    readings = []
    for inclusion in bundle.inclusions:
        statement, window = statements.get(inclusion.statement), by_hash.get(inclusion.window)
        fault = None
        if statement is not None and window is not None:
            batch, item = trail.batches[statement], windows[window].item
            entry = statement_entry(batch.statement, batch.item.data)
            fault = fault_of(lambda: verify_inclusion(inclusion, batch.id, entry, item.hash, item.record))
        readings.append(InclusionReading(inclusion, statement, window, fault))
    return readings


def check_window(c: Context) -> Outcome:
    windows, inclusions, batches = c.windows, c.inclusions, c.trail.batches
    if not windows and not inclusions:
        return unknown("absent", "neither windows nor inclusions")
    hashes = [window.item.hash for window in windows]
    if len(set(hashes)) < len(hashes):
        return failed("WINDOW_TWICE", "a window record is there twice")
    pairs = [(reading.inclusion.statement, reading.inclusion.window) for reading in inclusions]
    if len(set(pairs)) < len(pairs):
        return failed("INCLUSION_TWICE", "a statement is in one window twice")
    if breaks_window_chain(windows):
        return failed("WINDOW_CHAIN", "a window record does not hold the hash of the one before it")
    is_unnamed = any(batch.id is None for batch in batches)
    for reading in inclusions:
        if reading.statement is None and not is_unnamed:
            return failed("INCLUSION_STATEMENT", "an inclusion names a statement that is not there")
        if reading.window is None:
            return failed("INCLUSION_WINDOW", "an inclusion names a window that is not there")
        if reading.fault is not None:
            return failed(reading.fault.code, "an inclusion does not lead to its window")
    used = {reading.window for reading in inclusions}  # each names one
    if len(used) < len(windows):
        return failed("WINDOW_UNUSED", "a window has no inclusion")
    if is_unnamed:
        return unknown("not_reached", "a statement has no id")
    pending = len(batches) - len({reading.statement for reading in inclusions})
    if pending:
        return unknown("pending", f"{pending} of {len(batches)} statements in no window yet")
    rows = [[str(w.item.record.seq), w.item.hash.hex(), w.item.record.tree_size] for w in windows]
    return passed(f"{len(inclusions)} inclusions lead to {len(windows)} windows", {"windows": rows})


def breaks_window_chain(windows: list[WindowReading]) -> bool:
    places: dict[tuple[int, bytes, bytes, int], list[WindowItem]] = {}
    for window in windows:
        r = window.item.record
        places.setdefault((r.chain_id, r.contract, r.publisher, r.seq), []).append(window.item)
    for (chain_id, contract, publisher, seq), items in places.items():
        before = places.get((chain_id, contract, publisher, seq - 1), [])
        if any(item.record.previous != earlier.hash for item in items for earlier in before):
            return True
    return False


# ---- ANCHOR


class AnchorReading(NamedTuple):
    block: Header | None  # None where the header does not parse
    fault: Fault | None


class WindowReading(NamedTuple):
    item: WindowItem
    trusted: Chain | None
    publisher_named: bool
    anchors: list[AnchorReading]


def read_window(item: WindowItem, policy: Policy) -> WindowReading:
    trusted = next((t for t in policy.chains if (t.chain_id, t.contract) == window_place(item.record)), None)
    is_named = trusted is not None and item.record.publisher in trusted.publishers
    return WindowReading(item, trusted, is_named, [read_anchor(item, anchor, trusted) for anchor in item.anchors])


def read_anchor(item: WindowItem, anchor: Anchor, trusted: Chain | None) -> AnchorReading:
    block = None
    try:
        block = decode_header(anchor.header)
        _, code_hash = verify_evm_anchor(item.record, item.hash, anchor)
        require(trusted is None or code_hash == trusted.code_hash, "ANCHOR_CODE_HASH")
    except Fault as fault:
        return AnchorReading(block, fault)
    return AnchorReading(block, None)


def check_anchor(c: Context) -> Outcome:
    if not c.windows:
        return unknown("absent", "the bundle has no window")
    rows = []
    for window in c.windows:
        record = window.item.record
        for anchor in window.anchors:
            rows.append(
                {
                    "chainId": str(record.chain_id),
                    "contract": hex0x(record.contract),
                    "publisher": hex0x(record.publisher),
                    "windowSeq": str(record.seq),
                    "block": None if anchor.block is None else str(anchor.block.number),
                    "blockHash": None if anchor.block is None else hex0x(anchor.block.hash),
                }
            )
    values = {"anchors": rows}
    for window in c.windows:
        for anchor in window.anchors:
            if anchor.fault is not None:
                return failed(anchor.fault.code, f"the anchor of window {window.item.record.seq}", values)
    for window in c.windows:
        if window.trusted is None:
            return unknown("contract_not_in_policy", "the policy does not name a window's chain and contract", values)
        if not window.publisher_named:
            return unknown("publisher_not_in_policy", "the policy does not name the publisher of a window", values)
        if not window.anchors:
            return unknown("absent", "a window has no anchor", values)
    return passed(f"{len(rows)} anchors prove their windows", values)


# ---- LINK and BLOCK


class LinkReading(NamedTuple):
    chain_id: int
    shown: ShownBlocks | None
    fault: Fault | None
    times: list[tuple[int, int]]  # number and s of every linked block whose header is in the bundle, ascending
    newest: str  # "named" by the policy, "other" hash, or "not_named"


def read_link(link: HeaderLink, windows: list[WindowReading], policy: Policy) -> LinkReading:
    try:
        shown = verify_header_link(link)
    except Fault as fault:
        return LinkReading(link.chain_id, None, fault, [], "not_named")
    times = dict(shown.times)
    for window in windows:
        for anchor in window.anchors:
            block = anchor.block
            if window.item.record.chain_id == link.chain_id and block is not None:
                if shown.hashes.get(block.number) == block.hash:
                    times[block.number] = block.timestamp
    named = [
        chain.blocks[shown.newest.number]
        for chain in policy.chains
        if chain.chain_id == link.chain_id and shown.newest.number in chain.blocks
    ]
    standing = "not_named"
    if named:
        standing = "named" if all(block_hash == shown.newest.hash for block_hash in named) else "other"
    return LinkReading(link.chain_id, shown, None, sorted(times.items()), standing)


def link_in(links: list[LinkReading], chain_id: int) -> LinkReading | None:
    """The link of a chain; of two, which LINK refuses, the first."""
    return next((link for link in links if link.chain_id == chain_id), None)


def standing_in(link: LinkReading | None, block: Any) -> str:
    """Whether a block (number and hash) is `linked`, the link has an `other` of that number, or it is `not_linked`."""
    if link is None or link.shown is None or block.number not in link.shown.hashes:
        return "not_linked"
    return "linked" if link.shown.hashes[block.number] == block.hash else "other"


def check_link(c: Context) -> Outcome:
    if not c.links:
        return unknown("absent", "the bundle has no header link")
    chain_ids = [link.chain_id for link in c.links]
    if len(set(chain_ids)) < len(chain_ids):
        return failed("LINK_TWICE", "two links of one chain")
    for link in c.links:
        if link.fault is not None:
            return failed(link.fault.code, f"the link of chain {link.chain_id}")
    standings = [
        standing_in(c.link_of(window.item.record.chain_id), anchor.block)
        for window in c.windows
        for anchor in window.anchors
        if anchor.block is not None
    ]
    if "other" in standings:
        return failed("ANCHOR_ELSEWHERE", "a window is anchored in a block that is not on the linked chain")
    if "not_linked" in standings:
        return unknown("anchor_not_linked", "the link does not show the block of an anchor")
    return passed(f"{len(standings)} anchors are on the linked chains")


def check_block(c: Context) -> Outcome:
    if not c.links:
        return unknown("absent", "the bundle has no header link")
    links = [link for link in c.links if link.shown is not None]
    values = {
        "newest": [
            {
                "chainId": str(link.chain_id),
                "number": str(link.shown.newest.number),
                "hash": hex0x(link.shown.newest.hash),
            }
            for link in links
        ]
    }
    if any(link.newest == "other" for link in links):
        return failed("BLOCK_DIFFERS", "the policy names another hash for the newest linked block", values)
    for link in links:
        if link.newest == "not_named":
            newest = link.shown.newest
            detail = f"to check: that block {newest.number} of chain {link.chain_id} is {hex0x(newest.hash)}"
            return unknown("block_not_in_policy", detail, values)
    if len(links) < len(c.links):
        return unknown("not_reached", "a link proves nothing", values)
    return passed("the policy names the newest block of each link", values)


# ---- TIMESTAMP

NOT_BELIEVED = {
    "AUTHORITY_UNKNOWN": "authority_not_in_policy",
    "STAMP_POLICY_UNKNOWN": "stamp_policy_not_in_policy",
    "REVOCATION_UNKNOWN": "revocation_unknown",
    "ALGORITHM_UNSUPPORTED": "algorithm_unsupported",
    "EXTENSION_UNSUPPORTED": "extension_unsupported",
    "SIGNATURE_BUDGET": "signature_budget",
}


class StampReading(NamedTuple):
    stamp: TimeStamp
    windows: list[int]  # positions, also where the token does not hold
    token: Token | None
    authority: Authority | None
    fault: Fault | None

    @property
    def not_after(self) -> int:
        """T, rounded up to whole seconds."""
        return -(-(self.token.gen_time + (self.token.accuracy or 0)) // SECOND)


def read_stamps(bundle: Bundle, windows: list[WindowReading], policy: Policy) -> list[StampReading]:
    budget = Budget(4096)
    by_hash = {window.item.hash: i for i, window in enumerate(windows)}
    readings = []
    for stamp in bundle.stamps:
        shown: list[int] = []
        try:
            covered = covered_windows(stamp)
            shown = [by_hash[one] for one in covered if one in by_hash]
            token = verify_token(
                stamp.token, covered[-1], stamp.certificates, stamp.revocation, policy.authorities, budget
            )
            readings.append(StampReading(stamp, shown, token, token.authority, None))
        except Fault as fault:
            readings.append(StampReading(stamp, shown, None, None, fault))
    return readings


def check_timestamp(c: Context) -> Outcome:
    stamps = c.stamps
    if not stamps:
        return unknown("absent", "no time stamp")
    values = {"stamps": [stamp_values(reading) for reading in stamps]}
    tokens: set[bytes] = set()
    for number, reading in enumerate(stamps, 1):
        if reading.fault is not None and reading.fault.code not in NOT_BELIEVED:
            return failed(reading.fault.code, f"time stamp {number}", values)
        if not reading.windows:
            return failed("STAMP_UNUSED", f"time stamp {number} covers no window of the bundle", values)
        if reading.stamp.token in tokens:
            return failed("STAMP_TWICE", f"time stamp {number} has the token of another", values)
        tokens.add(reading.stamp.token)
    for number, reading in enumerate(stamps, 1):
        if reading.fault is not None:
            return unknown(NOT_BELIEVED[reading.fault.code], f"time stamp {number}", values)
    covered = {window for reading in stamps for window in reading.windows}
    if len(covered) < len(c.windows):
        return unknown("pending", f"{len(c.windows) - len(covered)} windows under no time stamp yet", values)
    is_exact = any(reading.token.accuracy is None for reading in stamps)
    note = "; one states no accuracy and counts as exact" if is_exact else ""
    return passed(f"{len(covered)} windows under {len(stamps)} time stamps{note}", values)


def stamp_values(reading: StampReading) -> dict[str, Any]:
    token = reading.token
    shown = None
    if token is not None:
        serial = token.signer_serial
        shown = {
            "genTime": utc_millis(token.gen_time),
            "accuracyNs": None if token.accuracy is None else str(token.accuracy),
            "notAfter": str(reading.not_after),
            "policy": token.policy,
            "serial": str(token.serial),
            "signerSerial": serial.to_bytes(serial.bit_length() // 8 + 1, "big", signed=True).hex(),
        }
    return {"windows": len(reading.windows), "token": shown}


def utc_millis(ns: int) -> str:
    """`2026-11-23 03:41:07.300 UTC`; outside the years 1 to 9999 the seconds themselves."""
    seconds, rest = divmod(ns, SECOND)
    if not -62_135_596_800 <= seconds <= 253_402_300_799:
        return f"{seconds} s since 1970"
    days, in_day = divmod(seconds, 86_400)
    date = datetime.date.fromordinal(days + 719_163)
    clock = f"{in_day // 3600:02}:{in_day // 60 % 60:02}:{in_day % 60:02}"
    return f"{date.isoformat()} {clock}.{rest // 10**6:03} UTC"


# ---- NOT_AFTER and NOT_BEFORE


class NotAfter(NamedTuple):
    chain_id: int
    block: int
    seconds: int


class NotBefore(NamedTuple):
    chain_id: int
    block: int
    hash: bytes
    seconds: int | None  # of the newest block at or below it whose header is there
    exact: bool


class Stamped(NamedTuple):
    seconds: int
    cls: str  # of the authority


class BlockName(NamedTuple):
    number: int
    hash: bytes


@dataclass
class Bounds:
    """By position of the header."""

    not_after: list[NotAfter | None]
    not_before: list[NotBefore | None]
    stamped: list[Stamped | None]
    not_after_unchecked: int  # headers that lack only the policy's naming of the newest block
    not_before_unchecked: int
    is_beacon_after_anchor: bool
    beacons_elsewhere: int
    beacons_unlinked: int
    is_first_unbound_elsewhere: bool


def read_bounds(
    trail: Trail,
    inclusions: list[InclusionReading],
    windows: list[WindowReading],
    links: list[LinkReading],
    stamps: list[StampReading],
) -> Bounds:
    by_chain = {link.chain_id: link for link in reversed(links)}
    anchored = earliest_anchors(inclusions, windows, by_chain)
    named = {chain_id for chain_id, link in by_chain.items() if link.newest == "named"}
    anchors = [anchored.get(chunk.statement) for chunk in trail.chunks]
    not_after = [bound if bound is not None and bound.chain_id in named else None for bound in anchors]
    linked, not_before = latest_beacons(trail, by_chain), latest_beacons(trail, by_chain, named)
    beacons = [chunk.header.beacon for chunk in trail.chunks]
    standings = [
        None if beacon is None else standing_in(by_chain.get(beacon[0]), BlockName(*beacon[1:])) for beacon in beacons
    ]
    is_after = any(
        beacon is not None
        and anchor is not None
        and standing == "linked"
        and anchor.chain_id == beacon[0]
        and beacon[1] >= anchor.block
        for beacon, anchor, standing in zip(beacons, anchors, standings)
    )
    stamped = earliest_stamps(inclusions, stamps)
    first_unbound = not_before.index(None) if None in not_before else None
    return Bounds(
        not_after=not_after,
        not_before=not_before,
        stamped=[stamped.get(chunk.statement) for chunk in trail.chunks],
        not_after_unchecked=not_after.count(None) - anchors.count(None),
        not_before_unchecked=not_before.count(None) - linked.count(None),
        is_beacon_after_anchor=is_after,
        beacons_elsewhere=standings.count("other"),
        beacons_unlinked=standings.count("not_linked"),
        is_first_unbound_elsewhere=first_unbound is not None and standings[first_unbound] == "other",
    )


def earliest_anchors(
    inclusions: list[InclusionReading], windows: list[WindowReading], links: dict[int, LinkReading]
) -> dict[int | None, NotAfter]:
    """By position of the statement: inclusion, anchor, contract, publisher and link hold."""
    earliest: dict[int | None, NotAfter] = {}
    for reading in inclusions:
        if reading.statement is None or reading.window is None or reading.fault is not None:
            continue
        window = windows[reading.window]
        if window.trusted is None or not window.publisher_named:
            continue
        chain_id = window.item.record.chain_id
        for anchor in window.anchors:
            block = anchor.block
            if block is None or anchor.fault is not None or standing_in(links.get(chain_id), block) != "linked":
                continue
            known = earliest.get(reading.statement)
            if known is None or block.timestamp < known.seconds:
                earliest[reading.statement] = NotAfter(chain_id, block.number, block.timestamp)
    return earliest


def earliest_stamps(inclusions: list[InclusionReading], stamps: list[StampReading]) -> dict[int | None, Stamped]:
    """"By time stamp", by position of the statement."""
    of_window: dict[int, Stamped] = {}
    for stamp in stamps:
        if stamp.token is not None and stamp.authority is not None:
            bound = Stamped(stamp.not_after, stamp.authority.cls)
            for window in stamp.windows:
                if window not in of_window or bound.seconds < of_window[window].seconds:
                    of_window[window] = bound
    of_statement: dict[int | None, Stamped] = {}
    for reading in inclusions:
        bound_or_none = None if reading.window is None else of_window.get(reading.window)
        if reading.statement is None or reading.fault is not None or bound_or_none is None:
            continue
        known = of_statement.get(reading.statement)
        if known is None or bound_or_none.seconds < known.seconds:
            of_statement[reading.statement] = bound_or_none
    return of_statement


def latest_beacons(
    trail: Trail, links: dict[int, LinkReading], named: set[int] | None = None
) -> list[NotBefore | None]:
    """A header contains the one before it: it is younger than every linked beacon of its stretch up to its own."""
    bounds: list[NotBefore | None] = []
    latest: NotBefore | None = None
    for before, chunk in zip([None, *trail.chunks], trail.chunks):
        if begins_stretch(before, chunk):
            latest = None
        beacon = chunk.header.beacon
        if beacon is not None and (named is None or beacon[0] in named):
            chain_id, number, block_hash = beacon
            link = links.get(chain_id)
            is_newer = latest is None or latest.chain_id != chain_id or number > latest.block
            if link is not None and is_newer and standing_in(link, BlockName(number, block_hash)) == "linked":
                at = bisect.bisect_right(link.times, (number, 2**64))
                seconds = link.times[at - 1][1] if at > 0 else None
                is_exact = at > 0 and link.times[at - 1][0] == number
                latest = NotBefore(chain_id, number, block_hash, seconds, is_exact)
        bounds.append(latest)
    return bounds


def check_not_after(c: Context) -> Outcome:
    bounds = c.bounds
    if not c.trail.chunks:
        return unknown("absent", "the bundle has no chunk header")
    missing = bounds.not_after.count(None)
    if missing:
        if bounds.not_after_unchecked:
            return unknown("block_not_checked", "chunks have a bound only if the newest linked block is checked")
        return unknown("no_bound", f"{missing} chunks without an anchor")
    latest = max(bounds.not_after, key=lambda bound: bound.seconds)
    stamped = [bound.seconds for bound in bounds.stamped if bound is not None]
    values = {
        "chainId": str(latest.chain_id),
        "block": str(latest.block),
        "seconds": str(latest.seconds),
        "stampedSeconds": str(max(stamped)) if stamped else None,
    }
    note = f"; {len(stamped)} also by time stamp" if stamped else ""
    return passed(f"all {len(c.trail.chunks)} chunks sealed before {utc_millis(latest.seconds * SECOND)}{note}", values)


def check_not_before(c: Context) -> Outcome:
    chunks, bounds = c.trail.chunks, c.bounds
    if not chunks:
        return unknown("absent", "the bundle has no chunk header")
    if bounds.is_beacon_after_anchor:
        return failed("BEACON_AFTER_ANCHOR", "a header names a beacon that is not older than its anchor")
    if all(chunk.header.beacon is None for chunk in chunks):
        return unknown("absent", "no header names a beacon")
    missing = bounds.not_before.count(None)
    if missing:
        if bounds.is_first_unbound_elsewhere:
            return unknown("beacon_elsewhere", "the first header without a bound names a replaced block")
        if bounds.not_before_unchecked:
            return unknown("block_not_checked", "chunks have a bound only if the newest linked block is checked")
        return unknown("no_bound", f"{missing} chunks without a linked beacon at or before them")
    first = bounds.not_before[0]
    values = {
        "chainId": str(first.chain_id),
        "block": str(first.block),
        "seconds": None if first.seconds is None else str(first.seconds),
        "exact": first.exact,
        "beaconsElsewhere": bounds.beacons_elsewhere,
        "beaconsUnlinked": bounds.beacons_unlinked,
    }
    return passed(f"all {len(chunks)} chunks sealed after block {first.block} of chain {first.chain_id}", values)


# ---- ENROLMENT


class EnrolmentReading(NamedTuple):
    item: EnrolmentItem
    fault: Fault | None
    is_by_contract: bool

    @property
    def verified(self) -> Enrolment | None:
        return None if self.fault is not None else self.item.enrolment


def read_enrolment(item: EnrolmentItem) -> EnrolmentReading:
    """spec/enrolment.md, "Verification", steps 2 to 4."""
    enrolment = item.enrolment
    try:
        verify_cose("enrolment", enrolment.device_key, item.data)
        by_key = owner_signed(enrolment.signature, enrolment_digest(enrolment), enrolment.owner)
        if item.vin is not None:
            salt, vin = item.vin
            is_vin = re.fullmatch(r"[\x00-\x7f]{17}", vin) is not None
            commitment = sha256(b"wmk-vin", salt, vin.encode("utf-8"))
            require(is_vin and commitment == enrolment.vin_commitment, "VIN_COMMITMENT")
    except Fault as fault:
        return EnrolmentReading(item, fault, False)
    return EnrolmentReading(item, None, by_key is None)


def is_by_owner(reading: EnrolmentReading, policy: Policy) -> bool:
    """By a key, or by a contract that was seen to accept it."""
    e = reading.item.enrolment
    return not reading.is_by_contract or is_accepted(policy, e.chain_id, e.owner, enrolment_digest(e))


def is_accepted(policy: Policy, chain_id: int, wallet: bytes, digest: bytes) -> bool:
    """Whether the policy says that this wallet, a contract, was seen to accept the digest."""
    return any((w.chain_id, w.address) == (chain_id, wallet) and digest in w.accepts for w in policy.wallets)


def check_enrolment(c: Context) -> Outcome:
    sessions = c.trail.sessions
    for reading in c.enrolments:
        if reading.fault is not None:
            return failed(reading.fault.code, f"enrolment {reading.item.id.hex()}")
    ids = [reading.item.id for reading in c.enrolments]
    if len(set(ids)) < len(ids):
        return failed("ENROLMENT_TWICE", "an enrolment is there twice")
    values = {"enrolments": [enrolment_values(reading.item) for reading in c.enrolments]}
    by_id = {reading.item.id: reading.item.enrolment for reading in c.enrolments}
    for session in sessions:
        enrolment = by_id.get(session.record.enrolment or b"")
        if enrolment is not None:
            named = (enrolment.tag, enrolment.epoch, key_id(enrolment.device_key))
            if named != (session.record.tag, session.record.epoch, session.record.device_key_id):
                return failed("ENROLMENT_SESSION", "a session names the enrolment of another vehicle or key", values)
    named_ids = {session.record.enrolment for session in sessions}
    if any(one not in named_ids for one in ids):
        return failed("ENROLMENT_UNUSED", "an enrolment is named by no session", values)
    if not sessions:
        return unknown("absent", "the bundle has no session record")
    if any(one is not None and one not in by_id for one in named_ids):
        return unknown("absent", "a session names an enrolment that is not there", values)
    if None in named_ids:
        return unknown("unenrolled", "a session names no enrolment", values)
    if not all(is_by_owner(reading, c.policy) for reading in c.enrolments):
        return unknown("contract_wallet", "what a wallet that is a contract takes, no file can show", values)
    return passed(f"{len(ids)} enrolments, signed by owner and device key", values)


def enrolment_values(item: EnrolmentItem) -> dict[str, Any]:
    e = item.enrolment
    values = {
        "id": item.id.hex(),
        "owner": hex0x(e.owner),
        "vehicleNumber": e.vehicle_number.hex(),
        "unitSerial": e.unit_serial,
        "keyProtection": e.key_protection,
        "softwareHash": e.software_hash.hex(),
        "odometerKm": e.odometer_km,
        "enrolledAtS": e.enrolled_at,
        "vouchers": [{"role": role, "name": name} for role, name, _ in e.vouchers],
        "vin": None if item.vin is None else item.vin[1],
    }
    return values


# ---- REGISTRY


class Event(NamedTuple):
    """A block of the registry's chain and its time, in s."""

    block: int
    seconds: int


class RegistryReading(NamedTuple):
    facts: RegistryFacts
    block: Header | None
    fault: Fault | None
    reason: str | None  # of INDETERMINATE

    @property
    def holds(self) -> bool:
        return self.fault is None and self.reason is None


def read_registry(facts: RegistryFacts, links: list[LinkReading], policy: Policy) -> RegistryReading:
    """"REGISTRY", step 1."""
    try:
        block, code_hash = verify_registry_facts(facts)
        trusted = next(
            (r for r in policy.registries if (r.chain_id, r.contract) == (facts.chain_id, facts.contract)), None
        )
        require(trusted is None or trusted.code_hash == code_hash, "REGISTRY_CODE_HASH")
        link = link_in(links, facts.chain_id)
        standing = standing_in(link, block)
        require(standing != "other", "REGISTRY_ELSEWHERE")
    except Fault as fault:
        return RegistryReading(facts, None, fault, None)
    reason = None
    if trusted is None:
        reason = "registry_not_in_policy"
    elif standing == "not_linked":
        reason = "registry_not_linked"
    elif link is None or link.newest != "named":
        reason = "block_not_in_policy"
    return RegistryReading(facts, block, None, reason)


def newest_with(c: Context, chain_id: int, contract: bytes, slots: list[bytes]) -> RegistryReading | None:
    """The newest record of facts that holds, is of this contract and has all these words."""
    having = [
        reading
        for reading in c.registry
        if reading.holds
        and (reading.facts.chain_id, reading.facts.contract) == (chain_id, contract)
        and all(slot in reading.facts.words for slot in slots)
    ]
    return max(having, key=lambda reading: reading.block.number, default=None)


def pair_of_events(word: int) -> tuple[Event | None, Event | None]:
    """A word of two blocks and times, 64 bits each, from the low end; None where the block is zero."""
    parts = [word >> shift & MASK64 for shift in (0, 64, 128, 192)]
    first, second = Event(parts[0], parts[1]), Event(parts[2], parts[3])
    return first if first.block else None, second if second.block else None


def owner_and_start(word: int) -> tuple[int, Event] | None:
    """The word of an epoch; None where it has no owner."""
    owner = word & (2**160 - 1)
    return (owner, Event(word >> 160 & (2**48 - 1), word >> 208)) if owner else None


def is_before(bound: NotAfter | None, chain_id: int, event: Event) -> bool:
    """Whether a chunk was sealed before an event for certain; by number on one chain, else by time."""
    if bound is None:
        return False
    return bound.block < event.block if bound.chain_id == chain_id else bound.seconds < event.seconds


def is_from(bound: NotBefore | None, chain_id: int, event: Event) -> bool:
    """Whether a chunk was sealed at or after an event for certain."""
    if bound is None:
        return False
    if bound.chain_id == chain_id:
        return bound.block >= event.block
    return bound.seconds is not None and bound.seconds >= event.seconds


def check_registry(c: Context) -> Outcome:
    if not c.registry:
        return unknown("absent", "no registry facts")
    for reading in c.registry:
        if reading.fault is not None:
            return failed(reading.fault.code, "registry facts are not what they claim to be")
    for reading in c.registry:
        if reading.reason is not None:
            return unknown(reading.reason, "registry facts are not believed")
    enrolments = {r.item.id: r.item.enrolment for r in c.enrolments if r.verified is not None}
    if not enrolments:
        return unknown("not_reached", "no enrolment is verified")
    reasons: list[str] = []
    for enrolment_id, enrolment in enrolments.items():
        try:
            reasons += registry_reasons(c, enrolment_id, enrolment)
        except Fault as fault:
            return failed(fault.code, f"the registry and enrolment {enrolment_id.hex()}")
    if reasons:
        return unknown(reasons[0], "the registry does not show owner and key for every chunk")
    return passed("the owner owned the vehicle and the device key was in force, for every chunk")


def registry_reasons(c: Context, enrolment_id: bytes, e: Enrolment) -> list[str]:
    """"REGISTRY", steps 3 and 4, for one enrolment: reasons of INDETERMINATE."""
    epochs, keys = mapping_slot(e.vehicle_number, bytes(32)), mapping_slot(e.vehicle_number, (1).to_bytes(32, "big"))
    commitment = sha256(b"wmk-enrolment", e.registry_salt, enrolment_id)
    own, after = mapping_slot(e.epoch, epochs), mapping_slot(e.epoch + 1, epochs)
    key = mapping_slot(commitment, mapping_slot(e.epoch, keys))
    facts = newest_with(c, e.chain_id, e.contract, [own, after, key])
    if facts is None:
        return ["fact_absent"]
    own_word, next_word, key_word = (facts.facts.words[slot] for slot in (own, after, key))
    own_epoch, next_epoch = owner_and_start(own_word), owner_and_start(next_word)
    if own_epoch is None:
        return ["not_registered"]
    owner, start = own_epoch
    require(owner == int.from_bytes(e.owner, "big"), "REGISTRY_OWNER")
    added, revoked = pair_of_events(key_word)
    if added is None:
        return ["key_not_registered"]
    end = None if next_epoch is None else next_epoch[1]
    reasons = []
    for chunk, nb, na in zip(c.trail.chunks, c.bounds.not_before, c.bounds.not_after):
        if chunk.session is not None and chunk.session.record.enrolment == enrolment_id:
            shown = Event(facts.block.number, facts.block.timestamp)
            reasons.append(chunk_reason(e, start, end, added, revoked, shown, nb, na))
    return [reason for reason in reasons if reason is not None]


def chunk_reason(
    e: Enrolment,
    start: Event,
    end: Event | None,
    added: Event,
    revoked: Event | None,
    shown: Event,
    nb: NotBefore | None,
    na: NotAfter | None,
) -> str | None:
    """"REGISTRY", step 4, for one chunk."""
    chain_id, is_first = e.chain_id, e.epoch == 0
    require(revoked is None or not is_from(nb, chain_id, revoked), "REGISTRY_KEY_REVOKED")
    require(end is None or not is_from(nb, chain_id, end), "EPOCH_BOUNDS")
    require(is_first or not is_before(na, chain_id, start), "EPOCH_BOUNDS")
    if revoked is not None and not is_before(na, chain_id, revoked):
        return "revoked_in_between"
    if end is not None and not is_before(na, chain_id, end):
        return "epoch_in_between"
    if not is_first and not is_from(nb, chain_id, start):
        return "epoch_in_between"
    if not is_from(nb, chain_id, start) or not is_from(nb, chain_id, added):
        return "before_registration"
    after_shown = Event(shown.block + 1, shown.seconds + 1)
    if (revoked is None or end is None) and not is_before(na, chain_id, after_shown):
        return "facts_older"
    return None


# ---- GRANT


class GrantReading(NamedTuple):
    grant: Grant
    hash: bytes
    fault: Fault | None
    is_contract_unknown: bool


def read_grant(grant: Grant, policy: Policy) -> GrantReading:
    digest = grant_hash(grant)
    try:
        by_key = owner_signed(grant.signature, digest, grant.owner)
    except Fault as fault:
        return GrantReading(grant, digest, fault, False)
    is_unknown = by_key is None and not is_accepted(policy, grant.chain_id, grant.owner, digest)
    return GrantReading(grant, digest, None, is_unknown)


def custody_of_grants(c: Context) -> set[int]:
    """The streams of the bundle with what was done under its grants, which their grantees may see."""
    names = {f"{CUSTODY_STREAM}/{reading.hash.hex()}" for reading in c.grants}
    return {number for number, stream in enumerate(c.bundle.streams) if stream.name in names}


@dataclass
class Use:
    """What is opened under one grant."""

    leaves: int = 0
    streams: set[int] = field(default_factory=set)
    bounds: set[NotBefore] = field(default_factory=set)


def check_grant(c: Context) -> Outcome:
    grants = c.grants
    if not grants:
        return unknown("absent", "no grant")
    for reading in grants:
        if reading.fault is not None:
            return failed(reading.fault.code, f"grant {reading.hash.hex()}")
    seen: set[bytes] = set()
    for reading in grants:
        if reading.hash in seen:
            return failed("GRANT_TWICE", f"grant {reading.hash.hex()} is there twice")
        seen.add(reading.hash)
        vehicle = (reading.grant.tag, reading.grant.epoch)
        if any((s.record.tag, s.record.epoch) != vehicle for s in c.trail.sessions):
            return failed("GRANT_VEHICLE", f"grant {reading.hash.hex()} is for another vehicle or epoch")
    try:
        uses = grant_uses(c)
    except Fault as fault:
        return failed(fault.code, fault.detail)
    if uses is None:
        return unknown("not_reached", "the header of an opened chunk is not there")
    standings = [revocation_of(c, reading, use) for reading, use in zip(grants, uses)]
    values = {"grants": [grant_values(*one) for one in zip(grants, uses, standings)]}
    owners = {reading.verified.owner for reading in c.enrolments if reading.verified is not None}
    if owners and any(reading.grant.owner not in owners for reading in grants):
        return failed("GRANT_OWNER", "whoever granted did not enrol the unit", values)
    if any(standing == "GRANT_REVOKED" for standing in standings):
        return failed("GRANT_REVOKED", "a chunk was sealed after the grant was revoked", values)
    if any(reading.is_contract_unknown for reading in grants):
        return unknown("contract_wallet", "what a wallet that is a contract takes, no file can show", values)
    if not owners:
        return unknown("owner_unknown", "no enrolment shows who the owner is", values)
    for reason in standings:
        if isinstance(reason, str):
            return unknown(reason, "whether the grant stood is not shown", values)
    return passed(f"every opened leaf lies in one of {len(grants)} grants, not revoked as far as is shown", values)


def grant_uses(c: Context) -> list[Use] | None:
    """"GRANT", step 2. None where the header of an opened chunk is not there."""
    uses = [Use() for _ in c.grants]
    own = custody_of_grants(c)
    names = [stream.name for stream in c.bundle.streams]
    numbers = {name: i for i, name in enumerate(names)}
    allowed = [{numbers[name] for name in r.grant.streams if name in numbers} for r in c.grants]
    position = {chunk.place: at for at, chunk in reversed(list(enumerate(c.trail.chunks)))}
    for opened in c.bundle.leaves:
        at = position.get((opened.log, opened.seq))
        if at is None:
            return None
        start = c.trail.chunks[at].header.wall_start
        in_range = [
            g
            for g, r in enumerate(c.grants)
            if r.grant.form == "raw" and r.grant.data_from * SECOND <= start < r.grant.data_to * SECOND
        ]
        for leaf in opened.leaves:
            if leaf.stream in own:
                continue
            covering = [g for g in in_range if leaf.stream in allowed[g]]
            require(covering, "GRANT_SCOPE", f"{names[leaf.stream]} in {chunk_name((opened.log, opened.seq))}")
            for g in covering:
                uses[g].leaves += 1
                uses[g].streams.add(leaf.stream)
                bound = c.bounds.not_before[at]
                if bound is not None:
                    uses[g].bounds.add(bound)
    for use, reading in zip(uses, c.grants):
        require(use.leaves > 0, "GRANT_UNUSED", f"grant {reading.hash.hex()}")
    return uses


def revocation_of(c: Context, reading: GrantReading, use: Use) -> int | str:
    """"GRANT", step 4: up to which block the grant was not revoked, or a reason."""
    grant = reading.grant
    slot = mapping_slot(reading.hash, mapping_slot(grant.owner, bytes(32)))
    facts = newest_with(c, grant.chain_id, grant.contract, [slot])
    if facts is None:
        return "revocation_not_shown"
    revoked, _ = pair_of_events(facts.facts.words[slot])
    if revoked is None:
        return facts.block.number
    is_late = any(is_from(bound, grant.chain_id, revoked) for bound in use.bounds)
    return "GRANT_REVOKED" if is_late else "revoked"


def grant_values(reading: GrantReading, use: Use, standing: int | str) -> dict[str, Any]:
    g = reading.grant
    return {
        "hash": reading.hash.hex(),
        "owner": hex0x(g.owner),
        "grantee": hex0x(g.grantee),
        "granteeName": g.grantee_name,
        "streams": g.streams,
        "dataFromS": g.data_from,
        "dataToS": g.data_to,
        "purpose": g.purpose,
        "form": g.form,
        "issuedAtS": g.issued_at,
        "expiresAtS": g.expires_at,
        "disclosures": g.disclosures,
        "openedLeaves": use.leaves,
        "notShown": len(g.streams) - len(use.streams),
        "notRevokedUpToBlock": str(standing) if isinstance(standing, int) else None,
    }


# ---- CUSTODY

MAX_CUSTODY_RECORDS = 16_384
MAX_CUSTODY_SIGNATURES = 4_096
MOST_SHOWN = 1000
CUSTODY_STREAM = "records/custody"


@dataclass
class Act:
    """What was done once: its record in the owner's stream, in that of a grant, in both, or alone."""

    record: CustodyRecord
    chunk: tuple[int, int] | None
    owner_seq: int | None
    grant_seq: int | None
    signature: str | None  # "verified" or "contract_wallet"; None where it is unsigned


class Entry(NamedTuple):
    """A record in a custody stream."""

    stream: str
    place: tuple[int, int]
    data: bytes
    record: CustodyRecord


@dataclass
class CustodyReading:
    acts: list[Act] = field(default_factory=list)
    missing: int = 0
    fault: Fault | None = None
    is_budget_spent: bool = False
    is_device_unknown: bool = False


def is_custody_stream(name: str) -> bool:
    return name == CUSTODY_STREAM or name.startswith(CUSTODY_STREAM + "/")


def read_custody(bundle: Bundle, readings: Readings, devices: Devices) -> CustodyReading:
    custody = CustodyReading()
    try:
        _read_custody(bundle, readings, devices, custody)
    except Fault as fault:
        custody.fault = fault
    return custody


def _read_custody(bundle: Bundle, readings: Readings, devices: Devices, custody: CustodyReading) -> None:
    chains: dict[tuple[int, str], list[CustodyPart]] = {}  # by log and stream, in the order in which they are opened
    opened: set[tuple[tuple[int, int], str]] = set()
    for reading in readings.chunks:
        whole_streams = opened_wholly(reading)
        for stream in dict.fromkeys(part.leaf.stream for part in reading.parts):
            name = bundle.streams[stream].name
            if is_custody_stream(name) and stream in whole_streams:
                leaves = [p for p in reading.parts if p.leaf.stream == stream and p.presence is None]
                place = reading.chunk.place
                chains.setdefault((place[0], name), []).append(CustodyPart(name, place, leaves))
                opened.add((place, name))
    acts: dict[Any, Act] = {}
    signed: dict[str, set[bytes]] = {}
    reader = CustodyReader(custody, acts)
    try:
        for (_, name), parts in chains.items():
            for entry in reader.require_chain(parts):
                reader.add(entry, signed.setdefault(name, set()))
        require_counterparts(acts, opened)
        for item in bundle.custody:
            reader.add_alone(item, devices)
    finally:
        custody.acts = sorted(acts.values(), key=lambda act: act.chunk or (2**64, 0))


class CustodyPart(NamedTuple):
    """A custody stream in one opened chunk, all of its leaves there."""

    stream: str
    place: tuple[int, int]
    leaves: list[LeafPart]


class CustodyReader:
    """Reads chains of records into acts, within the limits ("CUSTODY", step 8)."""

    def __init__(self, custody: CustodyReading, acts: dict[Any, Act]) -> None:
        self.custody, self.acts = custody, acts
        self.records_left, self.signatures_left = MAX_CUSTODY_RECORDS, MAX_CUSTODY_SIGNATURES

    def require_chain(self, parts: list[CustodyPart]) -> list[Entry]:
        """"CUSTODY", steps 1 and 2, for one stream in one log; counts the records that are missing."""
        encoded: list[tuple[CustodyPart, bytes, bool]] = []
        may_miss = False
        before: CustodyPart | None = None
        for part in parts:
            may_miss |= before is not None and part.place[1] > before.place[1] + 1
            before = part
            for leaf in part.leaves:
                for data in decode_records(unpack(leaf.leaf.packed)):
                    if self.records_left == 0:
                        self.custody.is_budget_spent = True
                        break
                    self.records_left -= 1
                    encoded.append((part, data, may_miss))
                    may_miss = False
        chain: list[Entry] = []
        signed: set[bytes] = set()
        for part, data, may_miss in encoded:
            entry = Entry(part.stream, part.place, data, decode_custody(data))
            if chain:
                above = entry.record.seq - chain[-1].record.seq
                is_next = above == 1 and entry.record.previous == sha256(chain[-1].data)
                require(is_next or (above > 1 and may_miss), "CUSTODY_CHAIN", chunk_name(part.place))
                self.custody.missing += above - 1
            if entry.record.signature is not None:
                digest = custody_digest(entry.record)
                require(digest not in signed, "CUSTODY_REPEATED", chunk_name(part.place))
                signed.add(digest)
            chain.append(entry)
        return chain

    def add(self, entry: Entry, signed_before: set[bytes]) -> None:
        """"CUSTODY", steps 2 (an earlier log) to 5. The same act in both streams of a chunk is one."""
        record, where = entry.record, chunk_name(entry.place)
        is_of_grant = entry.stream != CUSTODY_STREAM
        if is_of_grant:
            grant = "" if record.grant is None else record.grant.hex()
            require(entry.stream == f"{CUSTODY_STREAM}/{grant}", "CUSTODY_GRANT", where)
        for log, first, count in record.spans:
            is_before = log < entry.place[0] or (log == entry.place[0] and first + count <= entry.place[1])
            require(count > 0 and is_before, "CUSTODY_SPAN", where)
        digest = custody_digest(record)
        if record.signature is not None:
            require(digest not in signed_before, "CUSTODY_REPEATED", where)
            signed_before.add(digest)
        act = self.acts.get((entry.place, digest))
        if act is None:
            act = Act(record, entry.place, None, None, self.signature_of(record))
            self.acts[(entry.place, digest)] = act
        if is_of_grant:
            act.grant_seq = record.seq
        else:
            act.owner_seq = record.seq

    def add_alone(self, item: CustodyItem, devices: Devices) -> None:
        """"CUSTODY", step 7."""
        protected = read_cose(item.data).protected
        keys = (key for key in devices.keys() if cose_protected("custody-record", key) == protected)
        key = next(keys, None)
        if key is None:
            self.custody.is_device_unknown = True
            return
        verify_cose("custody-record", key, item.data)
        digest = custody_digest(item.record)
        require((None, digest) not in self.acts, "CUSTODY_REPEATED", "a record stands alone twice")
        self.acts[(None, digest)] = Act(item.record, None, None, None, self.signature_of(item.record))

    def signature_of(self, record: CustodyRecord) -> str | None:
        """"CUSTODY", step 5."""
        if record.signature is None:
            return None
        if self.signatures_left == 0:
            self.custody.is_budget_spent = True
            return None
        self.signatures_left -= 1
        signer, signature = record.signature
        return "verified" if owner_signed(signature, custody_digest(record), signer) else "contract_wallet"


def require_counterparts(acts: dict[Any, Act], opened: set[tuple[tuple[int, int], str]]) -> None:
    """"CUSTODY", step 6: a record of a grant stands in both streams, where both are opened in its chunk."""
    for act in acts.values():
        if act.chunk is None or act.record.grant is None:
            continue
        by_owner, by_grant = (act.chunk, CUSTODY_STREAM), (act.chunk, f"{CUSTODY_STREAM}/{act.record.grant.hex()}")
        is_held_back = (act.owner_seq is None and by_owner in opened) or (act.grant_seq is None and by_grant in opened)
        require(not is_held_back, "CUSTODY_COUNTERPART", chunk_name(act.chunk))


def check_custody(c: Context) -> Outcome:
    custody = c.custody
    if custody.fault is not None:
        return failed(custody.fault.code, custody.fault.detail)
    if not any(is_custody_stream(stream.name) for stream in c.bundle.streams) and not c.bundle.custody:
        return unknown("absent", "no custody record")
    if not c.readings.are_proven:
        return unknown("not_reached", "the leaves are not proven")
    shown = [act_values(act) for act in custody.acts[-MOST_SHOWN:]]
    values = {"records": len(custody.acts), "missing": custody.missing, "shown": shown}
    if custody.is_budget_spent:
        return unknown("custody_budget", "more custody records than are looked at", values)
    if custody.is_device_unknown:
        return unknown("device_not_in_policy", "a record that stands alone is by a key that is not named", values)
    if custody.missing:
        return unknown("not_disclosed", f"{custody.missing} records in chunks whose custody is not shown", values)
    if any(act.signature == "contract_wallet" for act in custody.acts):
        return unknown("contract_wallet", "what a wallet that is a contract takes, no file can show", values)
    owners = {reading.verified.owner for reading in c.enrolments if reading.verified is not None}
    for act in custody.acts:
        if owners and act.record.role == "owner" and act.record.signature is not None:
            if act.record.signature[0] not in owners:
                return unknown("signer_not_owner", "a record of the owner is signed by somebody else", values)
    grantees = {reading.hash: reading.grant.grantee for reading in c.grants}
    for act in custody.acts:
        if act.record.role == "grantee" and act.record.signature is not None and act.record.grant in grantees:
            if act.record.signature[0] != grantees[act.record.grant]:
                return unknown("signer_not_grantee", "a receipt is signed by somebody else", values)
    return passed(f"{len(custody.acts)} acts", values)


def act_values(act: Act) -> dict[str, Any]:
    r = act.record
    return {
        "chunk": None if act.chunk is None else list(act.chunk),
        "ownerSeq": act.owner_seq,
        "grantSeq": act.grant_seq,
        "wallNs": str(r.wall),
        "clockSource": r.clock,
        "actor": r.actor,
        "role": r.role,
        "action": r.action,
        "grantHash": None if r.grant is None else r.grant.hex(),
        "objectHash": None if r.object is None else r.object.hex(),
        "spans": [list(span) for span in r.spans],
        "streamCount": r.streams,
        "leafCount": r.leaves,
        "purpose": r.purpose,
        "detail": r.detail,
        "tool": r.tool,
        "toolHash": None if r.tool_hash is None else r.tool_hash.hex(),
        "signer": None if r.signature is None else hex0x(r.signature[0]),
        "signature": act.signature,
    }


Check = Callable[[Context], Outcome]

CHECKS: dict[str, Check] = {
    "BUNDLE": check_bundle,
    "DEVICE": check_device,
    "SESSION": check_session,
    "STATEMENT": check_statement,
    "HEADER_SIGNATURE": check_header_signature,
    "HEADER_CHAIN": check_header_chain,
    "COVERED": check_covered,
    "LEAVES": check_leaves,
    "STREAMS": check_streams,
    "ORDER": check_order,
    "LOSS": check_loss,
    "GAPS": check_gaps,
    "CAPTURE": check_capture,
    "TAIL": check_tail,
    "FORK": check_fork,
    "PROMISE": check_promise,
    "ACCEPTANCE": check_acceptance,
    "WINDOW": check_window,
    "ANCHOR": check_anchor,
    "LINK": check_link,
    "BLOCK": check_block,
    "TIMESTAMP": check_timestamp,
    "NOT_AFTER": check_not_after,
    "NOT_BEFORE": check_not_before,
    "ENROLMENT": check_enrolment,
    "REGISTRY": check_registry,
    "GRANT": check_grant,
    "CUSTODY": check_custody,
}

# ==================================================================================================================
# 13  Facts (spec/verification.md, "Facts")
# ==================================================================================================================

BASE = ("DEVICE", "SESSION", "STATEMENT", "HEADER_SIGNATURE", "HEADER_CHAIN", "LEAVES")


def facts_of(c: Context, outcomes: dict[str, Outcome]) -> dict[str, Any] | None:
    for code, outcome in outcomes.items():
        if outcome.verdict == "FAILED":
            return None
        if outcome.verdict == "INDETERMINATE" and code in BASE and outcome.reason != "absent":
            return None
    trail, readings = c.trail, c.readings
    if not trail.sessions:
        return None
    first = trail.sessions[0].record
    headers = [chunk.header for chunk in trail.chunks]
    clock = None
    if headers:
        starts, ends = [h.wall_start for h in headers], [h.wall_end for h in headers]
        clock = {"firstNs": str(min(starts)), "lastNs": str(max(ends))}
    withheld = [reading.withheld for reading in readings.chunks]
    time = time_rows(c)
    widths = [row["widthSeconds"] for row in time]
    widest = None if not widths or None in widths else str(max(int(width) for width in widths))
    facts: dict[str, Any] = {
        "vehicle": {"tag": first.tag.hex(), "epoch": first.epoch, "deviceKeyId": first.device_key_id.hex()},
        "sessions": [session_facts(session) for session in trail.sessions],
        "chunks": len(headers),
        "ranges": ranges_of(trail.chunks),
        "openedChunks": len(readings.chunks),
        "frames": readings.frames,
        "recovered": [recovered_facts(reading) for reading in readings.chunks if reading.chunk.header.recovered],
        "streams": [stream_facts(c, log, stream, row) for (log, stream), row in stream_rows(c)],
        "withheld": {"least": min(withheld, default=0), "most": max(withheld, default=0)},
        "statements": len(trail.batches),
        "windows": len(c.windows),
        "deviceClock": clock,
        "time": time,
        "widestSeconds": widest,
    }
    if c.custody.acts:
        facts["custody"] = [act_values(act) for act in c.custody.acts[-MOST_SHOWN:]]
    return facts


def session_facts(session: Session) -> dict[str, Any]:
    record = session.record
    return {
        "log": record.log,
        "number": record.number,
        "id": (session.id or b"").hex(),
        "rootHolder": record.root_holder,
        "buses": [
            {"bus": b.name, "source": b.source, "stampSource": b.stamp_source, "access": b.access}
            for b in record.buses
        ],
    }


def recovered_facts(reading: ChunkReading) -> dict[str, Any]:
    chunk = reading.chunk
    return {
        "log": chunk.header.log,
        "seq": chunk.header.seq,
        "session": None if chunk.blocks_session is None else chunk.blocks_session.record.number,
        "blocks": len(chunk.blocks or []),
        "silenceProven": not is_claimed_silent(reading),
    }


@dataclass
class StreamRow:
    """One stream in one log."""

    places: list[int]  # seqs of the chunks in which it is opened
    silent: int  # of them, where it is opened wholly and silent
    count: int  # frames or records


def stream_rows(c: Context) -> list[tuple[tuple[int, int], StreamRow]]:
    """By log and stream, which section 4 has in the order of names."""
    rows: dict[tuple[int, int], StreamRow] = {}
    for reading in c.readings.chunks:
        counts: dict[int, int] = {}
        whole_streams = opened_wholly(reading)
        for part in reading.parts:
            counts.setdefault(part.leaf.stream, 0)
            if part.presence is None:
                counts[part.leaf.stream] += part.count
        for stream, count in counts.items():
            row = rows.setdefault((reading.chunk.header.log, stream), StreamRow([], 0, 0))
            row.places.append(reading.chunk.header.seq)
            row.silent += count == 0 and stream in whole_streams
            row.count += count
    return sorted(rows.items())


def stream_facts(c: Context, log: int, stream: int, row: StreamRow) -> dict[str, Any]:
    return {
        "stream": c.bundle.streams[stream].name,
        "log": log,
        "firstSeq": row.places[0],
        "lastSeq": row.places[-1],
        "chunks": len(row.places),
        "silent": row.silent,
        "count": row.count,
    }


def time_rows(c: Context) -> list[dict[str, Any]]:
    """A row for each run of chunks of one stretch with the same bounds."""
    rows: list[dict[str, Any]] = []
    before: Chunk | None = None
    bounds_before: Any = None
    bounds = zip(c.trail.chunks, c.bounds.not_before, c.bounds.not_after, c.bounds.stamped)
    for chunk, nb, na, stamped in bounds:
        log, seq = chunk.place
        is_same = not begins_stretch(before, chunk) and (nb, na, stamped) == bounds_before
        before, bounds_before = chunk, (nb, na, stamped)
        if is_same:
            rows[-1]["lastSeq"] = seq
            continue
        width = None
        if nb is not None and nb.seconds is not None and na is not None:
            width = str(na.seconds - nb.seconds)
        rows.append(
            {
                "log": log,
                "firstSeq": seq,
                "lastSeq": seq,
                "widthSeconds": width,
                "notBefore": None if nb is None else not_before_facts(nb),
                "notAfter": None
                if na is None
                else {"chainId": str(na.chain_id), "block": str(na.block), "seconds": str(na.seconds)},
                "stamped": None if stamped is None else {"seconds": str(stamped.seconds), "class": stamped.cls},
            }
        )
    return rows


def not_before_facts(bound: NotBefore) -> dict[str, Any]:
    return {
        "chainId": str(bound.chain_id),
        "block": str(bound.block),
        "hash": hex0x(bound.hash),
        "seconds": None if bound.seconds is None else str(bound.seconds),
        "exact": bound.exact,
    }


# ==================================================================================================================
# 14  The report (spec/verification.md, "Report")
# ==================================================================================================================

NOT_PROVEN = (
    ("SENSORS", "that sensors and control units told the truth"),
    ("SENDER", "that the frames on the bus were sent by the genuine control unit"),
    ("VEHICLE", "that the device was connected to this vehicle all the time"),
    ("DRIVER", "who drove"),
    ("BEFORE_SEALING", "what a compromised device did between an event and its sealing"),
    ("OMISSION", "that nothing was left out before sealing"),
    ("EXACT_TIME", "any time finer than the stated bounds"),
    (
        "AGE_OF_FRAMES",
        "when the frames were sensed: the bounds date the sealing, and old frames can be sealed late",
    ),
    ("DECODING", "values derived from the frames, if the decoding rules are wrong"),
    (
        "OTHER_HISTORIES",
        "that no other history of this vehicle exists: who is offline cannot look for one",
    ),
    ("FAULT", "fault, cause, or speed at impact"),
)


def verify(data: bytes, policy: Policy) -> dict[str, Any]:
    """The report on a bundle, as spec/verification.md, "JSON", has it."""
    facts = None
    try:
        bundle = read_bundle(data)
    except Fault as fault:
        outcomes = {code: unknown("not_reached", "the bundle cannot be read") for code in CHECK_CODES}
        outcomes["BUNDLE"] = failed(fault.code, f"no well-formed bundle: {fault.detail}")
    else:
        context = read_context(bundle, policy)
        outcomes = {code: CHECKS[code](context) for code in CHECK_CODES}
        facts = facts_of(context, outcomes)
    rows = [check_row(code, outcome, policy) for code, outcome in outcomes.items()]
    return {
        "witnessmark-report": 0,
        "warnings": warnings_of(policy),
        "policy": policy.shown,
        "accepted": not any(refuses(row) for row in rows),
        "checks": rows,
        "facts": facts,
        "notProven": [{"code": code, "text": text} for code, text in NOT_PROVEN],
    }


def check_row(code: str, outcome: Outcome, policy: Policy) -> dict[str, Any]:
    row: dict[str, Any] = {"code": code, "verdict": outcome.verdict}
    if outcome.reason is not None:
        row["reason"] = outcome.reason
    row["required"] = code in policy.required
    row["detail"] = outcome.detail
    if outcome.values is not None:
        row["values"] = outcome.values
    row["spec"] = f'spec/verification.md, "{code}"'
    return row


def warnings_of(policy: Policy) -> list[str]:
    """A chain, or an authority, that one party runs proves nothing to a third."""
    warnings = [
        f"chain {chain.chain_id} is local: whoever runs it can write its whole history anew, "
        "so this proves nothing to a third party"
        for chain in policy.chains
        if chain.cls == "local"
    ]
    if any(authority.cls == "local" for authority in policy.authorities):
        warnings.append(
            "a time stamp authority is local: whoever runs it can stamp any time, "
            "so its stamps prove nothing to a third party"
        )
    return warnings


def escaped(text: str) -> str:
    """Control characters, and those that turn text around, as `\\u{…}` ("Text")."""
    turning = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029\ufeff"
    return "".join(
        f"\\u{{{ord(c):x}}}" if c in turning or ord(c) < 32 or 127 <= ord(c) < 160 or 0xD800 <= ord(c) < 0xE000 else c
        for c in text
    )


def report_text(report: dict[str, Any]) -> Iterator[str]:
    """"Text": the same for people."""
    lines = [f"WARNING: {warning}" for warning in report["warnings"]]
    lines.append(f"policy supplied by: {report['policy']['suppliedBy']}")
    for row in report["checks"]:
        mark = "*" if row["required"] else " "
        reason = f"{row['reason']}: " if "reason" in row else ""
        lines.append(f"{row['verdict']:<13} {mark} {row['code']:<16} {reason}{row['detail']}")
    refusing = [row["code"] for row in report["checks"] if refuses(row)]
    lines.append("(* the policy requires it)")
    lines.append(f"Refused by: {', '.join(refusing)}" if refusing else "No check failed, and each required one passed.")
    if report["facts"] is None:
        lines.append("Facts: none; they would rest on checks that did not pass.")
    else:
        lines += ["Facts:", *json.dumps(report["facts"], ensure_ascii=False, indent=2).split("\n")]
    lines.append("Not proven, whatever the verdicts:")
    lines += [f"  {item['text']}" for item in report["notProven"]]
    return (escaped(line) + "\n" for line in lines)


def refuses(row: dict[str, Any]) -> bool:
    return row["verdict"] == "FAILED" or (row["required"] and row["verdict"] != "PASSED")


def report_json(report: dict[str, Any]) -> Iterator[str]:
    """"JSON", part by part; half of a surrogate pair, which a policy may hold, stays escaped."""
    for part in json.JSONEncoder(ensure_ascii=False, indent=2).iterencode(report):
        yield re.sub("[\ud800-\udfff]", lambda match: f"\\u{ord(match[0]):04x}", part)
    yield "\n"


# ==================================================================================================================
# 15  Command line
# ==================================================================================================================

ACCEPTED, NOT_ACCEPTED, UNUSABLE, NO_VERDICT = 0, 1, 2, 3


def read_file(path: str, most: int) -> bytes:
    with open(path, "rb") as file:
        data = file.read(most + 1)
    require(len(data) <= most, "FILE_UNREADABLE", f"{path} is larger than {most} bytes")
    return data


def stop_after(seconds: float) -> None:
    """Ends the process, whatever it does then: what a hostile file asks for has an end."""

    def stop() -> None:
        sys.stderr.write(f"TIME_LIMIT: no verdict within {seconds:g} s\n")
        sys.stderr.flush()
        os._exit(NO_VERDICT)

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="witnessmark_verify.py",
        description="Checks an evidence bundle (.wmk) against a trust policy. Uses no network.",
        epilog="Ends with 0 when no check failed and every required one passed; 1 when a check failed, a required one "
        "is indeterminate, or the file is no well-formed bundle; 2 when file, policy or arguments cannot be used; "
        "3 when there is no verdict, since the time limit is over or the verification broke off.",
    )
    parser.add_argument("bundle", metavar="BUNDLE")
    parser.add_argument("--trust", required=True, metavar="FILE", help="what to believe (spec/trust-policy.md)")
    parser.add_argument("--json", action="store_true", help="the report for programs")
    parser.add_argument("--time-limit", type=float, default=60, metavar="SECONDS", help="default 60")
    options = parser.parse_args(arguments)
    if not options.time_limit > 0:
        parser.error("--time-limit wants a number of seconds above 0")
    stop_after(options.time_limit)
    try:
        policy = read_policy(read_file(options.trust, MAX_POLICY))
        data = read_file(options.bundle, MAX_BUNDLE)
    except OSError as error:
        sys.stderr.write(f"FILE_UNREADABLE: {error}\n")
        return UNUSABLE
    except Fault as fault:
        sys.stderr.write(f"{fault}\n")
        return UNUSABLE
    try:
        report = verify(data, policy)
    except Exception:  # a mistake in this file, or no memory: it must not pass for a verdict, as Python's own 1 would
        sys.stderr.write("NO_VERDICT: the verification broke off\n" + traceback.format_exc())
        return NO_VERDICT
    for part in report_json(report) if options.json else report_text(report):
        sys.stdout.buffer.write(part.encode("utf-8"))
    sys.stdout.buffer.flush()
    return ACCEPTED if report["accepted"] else NOT_ACCEPTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
