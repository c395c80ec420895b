// Reads frames and records leaves out of JavaScript's objects. To gather runs JavaScript, whose getters may take away
// memory or close the sealing; to read does not, so what was read holds until the next call into JavaScript.
#pragma once
#include <node_api.h>

#include <cstdint>
#include <vector>

#include "seal-leaves.h"

namespace witnessmark::sealing {

constexpr size_t kColumns = 8;

/** The columns of a block, and which rows of them. */
struct RowsValues {
  napi_value columns[kColumns];
  napi_value from;
  napi_value to;
  napi_value shiftNs;
};

struct RecordsValues {
  napi_value ordinal;
  napi_value count;
  napi_value payload;
};

bool GatherRows(napi_env env, napi_value frames, RowsValues* values);
bool GatherRecords(napi_env env, napi_value list, std::vector<RecordsValues>* values);

/** False for what is no column, and for rows that are not in all of them. */
bool ReadRows(napi_env env, const RowsValues& values, Rows* rows);
/** False for an ordinal that is not below `streamCount`, and for a leaf without a count or payload. */
bool ReadRecords(napi_env env, const std::vector<RecordsValues>& values, size_t streamCount,
                 std::vector<RecordsLeaf>* records);
/** Exactly so many bytes, borrowed; null for anything else. */
const uint8_t* ReadBytes(napi_env env, napi_value value, size_t length);

}  // namespace witnessmark::sealing
