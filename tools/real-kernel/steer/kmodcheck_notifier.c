// SPDX-License-Identifier: MIT OR Apache-2.0
/* A module that is refused by a notifier of kmodcheck_steer, with -EEXIST. */
#include <linux/module.h>

static int __init kmodcheck_notifier_init(void)
{
	return 0;
}

module_init(kmodcheck_notifier_init);
MODULE_ALIAS("fs-kmodcheck_notifier");
MODULE_DESCRIPTION("a notifier returns -EEXIST");
MODULE_LICENSE("Dual MIT/GPL");
