#include "seal-routes.h"

#include <unordered_set>

namespace witnessmark::sealing {

void Routes::AddBus(const std::string& bus) { busAt_.push_back(PlaceOf(bus)); }

void Routes::AddKey(const std::string& bus, uint32_t key, uint32_t ordinal) {
  BusRoutes& routes = buses_[PlaceOf(bus)];
  if (key < kStandardIds) {
    routes.standard[key] = ordinal;
  } else {
    routes.byKey[key] = ordinal;
  }
}

void Routes::AddOther(const std::string& bus, uint32_t ordinal) { buses_[PlaceOf(bus)].other = ordinal; }

uint32_t Routes::OrdinalOf(uint8_t bus, uint32_t id) const {
  const BusRoutes& routes = buses_[busAt_[bus]];
  const uint32_t key = StreamKey(id);
  if (key < kStandardIds) {
    const uint32_t ordinal = routes.standard[key];
    return ordinal != kNoOrdinal ? ordinal : routes.other;
  }
  const auto found = routes.byKey.find(key);
  if (found != routes.byKey.end()) return found->second;
  return key == kErrFlag ? kNoOrdinal : routes.other;
}

Status Routes::Strangers(const Rows& rows, std::vector<uint32_t>* out) const {
  std::unordered_set<uint64_t> met;
  for (uint32_t i = rows.from; i < rows.to; i++) {
    const uint8_t bus = rows.bus[i];
    if (bus >= busAt_.size()) return Status::kOutside;
    if (OrdinalOf(bus, rows.id[i]) != kNoOrdinal) continue;
    const uint64_t stream = (static_cast<uint64_t>(busAt_[bus]) << 32) | StreamKey(rows.id[i]);
    if (met.insert(stream).second) out->push_back(i);
  }
  return Status::kOk;
}

uint32_t Routes::PlaceOf(const std::string& bus) {
  for (uint32_t i = 0; i < buses_.size(); i++) {
    if (buses_[i].name == bus) return i;
  }
  buses_.emplace_back(bus);
  return static_cast<uint32_t>(buses_.size() - 1);
}

}  // namespace witnessmark::sealing
