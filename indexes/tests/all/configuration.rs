//! What modprobe makes of names with a configuration, on the indexes of a Debian kernel. The lines are those that kmod 30 prints
//! with `--show-depends`; `tools/modprobe-config/compare` compares many more.

use kmodcheck_indexes::config::Reader;
use kmodcheck_indexes::{
    Configuration, IndexText, Modprobe, ModuleIndex, Resolved, Rules, SourceFile,
};

use crate::fixture::DEBIAN;

const CONFIG: &str = "\
install ext4 /bin/true
install udf /bin/true
install fat /bin/false
install net-pf-99 exit 3
install is* /bin/echo pattern
install isofs /bin/echo name
remove only-removed /bin/true
alias my-fs btrfs
alias net-pf-9* xfs
alias net-pf-98 off
alias gone nowhere
blacklist btrfs
blacklist loop
options cdrom debug=1 autoclose=0
options my-fs unused=1
softdep overlay pre: loop nothing post: dummy
softdep overlay pre: cdrom
softdep libcrc32c pre: loop
";

/// As `modprobe --show-depends` prints it, without the paths.
fn shown(config: &Configuration, name: &str) -> Vec<String> {
    let modprobe = Modprobe { index: &DEBIAN, config, rules: Rules::KmodV27 };
    let Resolved::Modules(targets) = modprobe.resolve(name) else { return vec!["-".to_owned()] };
    let mut lines = Vec::new();
    for target in targets.iter().filter(|target| target.blacklisted.is_none()) {
        for step in &target.list {
            let what = match (&step.command, step.found.module) {
                (Some(line), _) => format!("install {}", line.value),
                (None, Some(_)) => format!("insmod {}", step.found.name),
                (None, None) => continue,
            };
            let options = modprobe.options(&step.found).join(" ");
            lines.push(format!("{what} {options}").trim_end().to_owned());
        }
    }
    lines
}

#[test]
fn names_stand_for_what_they_do_with_modprobe() {
    let file = SourceFile { name: "/etc/modprobe.d/a.conf", text: CONFIG };
    let config = Configuration::read(&[vec![file]], None, Reader::default());
    for (name, expected) in [
        // It has softdeps in modules.softdep, so its install command is not heeded.
        (
            "fs-ext4",
            "insmod crc32c_intel|insmod crc32c_generic|insmod jbd2|insmod mbcache|insmod crc16|insmod ext4",
        ),
        ("fs-udf", "insmod cdrom debug=1 autoclose=0|insmod crc_itu_t|install /bin/true"),
        // A dependency's command counts.
        ("fs-vfat", "install /bin/false|insmod vfat"),
        // The first line that matches, pattern or not.
        ("isofs", "insmod cdrom debug=1 autoclose=0|install /bin/echo pattern"),
        // An alias of the configuration comes before everything; the lines after it add to it.
        ("net-pf-99", "insmod loop|insmod libcrc32c|insmod xfs"),
        ("net-pf-98", "insmod loop|insmod libcrc32c|insmod xfs"),
        ("only-removed", ""),
        ("gone", ""),
        // Blacklisted, and found by an alias.
        ("my-fs", ""),
        ("fs-btrfs", ""),
        ("loop", "insmod loop"),
        // Of two softdep lines the first; a name that nothing serves is passed over.
        ("overlay", "insmod loop|insmod overlay|insmod dummy"),
        // A line of a.conf comes before modules.softdep.
        ("libcrc32c", "insmod loop|insmod libcrc32c"),
        ("nothing", "-"),
    ] {
        assert_eq!(shown(&config, name).join("|"), expected, "{name}");
    }
    let modprobe = Modprobe { index: &DEBIAN, config: &config, rules: Rules::KmodV27 };
    let unheeded: Vec<String> =
        modprobe.unheeded_softdeps("overlay").iter().map(|place| place.to_string()).collect();
    assert_eq!(unheeded, ["/etc/modprobe.d/a.conf:17"]);
    // The same lines in a file that comes after modules.softdep.
    let file = SourceFile { name: "/etc/modprobe.d/z.conf", text: CONFIG };
    let config = Configuration::read(&[vec![file]], None, Reader::default());
    let libcrc32c = shown(&config, "libcrc32c").join("|");
    assert_eq!(libcrc32c, "insmod crc32c_intel|insmod crc32c_generic|insmod libcrc32c");
}

/// busybox ends names and aliases at a dot, takes every dash for an underscore, and knows what is built in first.
#[test]
fn busybox_looks_names_up_in_its_own_way() {
    let index = ModuleIndex::parse(&IndexText::of([
        "kernel/a-b.ko:\nkernel/c.ko:\n",
        "alias pci:[a-c]* a_b\nalias of:q.r c\nalias x-1 c\nalias bi c\nalias x?1 a_b\n",
        "",
        "kernel/bi.ko\n",
    ]))
    .expect("indexes");
    let config = Configuration::default();
    let of = |rules, name| match (Modprobe { index: &index, config: &config, rules }).resolve(name)
    {
        Resolved::Modules(targets) => {
            targets.iter().map(|target| target.found.name.clone()).collect::<Vec<_>>().join(" ")
        }
        Resolved::Builtin(name) => format!("built in: {name}"),
        Resolved::NotFound => "nothing".to_owned(),
        other => panic!("{other:?}"),
    };
    for (name, kmod, busybox) in [
        ("a-b", "a_b", "a_b"),
        ("a-b.ko", "nothing", "a_b"),
        ("pci:b1", "a_b", "nothing"),
        ("pci:-1", "nothing", "a_b"),
        ("of:q.s", "nothing", "c"),
        ("bi", "c", "built in: bi"),
        ("x-1", "a_b c", "c a_b"),
        ("d", "nothing", "nothing"),
    ] {
        assert_eq!(of(Rules::Kmod, name), kmod, "kmod: {name}");
        assert_eq!(of(Rules::Busybox, name), busybox, "busybox: {name}");
    }
}
