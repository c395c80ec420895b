// From a stream's root to the key, salt and handle of its leaves. Implements spec/keys.md.
#pragma once
#include <cstddef>
#include <cstdint>

namespace witnessmark::sealing {

constexpr size_t kNodeBytes = 32;
constexpr size_t kNonceBytes = 16;
constexpr size_t kKeyBytes = 32;
constexpr size_t kSaltBytes = 16;
constexpr size_t kHandleBytes = 16;

/** As SHA-512 gives them. */
struct LeafSecrets {
  uint8_t key[kKeyBytes];
  uint8_t salt[kSaltBytes];
  uint8_t handle[kHandleBytes];
};
static_assert(sizeof(LeafSecrets) == 64);

/**
 * Remembers the way down to the last seq: seqs in ascending order cost one hash each on average. Everything in it is
 * wiped when it goes.
 */
class KeyTree {
 public:
  explicit KeyTree(const uint8_t* root);
  ~KeyTree();
  KeyTree(const KeyTree&) = delete;
  KeyTree& operator=(const KeyTree&) = delete;

  void Secrets(uint32_t seq, const uint8_t* nonce, LeafSecrets* out);

 private:
  static constexpr int kDepth = 32;

  const uint8_t* NodeOf(uint32_t seq);

  uint8_t root_[kNodeBytes];
  /** The node of `seq_`, when there is one. */
  uint8_t node_[kNodeBytes];
  /** Where the way to `seq_` goes left from depth d: the child to the right, which covers the next seqs. */
  uint8_t right_[kDepth][kNodeBytes];
  uint32_t seq_ = 0;
  bool hasNode_ = false;
};

}  // namespace witnessmark::sealing
