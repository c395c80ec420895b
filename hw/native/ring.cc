#include "ring.h"

#include <sys/mman.h>

#include <cstring>

namespace witnessmark {

namespace {

struct StoredRow {
  RowKind kind;
  uint8_t bus;
  uint8_t flags;
  uint8_t length;
  uint8_t rawDlc;
  uint8_t dataBytes;
  uint16_t unused;
  int64_t stampNs;
  uint32_t value;
  uint32_t unused2;
};
static_assert(sizeof(StoredRow) == 24, "rows are multiples of 8, so the rest of the memory can hold a skip");

uint64_t Padded(uint64_t bytes) { return (bytes + 7) & ~uint64_t{7}; }

}  // namespace

Ring::Ring(size_t bytes) : capacity_(bytes & ~size_t{7}) {
  // Pages are only there once they are touched.
  void* memory = mmap(nullptr, capacity_, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory != MAP_FAILED) memory_ = static_cast<uint8_t*>(memory);
}

Ring::~Ring() {
  if (memory_ != nullptr) munmap(memory_, capacity_);
}

void Ring::BeginWrite() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (head_ == tail_ && writing_ == head_) head_ = tail_ = writing_ = 0;
  freed_ = tail_;
}

bool Ring::Push(const Row& row, const uint8_t* data, bool useReserve) {
  const uint64_t need = sizeof(StoredRow) + Padded(row.dataBytes);
  const uint64_t toEnd = capacity_ - writing_ % capacity_;
  const uint64_t skip = toEnd < need ? toEnd : 0;
  const uint64_t limit = useReserve ? capacity_ : capacity_ - kReserveBytes;
  if (writing_ + skip + need - freed_ > limit) return false;
  if (skip > 0) {
    memory_[writing_ % capacity_] = static_cast<uint8_t>(RowKind::kSkip);
    writing_ += skip;
  }
  uint8_t* at = memory_ + writing_ % capacity_;
  const StoredRow stored = {row.kind,      row.bus, row.flags,   row.length, row.rawDlc,
                            row.dataBytes, 0,       row.stampNs, row.value,  0};
  std::memcpy(at, &stored, sizeof stored);
  if (row.dataBytes > 0) std::memcpy(at + sizeof stored, data, row.dataBytes);
  writing_ += need;
  if (row.kind == RowKind::kLink) linksWritten_ += 1;
  return true;
}

bool Ring::Publish() {
  std::lock_guard<std::mutex> lock(mutex_);
  head_ = writing_;
  linksPublished_ = linksWritten_;
  return WantsReaderLocked();
}

Ring::Position Ring::BeginRead() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return {tail_, tail_, head_};
}

bool Ring::Next(Position* position, Row* row, const uint8_t** data) const {
  if (position->at == position->end) return false;
  const uint8_t* at = memory_ + position->at % capacity_;
  if (*at == static_cast<uint8_t>(RowKind::kSkip)) {
    position->at += capacity_ - position->at % capacity_;
    at = memory_;
  }
  StoredRow stored;
  std::memcpy(&stored, at, sizeof stored);
  *row = {stored.kind,      stored.bus,     stored.flags, stored.length, stored.rawDlc,
          stored.dataBytes, stored.stampNs, stored.value};
  *data = at + sizeof stored;
  position->at += sizeof stored + Padded(stored.dataBytes);
  return true;
}

void Ring::EndRead(Position position, uint64_t linkRows) {
  std::lock_guard<std::mutex> lock(mutex_);
  // A difference: the writer may have started over since, if there was nothing to read.
  tail_ += position.at - position.begin;
  linksRead_ += linkRows;
}

bool Ring::WantsReader() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return WantsReaderLocked();
}

bool Ring::WantsReaderLocked() const {
  return head_ - tail_ > capacity_ / 2 || linksPublished_ != linksRead_;
}

}  // namespace witnessmark
