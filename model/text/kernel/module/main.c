/*
 * What the model takes from kernel/module/main.c (kernel/module.c before v5.18), written from reading it: how a module is
 * loaded and unloaded, as far as others can see it. since("COMMIT") is whether the kernel at hand has that commit.
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
 * An init runs, and what it returns decides. What the model has of it is in which order what others can see is done, and
 * what is returned: to modprobe -EEXIST would be success.
 */
static int do_init_module(struct module *mod)
{
	int ret;

	ret = do_one_initcall(mod->init);
	if (ret < 0) {
		if (ret == -EEXIST && since("743f8cae549a"))
			ret = -EBUSY;
		goto fail;
	}
	mod->state = MODULE_STATE_LIVE;
	if (since("38dc717e9715"))
		kobject_uevent(&mod->mkobj.kobj, KOBJ_ADD);
	/*
	 * What is asynchronous comes to its end first: 774a1221e862 (2013) waits only if this init has scheduled something
	 * itself, 67d6212afda2 always.
	 */
	if (!mod->async_probe_requested) {
		if (since("67d6212afda2") || current->flags & PF_USED_ASYNC)
			async_synchronize_full();
	}
	/* The reference that a module is born with: until here it cannot be unloaded. */
	module_put(mod);
	if (since("d1909c022173")) {
		/* Until 110b1e070f1d: the module is LIVE, and its load fails. */
		ret = module_enable_rodata_ro(mod);
		if (ret)
			goto fail;
	}
	wake_up_all(&module_wq);
	return 0;

fail:
	mod->state = MODULE_STATE_GOING;
	free_module(mod);
	wake_up_all(&module_wq);
	return ret;
}

/* From here on it is seen by those who look for symbols, and by those who wait for it. */
static int complete_formation(struct module *mod, struct load_info *info)
{
	mutex_lock(&module_mutex);
	mod->state = MODULE_STATE_COMING;
	mutex_unlock(&module_mutex);
	return 0;
}

/* The directory is there before initstate is in it (kernel/module/sysfs.c): what modprobe finds in between is the race. */
static int mod_sysfs_setup(struct module *mod, struct load_info *info)
{
	int err;

	err = mod_sysfs_init(mod);
	if (err)
		return err;
	err = module_add_modinfo_attrs(mod);
	if (err) {
		mod_sysfs_fini(mod);
		return err;
	}
	/* From here on initstate says coming. */
	err = add_usage_links(mod);
	if (err)
		goto out_unreg_modinfo_attrs;
	if (since("ce47f7cbbcad")) {
		err = add_sect_attrs(mod, info);
		if (err)
			goto out_unreg_modinfo_attrs;
	}
	if (!since("38dc717e9715"))
		kobject_uevent(&mod->mkobj.kobj, KOBJ_ADD);
	return 0;

out_unreg_modinfo_attrs:
	/* Before, they went with the directory. */
	if (since("bc6f2a757d52"))
		module_remove_modinfo_attrs(mod);
	mod_sysfs_fini(mod);
	return err;
}

/*
 * A module is loaded. simplify_symbols() waits for a module that it needs and that is COMING, and takes a reference on it,
 * as the model's steps have it; so do early_mod_check() and add_unformed_module() as the function above says. A notifier of
 * COMING, a parameter, a part of sysfs and the code tags fail only where a scenario says that they may.
 */
static int load_module(struct load_info *info, struct module *mod)
{
	int err;

	if (since("064f4536d139")) {
		err = early_mod_check(info);
		if (err)
			return err;
	}
	err = add_unformed_module(mod);
	if (err)
		return err;
	err = simplify_symbols(mod, info);
	if (err)
		goto free_module;
	err = complete_formation(mod, info);
	if (err)
		goto free_module;
	if (since("59cc8e0a906e")) {
		err = prepare_coming_module(mod);
		if (err) {
			if (since("5e8ed280dab9"))
				mod->state = MODULE_STATE_GOING;
			goto free_module;
		}
	}
	err = parse_args(mod);
	if (err)
		goto coming_cleanup;
	err = mod_sysfs_setup(mod, info);
	if (err)
		goto coming_cleanup;
	if (since("044d2aee6c57")) {
		/* Nothing but a proposal sets err: modprobe is told 0. */
		if (codetag_load_module(mod)) {
			if (since("codetag-error-counts"))
				err = -ENOMEM;
			goto sysfs_cleanup;
		}
	}
	return do_init_module(mod);

sysfs_cleanup:
	module_remove_modinfo_attrs(mod);
	mod_sysfs_fini(mod);
coming_cleanup:
	if (since("885a78d4a5b3"))
		mod->state = MODULE_STATE_GOING;
free_module:
	module_unload_free(mod);
	mutex_lock(&module_mutex);
	list_del_rcu(&mod->list);
	wake_up_all(&module_wq);
	mutex_unlock(&module_mutex);
	if (err == -EEXIST && since("load-eexist-is-busy"))
		err = -EBUSY;
	return err;
}

/*
 * What a load and an unload have in common at their end. sysfs first (mod_sysfs_teardown(): the attributes, then the
 * directory); the name stays on the list until all is gone.
 */
static void free_module(struct module *mod)
{
	module_remove_modinfo_attrs(mod);
	mod_sysfs_fini(mod);
	mutex_lock(&module_mutex);
	mod->state = MODULE_STATE_UNFORMED;
	mutex_unlock(&module_mutex);
	module_unload_free(mod);
	mutex_lock(&module_mutex);
	list_del_rcu(&mod->list);
	mutex_unlock(&module_mutex);
}

/*
 * finit_module() of one file: 9828ed3f695a (v6.4-rc4, reverted before v6.4) lets only one in, 9b9879fc0327 makes of those
 * who come meanwhile one call with one result.
 */
static int idempotent_init_module(struct file *f)
{
	int ret;

again:
	if (since("9b9879fc0327")) {
		if (idempotent(&idem, f)) {
			if (!since("2124d84db293")) {
				wait_for_completion(&idem.complete);
			} else {
				if (wait_for_completion_interruptible(&idem.complete))
					return -EINTR;
			}
			if (since("joiners-try-again"))
				goto again;
			return idem.ret;
		}
		ret = init_module_from_file(f);
		idempotent_complete(&idem, ret);
		return ret;
	}
	if (since("9828ed3f695a")) {
		if (exclusive_deny_write_access(f))
			return -ETXTBSY;
		ret = init_module_from_file(f);
		allow_write_access(f);
		return ret;
	}
	return init_module_from_file(f);
}

/*
 * A module is unloaded. try_stop_module() makes it GOING if nobody has a reference. module_exit() is its own exit: until
 * that has run, what it has registered is there.
 */
static int delete_module(const char *name)
{
	struct module *mod;

	mutex_lock(&module_mutex);
	/* One that is UNFORMED is not found. */
	mod = find_module(name);
	if (!mod) {
		mutex_unlock(&module_mutex);
		return -ENOENT;
	}
	if (!list_empty(&mod->source_list)) {
		mutex_unlock(&module_mutex);
		return -EWOULDBLOCK;
	}
	if (mod->state != MODULE_STATE_LIVE) {
		mutex_unlock(&module_mutex);
		return -EBUSY;
	}
	if (!mod->exit) {
		mutex_unlock(&module_mutex);
		return -EBUSY;
	}
	if (try_stop_module(mod)) {
		mutex_unlock(&module_mutex);
		return -EWOULDBLOCK;
	}
	mutex_unlock(&module_mutex);
	module_exit(mod);
	async_synchronize_full();
	free_module(mod);
	if (since("5d603311615f"))
		wake_up_all(&module_wq);
	return 0;
}
