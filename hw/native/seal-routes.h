// Which stream a frame is in, by its bus and id. Implements spec/streams.md, "Names".
#pragma once
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "seal-rows.h"

namespace witnessmark::sealing {

constexpr uint32_t kNoOrdinal = UINT32_MAX;

class Routes {
 public:
  /** The next number of a bus column is this bus. */
  void AddBus(const std::string& bus);
  size_t busCount() const { return busAt_.size(); }

  /** Frames with this key of the bus are in the stream. */
  void AddKey(const std::string& bus, uint32_t key, uint32_t ordinal);
  /** Frames other than error frames that no key of the bus has are in the stream. */
  void AddOther(const std::string& bus, uint32_t ordinal);

  /** `kNoOrdinal` when the frame is a stranger. `bus` is below `busCount`. */
  uint32_t OrdinalOf(uint8_t bus, uint32_t id) const;
  /** Appends the first row of each stream that was not added. */
  Status Strangers(const Rows& rows, std::vector<uint32_t>* out) const;

 private:
  static constexpr uint32_t kStandardIds = 0x800;

  struct BusRoutes {
    explicit BusRoutes(const std::string& busName)
        : name(busName), standard(kStandardIds, kNoOrdinal) {}
    std::string name;
    std::vector<uint32_t> standard;
    std::unordered_map<uint32_t, uint32_t> byKey;
    uint32_t other = kNoOrdinal;
  };

  uint32_t PlaceOf(const std::string& bus);

  std::vector<BusRoutes> buses_;
  /** By number in the bus column: place in `buses_`. */
  std::vector<uint32_t> busAt_;
};

}  // namespace witnessmark::sealing
