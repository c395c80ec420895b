// The memory between the reading thread and JavaScript: rows of one kind after another, in the order of arrival.
#pragma once
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "frame.h"

namespace witnessmark {

enum class RowKind : uint8_t {
  /** What is left before the end of the memory is too small for the next row. */
  kSkip,
  kFrame,
  /** `value`: frames that the kernel dropped before the next row of this bus. */
  kLoss,
  /** `value`: a LinkState; `stampNs`: when it was learnt. */
  kLink,
};

struct Row {
  RowKind kind;
  uint8_t bus;
  uint8_t flags;
  uint8_t length;
  uint8_t rawDlc;
  uint8_t dataBytes;
  int64_t stampNs;
  /** The frame's id, or the value of a loss or link row. */
  uint32_t value;
};

/** One thread writes, one reads. All memory is there from the start; a row takes 24 bytes and its data. */
class Ring {
 public:
  static constexpr size_t kMinBytes = 16 * 1024;
  /** Beyond what a frame may fill: room for the losses that only closing finds, one for each of 256 buses. */
  static constexpr size_t kReserveBytes = 256 * 24;

  /** Check `isValid`: the memory may not be there. */
  explicit Ring(size_t bytes);
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  bool isValid() const { return memory_ != nullptr; }

  // The writer's side.

  /** Learns what was read meanwhile. An empty ring starts over, so that a slow bus touches little memory. */
  void BeginWrite();
  /** False when there is no room; the row can be read after `Publish`. */
  bool Push(const Row& row, const uint8_t* data, bool useReserve = false);
  /** Returns whether more than half is used or a link row waits: what a waiting reader wants to know. */
  bool Publish();

  // The reader's side.

  struct Position {
    uint64_t begin;
    uint64_t at;
    uint64_t end;
  };
  Position BeginRead() const;
  /** The row at `position`, which moves on; data is borrowed until `EndRead`. False at the end. */
  bool Next(Position* position, Row* row, const uint8_t** data) const;
  /** Frees what was read from `position`, in which there were so many link rows. */
  void EndRead(Position position, uint64_t linkRows);
  bool WantsReader() const;

 private:
  bool WantsReaderLocked() const;

  uint8_t* memory_ = nullptr;
  uint64_t capacity_ = 0;

  // Of the writer alone.
  uint64_t writing_ = 0;
  uint64_t freed_ = 0;
  uint64_t linksWritten_ = 0;

  mutable std::mutex mutex_;
  // Under the mutex: positions in bytes since the ring last started over.
  uint64_t head_ = 0;
  uint64_t tail_ = 0;
  uint64_t linksPublished_ = 0;
  uint64_t linksRead_ = 0;
};

}  // namespace witnessmark
