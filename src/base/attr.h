/*
 * Compiler attributes and small macros that every room may use.
 */
#ifndef BASE_ATTR_H
#define BASE_ATTR_H

#define MUST_USE               __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define COUNT_OF(array)        (sizeof(array) / sizeof((array)[0]))

/* The struct of TYPE whose member MEMBER lies at PTR. */
#define CONTAINER_OF(ptr, type, member) \
    ((type *)(void *)(((char *)(ptr)) - offsetof(type, member)))

#endif
