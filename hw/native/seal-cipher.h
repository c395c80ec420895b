// AES-256-GCM with a nonce of zeros, for keys that are used once. Implements spec/leaf.md, "Sealing".
#pragma once
#include <openssl/evp.h>

#include <cstddef>
#include <cstdint>

namespace witnessmark::sealing {

constexpr size_t kSealBytes = 16;
constexpr size_t kTagBytes = 16;

class Cipher {
 public:
  Cipher();
  ~Cipher();
  Cipher(const Cipher&) = delete;
  Cipher& operator=(const Cipher&) = delete;

  /** Writes `length` + `kSealBytes` bytes. `type`: of the record that is named in the additional data. */
  void Seal(const uint8_t* key, uint8_t type, const uint8_t* tag, uint32_t seq, const uint8_t* handle,
            const uint8_t* plain, size_t length, uint8_t* out);

 private:
  EVP_CIPHER* cipher_;
  EVP_CIPHER_CTX* context_;
};

}  // namespace witnessmark::sealing
