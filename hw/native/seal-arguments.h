// Reads frames and records leaves out of JavaScript's values. To gather leaves runs JavaScript, whose getters may take
// away memory or close the sealing; to read does not, so what was read holds until the next call into JavaScript.
#pragma once
#include <node_api.h>

#include <cstdint>
#include <vector>

#include "seal-leaves.h"

namespace witnessmark::sealing {

/** As arguments: from, to, shiftNs, and the columns of a block in the order of `NativeRows` (hw/native/addon.ts). */
constexpr size_t kRowsArguments = 3 + 8;

struct RecordsValues {
  napi_value ordinal;
  napi_value count;
  napi_value payload;
};

bool GatherRecords(napi_env env, napi_value list, std::vector<RecordsValues>* values);

/** Of `kRowsArguments`. False for what is no column, and for rows that are not in all of them. */
bool ReadRows(napi_env env, const napi_value* arguments, Rows* rows);
/** False for an ordinal that is not below `streamCount`, and for a leaf without a count or payload. */
bool ReadRecords(napi_env env, const std::vector<RecordsValues>& values, size_t streamCount,
                 std::vector<RecordsLeaf>* records);
/** Exactly so many bytes, borrowed; null for anything else. */
const uint8_t* ReadBytes(napi_env env, napi_value value, size_t length);

}  // namespace witnessmark::sealing
