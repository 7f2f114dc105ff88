// SPDX-License-Identifier: MIT OR Apache-2.0
/* A module with a file system, and nothing else; its file is as it is, so that modprobe calls finit_module(). */
#include "fs.h"

static int __init kmodcheck_plain_init(void)
{
	return register_filesystem(&fs);
}

static void __exit kmodcheck_plain_exit(void)
{
	unregister_filesystem(&fs);
}

module_init(kmodcheck_plain_init);
module_exit(kmodcheck_plain_exit);
MODULE_DESCRIPTION("a file system that nobody can mount");
