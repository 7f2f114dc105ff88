/*
 * What the model takes from kernel/module/kmod.c (kernel/kmod.c before v5.18), written from reading it: __request_module()
 * from its call to its return. since("COMMIT") is whether the kernel at hand has that commit.
 *
 * Each call here is a step of the model, or asks something of the world. Left out: who has the name (it is printed from a
 * format there), the warnings, the tracepoint, and what is worked out of max_threads.
 *
 * A patch may look at the list of modules, before modprobe and after it: module_mutex, find_module_all(name), mod->state,
 * finished_loading(name), wait_event(module_wq, finished_loading(name)), and three that a check would need and that the
 * kernel does not have: next_in_alias_map(name), one after the other the modules that the indexes have for the name (the
 * name itself if they have none), then NULL; next_without_prefix(name), the name without fs-, then NULL; and
 * in_builtin_table(name), whether that is code which is built in.
 */

/*
 * modprobe is started, and waited for (UMH_WAIT_PROC), or only its exec (UMH_WAIT_EXEC). What it does is the model's own;
 * so is a signal to whoever waits: both leave modprobe behind.
 */
int __request_module(bool wait, const char *name)
{
	int ret;

	/* d7d27cfc5cf0: an error, for nothing is loaded. */
	if (!modprobe_path[0])
		return since("d7d27cfc5cf0") ? -ENOENT : 0;
	if (strlen(name) >= MODULE_NAME_LEN)
		return -ENAMETOOLONG;
	ret = security_kernel_module_request(name);
	if (ret)
		return ret;

	/* How many requests may run: 50. */
	if (!since("6d7964a722af")) {
		atomic_inc(&kmod_concurrent);
		if (atomic_read(&kmod_concurrent) > max_modprobes) {
			atomic_dec(&kmod_concurrent);
			return -ENOMEM;
		}
	} else if (!since("25a1b5b518f4")) {
		ret = wait_event_killable_timeout(kmod_wq, atomic_dec_if_positive(&kmod_concurrent_max) >= 0,
						  MAX_KMOD_ALL_BUSY_TIMEOUT);
		if (!ret)
			return -ETIME;
		if (ret < 0)
			return ret;
	} else {
		ret = down_timeout(&kmod_concurrent_max, MAX_KMOD_ALL_BUSY_TIMEOUT);
		if (ret)
			return ret;
	}

	/* Who requests what somebody has requested gets that one's result. */
	if (since("8660484ed1cf") && kmod_dup_request_exists_wait(name, wait, &ret))
		goto out;
	ret = call_modprobe(name, wait ? UMH_WAIT_PROC : UMH_WAIT_EXEC);
	if (since("8660484ed1cf")) {
		if (wait || !since("nowait-announces-nothing"))
			kmod_dup_request_announce(name, ret);
	}
out:
	if (!since("6d7964a722af")) {
		atomic_dec(&kmod_concurrent);
	} else if (!since("25a1b5b518f4")) {
		atomic_inc(&kmod_concurrent_max);
		wake_up(&kmod_wq);
	} else {
		up(&kmod_concurrent_max);
	}
	return ret;
}
