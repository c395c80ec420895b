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

/** Departures one by one, from the rank of each frame in order of arrival. */
class Departures {
 public:
  explicit Departures(Bytes* out) : out_(out) {}

  void Add(uint32_t rank) {
    if (rank == 0) {
      implied_ += 1;
      return;
    }
    uint8_t* const start = out_->Room(2 * kMaxVarintBytes);
    out_->Took(static_cast<size_t>(WriteVarint(WriteVarint(start, implied_), rank) - start));
    implied_ = 0;
    count_ += 1;
  }
  uint32_t count() const { return count_; }

 private:
  Bytes* const out_;
  uint32_t implied_ = 0;
  uint32_t count_ = 0;
};

/** Frames that `FindNearRanks` looks at for each frame on average before it gives up. */
constexpr uint64_t kNear = 16;

}  // namespace

uint32_t ArrivalOrder::Encode(const std::vector<Stream>& streams, const uint32_t* arrived, uint32_t count,
                              Bytes* out) {
  const Arrivals arrivals = ReadTimes(streams, arrived, count);
  if (arrivals.isImplied) return 0;
  // Stamps lie within 2^51 of each other, so neither the difference nor the wider keys run over.
  const int placeBits = 32 - __builtin_clz(static_cast<uint32_t>(streams.size()));
  const bool isNarrow = ((arrivals.lastNs - arrivals.firstNs) >> (63 - placeBits)) == 0;
  if (!isNarrow) return EncodeMerge(streams, arrived, count, arrivals.firstNs, placeBits, &wideRanked_, out);
  if (!arrivals.isAscending || !FindNearRanks(arrived, count, streams.size(), arrivals.firstNs, placeBits)) {
    return EncodeMerge(streams, arrived, count, arrivals.firstNs, placeBits, &ranked_, out);
  }
  Departures departures(out);
  for (uint32_t i = 0; i < count; i++) departures.Add(ranks_[i]);
  return departures.count();
}

ArrivalOrder::Arrivals ArrivalOrder::ReadTimes(const std::vector<Stream>& streams, const uint32_t* arrived,
                                               uint32_t count) {
  next_.assign(streams.size(), 0);
  times_.resize(std::max<size_t>(times_.size(), count));
  Arrivals arrivals = {INT64_MAX, INT64_MIN, true, true};
  int64_t lastTime = INT64_MIN;
  uint32_t lastStream = 0;
  for (uint32_t i = 0; i < count; i++) {
    const uint32_t stream = arrived[i];
    const uint32_t frame = next_[stream]++;
    const int64_t* const times = streams[stream].times;
    const int64_t time = times[frame];
    if (time < lastTime || (time == lastTime && stream < lastStream)) arrivals.isImplied = false;
    if (frame > 0 && time < times[frame - 1]) arrivals.isAscending = false;
    arrivals.firstNs = std::min(arrivals.firstNs, time);
    arrivals.lastNs = std::max(arrivals.lastNs, time);
    times_[i] = time;
    lastTime = time;
    lastStream = stream;
  }
  return arrivals;
}

/**
 * Where every stream ascends, a stream's next frame is before a given one exactly when any of its frames that are left
 * is: the rank is how many streams have such a frame among those that came later. A kernel delivers nearly in order, so
 * these stand close behind. False where they do not, as somebody could make it.
 */
bool ArrivalOrder::FindNearRanks(const uint32_t* arrived, uint32_t count, size_t streamCount, int64_t originNs,
                                 int placeBits) {
  keys_.resize(std::max<size_t>(keys_.size(), count));
  least_.resize(std::max<size_t>(least_.size(), size_t{count} + 1));
  ranks_.resize(std::max<size_t>(ranks_.size(), count));
  least_[count] = UINT64_MAX;
  for (uint32_t i = count; i-- > 0;) {
    keys_[i] = (static_cast<uint64_t>(times_[i] - originNs) << placeBits) | arrived[i];
    least_[i] = std::min(least_[i + 1], keys_[i]);
  }
  countedFor_.assign(streamCount, 0);
  uint64_t left = kNear * count;
  for (uint32_t i = 0; i < count; i++) {
    const uint64_t key = keys_[i];
    uint32_t rank = 0;
    for (uint32_t later = i + 1; least_[later] < key; later++) {
      if (left-- == 0) return false;
      if (keys_[later] >= key || countedFor_[arrived[later]] == i + 1) continue;
      countedFor_[arrived[later]] = i + 1;
      rank += 1;
    }
    ranks_[i] = rank;
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

  Departures departures(out);
  for (uint32_t i = 0; i < count; i++) {
    const uint32_t stream = arrived[i];
    const Key key = keyOf(stream, next_[stream]);
    const uint32_t rank = ranked[0] == key ? 0 : RankOf(ranked, left, key);
    departures.Add(rank);
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
  return departures.count();
}

}  // namespace witnessmark::sealing
