"""The checksums that S3 knows, in base64 as its headers carry them."""

from __future__ import annotations

import base64
import hashlib
import zlib
from functools import cache

ALGORITHMS = ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")


def digest(algorithm: str, data: bytes) -> bytes:
    if algorithm == "CRC32":
        return zlib.crc32(data).to_bytes(4, "big")
    if algorithm == "CRC32C":
        return _crc(data, 0x82F63B78, 32).to_bytes(4, "big")
    if algorithm == "CRC64NVME":
        return _crc(data, 0x9A6C9329AC4BC9B5, 64).to_bytes(8, "big")
    return hashlib.new(algorithm.lower(), data).digest()


def encoded(algorithm: str, data: bytes) -> str:
    return base64.b64encode(digest(algorithm, data)).decode()


def composite(algorithm: str, parts: list[bytes]) -> str:
    """The checksum of the checksums of parts, with their number."""
    joined = b"".join(digest(algorithm, part) for part in parts)
    return f"{encoded(algorithm, joined)}-{len(parts)}"


def header(algorithm: str) -> str:
    return f"x-amz-checksum-{algorithm.lower()}"


def content_md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


@cache
def _table(polynomial: int) -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ polynomial if value & 1 else value >> 1
        table.append(value)
    return tuple(table)


# The register after five MiB of zeros, the smallest part of an upload, which
# would take seconds to come to.
_ZEROS = bytes(5 * 1024 * 1024)
_AFTER_ZEROS = {0x82F63B78: 0x3154FABD, 0x9A6C9329AC4BC9B5: 0x4158087AED2C6B63}


def _crc(data: bytes, polynomial: int, bits: int) -> int:
    """A reflected CRC whose start value and final xor are all ones."""
    ones = (1 << bits) - 1
    table = _table(polynomial)
    crc = ones
    if data.startswith(_ZEROS):
        crc, data = _AFTER_ZEROS[polynomial], data[len(_ZEROS) :]
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ ones
