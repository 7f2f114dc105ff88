/*
 * What the model takes from libkmod/libkmod-module.c, written from reading it: how modprobe finds out whether a module is
 * in the kernel already, so that there is nothing to be done. since("COMMIT") is whether the kmod at hand has that commit.
 *
 * Each of open_initstate(), stat_directory() and read_initstate() is a step of the model, with others' steps in between:
 * open("/sys/module/NAME/initstate"), stat("/sys/module/NAME"), and reading that file to its end, which are two. What the
 * file says is KMOD_MODULE_LIVE, _COMING or _GOING here; that the attribute is gone since it was opened is an error.
 */

static int kmod_module_get_initstate(const struct kmod_module *mod)
{
	int fd;

	/* mod->builtin: it was found through modules.builtin. kmod_module_is_builtin(): it is in there. */
	if (since("fd44a98ae2eb") ? kmod_module_is_builtin(mod) : mod->builtin)
		return KMOD_MODULE_BUILTIN;

	fd = open_initstate(mod);
	if (fd < 0) {
		if (stat_directory(mod) == 0)
			return since("fd44a98ae2eb") ? KMOD_MODULE_COMING : KMOD_MODULE_BUILTIN;
		return -ENOENT;
	}
	return read_initstate(fd);
}

/* Nothing is to be done about a module of which this says so. */
static bool module_is_inkernel(struct kmod_module *mod)
{
	int state = kmod_module_get_initstate(mod);

	if (state == KMOD_MODULE_LIVE || state == KMOD_MODULE_BUILTIN)
		return true;
	if (state == KMOD_MODULE_COMING && !since("7cd664fbaead"))
		return true;
	return false;
}
