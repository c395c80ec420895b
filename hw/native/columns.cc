#include "columns.h"

#include <cstring>

namespace witnessmark {

namespace {

constexpr int64_t kMaxOffsetNs = (int64_t{1} << 53) - 1;

/** False when the difference is no safe integer of JavaScript. */
bool OffsetOf(int64_t stampNs, int64_t baseNs, int64_t* offsetNs) {
  return !__builtin_sub_overflow(stampNs, baseNs, offsetNs) && *offsetNs <= kMaxOffsetNs &&
         *offsetNs >= -kMaxOffsetNs;
}

}  // namespace

Taken TakeRows(Ring* ring, const Columns& columns) {
  Taken taken = {};
  uint64_t linkRows = 0;
  Ring::Position position = ring->BeginRead();
  for (;;) {
    const Ring::Position before = position;
    Row row;
    const uint8_t* data;
    if (!ring->Next(&position, &row, &data)) break;

    if (row.kind != RowKind::kFrame) {
      if (taken.eventCount == columns.eventCapacity) {
        position = before;
        break;
      }
      int64_t* event = columns.events + taken.eventCount * kEventFields;
      event[0] = row.kind == RowKind::kLoss ? 1 : 2;
      event[1] = row.bus;
      event[2] = static_cast<int64_t>(taken.count);
      event[3] = row.value;
      event[4] = row.stampNs;
      taken.eventCount += 1;
      if (row.kind == RowKind::kLink) linkRows += 1;
      continue;
    }

    const size_t i = taken.count;
    if (i == 0) taken.baseNs = row.stampNs;
    int64_t offsetNs;
    if (i == columns.capacity || columns.dataCapacity - taken.dataBytes < row.dataBytes ||
        !OffsetOf(row.stampNs, taken.baseNs, &offsetNs)) {
      position = before;
      break;
    }
    columns.offsetNs[i] = static_cast<double>(offsetNs);
    columns.bus[i] = row.bus;
    columns.id[i] = row.value;
    columns.flags[i] = row.flags;
    columns.length[i] = row.length;
    columns.rawDlc[i] = row.rawDlc;
    columns.dataAt[i] = static_cast<uint32_t>(taken.dataBytes);
    std::memcpy(columns.data + taken.dataBytes, data, row.dataBytes);
    taken.dataBytes += row.dataBytes;
    taken.count = i + 1;
  }
  taken.isFull = position.at != position.end;
  ring->EndRead(position, linkRows);
  return taken;
}

}  // namespace witnessmark
