// The ring and the columns against a queue that forgets nothing.
#include <cmath>
#include <cstring>
#include <deque>

#include "columns.h"
#include "fuzz.h"
#include "ring.h"

namespace fuzz {

namespace {

using witnessmark::Ring;
using witnessmark::Row;
using witnessmark::RowKind;

struct Expected {
  Row row;
  std::vector<uint8_t> data;
};

/** Columns of exactly the sizes that are told. */
struct Memory {
  explicit Memory(Random* random)
      : capacity(1 + random->Below(50)),
        dataCapacity(64 + random->Below(600)),
        eventCapacity(1 + random->Below(8)),
        offsetNs(new double[capacity]),
        bytes(new uint8_t[capacity * 4]),
        words(new uint32_t[capacity * 2]),
        data(new uint8_t[dataCapacity]),
        events(new int64_t[eventCapacity * witnessmark::kEventFields]) {}

  witnessmark::Columns columns() {
    return {capacity,
            offsetNs.get(),
            bytes.get(),
            words.get(),
            bytes.get() + capacity,
            bytes.get() + 2 * capacity,
            bytes.get() + 3 * capacity,
            words.get() + capacity,
            data.get(),
            dataCapacity,
            events.get(),
            eventCapacity};
  }

  size_t capacity;
  size_t dataCapacity;
  size_t eventCapacity;
  std::unique_ptr<double[]> offsetNs;
  std::unique_ptr<uint8_t[]> bytes;
  std::unique_ptr<uint32_t[]> words;
  std::unique_ptr<uint8_t[]> data;
  std::unique_ptr<int64_t[]> events;
};

Expected RandomRow(Random* random) {
  Expected one = {};
  Row& row = one.row;
  row.kind = random->OneIn(6) ? (random->OneIn(2) ? RowKind::kLoss : RowKind::kLink) : RowKind::kFrame;
  row.bus = static_cast<uint8_t>(random->Next());
  row.stampNs = static_cast<int64_t>(random->OneIn(8) ? random->Number() : random->Below(1u << 30));
  row.value = static_cast<uint32_t>(random->Next());
  if (row.kind == RowKind::kFrame) {
    row.flags = static_cast<uint8_t>(random->Next());
    row.dataBytes = static_cast<uint8_t>(random->OneIn(3) ? random->Below(65) : random->Below(9));
    row.length = row.dataBytes;
    row.rawDlc = static_cast<uint8_t>(random->Below(16));
    one.data.resize(row.dataBytes);
    random->Fill(one.data.data(), one.data.size());
  }
  return one;
}

void CheckTaken(const witnessmark::Taken& taken, const witnessmark::Columns& columns, std::deque<Expected>* queue) {
  size_t frame = 0;
  size_t event = 0;
  while (frame < taken.count || event < taken.eventCount) {
    CHECK(!queue->empty());
    const Expected one = queue->front();
    queue->pop_front();
    if (one.row.kind != RowKind::kFrame) {
      const int64_t* fields = columns.events + event * witnessmark::kEventFields;
      CHECK(fields[0] == (one.row.kind == RowKind::kLoss ? 1 : 2) && fields[1] == one.row.bus);
      CHECK(fields[2] == static_cast<int64_t>(frame) && fields[3] == one.row.value && fields[4] == one.row.stampNs);
      event += 1;
      continue;
    }
    CHECK(std::fabs(columns.offsetNs[frame]) < 9007199254740992.0);
    CHECK(taken.baseNs + static_cast<int64_t>(columns.offsetNs[frame]) == one.row.stampNs);
    CHECK(columns.bus[frame] == one.row.bus && columns.id[frame] == one.row.value);
    CHECK(columns.flags[frame] == one.row.flags && columns.length[frame] == one.row.length);
    CHECK(columns.rawDlc[frame] == one.row.rawDlc);
    CHECK(columns.dataAt[frame] + one.data.size() <= taken.dataBytes);
    CHECK(one.data.empty() || std::memcmp(columns.data + columns.dataAt[frame], one.data.data(), one.data.size()) == 0);
    frame += 1;
  }
  CHECK(frame == taken.count && event == taken.eventCount);
}

void RingRound(Random* random) {
  Ring ring(Ring::kMinBytes + random->Below(3000));
  CHECK(ring.isValid());
  std::deque<Expected> unpublished;
  std::deque<Expected> queue;
  Memory memory(random);
  size_t links = 0;
  for (int i = 0; i < 30; i++) {
    if (random->OneIn(2)) ring.BeginWrite();
    for (uint64_t n = random->Below(200); n > 0; n--) {
      const Expected one = RandomRow(random);
      if (!ring.Push(one.row, one.data.data(), random->OneIn(50))) break;
      unpublished.push_back(one);
    }
    if (!random->OneIn(4)) {
      for (const Expected& one : unpublished) links += one.row.kind == RowKind::kLink ? 1 : 0;
      queue.insert(queue.end(), unpublished.begin(), unpublished.end());
      unpublished.clear();
      const bool wants = ring.Publish();
      CHECK(wants == ring.WantsReader());
      CHECK(links == 0 || wants);
    }
    for (uint64_t n = random->Below(12); n > 0; n--) {
      const witnessmark::Taken taken = witnessmark::TakeRows(&ring, memory.columns());
      CheckTaken(taken, memory.columns(), &queue);
      CHECK(taken.isFull == !queue.empty());
      CHECK(taken.count + taken.eventCount > 0 || !taken.isFull);
      links = 0;
      for (const Expected& one : queue) links += one.row.kind == RowKind::kLink ? 1 : 0;
      if (queue.empty()) CHECK(!ring.WantsReader());
    }
  }
}

}  // namespace

const Target kRingTarget = {"ring", 600, RingRound};

}  // namespace fuzz
