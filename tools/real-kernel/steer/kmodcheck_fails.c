// SPDX-License-Identifier: MIT OR Apache-2.0
/* A module whose first init fails, having registered nothing; the next one succeeds. */
#include <linux/module.h>
#include <linux/proc_fs.h>

static int __init kmodcheck_fails_init(void)
{
	/* A proc entry outlives the module: it is how the next attempt knows of this one. */
	return proc_mkdir("kmodcheck_fails", NULL) ? -EIO : 0;
}

static void __exit kmodcheck_fails_exit(void)
{
}

module_init(kmodcheck_fails_init);
module_exit(kmodcheck_fails_exit);
MODULE_ALIAS("fs-kmodcheck_fails");
MODULE_DESCRIPTION("the first init fails");
MODULE_LICENSE("Dual MIT/GPL");
