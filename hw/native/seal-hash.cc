// Each leaf takes a few hashes of a block or two. The calls that OpenSSL 3 would rather see look up a provider and
// allocate for each of them, which takes longer than the hash.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "seal-hash.h"

#include <openssl/sha.h>

namespace witnessmark::sealing {

static_assert(kHashBytes == SHA256_DIGEST_LENGTH);

void Sha256(const uint8_t* bytes, size_t length, uint8_t* out) {
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, bytes, length);
  SHA256_Final(out, &context);
}

void Sha512(const uint8_t* bytes, size_t length, uint8_t* out) {
  SHA512_CTX context;
  SHA512_Init(&context);
  SHA512_Update(&context, bytes, length);
  SHA512_Final(out, &context);
}

}  // namespace witnessmark::sealing
