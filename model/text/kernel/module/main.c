/*
 * What the model takes from kernel/module/main.c (kernel/module.c before v5.18), written from reading it: what the kernel
 * does about a name that is on the list of modules already, and what it makes of what an init returns. since("COMMIT") is
 * whether the kernel at hand has that commit.
 *
 * A step of the model is what is between mutex_lock() and mutex_unlock(): nobody else sees it half done. What is not here
 * has no effect that another CPU could see: allocation, the other checks, the log.
 */

/*
 * Whether a module that is waited for is gone or LIVE, so that its name can be looked at again.
 * 6e6de3dee51a waits for one that is GOING, too, until it is gone; 0254127ab977 no longer does.
 */
static bool finished_loading(const char *name)
{
	struct module *mod;
	bool ret;

	mutex_lock(&module_mutex);
	mod = find_module_all(name);
	ret = !mod || mod->state == MODULE_STATE_LIVE;
	if (mod && mod->state == MODULE_STATE_GOING) {
		if (!since("6e6de3dee51a") || since("0254127ab977"))
			ret = true;
	}
	mutex_unlock(&module_mutex);
	return ret;
}

/*
 * A name is claimed: its module is on the list, UNFORMED, or this is an error. From v6.4 on early_mod_check() asks the
 * same before the module is laid out, and lists nothing; it is asked of this function, too.
 */
static int add_unformed_module(struct module *mod)
{
	struct module *old;
	int err;

	mod->state = MODULE_STATE_UNFORMED;
again:
	mutex_lock(&module_mutex);
	old = find_module_all(mod->name);
	if (!old) {
		list_add_rcu(mod);
		mutex_unlock(&module_mutex);
		return 0;
	}
	if (old->state == MODULE_STATE_COMING || old->state == MODULE_STATE_UNFORMED ||
	    (old->state == MODULE_STATE_GOING &&
	     since("6e6de3dee51a") && !since("0254127ab977"))) {
		/* Wait in case it fails to load. */
		mutex_unlock(&module_mutex);
		err = wait_event_interruptible(module_wq, finished_loading(mod->name));
		if (err)
			return err;
		if (!since("0254127ab977"))
			goto again;

		/* It may be gone by now: it is not tried again, so that not everybody runs a failing init in turn. */
		mutex_lock(&module_mutex);
		old = find_module_all(mod->name);
		if (!old || old->state != MODULE_STATE_LIVE) {
			mutex_unlock(&module_mutex);
			return -EBUSY;
		}
	} else if (old->state == MODULE_STATE_GOING && since("0254127ab977")) {
		mutex_unlock(&module_mutex);
		return -EBUSY;
	}
	mutex_unlock(&module_mutex);
	return -EEXIST;
}

/*
 * An init runs, and what it returns decides. The order of what is done here is the model's own, and so are the uevent and
 * the reference that a module is born with: a patch can change what is returned, and to whom it is an error.
 */
static int do_init_module(struct module *mod)
{
	int ret;

	ret = do_one_initcall(mod->init);
	if (ret < 0) {
		/* To modprobe -EEXIST would be success. */
		if (ret == -EEXIST && since("743f8cae549a"))
			ret = -EBUSY;
		goto fail;
	}
	mod->state = MODULE_STATE_LIVE;
	wake_up_all(&module_wq);
	return 0;

fail:
	mod->state = MODULE_STATE_GOING;
	free_module(mod);
	wake_up_all(&module_wq);
	return ret;
}
