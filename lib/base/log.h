// The program's own messages: "zinit: LEVEL text".
//
// Never blocks and never fails: a line goes to stdout if that takes it at once,
// to /dev/kmsg where log_open_kmsg() found one, and to the sink (the ring).
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

// Receives each message without the "zinit: LEVEL " prefix.
typedef void log_sink_fn(void *ctx, enum log_level level, const char *text, size_t len);

void log_set_level(enum log_level least);
void log_set_sink(log_sink_fn *sink, void *ctx);
void log_open_kmsg(void);
void log_write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
