//! The probes: which functions of the kernel, and which of their arguments. Offsets are filled in from the
//! kernel's type information, and what a kernel does not have, or its compiler has made something else of,
//! is found out from its symbols.
//!
//! The names of the events are those that the reader knows (`kmodcheck_sim::trace::ftrace::parse::EVENTS`);
//! `docs/reality.md` says what each line is to the model.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::output::Failure;

/// How many calls of one function may be under way at a time before the return of one is missed.
const RETURNS: u32 = 256;

/// The list that the notifiers of modules are on.
const NOTIFIERS: &str = "module_notify_list";

/// A probe as this program knows it.
struct Template {
    event: &'static str,
    /// At its return, not where it is called.
    returns: bool,
    function: &'static str,
    /// As the kernel wants them, with `{STRUCT.MEMBER}` for its offset. Registers are x86-64's.
    fields: &'static str,
    only: Only,
    /// Without it nobody knows who is where.
    needed: bool,
}

/// Which of the hits are written down.
#[derive(Clone, Copy)]
enum Only {
    All,
    /// Those of the notifiers of modules.
    Notifiers,
    /// This filter.
    Filter(&'static str),
}

const fn call(event: &'static str, function: &'static str, fields: &'static str) -> Template {
    Template { event, returns: false, function, fields, only: Only::All, needed: false }
}

const fn back(event: &'static str, function: &'static str) -> Template {
    let fields = "ret=$retval:s32";
    Template { event, returns: true, function, fields, only: Only::All, needed: false }
}

impl Template {
    const fn needed(self) -> Self {
        Self { needed: true, ..self }
    }

    const fn only(self, only: Only) -> Self {
        Self { only, ..self }
    }
}

/// `struct module *` in a register.
macro_rules! module {
    ($register:literal) => {
        concat!(
            "name=+{module.name}(%",
            $register,
            "):string st=+{module.state}(%",
            $register,
            "):u32"
        )
    };
}

const TEMPLATES: [Template; 23] = [
    call("mod_tree_insert", "mod_tree_insert", module!("di")),
    call(
        "notify_robust",
        "blocking_notifier_call_chain_robust",
        concat!("head=%di:x64 val=%si:u64 ", module!("cx")),
    )
    .only(Only::Notifiers),
    call(
        "notify",
        "blocking_notifier_call_chain",
        concat!("head=%di:x64 val=%si:u64 ", module!("dx")),
    )
    .only(Only::Notifiers),
    call("mod_sysfs_setup", "mod_sysfs_setup", module!("di")),
    back("mod_sysfs_setup_ret", "mod_sysfs_setup"),
    call("do_init", "do_init_module", module!("di")),
    back("do_init_ret", "do_init_module"),
    call("load_module", "load_module", "").needed(),
    back("load_module_ret", "load_module").needed(),
    call("free_module", "free_module", module!("di")),
    call("sysfs_teardown", "mod_sysfs_teardown", module!("di")),
    call(
        "mkdir",
        "sysfs_create_dir_ns",
        "kobj=+0(+{kobject.name}(%di)):string parent=+0(+{kobject.name}(+{kobject.parent}(%di))):string",
    )
    .only(Only::Filter("parent == \"module\"")),
    call(
        "mkfile",
        "sysfs_create_file_ns",
        "kobj=+0(+{kobject.name}(%di)):string attr=+0(+{attribute.name}(%si)):string",
    )
    .only(Only::Filter("attr == \"initstate\"")),
    call("finished_loading", "finished_loading", "name=+0(%di):string"),
    back("finished_loading_ret", "finished_loading"),
    call("request_module", "__request_module", "wait=%di:u8 fmt=+0(%si):string").needed(),
    back("request_module_ret", "__request_module").needed(),
    call("get_fs_type", "get_fs_type", "fs=+0(%di):string").needed(),
    call("register_fs", "register_filesystem", "fs=+0(+{file_system_type.name}(%di)):string"),
    call(
        "umh_exec",
        "call_usermodehelper_exec",
        "path=+0(+{subprocess_info.path}(%di)):string \
         argv3=+0(+24(+{subprocess_info.argv}(%di))):string",
    )
    .needed(),
    back("umh_exec_ret", "call_usermodehelper_exec"),
    call("delete_module", "__x64_sys_delete_module", "name=+0(+{pt_regs.di}(%di)):ustring"),
    // v6.5 and later: of which file a finit_module() is that joins another one.
    call(
        "finit_file",
        "idempotent_init_module",
        "file=+0(+{dentry.d_name.name}(+{file.f_path.dentry}(%di))):string",
    ),
];

/// Events of the kernel's own, below events/, and whether nobody knows who is where without it.
pub(super) const EVENTS: [(&str, bool); 11] = [
    ("module", false),
    ("sched/sched_process_exec", true),
    ("sched/sched_process_exit", true),
    ("syscalls/sys_enter_mount", false),
    ("syscalls/sys_exit_mount", false),
    ("syscalls/sys_enter_finit_module", true),
    ("syscalls/sys_exit_finit_module", true),
    ("syscalls/sys_enter_init_module", false),
    ("syscalls/sys_exit_init_module", false),
    ("syscalls/sys_enter_delete_module", true),
    ("syscalls/sys_exit_delete_module", true),
];

/// A probe, as this kernel wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Probe {
    pub event: &'static str,
    pub function: &'static str,
    returns: bool,
    fields: String,
    only: Option<String>,
    pub needed: bool,
}

impl Probe {
    /// The line for kprobe_events.
    pub(super) fn line(&self, group: &str) -> String {
        let Self { event, function, fields, .. } = self;
        let kind = if self.returns { format!("r{RETURNS}") } else { "p".to_owned() };
        format!("{kind}:{group}/{event} {function} {fields}").trim_end().to_owned()
    }

    /// What is written to the event's filter.
    pub(super) fn filter(&self) -> Option<&str> {
        self.only.as_deref()
    }
}

/// The probes of a kernel, and why it has no others.
#[derive(Clone, Debug, Default)]
pub(super) struct Chosen {
    pub probes: Vec<Probe>,
    /// Events that are not probed, each with why.
    pub left_out: Vec<(&'static str, String)>,
}

/// The symbols of a kernel, as /proc/kallsyms has them.
pub(super) struct Symbols {
    /// Of each name that a probe is about, or that the compiler made of such a name, the addresses.
    addresses: BTreeMap<String, Vec<u64>>,
}

impl Symbols {
    /// Reads `text`, the content of `file`; the symbols of modules are passed over.
    ///
    /// # Errors
    /// A line that is none of kallsyms.
    pub(super) fn parse(file: &str, text: &str) -> Result<Self, Failure> {
        let mut addresses: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for (number, line) in (1..).zip(text.lines()) {
            let error = || {
                let short: String = line.chars().take(80).collect();
                format!("{file}:{number}: found '{short}', expected 'ADDRESS TYPE NAME'")
            };
            let mut words = line.split_whitespace();
            let (Some(address), Some(_), Some(name)) = (words.next(), words.next(), words.next())
            else {
                return Err(error().into());
            };
            let address = u64::from_str_radix(address, 16).map_err(|_| error())?;
            let own = name.split('.').next().unwrap_or(name);
            let wanted = own == NOTIFIERS || TEMPLATES.iter().any(|t| t.function == own);
            if wanted && words.next().is_none() {
                addresses.entry(name.to_owned()).or_default().push(address);
            }
        }
        Ok(Self { addresses })
    }

    /// Why a function cannot be probed, if it cannot.
    fn hides(&self, function: &str) -> Option<String> {
        match self.addresses.get(function).map_or(0, Vec::len) {
            1 => None,
            0 => {
                // What is unlikely is moved away, and the function is still there without it.
                let made = |name: &&String| {
                    name.strip_prefix(function)
                        .is_some_and(|rest| rest.starts_with('.') && !rest.starts_with(".cold"))
                };
                let made: Vec<_> = self.addresses.keys().filter(made).map(String::as_str).collect();
                Some(match made.is_empty() {
                    true => {
                        format!("no {function} in /proc/kallsyms: inlined, or not in this kernel")
                    }
                    false => format!(
                        "the compiler has made {} of {function}, with arguments that nobody knows",
                        made.join(", ")
                    ),
                })
            }
            several => Some(format!("{several} functions are called {function}")),
        }
    }

    /// The address of the notifiers' list.
    fn notifiers(&self) -> Result<u64, String> {
        match self.addresses.get(NOTIFIERS).map(Vec::as_slice) {
            Some([0]) => Err(format!(
                "/proc/kallsyms hides the address of {NOTIFIERS} (sysctl kernel.kptr_restrict)"
            )),
            Some([address]) => Ok(*address),
            _ => Err(format!("no {NOTIFIERS} in /proc/kallsyms (CONFIG_KALLSYMS_ALL)")),
        }
    }
}

/// A template's fields with the offsets of this kernel.
fn filled(fields: &str, offset: &dyn Fn(&str) -> Result<u32, Failure>) -> Result<String, Failure> {
    let mut out = String::new();
    let mut rest = fields;
    while let Some((before, after)) = rest.split_once('{') {
        let (member, after) = after.split_once('}').expect("each template closes its braces");
        let _ = write!(out, "{before}{}", offset(member)?);
        rest = after;
    }
    Ok(out + rest)
}

/// The probes that this kernel takes; `offset` says where a member is.
///
/// # Errors
/// A probe without which nothing can be said.
pub(super) fn choose(
    symbols: &Symbols,
    offset: &dyn Fn(&str) -> Result<u32, Failure>,
) -> Result<Chosen, Failure> {
    let mut chosen = Chosen::default();
    for template in &TEMPLATES {
        let Template { event, function, returns, needed, .. } = *template;
        let probe = || -> Result<Probe, String> {
            symbols.hides(function).map_or(Ok(()), Err)?;
            let only = match template.only {
                Only::All => None,
                Only::Filter(filter) => Some(filter.to_owned()),
                Only::Notifiers => Some(format!("head == {:#x}", symbols.notifiers()?)),
            };
            let fields = filled(template.fields, offset).map_err(|error| error.to_string())?;
            Ok(Probe { event, function, returns, fields, only, needed })
        };
        match probe() {
            Ok(probe) => chosen.probes.push(probe),
            Err(why) if needed => {
                return Err(format!(
                    "cannot probe {function} ({event}), without which nobody knows who is where: {why}"
                )
                .into());
            }
            Err(why) => chosen.left_out.push((event, why)),
        }
    }
    Ok(chosen)
}

/// A shell script that records with these probes, for a machine on which this program does not run. What
/// that kernel lacks it finds out itself.
///
/// # Errors
/// A member of a structure that nobody knows.
pub(super) fn script(
    from: &str,
    buffer: u32,
    offset: &dyn Fn(&str) -> Result<u32, Failure>,
) -> Result<String, Failure> {
    let mut probes = String::new();
    for template in &TEMPLATES {
        let Template { event, function, returns, needed, .. } = *template;
        let fields = match filled(template.fields, offset) {
            Ok(fields) => fields,
            Err(error) if needed => return Err(error),
            Err(error) => {
                let _ = writeln!(probes, "# {event}: {error}");
                continue;
            }
        };
        let probe = Probe { event, function, returns, fields, only: None, needed };
        let line = probe.line("$group");
        let line = line.replace("$retval", "\\$retval");
        let must = if needed { "must" } else { "may" };
        let only = match template.only {
            Only::All => String::new(),
            Only::Filter(filter) => format!(" '{filter}'"),
            Only::Notifiers => " \"$notifiers\"".to_owned(),
        };
        let _ = writeln!(probes, "{must} {event} {function} \"{line}\"{only}");
    }
    let mut events = String::new();
    for (event, needed) in EVENTS {
        let must = if needed { "must" } else { "may" };
        let _ = writeln!(events, "{must}_see {event}");
    }
    Ok(include_str!("script.sh")
        .replace("@FROM@", from)
        .replace("@BUFFER@", &buffer.to_string())
        .replace("@PROBES@", probes.trim_end())
        .replace("@EVENTS@", events.trim_end()))
}

#[cfg(test)]
mod tests {
    use kmodcheck_sim::trace::ftrace::parse;

    use super::super::btf::tests::of_6_12;
    use super::{Chosen, EVENTS, NOTIFIERS, Symbols, TEMPLATES, choose, script};

    /// kallsyms with every function that is probed, and some lines more.
    fn kallsyms() -> String {
        let functions = TEMPLATES.iter().map(|template| template.function);
        let mut names: Vec<&str> = functions.collect();
        names.dedup();
        let mut text =
            "ffffffff81000000 T _text\nffffffffc0a01000 t load_module\t[other]\n".to_owned();
        for (name, at) in names.iter().zip(0xffff_ffff_8110_0000_u64..) {
            if !text.contains(&format!(" {name}\n")) {
                text += &format!("{at:x} T {name}\n{at:x} t {name}.cold\n");
            }
        }
        text + &format!("ffffffff82e5d5a0 d {NOTIFIERS}\n")
    }

    fn chosen(kallsyms: &str) -> Result<Chosen, String> {
        let btf = of_6_12().read();
        let symbols = Symbols::parse("kallsyms", kallsyms).map_err(|error| error.to_string())?;
        choose(&symbols, &|member| btf.offset(member)).map_err(|error| error.to_string())
    }

    fn without(name: &str) -> String {
        let lines = kallsyms();
        let kept = lines.lines().filter(|line| !line.ends_with(&format!(" {name}")));
        kept.map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn the_probes_of_a_kernel_that_has_everything() {
        let chosen = chosen(&kallsyms()).unwrap();
        assert_eq!(chosen.left_out, []);
        let line = |event: &str| {
            let mut probes = chosen.probes.iter().filter(|probe| probe.event == event);
            let probe = probes.next().unwrap();
            assert!(probes.next().is_none(), "{event}");
            (probe.line("g"), probe.filter().map(str::to_owned))
        };
        // The lines with which the first logs were recorded, but for the group and the number of returns.
        for (event, expected, filter) in [
            (
                "mod_tree_insert",
                "p:g/mod_tree_insert mod_tree_insert name=+24(%di):string st=+0(%di):u32",
                None,
            ),
            (
                "notify",
                "p:g/notify blocking_notifier_call_chain head=%di:x64 val=%si:u64 name=+24(%dx):string st=+0(%dx):u32",
                Some("head == 0xffffffff82e5d5a0"),
            ),
            ("load_module", "p:g/load_module load_module", None),
            ("load_module_ret", "r256:g/load_module_ret load_module ret=$retval:s32", None),
            (
                "mkdir",
                "p:g/mkdir sysfs_create_dir_ns kobj=+0(+0(%di)):string parent=+0(+0(+24(%di))):string",
                Some("parent == \"module\""),
            ),
            (
                "umh_exec",
                "p:g/umh_exec call_usermodehelper_exec path=+0(+40(%di)):string argv3=+0(+24(+48(%di))):string",
                None,
            ),
            (
                "delete_module",
                "p:g/delete_module __x64_sys_delete_module name=+0(+112(%di)):ustring",
                None,
            ),
            (
                "finit_file",
                "p:g/finit_file idempotent_init_module file=+0(+40(+72(%di))):string",
                None,
            ),
        ] {
            assert_eq!(line(event), (expected.to_owned(), filter.map(str::to_owned)));
        }
    }

    #[test]
    fn the_reader_knows_every_event() {
        let known = |event: &str| parse::EVENTS.contains(&event);
        for template in &TEMPLATES {
            assert!(known(template.event), "{}", template.event);
        }
        for (event, _) in EVENTS {
            let name = event.rsplit('/').next().unwrap();
            let name = name.replace("sys_enter_", "sys_").replace("sys_exit_", "sys_");
            assert!(known(&name) || name == "module", "{event}");
        }
    }

    #[test]
    fn what_a_kernel_does_not_have_is_said() {
        let left_out = |text: &str| chosen(text).unwrap().left_out;
        let why = left_out(&without("finished_loading"));
        let text = "no finished_loading in /proc/kallsyms: inlined, or not in this kernel";
        assert_eq!(
            why,
            [("finished_loading", text.to_owned()), ("finished_loading_ret", text.to_owned())]
        );

        let changed = without("mod_tree_insert") + "ffffffff81200000 t mod_tree_insert.isra.0\n";
        let text = "the compiler has made mod_tree_insert.isra.0 of mod_tree_insert, with arguments that nobody knows";
        assert_eq!(left_out(&changed), [("mod_tree_insert", text.to_owned())]);

        let twice = kallsyms() + "ffffffff81200000 t free_module\n";
        let text = "2 functions are called free_module";
        assert_eq!(left_out(&twice), [("free_module", text.to_owned())]);

        // Of a kernel that does not tell where its data is, or tells nobody.
        let events: Vec<_> =
            left_out(&without(NOTIFIERS)).into_iter().map(|(event, _)| event).collect();
        assert_eq!(events, ["notify_robust", "notify"]);
        let hidden = without(NOTIFIERS) + &format!("0000000000000000 d {NOTIFIERS}\n");
        assert!(left_out(&hidden)[0].1.contains("kernel.kptr_restrict"));
    }

    #[test]
    fn without_what_is_needed_there_is_no_recording() {
        let error = chosen(&without("load_module")).unwrap_err();
        let text = "cannot probe load_module (load_module), without which nobody knows who is where: \
                    no load_module in /proc/kallsyms: inlined, or not in this kernel";
        assert_eq!(error, text);
        let error = chosen("ffffffff81000000 T _text\nnothing").unwrap_err();
        assert_eq!(error, "kallsyms:2: found 'nothing', expected 'ADDRESS TYPE NAME'");
    }

    /// A structure that lacks a member costs the probe that looks there, and no other.
    #[test]
    fn a_member_that_is_not_there_costs_its_probe() {
        let btf = of_6_12().read();
        let offset = |member: &str| match member {
            "kobject.parent" => Err("no such member".into()),
            _ => btf.offset(member),
        };
        let symbols = Symbols::parse("kallsyms", &kallsyms()).unwrap();
        let chosen = choose(&symbols, &offset).unwrap();
        assert_eq!(chosen.left_out, [("mkdir", "no such member".to_owned())]);
        let offset = |member: &str| match member {
            "subprocess_info.argv" => Err("no such member".into()),
            _ => btf.offset(member),
        };
        let error = choose(&symbols, &offset).unwrap_err().to_string();
        assert!(error.contains("(umh_exec)") && error.ends_with(": no such member"), "{error}");
    }

    /// What a shell makes of the script's words are the probes that this program sets.
    #[test]
    fn the_script_has_the_same_probes() {
        let btf = of_6_12().read();
        let text = script("BTF", 512, &|member| btf.offset(member)).unwrap();
        let chosen = chosen(&kallsyms()).unwrap();
        let begin = text.find("may mod_tree_insert").unwrap();
        let end = text.find("may_see module").unwrap();
        let echo = format!(
            "group=g notifiers='head == 0xffffffff82e5d5a0'\nmay() {{ printf '%s\\n' \"$3\" \"$4\"; }}\n\
             must() {{ may \"$@\"; }}\n{}",
            &text[begin..end]
        );
        let output = std::process::Command::new("sh").args(["-c", &echo]).output().unwrap();
        let lines: Vec<String> = chosen
            .probes
            .iter()
            .flat_map(|probe| [probe.line("g"), probe.filter().unwrap_or_default().to_owned()])
            .collect();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), lines.join("\n") + "\n");
        assert!(text.contains("\necho 512 >$i/buffer_size_kb\n") && !text.contains("@PROBES@"));
        let checked = std::process::Command::new("sh").args(["-n", "-c", &text]).output().unwrap();
        assert!(checked.status.success(), "{checked:?}");
    }

    /// What other tracers are told: every event, and the filters of those that have one.
    #[test]
    fn the_script_says_how_other_tracers_record() {
        let btf = of_6_12().read();
        let text = script("BTF", 512, &|member| btf.offset(member)).unwrap();
        // A tracefs of plain files, with the instance that the kernel would make.
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let own = root.join("instances/kmodcheck_script/events");
        for (event, _) in EVENTS {
            std::fs::create_dir_all(own.join(event)).unwrap();
            std::fs::write(own.join(event).join("enable"), "").unwrap();
        }
        std::fs::write(root.join("kprobe_events"), "").unwrap();
        std::fs::write(root.join("kallsyms"), kallsyms()).unwrap();
        let text = text
            .replace("/sys/kernel/tracing", root.to_str().unwrap())
            .replace("/proc/kallsyms", root.join("kallsyms").to_str().unwrap())
            .replace("mkdir $i ", "[ -d $i ] ");
        let set = |tracer: &str| {
            let mut sh = std::process::Command::new("sh");
            let output = sh.args(["-c", &text, "script", "--set", tracer]).output().unwrap();
            let text = |bytes| String::from_utf8(bytes).unwrap();
            (output.status.code(), text(output.stdout), text(output.stderr))
        };
        let chosen = chosen(&kallsyms()).unwrap();
        for (tracer, begins, filter) in [
            ("trace-cmd", "trace-cmd record -C mono -e kmodcheck_script:mod_tree_insert", "-f"),
            ("perf", "perf record -a -k CLOCK_MONOTONIC -e kmodcheck_script:", "--filter"),
        ] {
            let (status, command, _) = set(tracer);
            assert!(status == Some(0) && command.starts_with(begins), "{command}");
            for probe in &chosen.probes {
                let event = format!(" -e kmodcheck_script:{}", probe.event);
                let only = probe.filter().map(|only| format!(" {filter} '{only}'"));
                let wanted = event + &only.unwrap_or_default();
                let end = command.find(&wanted).expect(&wanted) + wanted.len();
                assert!(command[end..].starts_with([' ', '\n']), "{wanted}: {command}");
            }
            for (event, _) in EVENTS {
                let wanted = event.replace('/', ":");
                assert!(command.contains(&wanted), "{wanted}: {command}");
            }
            let mut probes = std::fs::read_to_string(root.join("kprobe_events")).unwrap();
            assert_eq!(probes.lines().count(), chosen.probes.len());
            probes.clear();
            std::fs::write(root.join("kprobe_events"), probes).unwrap();
        }
        let (status, command, said) = set("bpftrace");
        assert_eq!((status, command.as_str()), (Some(2), ""));
        assert!(said.contains("found 'bpftrace', expected trace-cmd or perf"), "{said}");
    }
}
