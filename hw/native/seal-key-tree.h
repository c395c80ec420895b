// From a stream's nodes to the key, salt and handle of its leaves. Implements spec/keys.md.
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
 * Remembers the way down to the last seq: seqs in ascending order cost one hash each on average. It holds what gives the
 * last seq and those behind it, and nothing else: what gives a seq that was passed is wiped. Everything in it is wiped
 * when it goes.
 */
class KeyTree {
 public:
  /** How many nodes give all seqs from `first` on and no others. */
  static size_t NodeCount(uint32_t first);

  /** @param nodes these nodes, ascending, one after the other */
  KeyTree(uint32_t first, const uint8_t* nodes);
  ~KeyTree();
  KeyTree(const KeyTree&) = delete;
  KeyTree& operator=(const KeyTree&) = delete;

  /** False for a seq that was passed. */
  bool Secrets(uint32_t seq, const uint8_t* nonce, LeafSecrets* out);

 private:
  static constexpr int kDepth = 32;

  const uint8_t* NodeOf(uint32_t seq);

  /** At `depth_`, and covers `seq_` and no seq before it. */
  uint8_t node_[kNodeBytes];
  /** Where the way to `node_` goes left from depth d: the child to the right, which covers the next seqs. Else zeros. */
  uint8_t right_[kDepth][kNodeBytes] = {};
  uint32_t seq_;
  int depth_;
};

}  // namespace witnessmark::sealing
