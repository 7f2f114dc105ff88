// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Holds processes at chosen functions, so that a kernel walks into a chosen interleaving.
 *
 * A plan is written to /proc/kmodcheck_steer, one rule a line:
 *
 *     hold POINT NAME HIT MS [until POINT NAME HIT]
 *     fail POINT NAME HIT ERROR
 *     kill POINT NAME HIT MS
 *
 * Whoever is the HIT-th (from 1) to arrive at POINT for NAME sleeps there until somebody has arrived
 * at the second point, then a little longer so that what happens there has happened, and MS
 * milliseconds at most; without 'until', MS milliseconds. NAME is a module, a file system, a path or
 * a command, as the point has it (see below). Reading the file gives every rule and what became of
 * it. Each hold is written to the trace. After 'fail' the function is not called, and what called it
 * is told -ERROR: so the kernel comes to what it does when it is out of memory. After 'kill' whoever has
 * arrived goes on, and gets SIGKILL MS milliseconds later.
 *
 * Two points come after their functions: 'returned', when init_module_from_file() (v6.5 and later) has
 * come back and idempotent_complete() has not told those who joined; and 'tested', when finished_loading()
 * has come back and said yes.
 *
 * Two events of its own, which `kmodcheck record` writes down: 'initstate_read' after a read() of an
 * initstate, and 'unformed' before and after the points at which a module is UNFORMED.
 *
 * How: ftrace redirects the function to a wrapper of ours with the same arguments, which may sleep
 * and then calls the function behind its ftrace site. Works for functions with at most six integer
 * arguments. Not to be unloaded: somebody may be asleep in it.
 */
#include <linux/fs.h>
#include <linux/file.h>
#include <linux/ftrace.h>
#include <linux/jiffies.h>
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/uaccess.h>
#include <linux/umh.h>
#include <linux/version.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/delay.h>

#define CREATE_TRACE_POINTS
#include "kmodcheck_trace.h"

/* v6.12. */
#ifndef fd_file
#define fd_file(f) ((f).file)
#endif
/* Renamed in v6.2 (0ef86097f127). */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define ftrace_regs_set_instruction_pointer ftrace_instruction_pointer_set
#endif

#define NAME 64
#define RULES 64
#define ARRIVALS 256
#define SETTLE_MS 60

enum point {
	P_LOOKUP,	/* __get_fs_type: file system */
	P_REQUEST,	/* call_usermodehelper_exec: what modprobe is asked for */
	P_OPEN,		/* do_filp_open: module whose initstate is opened */
	P_STAT,		/* vfs_fstatat: module whose directory is looked for */
	P_FINIT,	/* finit_module(): module, by its file's name */
	P_FINISHED,	/* finished_loading: module */
	P_COMING,	/* the notifier after COMING was set: module */
	P_DIRECTORY,	/* sysfs_create_dir_ns below /sys/module: module */
	P_INITSTATE,	/* sysfs_create_file_ns of initstate: module */
	P_INIT,		/* do_init_module: module */
	P_LIVE,		/* the notifier after LIVE was set: module */
	P_GOING,	/* the notifier after GOING was set: module */
	P_FREE,		/* free_module: module */
	P_TEARDOWN,	/* mod_sysfs_teardown: module */
	P_EXIT,		/* do_exit: command */
	P_DELETE,	/* delete_module(): module */
	P_RETURNED,	/* after init_module_from_file: module, by its file's name */
	P_UNFORMED,	/* module_arch_cleanup, after UNFORMED was set again: module */
	P_FORMING,	/* module_finalize, while it is on the list and UNFORMED: module */
	P_ATTRIBUTES,	/* sysfs_create_file_ns of the first file in its directory: module */
	P_READ,		/* kernfs_fop_read_iter of its initstate: module */
	P_TESTED,	/* after finished_loading has said yes: module */
	POINTS
};

static const char *const point_names[POINTS] = {
	"lookup", "request", "open", "stat", "finit", "finished", "coming", "directory",
	"initstate", "init", "live", "going", "free", "teardown", "exit",
	"delete", "returned", "unformed", "forming", "attributes", "read", "tested",
};

struct arrival {
	enum point point;
	char name[NAME];
	unsigned int hits;
};

struct rule {
	enum point point, until_point;
	char name[NAME], until_name[NAME];
	unsigned int hit, until_hit, ms;
	bool until;
	int error;	/* of a 'fail' */
	bool kill;
	int outcome;	/* 0: nobody came; 1: held; 2: let go in time; 3: held for MS; 4: failed; 5: killed */
};

/* Who is to be killed. */
struct victim {
	struct delayed_work work;
	struct task_struct *task;
};

static DEFINE_SPINLOCK(lock);
static DECLARE_WAIT_QUEUE_HEAD(arrived);
static struct arrival arrivals[ARRIVALS];
static unsigned int arrival_count;
static struct rule rules[RULES];
static unsigned int rule_count;
static bool on;

static unsigned int hits_of(enum point point, const char *name)
{
	unsigned int i;

	for (i = 0; i < arrival_count; i++)
		if (arrivals[i].point == point && !strcmp(arrivals[i].name, name))
			return arrivals[i].hits;
	return 0;
}

static bool has_come(const struct rule *rule)
{
	unsigned long flags;
	bool come;

	spin_lock_irqsave(&lock, flags);
	come = hits_of(rule->until_point, rule->until_name) >= rule->until_hit;
	spin_unlock_irqrestore(&lock, flags);
	return come;
}

static void hold(struct rule *rule)
{
	const char *point = point_names[rule->point];

	rule->outcome = 1;
	trace_printk("steer: hold %s %s %u\n", point, rule->name, rule->hit);
	if (!rule->until) {
		msleep(rule->ms);
		rule->outcome = 2;
	} else if (wait_event_timeout(arrived, has_come(rule), msecs_to_jiffies(rule->ms))) {
		msleep(SETTLE_MS);
		rule->outcome = 2;
	} else {
		rule->outcome = 3;
	}
	trace_printk("steer: let go %s %s %u%s\n", point, rule->name, rule->hit,
		     rule->outcome == 3 ? ", in vain" : "");
}

static void kill_it(struct work_struct *work)
{
	struct victim *victim = container_of(to_delayed_work(work), struct victim, work);

	trace_printk("steer: kill %s-%d\n", victim->task->comm, victim->task->pid);
	send_sig(SIGKILL, victim->task, 1);
	put_task_struct(victim->task);
	kfree(victim);
}

/* The current process gets SIGKILL in a while: by then it sleeps, or does whatever else it does next. */
static void kill_later(struct rule *rule)
{
	struct victim *victim = kmalloc(sizeof(*victim), GFP_KERNEL);

	if (!victim)
		return;
	victim->task = get_task_struct(current);
	INIT_DELAYED_WORK(&victim->work, kill_it);
	schedule_delayed_work(&victim->work, msecs_to_jiffies(rule->ms));
	rule->outcome = 5;
}

/*
 * Somebody is at a point: counts, wakes who waits for that, and holds as the plan says. Not 0: what the function is
 * to return instead.
 */
static int at(enum point point, const char *name)
{
	unsigned long flags;
	unsigned int i, hit = 0;
	int error = 0;

	if (!READ_ONCE(on))
		return 0;
	spin_lock_irqsave(&lock, flags);
	for (i = 0; i < arrival_count; i++)
		if (arrivals[i].point == point && !strcmp(arrivals[i].name, name))
			break;
	if (i < ARRIVALS) {
		if (i == arrival_count) {
			arrival_count++;
			arrivals[i].point = point;
			arrivals[i].hits = 0;
			strscpy(arrivals[i].name, name, NAME);
		}
		hit = ++arrivals[i].hits;
	}
	spin_unlock_irqrestore(&lock, flags);
	wake_up_all(&arrived);
	/* Several rules for one arrival are obeyed one after the other. */
	for (i = 0; hit && i < rule_count; i++) {
		if (rules[i].point != point || rules[i].hit != hit || strcmp(rules[i].name, name))
			continue;
		if (rules[i].error) {
			error = rules[i].error;
			rules[i].outcome = 4;
			trace_printk("steer: fail %s %s %u: %d\n", point_names[point], name, hit, error);
		} else if (rules[i].kill) {
			kill_later(&rules[i]);
		} else {
			hold(&rules[i]);
		}
	}
	return error;
}

/* "/sys/module/NAME" + tail, and nothing else, is about NAME. */
static void at_path(enum point point, const char *path, const char *tail)
{
	static const char head[] = "/sys/module/";
	char name[NAME];
	size_t length = strlen(path), tail_length = strlen(tail);

	if (strncmp(path, head, sizeof(head) - 1) || length < sizeof(head) + tail_length ||
	    strcmp(path + length - tail_length, tail))
		return;
	length -= sizeof(head) - 1 + tail_length;
	if (length >= NAME)
		return;
	memcpy(name, path + sizeof(head) - 1, length);
	name[length] = 0;
	if (!strchr(name, '/'))
		at(point, name);
}

/* Before or after each function: who is there, by its arguments. */

static void before_lookup(const long *a)
{
	char name[NAME];
	size_t length = min_t(size_t, a[1], NAME - 1);

	/* __get_fs_type(name, len) */
	memcpy(name, (const char *)a[0], length);
	name[length] = 0;
	at(P_LOOKUP, name);
}

static void before_request(const long *a)
{
	const struct subprocess_info *info = (void *)a[0];
	unsigned int i;

	for (i = 0; info->argv && i < 4; i++)
		if (!info->argv[i])
			return;
	if (info->argv)
		at(P_REQUEST, info->argv[3]);
}

static void before_open(const long *a)
{
	const struct filename *file = (void *)a[1];

	at_path(P_OPEN, file->name, "/initstate");
}

static void before_stat(const long *a)
{
	char path[128];

	if (strncpy_from_user(path, (const char __user *)a[1], sizeof(path)) > 0) {
		path[sizeof(path) - 1] = 0;
		at_path(P_STAT, path, "");
	}
}

/* The module of a file, NAME.ko or NAME.ko.xz. */
static void module_of(const struct file *file, char *name)
{
	char *c;

	strscpy(name, file->f_path.dentry->d_name.name, NAME);
	for (c = name; *c && *c != '.'; c++)
		if (*c == '-')
			*c = '_';
	*c = 0;
}

static void before_finit(const long *a)
{
	const struct pt_regs *regs = (void *)a[0];
	struct fd f = fdget(regs->di);
	char name[NAME];

	if (!fd_file(f))
		return;
	module_of(fd_file(f), name);
	fdput(f);
	at(P_FINIT, name);
}

static void after_file(const long *a, long ret)
{
	char name[NAME];

	module_of((const struct file *)a[0], name);
	trace_printk("steer: init_module_from_file(%s) has returned %d\n", name, (int)ret);
	at(P_RETURNED, name);
}

static void before_finished(const long *a)
{
	at(P_FINISHED, (const char *)a[0]);
}

static void after_finished(const long *a, long ret)
{
	/* A bool. */
	if (ret & 0xff)
		at(P_TESTED, (const char *)a[0]);
}

/* Below /sys/module. */
static bool of_module(const struct kobject *kobj)
{
	return kobj->parent && !strcmp(kobject_name(kobj->parent), "module");
}

static int fails_directory(const long *a)
{
	const struct kobject *kobj = (void *)a[0];

	return of_module(kobj) ? at(P_DIRECTORY, kobject_name(kobj)) : 0;
}

static int fails_file(const long *a)
{
	const struct kobject *kobj = (void *)a[0];
	const struct attribute *attr = (void *)a[1];

	if (!of_module(kobj))
		return 0;
	/* modinfo_attrs begins with it. */
	if (!strcmp(attr->name, "uevent"))
		return at(P_ATTRIBUTES, kobject_name(kobj));
	return strcmp(attr->name, "initstate") ? 0 : at(P_INITSTATE, kobject_name(kobj));
}

static void before_finalize(const long *a)
{
	const struct module *module = (void *)a[2];

	trace_unformed(module->name);
	at(P_FORMING, module->name);
	/* Whatever others did meanwhile, they did it before that is over. */
	trace_unformed(module->name);
}

static void before_read(const long *a)
{
	const struct dentry *dentry = ((struct kiocb *)a[0])->ki_filp->f_path.dentry;

	if (!strcmp(dentry->d_name.name, "initstate"))
		at(P_READ, dentry->d_parent->d_name.name);
}

static void after_read(const long *a, long ret)
{
	const struct dentry *dentry = ((struct kiocb *)a[0])->ki_filp->f_path.dentry;

	/* The end of the file says nothing. */
	if (ret && !strcmp(dentry->d_name.name, "initstate"))
		trace_initstate_read(dentry->d_parent->d_name.name, ret);
}

static void before_init(const long *a)
{
	at(P_INIT, ((struct module *)a[0])->name);
}

static void before_free(const long *a)
{
	at(P_FREE, ((struct module *)a[0])->name);
}

static void before_teardown(const long *a)
{
	at(P_TEARDOWN, ((struct module *)a[0])->name);
}

static void before_cleanup(const long *a)
{
	const struct module *module = (void *)a[0];

	/* load_module()'s error path comes by, too, with a module that is GOING. */
	if (module->state != MODULE_STATE_UNFORMED)
		return;
	trace_unformed(module->name);
	at(P_UNFORMED, module->name);
	trace_unformed(module->name);
}

static void before_delete(const long *a)
{
	const struct pt_regs *regs = (void *)a[0];
	char name[NAME];

	if (strncpy_from_user(name, (const char __user *)regs->di, sizeof(name)) > 0) {
		name[sizeof(name) - 1] = 0;
		at(P_DELETE, name);
	}
}

static void before_exit(const long *a)
{
	at(P_EXIT, current->comm);
}

struct hook {
	const char *function;
	/* One of these. The second says what the function is to return instead, if it is not 0. */
	void (*before)(const long *arguments);
	int (*fails)(const long *arguments);
	void (*after)(const long *arguments, long ret);
	void *wrapper;
	/* Not every kernel has it. */
	bool optional;
	struct ftrace_ops ops;
	unsigned long behind;
};

static struct hook hooks[];

#define WRAPPER(n)                                                                                 \
	static noinline long wrapper_##n(long a, long b, long c, long d, long e, long f)           \
	{                                                                                          \
		const long arguments[] = { a, b, c, d, e, f };                                     \
		return through(&hooks[n], arguments);                                              \
	}

static noinline long through(const struct hook *hook, const long *a)
{
	long ret;

	if (hook->before)
		hook->before(a);
	ret = hook->fails ? hook->fails(a) : 0;
	if (ret)
		return ret;
	ret = ((long (*)(long, long, long, long, long, long))hook->behind)(a[0], a[1], a[2], a[3],
									   a[4], a[5]);
	if (hook->after)
		hook->after(a, ret);
	return ret;
}

WRAPPER(0)
WRAPPER(1)
WRAPPER(2)
WRAPPER(3)
WRAPPER(4)
WRAPPER(5)
WRAPPER(6)
WRAPPER(7)
WRAPPER(8)
WRAPPER(9)
WRAPPER(10)
WRAPPER(11)
WRAPPER(12)
WRAPPER(13)
WRAPPER(14)
WRAPPER(15)
WRAPPER(16)

static struct hook hooks[] = {
	{ "__get_fs_type", before_lookup, .wrapper = wrapper_0 },
	{ "call_usermodehelper_exec", before_request, .wrapper = wrapper_1 },
	{ "do_filp_open", before_open, .wrapper = wrapper_2 },
	{ "vfs_fstatat", before_stat, .wrapper = wrapper_3 },
	{ "__x64_sys_finit_module", before_finit, .wrapper = wrapper_4 },
	{ "finished_loading", before_finished, .after = after_finished, .wrapper = wrapper_5 },
	{ "sysfs_create_dir_ns", .fails = fails_directory, .wrapper = wrapper_6 },
	{ "sysfs_create_file_ns", .fails = fails_file, .wrapper = wrapper_7 },
	{ "do_init_module", before_init, .wrapper = wrapper_8 },
	{ "free_module", before_free, .wrapper = wrapper_9 },
	{ "mod_sysfs_teardown", before_teardown, .wrapper = wrapper_10 },
	{ "do_exit", before_exit, .wrapper = wrapper_11 },
	{ "__x64_sys_delete_module", before_delete, .wrapper = wrapper_12 },
	/* By then what init_module_from_file() held is let go of. */
	{ "init_module_from_file", .after = after_file, .wrapper = wrapper_13, .optional = true },
	{ "module_arch_cleanup", before_cleanup, .wrapper = wrapper_14, .optional = true },
	{ "module_finalize", before_finalize, .wrapper = wrapper_15, .optional = true },
	{ "kernfs_fop_read_iter", before_read, .after = after_read, .wrapper = wrapper_16, .optional = true },
};

static void notrace redirect(unsigned long ip, unsigned long parent, struct ftrace_ops *ops,
			     struct ftrace_regs *fregs)
{
	struct hook *hook = container_of(ops, struct hook, ops);

	hook->behind = ip + MCOUNT_INSN_SIZE;
	ftrace_regs_set_instruction_pointer(fregs, (unsigned long)hook->wrapper);
}

/* The chain of module notifiers: who waits here holds up the loader, as any notifier may. */
static int notified(struct notifier_block *block, unsigned long state, void *data)
{
	const struct module *module = data;

	if (state == MODULE_STATE_COMING) {
		at(P_COMING, module->name);
		/* Its own: a notifier may refuse a module, with any error. */
		if (!strcmp(module->name, "kmodcheck_notifier"))
			return notifier_from_errno(-EEXIST);
	}
	if (state == MODULE_STATE_LIVE)
		at(P_LIVE, module->name);
	else if (state == MODULE_STATE_GOING)
		at(P_GOING, module->name);
	return NOTIFY_OK;
}

static struct notifier_block notifier = { .notifier_call = notified };

static int point_of(const char *name)
{
	return match_string(point_names, POINTS, name);
}

static int parse(char *line)
{
	char point[16], name[NAME], until[16] = "", until_point[16], until_name[NAME];
	struct rule *rule = &rules[rule_count];
	int n, found;

	if (rule_count == RULES)
		return -E2BIG;
	rule->until = false;
	rule->outcome = 0;
	rule->error = 0;
	rule->kill = false;
	n = sscanf(line, "kill %15s %63s %u %u", point, name, &rule->hit, &rule->ms);
	if (n == 4) {
		found = point_of(point);
		if (found < 0)
			return -EINVAL;
		rule->point = found;
		rule->kill = true;
		strscpy(rule->name, name, NAME);
		rule_count++;
		return 0;
	}
	n = sscanf(line, "fail %15s %63s %u %u", point, name, &rule->hit, &rule->ms);
	if (n == 4) {
		found = point_of(point);
		/* Only of these functions is what they return known. */
		if ((found != P_DIRECTORY && found != P_ATTRIBUTES && found != P_INITSTATE) || !rule->ms ||
		    rule->ms > MAX_ERRNO)
			return -EINVAL;
		rule->point = found;
		rule->error = -(int)rule->ms;
		strscpy(rule->name, name, NAME);
		rule_count++;
		return 0;
	}
	n = sscanf(line, "hold %15s %63s %u %u %15s %15s %63s %u", point, name, &rule->hit,
		   &rule->ms, until, until_point, until_name, &rule->until_hit);
	if ((n != 4 && n != 8) || (n == 8 && strcmp(until, "until")))
		return -EINVAL;
	found = point_of(point);
	if (found < 0)
		return -EINVAL;
	rule->point = found;
	strscpy(rule->name, name, NAME);
	rule->until = n == 8;
	if (rule->until) {
		found = point_of(until_point);
		if (found < 0)
			return -EINVAL;
		rule->until_point = found;
		strscpy(rule->until_name, until_name, NAME);
	}
	rule_count++;
	return 0;
}

static ssize_t plan_write(struct file *file, const char __user *from, size_t size, loff_t *at_)
{
	char *text, *rest, *line;
	int error = 0;

	if (size > 8192)
		return -E2BIG;
	text = memdup_user_nul(from, size);
	if (IS_ERR(text))
		return PTR_ERR(text);
	WRITE_ONCE(on, false);
	rule_count = 0;
	arrival_count = 0;
	rest = text;
	while (!error && (line = strsep(&rest, "\n"))) {
		line = strim(line);
		if (*line && *line != '#')
			error = parse(line);
	}
	kfree(text);
	WRITE_ONCE(on, !error);
	return error ? error : size;
}

static int plan_show(struct seq_file *m, void *v)
{
	static const char *const outcomes[] = { "nobody came", "held", "let go in time",
						"held for its longest time", "failed", "killed" };
	unsigned int i;

	for (i = 0; i < rule_count; i++)
		seq_printf(m, "%s %s %u: %s\n", point_names[rules[i].point], rules[i].name,
			   rules[i].hit, outcomes[rules[i].outcome]);
	return 0;
}

static int plan_open(struct inode *inode, struct file *file)
{
	return single_open(file, plan_show, NULL);
}

static const struct proc_ops plan_ops = {
	.proc_open = plan_open,
	.proc_read = seq_read,
	.proc_lseek = seq_lseek,
	.proc_release = single_release,
	.proc_write = plan_write,
};

static int __init steer_init(void)
{
	unsigned int i;
	int error;

	for (i = 0; i < ARRAY_SIZE(hooks); i++) {
		struct hook *hook = &hooks[i];

		hook->ops.func = redirect;
		hook->ops.flags = FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_RECURSION |
				  FTRACE_OPS_FL_IPMODIFY;
		error = ftrace_set_filter(&hook->ops, (unsigned char *)hook->function,
					  strlen(hook->function), 1);
		if (error && hook->optional) {
			pr_info("kmodcheck_steer: no %s here\n", hook->function);
			hook->wrapper = NULL;
			continue;
		}
		if (!error)
			error = register_ftrace_function(&hook->ops);
		if (error) {
			pr_err("kmodcheck_steer: %s: error %d\n", hook->function, error);
			while (i--)
				if (hooks[i].wrapper)
					unregister_ftrace_function(&hooks[i].ops);
			return error;
		}
	}
	register_module_notifier(&notifier);
	proc_create("kmodcheck_steer", 0600, NULL, &plan_ops);
	/* From here on somebody may be asleep in this module. */
	__module_get(THIS_MODULE);
	return 0;
}

module_init(steer_init);
MODULE_DESCRIPTION("holds processes at chosen functions");
MODULE_LICENSE("Dual MIT/GPL");
