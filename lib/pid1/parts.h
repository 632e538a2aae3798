// The parts of process 1 that a configuration can leave out, each an object of its
// own; what is left out does nothing.
#pragma once

#ifdef CONFIG_PID1_MOUNTS
void boot_mounts(void); // /proc /sys /dev /run /dev/pts /dev/shm, where they are missing
#else
static inline void boot_mounts(void)
{
}
#endif

#ifdef CONFIG_PID1_CONSOLE
void boot_console(void); // descriptors 0-2 where the kernel gave none; messages to /dev/kmsg too
#else
static inline void boot_console(void)
{
}
#endif

#ifdef CONFIG_PID1_NAMES
void boot_names(void); // /etc/hostname, the loopback interface
#else
static inline void boot_names(void)
{
}
#endif

// Everything that is written reaches the disks, as far as they answer.
#ifdef CONFIG_PID1_UNMOUNT
void power_put_away(void);
#else
#include <unistd.h>
static inline void power_put_away(void)
{
	sync();
}
#endif
