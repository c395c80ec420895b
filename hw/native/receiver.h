// Reads one socket in batches of datagrams and gives its frames one by one.
#pragma once
#include <sys/socket.h>
#include <sys/uio.h>

#include <cstdint>
#include <memory>

#include "control.h"
#include "drop-count.h"
#include "frame.h"
#include "stamps.h"

namespace witnessmark {

class Receiver {
 public:
  static constexpr unsigned kBatch = 64;

  Receiver();
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  /** Before the first frame of a newly opened socket: its counter starts anew, and so does its controller's clock. */
  void Restart(bool useHardwareStamps);

  bool HasFrame() const { return hasFrame_; }
  /** With `HasFrame`: valid until `Pop`. */
  const Frame& frame() const { return frame_; }
  int64_t stampNs() const { return stampNs_; }
  /** Drops that the kernel counted before this frame and that nobody was told yet. */
  uint32_t lossBefore() const { return lossBefore_; }
  /** The loss has been told. */
  void TakeLoss() { lossBefore_ = 0; }
  void AddLoss(uint32_t drops) { lossBefore_ += drops; }
  void Pop();

  enum class Fill { kFrames, kNoFrames, kEmpty, kError };
  /**
   * Reads a batch if none is left. kNoFrames: none in this batch, more may wait. kEmpty: the socket has nothing.
   * kError: `error` says what the socket reports once; it may have frames all the same.
   */
  Fill FillFrom(int socket, int* error);
  /** The last batch was not full: whatever came since is later than all of it. */
  bool IsDrained() const { return !hasFrame_ && drained_; }

  DropCount& drops() { return drops_; }
  /** Datagrams that were no frames. */
  uint64_t malformed() const { return malformed_; }

 private:
  struct Slot {
    alignas(8) uint8_t bytes[kMaxDatagramBytes + 8];
    alignas(cmsghdr) uint8_t control[kControlBytes];
  };

  void Decode();

  std::unique_ptr<Slot[]> slots_;
  std::unique_ptr<iovec[]> vectors_;
  std::unique_ptr<mmsghdr[]> messages_;
  unsigned count_ = 0;
  unsigned next_ = 0;
  int64_t readAtNs_ = 0;
  bool drained_ = true;

  bool hasFrame_ = false;
  Frame frame_ = {};
  int64_t stampNs_ = 0;
  uint32_t lossBefore_ = 0;

  DropCount drops_;
  bool useHardwareStamps_ = false;
  HardwareOffset hardwareOffset_;
  uint64_t malformed_ = 0;
};

}  // namespace witnessmark
