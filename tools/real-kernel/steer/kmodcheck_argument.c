// SPDX-License-Identifier: MIT OR Apache-2.0
/* A module with a parameter whose set() returns -EEXIST; the guest's configuration gives it a value. */
#include <linux/module.h>
#include <linux/moduleparam.h>

static int taken(const char *value, const struct kernel_param *param)
{
	return -EEXIST;
}

static const struct kernel_param_ops ops = { .set = taken };
module_param_cb(name, &ops, NULL, 0);

static int __init kmodcheck_argument_init(void)
{
	return 0;
}

module_init(kmodcheck_argument_init);
MODULE_ALIAS("fs-kmodcheck_argument");
MODULE_DESCRIPTION("a parameter returns -EEXIST");
MODULE_LICENSE("Dual MIT/GPL");
