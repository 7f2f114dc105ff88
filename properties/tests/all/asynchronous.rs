//! What is asynchronous and a load or an unload: who waits for it, in which kernels. What is expected of each was written down
//! before it was run.

use std::collections::BTreeSet;

use kmodcheck_explore::Options;
use kmodcheck_model::Model;
use kmodcheck_model::presets;
use kmodcheck_model::scenario::Scenario;
use kmodcheck_model::text::Part;
use kmodcheck_properties::Property;
use kmodcheck_properties::verdict::check_all;
use kmodcheck_sim::scenario_file::{self, Expected};

const REQUESTS: &str = include_str!("../../scenarios/async-requests-a-module.toml");
const BEFORE_THE_PROBE: &str =
    include_str!("../../scenarios/modprobe-returns-before-the-probe.toml");

/// An unload while a function of the module is scheduled.
const UNLOADS: &str = r#"
shared = '''
bool runs;
void probe(int disk)
{
    WRITE_ONCE(runs, true);
    WRITE_ONCE(runs, false);
}
'''
[features]
kernel = "v5.17"
kmod = "v30"
[[module]]
name = "driver"
async-probe = true
init = '''
    async_schedule(probe, 0);
    return 0;
'''
[[actor]]
call = "modprobe"
name = "driver"
[[actor]]
call = "rmmod"
name = "driver"
[[property]]
name = "freed-while-it-runs"
statement = "The module is gone and its function runs."
exists = "runs && state(\"driver\") == ABSENT"
[[property]]
name = "unloaded-while-it-runs"
statement = "The module is on its way out and its function runs."
exists = "runs && state(\"driver\") == GOING"
"#;

fn scenario(text: &str, kernel: &str) -> Scenario {
    let names = Property::ALL.map(Property::name);
    let loaded = scenario_file::load("asynchronous.toml", text, &names);
    let mut scenario = loaded.unwrap_or_else(|error| panic!("{error}")).scenario;
    scenario.features.kernel = presets::kernel(kernel).unwrap();
    scenario
}

/// How everything that is violated, or of the scenario's own properties holds, is called.
fn found(scenario: Scenario) -> BTreeSet<String> {
    let model = Model::new(scenario, None).unwrap();
    let mut reports = [true, false].map(|symmetry| {
        let report = check_all(&model, &Options { symmetry, ..Options::default() }).unwrap();
        let own = report.asked.iter().map(|asked| (asked.asked.name.clone(), &asked.verdict));
        let all = Property::ALL.iter().map(|p| (p.name().to_owned(), &report.answer(*p).verdict));
        let violated = all.filter(|(_, verdict)| verdict.fared() == Some(Expected::Violated));
        let holds = own.filter(|(_, verdict)| verdict.fared() == Some(Expected::Holds));
        violated.chain(holds).map(|(name, _)| name).collect::<BTreeSet<String>>()
    });
    assert_eq!(reports[0], reports[1]);
    std::mem::take(&mut reports[0])
}

fn says(scenario: Scenario, name: &str) -> bool {
    found(scenario).contains(name)
}

/// Of the two shipped scenarios each kernel says what 67d6212afda2 makes of them.
#[test]
fn every_load_waits_from_67d6212afda2_on() {
    let deadlock = Property::NobodySleepsForEver.name();
    for (kernel, always) in [
        ("v4.9", false),
        ("v5.11", false),
        ("5.10.101", false),
        ("5.10.102", true),
        ("v5.17", true),
        ("6.1-debian", true),
        ("6.12-debian", true),
        ("v7.3", true),
    ] {
        assert_eq!(says(scenario(REQUESTS, kernel), deadlock), always, "{kernel}");
        let without = says(scenario(BEFORE_THE_PROBE, kernel), "script-without-its-device");
        assert_eq!(without, !always, "{kernel}");
    }
}

/// Who was asked to probe asynchronously waits for nobody; and the wait is what decides: a kernel that has none has neither
/// the deadlock nor the device.
#[test]
fn who_does_not_wait() {
    let deadlock = Property::NobodySleepsForEver.name();
    for name in ["driver", "iosched"] {
        let mut asked = scenario(REQUESTS, "v5.17");
        let module = asked.modules.iter_mut().find(|module| module.name == name).unwrap();
        module.async_probe = true;
        // The request waits for the load of what it requests, and that for the request.
        assert_eq!(says(asked, deadlock), name == "driver", "{name}");
    }
    let mut probes = scenario(BEFORE_THE_PROBE, "v5.17");
    probes.modules[0].async_probe = true;
    assert!(says(probes, "script-without-its-device"));
    for text in [REQUESTS, BEFORE_THE_PROBE] {
        let mut patched = scenario(text, "v5.17");
        let mut orders = patched.order_rules();
        orders.load.retain(|part| *part != Part::AsyncSynchronize);
        patched.patched.orders = Some(orders);
        let found = found(patched);
        assert!(!found.contains(deadlock), "{found:?}");
        let without = found.contains("script-without-its-device");
        assert_eq!(without, text == BEFORE_THE_PROBE, "{found:?}");
    }
}

/// The init's own flag is its own: up to v5.16 the load of a module that is requested by an init which has scheduled something
/// waits for nobody, and the outer one does.
#[test]
fn the_flag_is_of_one_init() {
    let text = |inner: &str| {
        format!(
            "
shared = '''
bool done;
void probe(int disk)
{{
    WRITE_ONCE(done, true);
}}
'''
[features]
kernel = 'v5.11'
kmod = 'v30'
[[module]]
name = 'outer'
init = '''
    async_schedule(probe, 0);
    request_module(\"inner\");
    return 0;
'''
[[module]]
name = 'inner'
init = '''
    {inner}
    return 0;
'''
[[actor]]
name = 'script'
program = '''
    modprobe(\"outer\");
    return READ_ONCE(done) ? 0 : -ENODEV;
'''
[[property]]
name = 'inner-is-loaded-first'
statement = 'inner is LIVE, and the function has not ended.'
exists = 'state(\"inner\") == LIVE && !done && state(\"outer\") == LIVE'
"
        )
    };
    // Once inner is LIVE its initial reference is dropped without a wait, unless it has scheduled something, too: then outer's
    // init goes on only when all is done.
    for (inner, first) in [("msleep(1);", true), ("async_schedule(probe, 0);", false)] {
        let found = found(scenario(&text(inner), "v5.11"));
        assert_eq!(found.contains("inner-is-loaded-first"), first, "{inner}: {found:?}");
    }
}

/// `delete_module()` waits, in any kernel, after the module's exit: GOING while its function runs, and not gone.
#[test]
fn an_unload_waits() {
    for kernel in ["v4.9", "v5.11", "v5.17", "v7.3"] {
        let found = found(scenario(UNLOADS, kernel));
        assert!(!found.contains("freed-while-it-runs"), "{kernel}: {found:?}");
        assert!(found.contains("unloaded-while-it-runs"), "{kernel}: {found:?}");
    }
}
