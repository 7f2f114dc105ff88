/*
 * What the model takes from fs/filesystems.c, written from reading it: get_fs_type(). since("COMMIT") is whether the kernel
 * at hand has that commit. Left out: what comes after a dot in the name, and FS_HAS_SUBTYPE.
 *
 * __get_fs_type() is a step of the model: the file system is registered, and try_module_get() of its owner succeeds. Its
 * owner may still be COMING; one that is GOING is as good as none.
 */
struct file_system_type *get_fs_type(const char *name)
{
	struct file_system_type *fs;

	fs = __get_fs_type(name);
	if (!fs && request_module("fs-%.*s", name) == 0) {
		fs = __get_fs_type(name);
		/* It changes nothing; from v5.7 on it is a message and no warning any more. */
		if (since("41124db869b7") && !fs)
			WARN_ONCE(1, "request_module fs-%.*s succeeded, but still no fs?");
	}
	return fs;
}
