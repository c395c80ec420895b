// What each part of the add-on registers.
#pragma once
#include <node_api.h>

namespace witnessmark {

void RegisterReader(napi_env env, napi_value exports);
void RegisterClocks(napi_env env, napi_value exports);
void RegisterNotify(napi_env env, napi_value exports);
void RegisterSealing(napi_env env, napi_value exports);

}  // namespace witnessmark
