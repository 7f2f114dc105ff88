//! A whole machine: a name's system with modules called by their numbers fares as with their own names.

use kmodcheck_explore::Options;
use kmodcheck_indexes::config::Reader;
use kmodcheck_indexes::{Configuration, IndexText, Modprobe, ModuleIndex, Rules, SourceFile};
use kmodcheck_model::features::{AliasMap, Features, SanityCheck};
use kmodcheck_model::scenario::Init;
use kmodcheck_model::{Model, presets};
use kmodcheck_properties::machine::{self, Asked, Behind, Wrong};
use kmodcheck_properties::verdict::check_all;
use kmodcheck_properties::{Property, Verdict};

use crate::sample::long_some_of;

fn fixture(name: &str) -> String {
    let path =
        format!("{}/../indexes/tests/fixtures/debian-6.1/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

const CONFIG: &str = "install udf /bin/true\ninstall fat /bin/false\ninstall fuse /usr/sbin/set-up\n\
                      install xfs modprobe -i xfs\nblacklist overlay\nalias net-pf-4 off\nalias a-b-c loop\n";

#[test]
fn systems_by_numbers_fare_as_those_by_names() {
    let texts = IndexText::FILES.map(fixture);
    let index = IndexText::of(texts.each_ref().map(String::as_str));
    let index = ModuleIndex::parse(&index).unwrap();
    let config = SourceFile { name: "a.conf", text: CONFIG };
    let config = Configuration::read(&[vec![config]], None, Reader::default());
    let on = |kernel: &str, kmod: &str| Features {
        kernel: presets::kernel(kernel).unwrap(),
        kmod: presets::kmod(kmod).unwrap(),
    };
    // A check that looks at the list by names, and maps aliases.
    let mut checked = on("v4.9", "v19");
    checked.kernel.sanity_check = SanityCheck::AuthorTree;
    checked.kernel.alias_map = AliasMap::Prefix;
    checked.kernel.already_live = true;
    let mut compared = 0;
    for features in [on("v4.9", "v19"), on("v7.1+dup", "v34.2"), checked] {
        let modprobe = Modprobe { index: &index, config: &config, rules: Rules::KmodV27 };
        let asked = Asked { modprobe, features, callers: 2, init: Init::Succeeds, timeouts: false };
        // As the kernel asks: with dashes.
        let names: Vec<String> = modprobe.names().iter().map(|n| n.replace("fs_", "fs-")).collect();
        let systems = machine::systems(&asked, &names);
        assert!(systems.systems.len() * 2 < names.len());
        let fared = machine::explore(&systems.systems, 2, &|| false, &Options::default(), &|| ());
        for (name, behind) in long_some_of(25, 40, &systems.names) {
            let Behind::System(system) = behind else { continue };
            let Ok(by_numbers) = fared[*system].as_ref().unwrap() else { continue };
            let model = Model::new(machine::scenario(&asked, name).unwrap(), None).unwrap();
            let report = check_all(&model, &Options::default()).unwrap();
            let steps = |property: Property| match &report.answer(property).verdict {
                Verdict::Violated(trace) => Some(trace.len()),
                _ => None,
            };
            let expected: Vec<_> =
                Wrong::ALL.iter().filter_map(|w| Some((*w, steps(w.property())?))).collect();
            let found: Vec<_> = by_numbers.wrong.iter().map(|(w, t)| (*w, t.len())).collect();
            assert_eq!(found, expected, "{name}");
            assert_eq!(by_numbers.states, report.states, "{name}");
            compared += 1;
        }
    }
    assert!(compared > 40, "{compared}");
}

#[test]
fn sentences_are_one_kind_whatever_modules_are_called() {
    let text = "CPU0's modprobe took /sys/module/vfat, of vfat_x, for vfat; fat-vfat, vfat.";
    let index = "kernel/vfat.ko:\nkernel/fat.ko:\n";
    let index = IndexText::of([index, "", "softdep vfat pre: fat\n", ""]);
    let index = ModuleIndex::parse(&index).unwrap();
    let config = Configuration::default();
    let features =
        Features { kernel: presets::kernel("v4.9").unwrap(), kmod: presets::kmod("v19").unwrap() };
    let modprobe = Modprobe { index: &index, config: &config, rules: Rules::Kmod };
    let asked = Asked { modprobe, features, callers: 2, init: Init::Succeeds, timeouts: false };
    let scenario = machine::scenario(&asked, "vfat").unwrap();
    assert_eq!(
        machine::kind_of(text, &scenario),
        "CPU0's modprobe took /sys/module/MODULE, of vfat_x, for MODULE; fat-vfat, MODULE."
    );
}
