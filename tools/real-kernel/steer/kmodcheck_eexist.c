// SPDX-License-Identifier: MIT OR Apache-2.0
/* A module whose init returns -EEXIST, as some drivers' do when what they register is taken. */
#include <linux/module.h>

static int __init kmodcheck_eexist_init(void)
{
	return -EEXIST;
}

module_init(kmodcheck_eexist_init);
MODULE_ALIAS("fs-kmodcheck_eexist");
MODULE_DESCRIPTION("init returns -EEXIST");
MODULE_LICENSE("Dual MIT/GPL");
