/*
 * What the model takes from tools/modprobe.c, written from reading it: what becomes of a name that no index knows. What
 * is done about one that they know is the model's own (a probe list, each module of which is looked at and inserted).
 * since("COMMIT") is whether the kmod at hand has that commit.
 */

/* A name without a module may be built in, as far as /sys/module tells. */
static int handle_failed_lookup(struct kmod_ctx *ctx, const char *alias)
{
	int state = kmod_module_get_initstate(alias);

	if (state != KMOD_MODULE_BUILTIN)
		return -ENOENT;
	return 0;
}

static int insmod(struct kmod_ctx *ctx, const char *alias)
{
	if (!kmod_module_new_from_lookup(ctx, alias)) {
		if (!since("e2719b32cc5c"))
			return handle_failed_lookup(ctx, alias);
		return -ENOENT;
	}
	return kmod_module_probe_insert_module(ctx, alias);
}
