/* SPDX-License-Identifier: Apache-2.0 */
/* fxjit/literal.h: structures and arrays written in place, as C17 and as C++11 spell them. They live at least until the statement
 * ends that they stand in. */
#ifndef FXJIT_LITERAL_H
#define FXJIT_LITERAL_H

#ifdef __cplusplus
#include <initializer_list>
#define FX_LITERAL(type, ...) (type{__VA_ARGS__})
#define FX_ZERO(type) (type{})
#define FX_ARRAY(type, ...) (std::initializer_list<type>{__VA_ARGS__}.begin())
#define FX_ARRAY_COUNT(type, ...) ((int32_t)std::initializer_list<type>{__VA_ARGS__}.size())
#else
#define FX_LITERAL(type, ...) ((type){__VA_ARGS__})
#define FX_ZERO(type) ((type){0})
#define FX_ARRAY(type, ...) ((const type[]){__VA_ARGS__})
#define FX_ARRAY_COUNT(type, ...) ((int32_t)(sizeof((const type[]){__VA_ARGS__}) / sizeof(type)))
#endif

#endif
