//! The kernel's functions as texts say what the steps in Rust say, and what has no place in the model is refused.

use kmodcheck_model::Model;
use kmodcheck_model::builtin::{Environment, Naming, scenario};
use kmodcheck_model::event::Claim::{Busy, Exists, Free, Wait};
use kmodcheck_model::features::{Features, KernelFeatures, KmodFeatures, ListedName};
use kmodcheck_model::presets;
use kmodcheck_model::text::{Decisions, ListedRules, TEXTS};

const MAIN: (&str, &str) = TEXTS[0];
const KMOD: (&str, &str) = TEXTS[1];
const FILESYSTEMS: (&str, &str) = TEXTS[2];
const LIBKMOD: (&str, &str) = TEXTS[3];
const MODPROBE: (&str, &str) = TEXTS[4];

fn rules(text: &str, listed_name: ListedName) -> Result<ListedRules, String> {
    let kernel = KernelFeatures { listed_name, ..KernelFeatures::V4_9 };
    decisions(text, &kernel).map(|decisions| decisions.listed)
}

fn decisions(text: &str, kernel: &KernelFeatures) -> Result<Decisions, String> {
    of(MAIN.0, text, &Features { kernel: *kernel, kmod: KmodFeatures::V30 })
}

/// What all texts decide with that one in the place of the one that stands there.
fn of(path: &str, text: &str, features: &Features) -> Result<Decisions, String> {
    let texts = TEXTS.map(|(of, shipped)| if of == path { text } else { shipped }.to_owned());
    Decisions::of(&texts, features).map_err(|error| error.to_string())
}

/// The text with one thing replaced, which is there.
fn with(from: &str, to: &str) -> String {
    assert!(MAIN.1.contains(from), "{from}");
    MAIN.1.replacen(from, to, 1)
}

/// For every release; of equal tables every step is the same, and so is every transition of every system.
#[test]
fn the_text_is_what_the_steps_are() {
    let mut values = std::collections::BTreeSet::new();
    for name in presets::KERNELS {
        let kernel = presets::kernel(name).unwrap();
        // What no text has is a diff of them: see the readings of the RFC in properties/tests/all/patches.rs.
        if kernel.already_live {
            continue;
        }
        for kmod in presets::KMODS {
            for eexist_safety_net in [false, true] {
                let kernel = KernelFeatures { eexist_safety_net, ..kernel };
                let features = Features { kernel, kmod: presets::kmod(kmod).unwrap() };
                let texts = TEXTS.map(|(_, text)| text.to_owned());
                let text = Decisions::of_all(&texts, &features).unwrap_or_else(|e| panic!("{e}"));
                assert_eq!(text, Decisions::of_features(&features), "{name} {kmod}");
            }
        }
        values.insert(kernel.listed_name);
    }
    assert_eq!(values.len(), 3, "each value of the switch is some release's");
    // And what no preset has.
    for features in releases() {
        let texts = TEXTS.map(|(_, text)| text.to_owned());
        let text = Decisions::of_all(&texts, &features).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(text, Decisions::of_features(&features));
    }
}

/// Releases that differ in whatever the texts ask for.
fn releases() -> Vec<Features> {
    let pairs = [
        ("v4.9", "v5"),
        ("v4.13", "v19"),
        ("v5.3", "v20"),
        ("v5.7", "v20"),
        ("v6.2", "v30"),
        ("v6.5+dup", "v30"),
        ("v5.10", "v30"),
        ("v5.11", "v30"),
        ("v6.12", "v30"),
        ("v7.1", "v30"),
        ("v7.3+dup", "v34.2"),
    ];
    let of = |(kernel, kmod)| Features {
        kernel: presets::kernel(kernel).unwrap(),
        kmod: presets::kmod(kmod).unwrap(),
    };
    let mut all: Vec<Features> = pairs.into_iter().map(of).collect();
    all[5].kernel.eexist_safety_net = true;
    let (mut exclusive, mut interruptible, mut proposed) = (all[4], all[5], all[10]);
    exclusive.kernel.exclusive_finit = true;
    interruptible.kernel.join_interruptible = true;
    for proposal in presets::SWITCHES.iter().filter(|switch| switch.commit == "proposed here") {
        assert!(proposal.set(&mut proposed, "on"), "{}", proposal.name);
    }
    all.extend([exclusive, interruptible, proposed]);
    all
}

/// Each line that says something changes what is decided, for some release, or is refused.
#[test]
fn each_line_matters() {
    let all = releases();
    for (path, shipped) in TEXTS {
        let whole: Vec<_> = all.iter().map(|features| of(path, shipped, features)).collect();
        assert!(whole.iter().all(Result::is_ok), "{path}: {whole:?}");
        let lines: Vec<&str> = shipped.lines().collect();
        let (mut comment, mut tried) = (false, 0);
        for (number, line) in lines.iter().enumerate() {
            let says = line.trim();
            comment |= says.starts_with("/*");
            let quiet = comment
                || says.starts_with("struct file_system_type *")
                || says.is_empty()
                || ["{", "}", "} else {"].contains(&says)
                || says.starts_with("static")
                || says.starts_with("int __request_module");
            comment &= !says.ends_with("*/");
            // What is declared, the label, and the state before anybody sees it.
            let declared = [
                "struct module *",
                "bool ret;",
                "int err;",
                "int ret;",
                "int fd;",
                "mod->state = MODULE_STATE_UNFORMED;",
            ];
            if quiet || declared.iter().any(|what| says.starts_with(what)) {
                continue;
            }
            let mut without = lines.clone();
            without.remove(number);
            let without = without.join("\n");
            let changed = all
                .iter()
                .zip(&whole)
                .any(|(features, whole)| of(path, &without, features) != *whole);
            assert!(changed, "{path}:{}: {line}", number + 1);
            tried += 1;
        }
        assert!(tried > 4, "{path}: {tried} lines");
    }
}

/// What a patch can say.
#[test]
fn other_tables() {
    // -EBUSY for a name that is GOING, at once, and still from the start after a wait.
    let text = with(
        "	return -EEXIST;\n}",
        "	return old->state == MODULE_STATE_GOING ? -EBUSY : -EEXIST;\n}",
    );
    assert!(rules(&text, ListedName::GoingExists).unwrap_err().contains("without module_mutex"));
    let text = with(
        "	mutex_unlock(&module_mutex);\n	return -EEXIST;\n}",
        "	err = old->state == MODULE_STATE_GOING ? -EBUSY : -EEXIST;\n	mutex_unlock(&module_mutex);\n	return err;\n}",
    );
    let rules = |text: &str, name| rules(text, name).unwrap();
    let busy = rules(&text, ListedName::GoingExists);
    assert_eq!(busy.claim, [Free, Wait, Wait, Exists, Busy]);
    assert_eq!(busy.again, None);
    // Whoever has waited for a name that is free by now claims it.
    let text = with(
        "		if (!old || old->state != MODULE_STATE_LIVE) {",
        "		if (!old) {
			list_add_rcu(mod);
			mutex_unlock(&module_mutex);
			return 0;
		}
		if (old->state != MODULE_STATE_LIVE) {",
    );
    let claims = rules(&text, ListedName::WaitsOnce);
    assert_eq!(claims.again, Some([Free, Busy, Busy, Exists, Busy]));
    // After the wait nothing is looked at.
    let text = with("			goto again;\n", "			return -EBUSY;\n");
    assert_eq!(rules(&text, ListedName::GoingExists).again, Some([Busy; 5]));
}

/// A table by hand that would list a name twice is refused, as a text that does is.
#[test]
fn no_name_is_listed_twice() {
    let kernel = KernelFeatures::V4_9;
    let features = Features { kernel, kmod: KmodFeatures::V30 };
    for again in [false, true] {
        let mut rules = ListedName::WaitsOnce.rules();
        let table = if again { rules.again.as_mut().unwrap() } else { &mut rules.claim };
        table[3] = Free;
        let mut scenario = scenario(Naming::Plain, Environment::Ok, features, 2);
        scenario.patched.listed = Some(rules);
        let error = Model::new(scenario, None).unwrap_err().to_string();
        assert!(error.contains("a name that is LIVE is listed once more"), "{error}");
    }
}

/// Rules by hand that no text comes to are refused as such, and none makes a step panic.
#[test]
fn rules_by_hand_are_looked_at() {
    use kmodcheck_model::state::Ret;
    use kmodcheck_model::text::{Part, Patched, Then};
    let features = Features { kernel: KernelFeatures::V4_9, kmod: KmodFeatures::V30 };
    let own = Decisions::of_features(&features);
    let refused = |change: &dyn Fn(&mut Decisions), expected: &str| {
        let mut rules = own.clone();
        change(&mut rules);
        let mut scenario = scenario(Naming::Plain, Environment::Fail, features, 2);
        scenario.patched = Patched {
            listed: None,
            check: (rules.check != own.check).then_some(rules.check),
            look: None,
            orders: (rules.orders != own.orders).then_some(rules.orders),
            binaries: Vec::new(),
        };
        let error = Model::new(scenario, None).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    };
    refused(&|r| r.check.of[2].first = Some(Then::Accept), "a check begins with Accept");
    refused(
        &|r| r.check.of[3].looks[1] = Then::Error(Ret::Found),
        "a check returns the file system",
    );
    refused(&|r| r.orders.load.retain(|part| *part != Part::Init), "expected both");
    refused(&|r| r.orders.load.reverse(), "expected both");
    refused(&|r| r.orders.free.clear(), "expected it");
    refused(&|r| r.orders.free.push(Part::Uevent), "expected one of the other order");
    refused(&|r| r.orders.free.push(Part::ListDel), "expected it once");
}

/// What has no place in the model, and what the kernel would crash of, with the words that are pointed at.
#[test]
fn what_is_refused() {
    let wait = "		err = wait_event_interruptible(module_wq, finished_loading(mod->name));\n";
    let table = [
        (with("	if (!old) {", "	if (old->state == MODULE_STATE_LIVE) {"), "found NULL here"),
        (
            with("		/* Wait in case it fails to load. */\n		mutex_unlock(&module_mutex);\n", ""),
            "found a wait under module_mutex",
        ),
        (
            with("		if (err)\n			return err;\n", ""),
            "found no error where a signal has ended the wait",
        ),
        (with(wait, "		err = 0;\n"), "without a wait"),
        (
            with(
                wait,
                "		err = wait_event_interruptible(module_wq, !find_module_all(mod->name));\n",
            ),
            "expected finished_loading",
        ),
        (with("		list_add_rcu(mod);\n", ""), "returns 0 from here, the module not listed"),
        (
            with(
                "		list_add_rcu(mod);\n		mutex_unlock(&module_mutex);\n",
                "		mutex_unlock(&module_mutex);\n		list_add_rcu(mod);\n",
            ),
            "without module_mutex",
        ),
        (
            with("since(\"0254127ab977\")", "since(\"0254127ab978\")"),
            "expected one of 6e6de3dee51a, 0254127ab977, 743f8cae549a, ",
        ),
        (with("goto again;", "goto agian;"), "expected a label of this function"),
        (
            with("mutex_lock(&module_mutex);\n	old", "mutex_lock(&other);\n	old"),
            "found a call of 'mutex_lock'",
        ),
        (with("	int err;\n", "	int err;\n	int err;\n"), "expected one of each name"),
        (with("	return ret;\n}", "}"), "found an end without a value"),
        (
            with("static bool finished_loading", "static bool finish_loading"),
            "found no finished_loading()",
        ),
        (with("	mod->state = MODULE_STATE_UNFORMED;\n", "	for (;;)\n		err = 0;\n"), "found a loop"),
        (with("		goto fail;\n	}\n", "	}\n"), "found 0 of an init that returns -17"),
        (
            with("	ret = do_one_initcall(mod->init);\n", "	ret = 0;\n"),
            "found no Init on the way to 0",
        ),
        (
            with("	mod->state = MODULE_STATE_LIVE;\n", "	mutex_lock(&module_mutex);\n"),
            "found module_mutex",
        ),
    ];
    for (text, expected) in &table {
        let all = [ListedName::GoingExists, ListedName::WaitsForGoing, ListedName::WaitsOnce];
        let errors: Vec<String> = all.iter().filter_map(|name| rules(text, *name).err()).collect();
        let Some(error) = errors.first() else { panic!("nothing is wrong: {expected}") };
        assert!(error.contains(expected), "{expected}: {error}");
        assert!(error.contains("kernel/module/main.c:"), "{error}");
    }
}

/// What of __request_module() and of modprobe has no place in the model.
#[test]
fn what_is_refused_of_the_others() {
    let changed = |(path, text): (&'static str, &str), from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        (path, text.replacen(from, to, 1))
    };
    let call = "	ret = call_modprobe(name, wait ? UMH_WAIT_PROC : UMH_WAIT_EXEC);\n";
    let after = |what: &str| changed(KMOD, call, &format!("{call}{what}"));
    let table = [
        (
            changed(KMOD, "wait ? UMH_WAIT_PROC : UMH_WAIT_EXEC", "UMH_WAIT_PROC"),
            "comes to call_modprobe(_, _)",
        ),
        (changed(KMOD, "			atomic_dec(&kmod_concurrent);\n", ""), "comes to a return of -12"),
        (
            changed(KMOD, "	ret = security_kernel_module_request(name);\n", "	ret = 0;\n"),
            "found no question to the LSM",
        ),
        (changed(KMOD, call, "	ret = 0;\n"), "kmod_dup_request_announce"),
        (
            changed(KMOD, "		up(&kmod_concurrent_max);\n", "		wake_up(&kmod_wq);\n"),
            "comes to wake_up(&kmod_wq)",
        ),
        (after("	if (ret)\n		ret = -EBUSY;\n"), "comes to a return of -16"),
        (after("	ret = ret ?: -EBUSY;\n"), "whatever is on the list"),
        (after("	if (!ret && find_module_all(name))\n		ret = -EBUSY;\n"), "without module_mutex"),
        (
            after(
                "	if (!ret) {\n		mutex_lock(&module_mutex);\n		ret = find_module_all(name) ? 0 : -EBUSY;\n	}\n",
            ),
            "found module_mutex held",
        ),
        (
            after(
                "	if (!ret) {\n		mutex_lock(&module_mutex);\n		ret = find_module_all(name)->state ? -EBUSY : 0;\n		mutex_unlock(&module_mutex);\n	}\n",
            ),
            "found NULL here",
        ),
        (
            after(
                "	if (!ret) {\n		const char *m;\n		while ((m = next_in_alias_map(name))) {\n			if (!finished_loading(name)) {\n				ret = -EBUSY;\n				break;\n			}\n		}\n	}\n",
            ),
            "found finished_loading(_) for another name",
        ),
        (
            after("	if (!ret)\n		ret = finished_loading(name) ? 0 : -ENOSPC;\n"),
            "found -28 returned",
        ),
        (after("	if (!ret)\n		msleep(10);\n"), "found a call of 'msleep'"),
        (after("	for (;;)\n		wait = 1;\n"), "found a loop that asks nothing"),
        (
            changed(
                KMOD,
                "	/* How many requests may run: 50. */\n",
                "	if (finished_loading(name))\n		return 0;\n",
            ),
            "expected mutex_lock(&module_mutex)",
        ),
        (
            changed(
                LIBKMOD,
                "		if (stat_directory(mod) == 0)\n",
                "		if (stat_directory(mod) != 0)\n			return -ENOENT;\n		if (open_initstate(mod) < 0)\n",
            ),
            "another step has no place in the model",
        ),
        (
            changed(LIBKMOD, "	return read_initstate(fd);\n", "	return KMOD_MODULE_LIVE;\n"),
            "expected read_initstate(_)",
        ),
        (
            changed(
                LIBKMOD,
                "	int state = kmod_module_get_initstate(mod);\n",
                "	int state = open_initstate(mod);\n",
            ),
            "found open_initstate(_)",
        ),
        (
            changed(LIBKMOD, "		return KMOD_MODULE_BUILTIN;\n", "		return KMOD_MODULE_LIVE;\n"),
            "expected KMOD_MODULE_BUILTIN of what is built in",
        ),
        (
            changed(FILESYSTEMS, "if (!fs && ", "if ("),
            "found that get_fs_type() comes to request_module",
        ),
        (changed(FILESYSTEMS, "		fs = __get_fs_type(name);\n		/*", "		/*"), "comes to WARN_ONCE"),
        (
            changed(
                MODPROBE,
                "		return -ENOENT;\n	}\n	return kmod",
                "		return 0;\n	}\n	return kmod",
            ),
            "found that insmod() comes to a return of 0",
        ),
        (changed(MODPROBE, "static int insmod", "static int insert"), "found no insmod()"),
    ];
    for ((path, text), expected) in &table {
        let errors: Vec<String> =
            releases().iter().filter_map(|features| of(path, text, features).err()).collect();
        let Some(error) = errors.first() else { panic!("nothing is wrong: {expected}") };
        assert!(errors.iter().any(|error| error.contains(expected)), "{expected}: {error}");
        assert!(error.contains(&format!("{path}:")), "{error}");
    }
}

/// A check before modprobe, or after it, that looks for something else than it says.
#[test]
fn a_check_is_about_its_name() {
    let functions = "static bool live(const char *name)\n{\n	struct module *mod;\n	bool live;\n\n	mutex_lock(&module_mutex);\n	\
                     mod = find_module_all(name);\n	live = mod && mod->state == MODULE_STATE_LIVE;\n	\
                     mutex_unlock(&module_mutex);\n	return live;\n}\n\nstatic bool listed(const char *name)\n{\n	bool listed;\n\n	\
                     mutex_lock(&module_mutex);\n	listed = find_module_all(name) != NULL;\n	mutex_unlock(&module_mutex);\n	\
                     return listed;\n}\n\n";
    let text = |before: &str, after: &str| {
        KMOD.1
            .replacen("int __request_module", &format!("{functions}int __request_module"), 1)
            .replacen("	int ret;\n", "	const char *mod;\n	int ret;\n", 1)
            .replacen(
                "	/* How many requests may run: 50. */\n",
                &format!("{before}	/* How many requests may run: 50. */\n"),
                1,
            )
            .replacen("out:\n", &format!("{after}out:\n"), 1)
    };
    let decided = |before: &str, after: &str| of(KMOD.0, &text(before, after), &releases()[0]);
    let shortcut = "	while ((mod = next_in_alias_map(name))) {\n		if (!live(mod))\n			goto modprobe;\n	}\n	return 0;\nmodprobe:\n";
    let found = decided(shortcut, "").unwrap().features.kernel;
    assert!(found.already_live && found.alias_map == kmodcheck_model::features::AliasMap::Exact);
    let plain = decided("	if (live(name))\n		return 0;\n", "").unwrap().features.kernel;
    assert!(plain.already_live && plain.alias_map == kmodcheck_model::features::AliasMap::None);
    // Of another kernel's map nothing is left where none is asked.
    let mut mapped = releases()[0];
    mapped.kernel.alias_map = kmodcheck_model::features::AliasMap::Exact;
    let plain =
        of(KMOD.0, &text("", "	if (!ret && !live(name))\n		ret = -EBUSY;\n"), &mapped).unwrap();
    assert_eq!(plain.features.kernel.alias_map, kmodcheck_model::features::AliasMap::None);
    let waits = |how: &str| format!("	if (listed(name)) {{\n		{how}\n		return 0;\n	}}\n");
    let author = "if (wait)\n			wait_event(module_wq, finished_loading(name));\n		else if (!finished_loading(name))\n			goto modprobe;";
    let found = decided(&format!("{}modprobe:\n", waits(author)), "").unwrap();
    assert!(found.check.before && !found.check.checks());
    for (before, after, expected) in [
        (shortcut.replace("live(mod)", "live(name)"), String::new(), "for another name"),
        (
            shortcut.replace("!live(mod)", "!in_builtin_table(mod) && !live(mod)"),
            String::new(),
            "whether the name is built in",
        ),
        (
            shortcut.replace("in_alias_map(name)", "in_alias_map(mod)"),
            String::new(),
            "which has no value here",
        ),
        (
            waits("wait_event(module_wq, finished_loading(name));"),
            String::new(),
            "found another look at the list before modprobe",
        ),
        (
            format!("{}modprobe:\n", waits("if (!finished_loading(name))\n			goto modprobe;")),
            String::new(),
            "found another look at the list before modprobe",
        ),
        (
            String::new(),
            "	if (!ret && !in_builtin_table(ret))\n		ret = live(name) ? 0 : -ENOENT;\n".to_owned(),
            "found in_builtin_table(_) for another name",
        ),
        (
            shortcut.to_owned(),
            "	if (!ret)\n		ret = live(name) ? 0 : -EBUSY;\n".to_owned(),
            "found two ways to map a name",
        ),
    ] {
        let error = decided(&before, &after)
            .map(|found| format!("nothing is wrong: {found:?}"))
            .unwrap_or_else(|e| e);
        assert!(error.contains(expected), "{before}{after}{expected}: {error}");
    }
}

/// The order in which a module is loaded and freed: what others can see is a list, of which steps can be left out or
/// exchanged; what has no place in it is refused.
#[test]
fn other_orders() {
    use kmodcheck_model::text::Part;
    let orders = |text: &str, features: &Features| {
        of(MAIN.0, text, features).map(|d| (d.orders, d.features))
    };
    let old = releases()[0];
    let shipped = old.kernel.order_rules();
    // Nobody is woken after an init that has failed, and, on a later kernel, who waits for an unload still is.
    let silent = with("	free_module(mod);\n	wake_up_all(&module_wq);\n", "	free_module(mod);\n");
    let (rules, _) = orders(&silent, &old).unwrap();
    assert!(!rules.failure_wakes && !rules.free.contains(&Part::WakeFreed), "{rules:?}");
    let (rules, features) = orders(&silent, &releases()[3]).unwrap();
    assert!(!rules.failure_wakes && features.kernel.delete_module_wakes, "{rules:?}");
    assert_eq!(rules.free.last(), Some(&Part::WakeFreed));
    // Who waits is woken before the module is LIVE.
    let early = with(
        "	mod->state = MODULE_STATE_LIVE;\n",
        "	wake_up_all(&module_wq);\n	mod->state = MODULE_STATE_LIVE;\n",
    )
    .replacen("	}\n	wake_up_all(&module_wq);\n	return 0;\n", "	}\n	return 0;\n", 1);
    let (rules, _) = orders(&early, &old).unwrap();
    let at = |part: Part| rules.load.iter().position(|p| *p == part).unwrap();
    assert!(at(Part::WakeLive) < at(Part::SetLive), "{rules:?}");
    // The directory goes before initstate.
    let other = with(
        "	module_remove_modinfo_attrs(mod);\n	mod_sysfs_fini(mod);\n	mutex_lock",
        "	mod_sysfs_fini(mod);\n	module_remove_modinfo_attrs(mod);\n	mutex_lock",
    );
    let (rules, features) = orders(&other, &old).unwrap();
    assert_eq!(features, old);
    assert_eq!(rules.free[1..3], [Part::SysfsFini, Part::RemoveModinfoAttrs]);
    assert_eq!(rules.load, shipped.load);
    // Nobody waits for what is asynchronous; and every load does, on any kernel.
    let flag = "	if (!mod->async_probe_requested) {\n		if (since(\"67d6212afda2\") || current->flags & PF_USED_ASYNC)\n			\
                async_synchronize_full();\n	}\n";
    let (rules, _) = orders(&with(flag, ""), &old).unwrap();
    assert!(!rules.load.contains(&Part::AsyncSynchronize), "{rules:?}");
    let always = "	if (!mod->async_probe_requested)\n		async_synchronize_full();\n";
    let (rules, features) = orders(&with(flag, always), &old).unwrap();
    assert!(features.kernel.waits_for_all_async && rules == shipped, "{rules:?}");
    let sometimes = "	if (!mod->async_probe_requested && current->flags & PF_USED_ASYNC)\n		async_synchronize_full();\n";
    for kernel in releases() {
        let (_, features) = orders(&with(flag, sometimes), &kernel).unwrap();
        assert!(!features.kernel.waits_for_all_async);
    }
    let refused = [
        (
            with(flag, "	if (current->flags & PF_USED_ASYNC)\n		async_synchronize_full();\n"),
            "found async_synchronize_full() after other questions",
        ),
        (
            with(
                flag,
                "	if (!mod->async_probe_requested)\n		async_synchronize_full();\n	else\n		wake_up_all(&module_wq);\n",
            ),
            "decides about something else",
        ),
        (
            with(flag, "	if (!mod->async_probe_requested)\n		wake_up_all(&module_wq);\n"),
            "without a wait after it",
        ),
        (
            with("	async_synchronize_full();\n	free_module", "	free_module"),
            "found another step before module_exit() or between",
        ),
        (
            with(
                "	mod->state = MODULE_STATE_LIVE;\n",
                "	mutex_lock(&module_mutex);\n	mod->state = MODULE_STATE_LIVE;\n	mutex_unlock(&module_mutex);\n",
            ),
            "under module_mutex",
        ),
        (
            with(
                "	mutex_lock(&module_mutex);\n	mod->state = MODULE_STATE_COMING;\n	mutex_unlock(&module_mutex);\n",
                "	mod->state = MODULE_STATE_COMING;\n",
            ),
            "without module_mutex",
        ),
        (with("	module_put(mod);\n", "	module_put(mod);\n	module_put(mod);\n"), "twice"),
        (
            with(
                "	list_del_rcu(&mod->list);\n	mutex_unlock(&module_mutex);\n}",
                "	mutex_unlock(&module_mutex);\n}",
            ),
            "stays on the list",
        ),
        (with("	module_exit(mod);\n", ""), "found another step before module_exit()"),
        (
            with("	if (!mod->exit) {\n		mutex_unlock(&module_mutex);\n		return -EBUSY;\n	}\n", ""),
            "comes to try_stop_module",
        ),
        (
            with("			mod->state = MODULE_STATE_GOING;\n", "			wake_up_all(&module_wq);\n"),
            "found that a load that fails comes to",
        ),
        (
            with("		return -EINTR;\n", "		return idem.ret;\n"),
            "found that idempotent_init_module() comes to idem.ret",
        ),
        (with("	module_put(mod);\n", "	free_module(mod);\n"), "while it is loaded"),
        (
            with("	if (ret < 0) {\n", "	if (ret) {\n"),
            "an init that returns 1 is none that has succeeded",
        ),
        (
            with(
                "		err = early_mod_check(info);\n		if (err)\n			return err;\n",
                "		err = early_mod_check(info);\n		if (err)\n			return 0;\n",
            ),
            "comes to a return of 0",
        ),
        (
            with(
                "	mutex_unlock(&module_mutex);\n	module_unload_free(mod);\n	mutex_lock(&module_mutex);\n	list_del_rcu",
                "	list_del_rcu",
            ),
            "found two steps in one critical section",
        ),
        (
            with(
                "	mutex_unlock(&module_mutex);\n	module_exit(mod);\n",
                "	module_exit(mod);\n	mutex_unlock(&module_mutex);\n",
            ),
            "expected these two first, without the lock",
        ),
        (
            with(
                "{\n	module_remove_modinfo_attrs(mod);\n",
                "{\n	for (;;) {\n		mutex_lock(&module_mutex);\n		mutex_unlock(&module_mutex);\n	}\n",
            ),
            "found a loop",
        ),
        (
            with(
                "	ret = do_one_initcall(mod->init);\n",
                "	mod->state = MODULE_STATE_LIVE + 9;\n	ret = do_one_initcall(mod->init);\n",
            ),
            "found arithmetic",
        ),
    ];
    for (text, expected) in &refused {
        let errors: Vec<String> =
            releases().iter().filter_map(|features| orders(text, features).err()).collect();
        let Some(error) = errors.first() else { panic!("nothing is wrong: {expected}") };
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

/// A check that no reading of the RFC is: what is on the list and GOING is an error of its own, once it is gone or LIVE.
#[test]
fn other_checks() {
    use kmodcheck_model::state::Ret;
    use kmodcheck_model::text::Then;
    let check = "static int going(const char *name)\n{\n	struct module *mod;\n	int ret;\n\n	mutex_lock(&module_mutex);\n	\
                 mod = find_module_all(name);\n	ret = mod && mod->state == MODULE_STATE_GOING ? -ENOMEM : 0;\n	\
                 mutex_unlock(&module_mutex);\n	return ret;\n}\n\nint __request_module";
    let text = KMOD.1.replacen("int __request_module", check, 1).replacen(
        "out:\n",
        "	if (!ret)\n		ret = going(name);\nout:\n",
        1,
    );
    for features in releases() {
        let decisions = of(KMOD.0, &text, &features).unwrap();
        let rules = decisions.check.of(true, false);
        assert_eq!(rules.first, Some(Then::Looks));
        let error = Then::Error(Ret::Enomem);
        assert_eq!(rules.looks, [Then::Accept, Then::Accept, Then::Accept, Then::Accept, error]);
        assert_eq!(decisions.check.of, [*rules; 4]);
        assert_eq!(decisions.features.kernel, features.kernel);
    }
    // modprobe takes what is going for in the kernel, and a bare directory for live.
    let text = LIBKMOD
        .1
        .replace("state == KMOD_MODULE_COMING && ", "state == KMOD_MODULE_GOING && ")
        .replace(
            "? KMOD_MODULE_COMING : KMOD_MODULE_BUILTIN",
            "? KMOD_MODULE_LIVE : KMOD_MODULE_LIVE",
        );
    let decisions = of(LIBKMOD.0, &text, &releases()[0]).unwrap();
    assert_eq!(decisions.look.bare, kmodcheck_model::text::Looked::Live);
    assert_eq!(decisions.look.in_kernel, [true, true, false, true, false]);
}

/// Texts with parts taken out, doubled or exchanged are read or refused.
#[test]
fn no_text_makes_it_panic() {
    let features = releases();
    let mut rng = fastrand::Rng::with_seed(7);
    for (path, shipped) in TEXTS {
        let words: Vec<&str> =
            shipped.split_inclusive(|c: char| c.is_whitespace() || "();,".contains(c)).collect();
        let mut read = 0;
        for _ in 0..2_000 {
            let mut text = words.clone();
            for _ in 0..rng.usize(1..4) {
                let (i, j) = (rng.usize(..text.len()), rng.usize(..text.len()));
                match rng.u8(..3) {
                    0 => drop(text.remove(i)),
                    1 => text.insert(i, text[j]),
                    _ => text.swap(i, j),
                }
            }
            let features = &features[rng.usize(..features.len())];
            let mut texts = TEXTS.map(|(_, shipped)| shipped.to_owned());
            *TEXTS.iter().zip(&mut texts).find(|((of, _), _)| *of == path).unwrap().1 =
                text.concat();
            read += usize::from(Decisions::of(&texts, features).is_ok());
        }
        assert!(read > 10, "{path}: {read} could be read");
    }
}
