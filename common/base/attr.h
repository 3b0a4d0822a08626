// Compiler attributes behind macros: the only place that names a compiler extension.
#ifndef DR_BASE_ATTR_H
#define DR_BASE_ATTR_H

#define DR_MUST_CHECK      __attribute__((warn_unused_result))
#define DR_PRINTF(fmt, va) __attribute__((format(printf, fmt, va)))
#define DR_UNUSED          __attribute__((unused))
#define DR_NORETURN        __attribute__((noreturn))

#define DR_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
