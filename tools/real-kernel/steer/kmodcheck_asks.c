// SPDX-License-Identifier: MIT OR Apache-2.0
/* A module whose init requests another one, and waits for it. */
#include <linux/kmod.h>
#include "fs.h"

static int __init kmodcheck_asks_init(void)
{
	request_module("kmodcheck_plain");
	return register_filesystem(&fs);
}

static void __exit kmodcheck_asks_exit(void)
{
	unregister_filesystem(&fs);
}

module_init(kmodcheck_asks_init);
module_exit(kmodcheck_asks_exit);
MODULE_DESCRIPTION("init requests a module");
