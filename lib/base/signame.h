// Signal names and numbers, both ways, with real-time signals.
#pragma once
#include <stddef.h>

#define SIGNAME_MAX 24

// Where the real-time signals of programs begin. The C library's SIGRTMIN is not the
// same number everywhere (35 with musl); those who send "SIGRTMIN+3" mean 37.
enum { SIGNAME_RTMIN = 34 };

// Any case, with or without SIG, a decimal number, or SIGRTMIN+n / SIGRTMAX-n:
// the number (1..64), or -1 when it is no signal of this machine. Accepts the
// aliases SIGIOT, SIGPOLL and SIGCLD. No blanks, no sign, no signal 0.
int signame_parse(const char *text, size_t len);
// "SIGTERM", "SIGRTMIN", "SIGRTMIN+2"; "SIG77" for what has no name.
// The text is written to name and name is returned.
const char *signame_text(int sig, char name[SIGNAME_MAX]);
