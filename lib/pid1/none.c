// Without CONFIG_PID1: init never is process 1 of a machine.
#include "pid1/boot.h"
#include "pid1/power.h"
#include <stdlib.h>

bool boot_is_machine(void)
{
	return false;
}

void boot_prepare(void)
{
}

void boot_catch_faults(void)
{
}

void boot_survive(const char *why)
{
	(void)why;
	_Exit(1);
}

void power_end(enum power what)
{
	(void)what;
	_Exit(1);
}
