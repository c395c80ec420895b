// SHA-2 by the OpenSSL inside Node.
#pragma once
#include <cstddef>
#include <cstdint>

namespace witnessmark::sealing {

constexpr size_t kHashBytes = 32;

void Sha256(const uint8_t* bytes, size_t length, uint8_t* out);
/** Writes 64 bytes. */
void Sha512(const uint8_t* bytes, size_t length, uint8_t* out);

}  // namespace witnessmark::sealing
