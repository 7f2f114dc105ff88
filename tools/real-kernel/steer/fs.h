/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A file system that nobody can mount: what is looked for is its name. */
#include <linux/fs.h>
#include <linux/module.h>

static int fs_context(struct fs_context *fc)
{
	return -ENOENT;
}

static struct file_system_type fs = {
	.owner = THIS_MODULE,
	.name = KBUILD_MODNAME,
	.init_fs_context = fs_context,
};

MODULE_ALIAS_FS(KBUILD_MODNAME);
MODULE_LICENSE("Dual MIT/GPL");
