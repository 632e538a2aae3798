// One table of names, used both ways. A signal that this machine lacks has no
// row; the first row of a number is its proper name, later ones are aliases.
#include "base/signame.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PREFIX "SIG"
#define PREFIX_LEN (sizeof(PREFIX) - 1)

static const struct {
	const char *name;
	int sig;
} table[] = {
	{ "HUP", SIGHUP },
	{ "INT", SIGINT },
	{ "QUIT", SIGQUIT },
	{ "ILL", SIGILL },
	{ "TRAP", SIGTRAP },
	{ "ABRT", SIGABRT },
	{ "IOT", SIGABRT },
	{ "BUS", SIGBUS },
	{ "FPE", SIGFPE },
	{ "KILL", SIGKILL },
	{ "USR1", SIGUSR1 },
	{ "SEGV", SIGSEGV },
	{ "USR2", SIGUSR2 },
	{ "PIPE", SIGPIPE },
	{ "ALRM", SIGALRM },
	{ "TERM", SIGTERM },
#ifdef SIGSTKFLT
	{ "STKFLT", SIGSTKFLT },
#endif
#ifdef SIGEMT
	{ "EMT", SIGEMT },
#endif
	{ "CHLD", SIGCHLD },
	{ "CLD", SIGCHLD },
	{ "CONT", SIGCONT },
	{ "STOP", SIGSTOP },
	{ "TSTP", SIGTSTP },
	{ "TTIN", SIGTTIN },
	{ "TTOU", SIGTTOU },
	{ "URG", SIGURG },
	{ "XCPU", SIGXCPU },
	{ "XFSZ", SIGXFSZ },
	{ "VTALRM", SIGVTALRM },
	{ "PROF", SIGPROF },
	{ "WINCH", SIGWINCH },
	{ "IO", SIGIO },
	{ "POLL", SIGIO },
#ifdef SIGPWR
	{ "PWR", SIGPWR },
#endif
	{ "SYS", SIGSYS },
};

#define NTABLE (sizeof(table) / sizeof(table[0]))

// Not _NSIG: libcs disagree on it, and its last number has no name anywhere.
static int last_signal(void)
{
	return SIGRTMAX > 64 ? SIGRTMAX : 64;
}

// At most three digits: no signal has more, and the sum cannot overflow.
static int parse_digits(const char *text, size_t len)
{
	int n = 0;

	if (len == 0 || len > 3)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		n = n * 10 + (text[i] - '0');
	}
	return n;
}

static bool starts_with(const char *text, size_t len, const char *word)
{
	size_t n = strlen(word);

	return len >= n && strncasecmp(text, word, n) == 0;
}

// RTMIN, RTMIN+n, RTMAX, RTMAX-n; -1 when it is none of these or out of range.
static int parse_realtime(const char *text, size_t len)
{
	bool is_min = starts_with(text, len, "RTMIN");
	int base = is_min ? SIGNAME_RTMIN : SIGRTMAX;
	int n, sig;

	if (!is_min && !starts_with(text, len, "RTMAX"))
		return -1;
	if (len == 5)
		return base;
	n = text[5] == (is_min ? '+' : '-') ? parse_digits(text + 6, len - 6) : -1;
	sig = is_min ? base + n : base - n;
	return n >= 0 && sig >= SIGNAME_RTMIN && sig <= SIGRTMAX ? sig : -1;
}

int signame_parse(const char *text, size_t len)
{
	int sig;

	if (starts_with(text, len, PREFIX)) {
		text += PREFIX_LEN;
		len -= PREFIX_LEN;
	}
	sig = parse_digits(text, len);
	if (sig >= 0)
		return sig >= 1 && sig <= last_signal() ? sig : -1;
	for (size_t i = 0; i < NTABLE; i++) {
		if (strlen(table[i].name) == len && strncasecmp(table[i].name, text, len) == 0)
			return table[i].sig;
	}
	return parse_realtime(text, len);
}

const char *signame_text(int sig, char name[SIGNAME_MAX])
{
	for (size_t i = 0; i < NTABLE; i++) {
		if (table[i].sig == sig) {
			snprintf(name, SIGNAME_MAX, PREFIX "%s", table[i].name);
			return name;
		}
	}
	if (sig == SIGNAME_RTMIN)
		snprintf(name, SIGNAME_MAX, PREFIX "RTMIN");
	else if (sig > SIGNAME_RTMIN && sig <= SIGRTMAX)
		snprintf(name, SIGNAME_MAX, PREFIX "RTMIN+%d", sig - SIGNAME_RTMIN);
	else
		snprintf(name, SIGNAME_MAX, PREFIX "%d", sig);
	return name;
}
