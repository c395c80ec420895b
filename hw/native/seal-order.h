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
  /** Of frames in order of arrival. */
  struct Arrivals {
    int64_t firstNs;
    int64_t lastNs;
    /** Frames that came ascending by (time, name) came as the merge of their streams gives them. */
    bool isImplied;
    /** In every stream by itself. */
    bool isAscending;
  };

  Arrivals ReadTimes(const std::vector<Stream>& streams, const uint32_t* arrived, uint32_t count);
  bool FindNearRanks(const uint32_t* arrived, uint32_t count, size_t streamCount, int64_t originNs, int placeBits);
  /** `Key`: wide enough for a time after `originNs`, with the place of a stream below it. */
  template <typename Key>
  uint32_t EncodeMerge(const std::vector<Stream>& streams, const uint32_t* arrived, uint32_t count, int64_t originNs,
                       int placeBits, std::vector<Key>* ranked, Bytes* out);

  /** Of each stream, which frame is next. */
  std::vector<uint32_t> next_;
  // By frame in order of arrival: its time, its key, the least key from it on, its rank.
  std::vector<int64_t> times_;
  std::vector<uint64_t> keys_;
  std::vector<uint64_t> least_;
  std::vector<uint32_t> ranks_;
  /** Of each stream, one more than the frame whose rank counts it already. */
  std::vector<uint32_t> countedFor_;
  std::vector<uint64_t> ranked_;
  std::vector<unsigned __int128> wideRanked_;
};

}  // namespace witnessmark::sealing
