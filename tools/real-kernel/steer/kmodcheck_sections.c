// SPDX-License-Identifier: MIT OR Apache-2.0
/* A module with two sections of one name; the recorder gives the second one the name of the first. */
#include <linux/module.h>

static const int first[1] __used __section(".kmodcheck_one") = { 1 };
static const int second[1] __used __section(".kmodcheck_two") = { 2 };

static int __init kmodcheck_sections_init(void)
{
	return 0;
}

module_init(kmodcheck_sections_init);
MODULE_ALIAS("fs-kmodcheck_sections");
MODULE_DESCRIPTION("two sections of one name");
MODULE_LICENSE("Dual MIT/GPL");
