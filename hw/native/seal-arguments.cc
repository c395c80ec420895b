#include "seal-arguments.h"

#include <algorithm>

#include "arguments.h"

namespace witnessmark::sealing {

namespace {

/** The columns, behind the numbers of rows. */
constexpr napi_typedarray_type kTypes[] = {napi_float64_array, napi_uint8_array,  napi_uint32_array, napi_uint8_array,
                                           napi_uint8_array,   napi_uint8_array,  napi_uint32_array, napi_uint8_array};
constexpr size_t kColumns = sizeof kTypes / sizeof *kTypes;
constexpr size_t kFirstColumn = kRowsArguments - kColumns;
constexpr size_t kDataColumn = kColumns - 1;
/** More than there are streams of records. */
constexpr uint32_t kMaxRecords = 1 << 12;

/** Detached memory has no elements. */
bool ReadColumn(napi_env env, napi_value value, napi_typedarray_type type, const void** data, size_t* length) {
  void* memory = nullptr;
  if (!ReadTypedArray(env, value, type, &memory, length)) return false;
  if (memory == nullptr) *length = 0;
  *data = memory;
  return true;
}

}  // namespace

bool GatherRecords(napi_env env, napi_value list, std::vector<RecordsValues>* values) {
  bool isArray = false;
  uint32_t count = 0;
  if (napi_is_array(env, list, &isArray) != napi_ok || !isArray) return false;
  if (napi_get_array_length(env, list, &count) != napi_ok || count > kMaxRecords) return false;
  for (uint32_t i = 0; i < count; i++) {
    napi_value leaf = nullptr;
    RecordsValues of;
    if (napi_get_element(env, list, i, &leaf) != napi_ok) return false;
    if (!ReadProperty(env, leaf, "ordinal", &of.ordinal) || !ReadProperty(env, leaf, "count", &of.count) ||
        !ReadProperty(env, leaf, "payload", &of.payload)) {
      return false;
    }
    values->push_back(of);
  }
  return true;
}

bool ReadRows(napi_env env, const napi_value* arguments, Rows* rows) {
  const void* columns[kColumns];
  size_t shortest = SIZE_MAX;
  for (size_t i = 0; i < kColumns; i++) {
    size_t length = 0;
    if (!ReadColumn(env, arguments[kFirstColumn + i], kTypes[i], &columns[i], &length)) return false;
    if (i == kDataColumn) {
      rows->dataLength = length;
    } else {
      shortest = std::min(shortest, length);
    }
  }
  double from = 0;
  double to = 0;
  if (!ReadUint(env, arguments[1], static_cast<double>(std::min<size_t>(shortest, UINT32_MAX)), &to)) return false;
  if (!ReadUint(env, arguments[0], to, &from) || to - from > kMaxRows) return false;
  if (napi_get_value_double(env, arguments[2], &rows->shiftNs) != napi_ok) return false;
  rows->offsetNs = static_cast<const double*>(columns[0]);
  rows->bus = static_cast<const uint8_t*>(columns[1]);
  rows->id = static_cast<const uint32_t*>(columns[2]);
  rows->flags = static_cast<const uint8_t*>(columns[3]);
  rows->length = static_cast<const uint8_t*>(columns[4]);
  rows->rawDlc = static_cast<const uint8_t*>(columns[5]);
  rows->dataAt = static_cast<const uint32_t*>(columns[6]);
  rows->data = static_cast<const uint8_t*>(columns[kDataColumn]);
  rows->from = static_cast<uint32_t>(from);
  rows->to = static_cast<uint32_t>(to);
  return true;
}

bool ReadRecords(napi_env env, const std::vector<RecordsValues>& values, size_t streamCount,
                 std::vector<RecordsLeaf>* records) {
  for (const RecordsValues& of : values) {
    double ordinal = 0;
    double count = 0;
    const void* payload = nullptr;
    size_t length = 0;
    if (!ReadUint(env, of.ordinal, UINT32_MAX, &ordinal) || ordinal >= static_cast<double>(streamCount)) return false;
    if (!ReadUint(env, of.count, kMaxRows, &count) || count == 0) return false;
    if (!ReadColumn(env, of.payload, napi_uint8_array, &payload, &length)) return false;
    if (length == 0 || length > kMaxPayloadBytes) return false;
    records->push_back({static_cast<uint32_t>(ordinal), static_cast<uint32_t>(count),
                        static_cast<const uint8_t*>(payload), length});
  }
  return true;
}

const uint8_t* ReadBytes(napi_env env, napi_value value, size_t length) {
  const void* bytes = nullptr;
  size_t isLength = 0;
  if (!ReadColumn(env, value, napi_uint8_array, &bytes, &isLength) || isLength != length) return nullptr;
  return static_cast<const uint8_t*>(bytes);
}

}  // namespace witnessmark::sealing
