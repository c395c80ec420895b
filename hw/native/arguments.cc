#include "arguments.h"

#include <cmath>
#include <cstring>

namespace witnessmark {

bool ReadText(napi_env env, napi_value value, size_t maxBytes, std::string* text) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok || length > maxBytes) return false;
  std::string bytes(length + 1, '\0');
  if (napi_get_value_string_utf8(env, value, &bytes[0], length + 1, &length) != napi_ok) return false;
  bytes.resize(length);
  if (bytes.find('\0') != std::string::npos) return false;
  *text = std::move(bytes);
  return true;
}

bool ReadUint(napi_env env, napi_value value, double max, double* number) {
  double read;
  if (napi_get_value_double(env, value, &read) != napi_ok) return false;
  // Written so that NaN fails, too.
  if (!(read >= 0 && read <= max) || std::floor(read) != read) return false;
  *number = read;
  return true;
}

bool ReadProperty(napi_env env, napi_value object, const char* name, napi_value* value) {
  napi_valuetype type;
  if (napi_typeof(env, object, &type) != napi_ok || type != napi_object) return false;
  return napi_get_named_property(env, object, name, value) == napi_ok;
}

bool ReadTypedArray(napi_env env, napi_value value, napi_typedarray_type type, void** memory, size_t* length) {
  bool isTypedArray = false;
  if (napi_is_typedarray(env, value, &isTypedArray) != napi_ok || !isTypedArray) return false;
  napi_typedarray_type actual;
  if (napi_get_typedarray_info(env, value, &actual, length, memory, nullptr, nullptr) != napi_ok) return false;
  return actual == type;
}

napi_value Throw(napi_env env, const char* code, const std::string& message) {
  bool isPending = false;
  // An error of JavaScript's own (a getter that threw) says more.
  if (napi_is_exception_pending(env, &isPending) == napi_ok && !isPending) {
    napi_throw_error(env, code, message.c_str());
  }
  return nullptr;
}

napi_value ThrowErrno(napi_env env, const char* code, const std::string& step, int error) {
  const char* name = strerrorname_np(error);
  return Throw(env, code, step + ": " + (name != nullptr ? name : std::to_string(error)));
}

void SetFunction(napi_env env, napi_value object, const char* name, napi_callback callback) {
  napi_value function;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function) == napi_ok) {
    napi_set_named_property(env, object, name, function);
  }
}

void SetNumber(napi_env env, napi_value object, const char* name, double number) {
  napi_value value;
  if (napi_create_double(env, number, &value) == napi_ok) napi_set_named_property(env, object, name, value);
}

void SetBoolean(napi_env env, napi_value object, const char* name, bool boolean) {
  napi_value value;
  if (napi_get_boolean(env, boolean, &value) == napi_ok) napi_set_named_property(env, object, name, value);
}

}  // namespace witnessmark
