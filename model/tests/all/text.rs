//! The kernel's functions as texts say what the steps in Rust say, and what has no place in the model is refused.

use kmodcheck_model::Model;
use kmodcheck_model::builtin::{Environment, Naming, scenario};
use kmodcheck_model::event::Claim::{Busy, Exists, Free, Wait};
use kmodcheck_model::features::{Features, KernelFeatures, KmodFeatures, ListedName};
use kmodcheck_model::presets;
use kmodcheck_model::text::{Decisions, ListedRules, MAIN};

fn rules(text: &str, listed_name: ListedName) -> Result<ListedRules, String> {
    let kernel = KernelFeatures { listed_name, ..KernelFeatures::V4_9 };
    decisions(text, &kernel).map(|decisions| decisions.listed)
}

fn decisions(text: &str, kernel: &KernelFeatures) -> Result<Decisions, String> {
    Decisions::of(MAIN.0, text, kernel).map_err(|error| error.to_string())
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
        for eexist_safety_net in [false, true] {
            let kernel = KernelFeatures { eexist_safety_net, ..kernel };
            let text = decisions(MAIN.1, &kernel).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(text, Decisions::of_kernel(&kernel), "{name}");
        }
        values.insert(kernel.listed_name);
    }
    assert_eq!(values.len(), 3, "each value of the switch is some release's");
}

/// Each line that says something changes the table, for some release, or is refused.
#[test]
fn each_line_matters() {
    let names = [ListedName::GoingExists, ListedName::WaitsForGoing, ListedName::WaitsOnce];
    let all = [0, 1, 2, 3].map(|i| KernelFeatures {
        listed_name: names[i % 3],
        eexist_safety_net: i == 3,
        ..KernelFeatures::V4_9
    });
    let whole = all.map(|kernel| decisions(MAIN.1, &kernel));
    let lines: Vec<&str> = MAIN.1.lines().collect();
    let mut comment = false;
    for (number, line) in lines.iter().enumerate() {
        let says = line.trim();
        comment |= says.starts_with("/*");
        let quiet =
            comment || says.is_empty() || says == "{" || says == "}" || says.starts_with("static");
        comment &= !says.ends_with("*/");
        // What is declared, the label, and the state before anybody sees it.
        let declared = [
            "struct module *",
            "bool ret;",
            "int err;",
            "int ret;",
            "mod->state = MODULE_STATE_UNFORMED;",
        ];
        if quiet || declared.iter().any(|what| says.starts_with(what)) {
            continue;
        }
        let mut without = lines.clone();
        without.remove(number);
        let without = without.join("\n");
        let changed =
            all.iter().zip(&whole).any(|(kernel, whole)| decisions(&without, kernel) != *whole);
        assert!(changed, "line {}: {line}", number + 1);
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
        scenario.listed = Some(rules);
        let error = Model::new(scenario, None).unwrap_err().to_string();
        assert!(error.contains("a name that is LIVE is listed once more"), "{error}");
    }
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
            "expected one of 6e6de3dee51a, 0254127ab977, 743f8cae549a",
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
        (
            with("		goto fail;\n	}\n", "	}\n"),
            "found that of an init that returns -17 comes 0, by its init, LIVE, wake_up_all()",
        ),
        (
            with("	free_module(mod);\n	wake_up_all(&module_wq);\n", "	free_module(mod);\n"),
            "by its init, GOING, free_module()",
        ),
        (
            with("	ret = do_one_initcall(mod->init);\n", "	ret = 0;\n"),
            "found that of an init that returns 0 comes 0",
        ),
        (
            with("	mod->state = MODULE_STATE_LIVE;\n", "	mutex_lock(&module_mutex);\n"),
            "found a look at the list of modules",
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

/// Texts with parts taken out, doubled or exchanged are read or refused.
#[test]
fn no_text_makes_it_panic() {
    let words: Vec<&str> =
        MAIN.1.split_inclusive(|c: char| c.is_whitespace() || "();,".contains(c)).collect();
    let mut rng = fastrand::Rng::with_seed(7);
    let mut read = 0;
    for _ in 0..20_000 {
        let mut text = words.clone();
        for _ in 0..rng.usize(1..4) {
            let (i, j) = (rng.usize(..text.len()), rng.usize(..text.len()));
            match rng.u8(..3) {
                0 => drop(text.remove(i)),
                1 => text.insert(i, text[j]),
                _ => text.swap(i, j),
            }
        }
        read += usize::from(rules(&text.concat(), ListedName::WaitsOnce).is_ok());
    }
    assert!(read > 100, "{read} could be read");
}
