// Names of groups. Format: group(5).
#pragma once
#include <sys/types.h>

// The id of the group in /etc/group, or of a number. 0, or -1 when there is none.
// getgrnam(3) would load what nsswitch.conf names into the process.
int group_id(const char *name, gid_t *gid);
