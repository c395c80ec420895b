// Reads the arguments of JavaScript's calls. Nothing here throws; a caller that gets false throws with a code.
#pragma once
#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace witnessmark {

template <size_t N>
struct Arguments {
  napi_value values[N];
  napi_value self;
  size_t count;
};

/** The first N arguments; those that were not given are undefined. */
template <size_t N>
bool ReadArguments(napi_env env, napi_callback_info info, Arguments<N>* arguments) {
  arguments->count = N;
  return napi_get_cb_info(env, info, &arguments->count, arguments->values, &arguments->self, nullptr) == napi_ok;
}

/** A string of at most `maxBytes` without a zero byte. */
bool ReadText(napi_env env, napi_value value, size_t maxBytes, std::string* text);
/** An integer from 0 to `max`. */
bool ReadUint(napi_env env, napi_value value, double max, double* number);
/** The property `name`; false when `object` is no object. */
bool ReadProperty(napi_env env, napi_value object, const char* name, napi_value* value);

/** The memory of a typed array of exactly this kind, borrowed for the call; its length in elements. */
bool ReadTypedArray(napi_env env, napi_value value, napi_typedarray_type type, void** memory, size_t* length);

/** Throws an Error with this code and returns null, for a callback to return. */
napi_value Throw(napi_env env, const char* code, const std::string& message);
/** As `Throw`, with the name of the errno in the message. */
napi_value ThrowErrno(napi_env env, const char* code, const std::string& step, int error);

void SetFunction(napi_env env, napi_value object, const char* name, napi_callback callback);
void SetNumber(napi_env env, napi_value object, const char* name, double number);
void SetBoolean(napi_env env, napi_value object, const char* name, bool boolean);

}  // namespace witnessmark
