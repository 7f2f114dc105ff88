// SPDX-License-Identifier: MIT OR Apache-2.0
/* A module whose init registers a file system, takes it back, and fails. */
#include "fs.h"

static int __init kmodcheck_late_init(void)
{
	int error = register_filesystem(&fs);

	if (error)
		return error;
	unregister_filesystem(&fs);
	return -EIO;
}

module_init(kmodcheck_late_init);
MODULE_DESCRIPTION("init fails after it has registered a file system");
