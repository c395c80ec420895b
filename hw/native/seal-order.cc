#include "seal-order.h"

#include <algorithm>

namespace witnessmark::sealing {

namespace {

/**
 * How many of the ascending keys are below `key`. The processor cannot guess where a stream goes, so there is no
 * branch to guess at.
 */
template <typename Key>
uint32_t RankOf(const Key* ranked, uint32_t count, Key key) {
  const Key* base = ranked;
  while (count > 1) {
    const uint32_t half = count / 2;
    base = base[half - 1] < key ? base + half : base;
    count -= half;
  }
  return static_cast<uint32_t>(base - ranked) + (count == 1 && *base < key ? 1 : 0);
}

}  // namespace

uint32_t ArrivalOrder::Encode(const std::vector<Stream>& streams, const uint32_t* arrived, uint32_t count,
                              Bytes* out) {
  if (IsImplied(streams, arrived, count)) return 0;
  int64_t firstNs = INT64_MAX;
  int64_t lastNs = INT64_MIN;
  for (const Stream& stream : streams) {
    const auto [first, last] = std::minmax_element(stream.times, stream.times + stream.count);
    firstNs = std::min(firstNs, *first);
    lastNs = std::max(lastNs, *last);
  }
  // Stamps lie within 2^51 of each other, so neither the difference nor the wider keys run over.
  const int placeBits = 32 - __builtin_clz(static_cast<uint32_t>(streams.size()));
  const bool isNarrow = ((lastNs - firstNs) >> (63 - placeBits)) == 0;
  return isNarrow ? EncodeMerge(streams, arrived, count, firstNs, placeBits, &ranked_, out)
                  : EncodeMerge(streams, arrived, count, firstNs, placeBits, &wideRanked_, out);
}

/** Frames that came ascending by (time, name) came as the merge of their streams gives them. */
bool ArrivalOrder::IsImplied(const std::vector<Stream>& streams, const uint32_t* arrived, uint32_t count) {
  next_.assign(streams.size(), 0);
  int64_t lastTime = INT64_MIN;
  uint32_t lastStream = 0;
  for (uint32_t i = 0; i < count; i++) {
    const uint32_t stream = arrived[i];
    const int64_t time = streams[stream].times[next_[stream]++];
    if (time < lastTime || (time == lastTime && stream < lastStream)) return false;
    lastTime = time;
    lastStream = stream;
  }
  return true;
}

template <typename Key>
uint32_t ArrivalOrder::EncodeMerge(const std::vector<Stream>& streams, const uint32_t* arrived, uint32_t count,
                                   int64_t originNs, int placeBits, std::vector<Key>* keys, Bytes* out) {
  const auto keyOf = [&](uint32_t stream, uint32_t frame) {
    return (static_cast<Key>(streams[stream].times[frame] - originNs) << placeBits) | stream;
  };
  // Streams that have frames left, by (time of the next frame, name).
  keys->resize(streams.size());
  Key* const ranked = keys->data();
  auto left = static_cast<uint32_t>(streams.size());
  for (uint32_t stream = 0; stream < left; stream++) ranked[stream] = keyOf(stream, 0);
  std::sort(ranked, ranked + left);
  next_.assign(streams.size(), 0);

  uint32_t departures = 0;
  uint32_t implied = 0;
  for (uint32_t i = 0; i < count; i++) {
    const uint32_t stream = arrived[i];
    const Key key = keyOf(stream, next_[stream]);
    const uint32_t rank = ranked[0] == key ? 0 : RankOf(ranked, left, key);
    if (rank == 0) {
      implied += 1;
    } else {
      uint8_t* const start = out->Room(2 * kMaxVarintBytes);
      out->Took(static_cast<size_t>(WriteVarint(WriteVarint(start, implied), rank) - start));
      implied = 0;
      departures += 1;
    }
    // The stream moves to where its next frame puts it, or is gone.
    const uint32_t next = ++next_[stream];
    if (next == streams[stream].count) {
      std::memmove(ranked + rank, ranked + rank + 1, (left - rank - 1) * sizeof *ranked);
      left -= 1;
      continue;
    }
    const Key nextKey = keyOf(stream, next);
    if (nextKey < key) {  // a stamp that steps back
      const uint32_t at = RankOf(ranked, rank, nextKey);
      std::memmove(ranked + at + 1, ranked + at, (rank - at) * sizeof *ranked);
      ranked[at] = nextKey;
    } else {
      const uint32_t passed = RankOf(ranked + rank + 1, left - rank - 1, nextKey);
      std::memmove(ranked + rank, ranked + rank + 1, passed * sizeof *ranked);
      ranked[rank + passed] = nextKey;
    }
  }
  return departures;
}

}  // namespace witnessmark::sealing
