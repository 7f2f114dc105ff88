use super::*;

fn file<'a>(name: &'a str, text: &'a str) -> SourceFile<'a> {
    SourceFile { name, text }
}

fn read(text: &str) -> Configuration {
    Configuration::read(&[vec![file("/etc/modprobe.d/a.conf", text)]], None, Reader::default())
}

fn said(lines: &[Line]) -> Vec<String> {
    lines.iter().map(|l| format!("{}|{}|{}", l.name, l.value, l.place.line)).collect()
}

#[test]
fn lines_are_read_as_libkmod_reads_them() {
    let config = read(
        "# a comment\n\
         alias net-pf-4 off\n\
         \talias  usb:v[a-c]*  some-module  and more\n\
         blacklist snd-pcm\n\
         install squashfs /bin/true\n\
         install  dccp\t/bin/echo one \\\n  two\n\
         remove foo-bar /bin/false\n\
         options kvm-intel nested=1 ept=0\n\
         softdep snd-pcm pre: a-b c post: d\n",
    );
    assert_eq!(said(&config.aliases), ["net_pf_4|off|2", "usb:v[a-c]*|some_module|3"]);
    assert_eq!(said(&config.blacklist), ["snd_pcm||4"]);
    assert_eq!(said(&config.install), ["squashfs|/bin/true|5", "dccp|/bin/echo one   two|6"]);
    assert_eq!(said(&config.remove), ["foo_bar|/bin/false|8"]);
    assert_eq!(said(&config.options), ["kvm_intel|nested=1 ept=0|9"]);
    let [softdep] = &config.softdeps[..] else { panic!("{:?}", config.softdeps) };
    assert_eq!(softdep.name, "snd_pcm");
    assert_eq!(
        (&softdep.pre[..], &softdep.post[..]),
        (&["a-b".into(), "c".into()][..], &["d".into()][..])
    );
    assert!(config.ignored().is_empty());
}

#[test]
fn what_libkmod_passes_over_is_told() {
    let config = read(
        "alias only-one\nblacklist\ninstall foo\n  # not at the start of its line\ninclude other\n\
         weakdep a b\nalias a]b c\nsoftdep a\nblacklist good\n",
    );
    let ignored: Vec<_> =
        config.ignored().iter().map(|i| format!("{} {}", i.place, i.word)).collect();
    assert_eq!(
        ignored,
        [
            "/etc/modprobe.d/a.conf:1 alias",
            "/etc/modprobe.d/a.conf:2 blacklist",
            "/etc/modprobe.d/a.conf:3 install",
            "/etc/modprobe.d/a.conf:4 #",
            "/etc/modprobe.d/a.conf:5 include",
            "/etc/modprobe.d/a.conf:6 weakdep",
            "/etc/modprobe.d/a.conf:7 alias",
            "/etc/modprobe.d/a.conf:8 softdep",
        ]
    );
    assert_eq!(said(&config.blacklist), ["good||9"]);
    let new = Reader { weakdeps: true };
    let files = [vec![file("a.conf", "weakdep a b\nweakdep a\n")]];
    let config = Configuration::read(&files, None, new);
    assert_eq!(config.ignored().len(), 1, "{:?}", config.ignored());
}

#[test]
fn of_files_of_one_name_the_first_is_read_and_all_by_name() {
    let directories = [
        vec![
            file("/etc/modprobe.d/b.conf", "blacklist b1"),
            file("/etc/modprobe.d/z.conf", "softdep m pre: z"),
        ],
        vec![
            file("/run/modprobe.d/b.conf", "blacklist b2"),
            file("/run/modprobe.d/a.conf", "blacklist a"),
        ],
    ];
    let config = Configuration::read(&directories, None, Reader::default());
    assert_eq!(
        config.files(),
        ["/run/modprobe.d/a.conf", "/etc/modprobe.d/b.conf", "/etc/modprobe.d/z.conf"]
    );
    assert_eq!(said(&config.blacklist), ["a||1", "b1||1"]);
    // modules.softdep is one of the files, by its name.
    assert!(!config.softdeps[0].before_index);
    for (name, read) in [
        ("a.conf", true),
        (".a.conf", false),
        (".conf", false),
        ("a.conf~", false),
        ("conf", false),
    ] {
        assert_eq!(is_read(name), read, "{name}");
    }
}

#[test]
fn the_kernels_command_line_adds_to_it() {
    let text = "BOOT_IMAGE=/vmlinuz root=/dev/sda1 modprobe.blacklist=nouveau,snd-pcm quiet \
                kvm-intel.nested=1 \"parport.dyndbg=file a b\" a.b.c=1 =x.y module_blacklist=floppy,ax25\n";
    let config = Configuration::read(&[], Some(file("/proc/cmdline", text)), Reader::default());
    assert_eq!(said(&config.blacklist), ["nouveau||1", "snd-pcm||1"]);
    assert!(config.blacklisted("nouveau").is_some());
    // With its dash it is about no module: module_is_blacklisted() compares names as they are.
    assert!(config.blacklisted("snd_pcm").is_none());
    assert_eq!(said(&config.options), ["kvm_intel|nested=1|1", "parport|dyndbg=\"file a b\"|1"]);
    assert!(config.is_refused("floppy") && config.is_refused("ax25") && !config.is_refused("fat"));
}

#[test]
fn no_text_makes_it_panic() {
    for text in ["\\", "alias [ a", "install a\\\n", "softdep a  ", "\n\n\\\n", "\u{e9} \\\u{e9}"] {
        read(text);
        let _ = Configuration::read(&[], Some(file("c", text)), Reader::default());
    }
}
