#include "seal-cipher.h"

#include <cstdlib>
#include <cstring>

#include "seal-bytes.h"
#include "seal-key-tree.h"

namespace witnessmark::sealing {

namespace {

/** What failed is memory or the build of OpenSSL: going on would write frames in the clear, or none. */
void Require(int ok) {
  if (ok != 1) std::abort();
}

constexpr uint8_t kZeroNonce[12] = {};

}  // namespace

Cipher::Cipher() : cipher_(EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr)), context_(EVP_CIPHER_CTX_new()) {
  Require(cipher_ != nullptr && context_ != nullptr);
  Require(EVP_EncryptInit_ex2(context_, cipher_, nullptr, nullptr, nullptr));
}

Cipher::~Cipher() {
  EVP_CIPHER_CTX_free(context_);  // wipes the key
  EVP_CIPHER_free(cipher_);
}

void Cipher::Seal(const uint8_t* key, uint8_t type, const uint8_t* tag, uint32_t seq, const uint8_t* handle,
                  const uint8_t* plain, size_t length, uint8_t* out) {
  uint8_t aad[2 + 1 + kTagBytes + kMaxHeadBytes + 1 + kHandleBytes];
  uint8_t* end = aad;
  *end++ = kArray | 4;
  *end++ = type;
  end = WriteHead(end, kBytes, kTagBytes);
  std::memcpy(end, tag, kTagBytes);
  end = WriteHead(end + kTagBytes, kUnsigned, seq);
  end = WriteHead(end, kBytes, kHandleBytes);
  std::memcpy(end, handle, kHandleBytes);
  end += kHandleBytes;

  int written = 0;
  Require(EVP_EncryptInit_ex2(context_, nullptr, key, kZeroNonce, nullptr));
  Require(EVP_EncryptUpdate(context_, nullptr, &written, aad, static_cast<int>(end - aad)));
  Require(EVP_EncryptUpdate(context_, out, &written, plain, static_cast<int>(length)));
  Require(EVP_EncryptFinal_ex(context_, out + length, &written));
  Require(EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_GET_TAG, kSealBytes, out + length));
}

}  // namespace witnessmark::sealing
