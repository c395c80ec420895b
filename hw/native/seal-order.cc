#include "seal-order.h"

namespace witnessmark::sealing {

uint32_t ArrivalOrder::Encode(const std::vector<Stream>& streams, const uint32_t* arrived, uint32_t count,
                              Bytes* out) {
  const uint32_t streamCount = static_cast<uint32_t>(streams.size());
  next_.assign(streamCount, 0);
  if (IsImplied(streams, arrived, count)) return 0;
  next_.assign(streamCount, 0);
  heads_.resize(streamCount);
  ranked_.resize(streamCount);
  for (left_ = 0; left_ < streamCount; left_++) {
    heads_[left_] = streams[left_].times[0];
    const uint32_t at = PlaceOf(left_, 0, left_);
    std::memmove(&ranked_[at + 1], &ranked_[at], (left_ - at) * sizeof ranked_[0]);
    ranked_[at] = left_;
  }
  uint32_t departures = 0;
  uint32_t implied = 0;
  for (uint32_t i = 0; i < count; i++) {
    const uint32_t rank = RankOf(arrived[i]);
    if (rank == 0) {
      implied += 1;
    } else {
      uint8_t* const start = out->Room(2 * kMaxVarintBytes);
      out->Took(static_cast<size_t>(WriteVarint(WriteVarint(start, implied), rank) - start));
      implied = 0;
      departures += 1;
    }
    Take(streams, rank);
  }
  return departures;
}

/** Frames that came ascending by (time, name) came as the merge of their streams gives them. */
bool ArrivalOrder::IsImplied(const std::vector<Stream>& streams, const uint32_t* arrived, uint32_t count) {
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

uint32_t ArrivalOrder::RankOf(uint32_t stream) const {
  uint32_t rank = 0;
  while (ranked_[rank] != stream) rank++;
  return rank;
}

/** Takes the next frame of the stream at `rank`, and moves the stream to where its next one puts it. */
void ArrivalOrder::Take(const std::vector<Stream>& streams, uint32_t rank) {
  const uint32_t stream = ranked_[rank];
  const uint32_t next = ++next_[stream];
  uint32_t* const ranked = ranked_.data();
  if (next == streams[stream].count) {
    std::memmove(ranked + rank, ranked + rank + 1, (left_ - rank - 1) * sizeof *ranked);
    left_ -= 1;
    return;
  }
  const int64_t time = streams[stream].times[next];
  const bool stepsBack = time < heads_[stream];
  heads_[stream] = time;
  if (stepsBack) {
    const uint32_t at = PlaceOf(stream, 0, rank);
    std::memmove(ranked + at + 1, ranked + at, (rank - at) * sizeof *ranked);
    ranked[at] = stream;
  } else {
    const uint32_t after = PlaceOf(stream, rank + 1, left_);
    std::memmove(ranked + rank, ranked + rank + 1, (after - rank - 1) * sizeof *ranked);
    ranked[after - 1] = stream;
  }
}

/** Where the stream belongs among the ranks from `low` up to, not including, `high`. */
uint32_t ArrivalOrder::PlaceOf(uint32_t stream, uint32_t low, uint32_t high) const {
  const int64_t time = heads_[stream];
  while (low < high) {
    const uint32_t middle = (low + high) / 2;
    const uint32_t other = ranked_[middle];
    if (heads_[other] < time || (heads_[other] == time && other < stream)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace witnessmark::sealing
