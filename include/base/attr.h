/* Compiler hints, each with a plain meaning. */
#ifndef BASE_ATTR_H
#define BASE_ATTR_H

#define MUST_USE __attribute__((warn_unused_result))
#ifdef __clang__
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
/* with what C has, where the system's own printf differs */
#define PRINTF(fmt, args) __attribute__((format(gnu_printf, fmt, args)))
#endif

/* The structure of type `type` whose field `field` is at `ptr`. */
#define container_of(ptr, type, field) ((type *)(void *)((char *)(ptr)-offsetof(type, field)))
#define container_of_const(ptr, type, field) ((const type *)(const void *)((const char *)(ptr)-offsetof(type, field)))

/* Locks are checked by clang's -Wthread-safety; for gcc these are empty. */
#if defined(__clang__)
#define LOCKABLE __attribute__((capability("mutex")))
#define REQUIRES(...) __attribute__((requires_capability(__VA_ARGS__)))
#define ACQUIRES(...) __attribute__((acquire_capability(__VA_ARGS__)))
#define RELEASES(...) __attribute__((release_capability(__VA_ARGS__)))
#define GUARDED_BY(x) __attribute__((guarded_by(x)))
#define NO_LOCK_CHECK __attribute__((no_thread_safety_analysis))
#else
#define LOCKABLE
#define REQUIRES(...)
#define ACQUIRES(...)
#define RELEASES(...)
#define GUARDED_BY(x)
#define NO_LOCK_CHECK
#endif

#endif
