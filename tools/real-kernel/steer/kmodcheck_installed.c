// SPDX-License-Identifier: MIT OR Apache-2.0
/* A module that is never loaded: the guest's configuration has an install command for it that does nothing. */
#include "fs.h"

static int __init kmodcheck_installed_init(void)
{
	return register_filesystem(&fs);
}

static void __exit kmodcheck_installed_exit(void)
{
	unregister_filesystem(&fs);
}

module_init(kmodcheck_installed_init);
module_exit(kmodcheck_installed_exit);
MODULE_DESCRIPTION("an install command stands in for it");
