#include "proc/reap.h"
#include <sys/wait.h>

bool reap_have_children(void)
{
	siginfo_t si;
	return waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) == 0;
}

size_t reap_all(reap_fn *fn, void *ctx)
{
	size_t n = 0;
	for (;; n++) {
		siginfo_t si = { 0 };
		if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG) < 0 || !si.si_pid)
			return n;
		struct exit_status how = {
			.signaled = si.si_code != CLD_EXITED,
			.core = si.si_code == CLD_DUMPED,
			.value = si.si_status,
		};
		fn(ctx, si.si_pid, how);
	}
}
