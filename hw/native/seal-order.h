// Arrival order across streams, as departures from what times and names imply. Implements spec/arrival-order.md.
#pragma once
#include <cstdint>
#include <vector>

#include "seal-bytes.h"

namespace witnessmark::sealing {

class ArrivalOrder {
 public:
  /** The streams of a chunk that have frames, in the order of their names. */
  struct Stream {
    /** Stamps in recorded order. */
    const int64_t* times;
    uint32_t count;
  };

  /**
   * Appends the departures to `out`. `arrived`: for each frame in order of arrival its stream's place in `streams`,
   * and as often as the stream has stamps. Returns the number of departures.
   */
  uint32_t Encode(const std::vector<Stream>& streams, const uint32_t* arrived, uint32_t count, Bytes* out);

 private:
  bool IsImplied(const std::vector<Stream>& streams, const uint32_t* arrived, uint32_t count);
  uint32_t RankOf(uint32_t stream) const;
  void Take(const std::vector<Stream>& streams, uint32_t rank);
  uint32_t PlaceOf(uint32_t stream, uint32_t low, uint32_t high) const;

  /** For each stream, its next frame and that frame's time. */
  std::vector<uint32_t> next_;
  std::vector<int64_t> heads_;
  /** Streams that have frames left, by (time of the next frame, name). */
  std::vector<uint32_t> ranked_;
  uint32_t left_ = 0;
};

}  // namespace witnessmark::sealing
