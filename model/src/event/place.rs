//! In which file of which sources a reader finds a step, and in which line where that very release was read: the function is
//! [`Event::function`]'s, the rest depends on the release.
//!
//! Read in v4.9, in Debian's 6.1.192 and 6.12.117, and in kmod's repository (docs/sources.md). Between those, kernel/umh.c was
//! split off kernel/kmod.c in v4.14, kernel/module.c became kernel/module/ in v5.19, and kernel/kmod.c moved there in
//! v6.4. A function that was not found there has no file, and a release that was not read no lines: none is better than a
//! wrong one.

use super::Event;
use crate::releases::Release;

/// Where a reader finds a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, from the root of the sources.
    pub file: &'static str,
    /// The function in it.
    pub function: &'static str,
    /// The line in which the function begins, of a release that was read.
    pub line: Option<u32>,
}

impl Event {
    /// Where the step is in that kernel's sources, or in that kmod's; `None`: it is in neither, or not known.
    pub fn place(&self, kernel: &Release, kmod: Option<&Release>) -> Option<Place> {
        let function = self.function();
        if function == "modprobe" {
            return self.in_kmod(kmod?);
        }
        let since = |release| kernel.is_since(release);
        let file = match function {
            "__get_fs_type" | "put_filesystem" | "unregister_filesystem" => "fs/filesystems.c",
            "__request_module" if since([6, 4]) => "kernel/module/kmod.c",
            "__request_module" => "kernel/kmod.c",
            "kmod_dup_request_exists_wait"
            | "kmod_dup_request_announce"
            | "kmod_dup_request_complete"
            | "kmod_dup_request_delete" => "kernel/module/dups.c",
            "call_usermodehelper_exec_async" | "call_usermodehelper_exec" => match since([4, 14]) {
                true => "kernel/umh.c",
                false => "kernel/kmod.c",
            },
            "search_binary_handler" => "fs/exec.c",
            "kobject_uevent" => "lib/kobject_uevent.c",
            "do_one_initcall" | "do_initcalls" => "init/main.c",
            "param_sysfs_builtin_init" => "kernel/params.c",
            "mod_sysfs_setup"
            | "mod_sysfs_init"
            | "mod_sysfs_fini"
            | "module_add_modinfo_attrs"
            | "module_remove_modinfo_attrs"
            | "add_usage_links"
            | "add_sect_attrs" => match since([5, 19]) {
                true => "kernel/module/sysfs.c",
                false => "kernel/module.c",
            },
            "blacklisted"
            | "early_mod_check"
            | "add_unformed_module"
            | "idempotent"
            | "idempotent_complete"
            | "finished_loading"
            | "resolve_symbol_wait"
            | "load_module"
            | "module_unload_free"
            | "do_init_module"
            | "delete_module"
            | "complete_formation"
            | "prepare_coming_module"
            | "free_module" => match since([5, 19]) {
                true => "kernel/module/main.c",
                false => "kernel/module.c",
            },
            _ => return None,
        };
        let line = line(&KERNEL_LINES, kernel, function);
        Some(Place { file, function, line })
    }

    /// Of a step of kmod's modprobe.
    fn in_kmod(&self, kmod: &Release) -> Option<Place> {
        let tool = if kmod.is_since([9, 0]) { "tools/modprobe.c" } else { "tools/kmod-modprobe.c" };
        let (file, function) = match self {
            Self::Open { .. } | Self::Stat { .. } | Self::Read { .. } | Self::ReadEnd { .. } => {
                ("libkmod/libkmod-module.c", "kmod_module_get_initstate")
            }
            Self::RefcntOpen { .. } | Self::RefcntRead { .. } => {
                ("libkmod/libkmod-module.c", "kmod_module_get_refcnt")
            }
            Self::OpenUnknown { .. } | Self::StatUnknown { .. } => (tool, "handle_failed_lookup"),
            Self::InstallCommand { .. }
            | Self::CommandRunsModprobe { .. }
            | Self::CommandEnds { .. } => ("libkmod/libkmod-module.c", "command_do"),
            Self::Exit { .. } => (tool, "do_modprobe"),
            _ => return None,
        };
        let line = line(&KMOD_LINES, kmod, function);
        Some(Place { file, function, line })
    }
}

/// By release: where functions begin.
type Lines = (&'static str, &'static [(&'static str, u32)]);

fn line(all: &[Lines], release: &Release, function: &str) -> Option<u32> {
    let name = release.to_string();
    let (_, lines) = all.iter().find(|(read, _)| *read == name)?;
    lines.iter().find(|(of, _)| *of == function).map(|(_, line)| *line)
}

/// Debian's linux-source-6.1 and linux-source-6.12.
const KERNEL_LINES: [Lines; 2] = [
    (
        "v6.1.192",
        &[
            ("put_filesystem", 44),
            ("call_usermodehelper_exec_async", 67),
            ("add_sect_attrs", 72),
            ("unregister_filesystem", 108),
            ("__request_module", 124),
            ("add_usage_links", 255),
            ("__get_fs_type", 265),
            ("module_remove_modinfo_attrs", 275),
            ("module_add_modinfo_attrs", 293),
            ("mod_sysfs_init", 338),
            ("mod_sysfs_setup", 370),
            ("call_usermodehelper_exec", 405),
            ("mod_sysfs_fini", 416),
            ("module_unload_free", 618),
            ("kobject_uevent", 655),
            ("delete_module", 696),
            ("resolve_symbol_wait", 1115),
            ("free_module", 1151),
            ("do_one_initcall", 1261),
            ("search_binary_handler", 1755),
            ("blacklisted", 2277),
            ("finished_loading", 2393),
            ("do_init_module", 2463),
            ("add_unformed_module", 2581),
            ("complete_formation", 2630),
            ("prepare_coming_module", 2668),
            ("load_module", 2709),
        ],
    ),
    (
        "v6.12.117",
        &[
            ("put_filesystem", 44),
            ("call_usermodehelper_exec_async", 63),
            ("add_sect_attrs", 72),
            ("kmod_dup_request_delete", 82),
            ("kmod_dup_request_exists_wait", 107),
            ("unregister_filesystem", 108),
            ("__request_module", 131),
            ("kmod_dup_request_announce", 213),
            ("add_usage_links", 256),
            ("__get_fs_type", 265),
            ("module_remove_modinfo_attrs", 276),
            ("module_add_modinfo_attrs", 294),
            ("mod_sysfs_init", 339),
            ("mod_sysfs_setup", 371),
            ("call_usermodehelper_exec", 401),
            ("mod_sysfs_fini", 426),
            ("kobject_uevent", 654),
            ("module_unload_free", 654),
            ("delete_module", 732),
            ("resolve_symbol_wait", 1201),
            ("do_one_initcall", 1230),
            ("free_module", 1293),
            ("search_binary_handler", 1786),
            ("blacklisted", 2561),
            ("do_init_module", 2723),
            ("finished_loading", 2863),
            ("add_unformed_module", 2928),
            ("complete_formation", 2949),
            ("prepare_coming_module", 2990),
            ("early_mod_check", 3028),
            ("load_module", 3064),
            ("idempotent", 3312),
            ("idempotent_complete", 3343),
        ],
    ),
];

/// Tags of kmod's repository.
const KMOD_LINES: [Lines; 7] = [
    (
        "v5",
        &[
            ("handle_failed_lookup", 510),
            ("do_modprobe", 816),
            ("command_do", 880),
            ("kmod_module_get_initstate", 1587),
            ("kmod_module_get_refcnt", 1701),
        ],
    ),
    (
        "v19",
        &[
            ("handle_failed_lookup", 458),
            ("do_modprobe", 743),
            ("command_do", 947),
            ("kmod_module_get_initstate", 1709),
            ("kmod_module_get_refcnt", 1851),
        ],
    ),
    (
        "v20",
        &[
            ("do_modprobe", 717),
            ("command_do", 963),
            ("kmod_module_get_initstate", 1725),
            ("kmod_module_get_refcnt", 1868),
        ],
    ),
    (
        "v27",
        &[
            ("do_modprobe", 752),
            ("command_do", 971),
            ("kmod_module_get_initstate", 1742),
            ("kmod_module_get_refcnt", 1889),
        ],
    ),
    (
        "v30",
        &[
            ("do_modprobe", 806),
            ("command_do", 1028),
            ("kmod_module_get_initstate", 1799),
            ("kmod_module_get_refcnt", 1946),
        ],
    ),
    (
        "v31",
        &[
            ("do_modprobe", 828),
            ("command_do", 1065),
            ("kmod_module_get_initstate", 1836),
            ("kmod_module_get_refcnt", 1987),
        ],
    ),
    (
        "v34.2",
        &[
            ("do_modprobe", 750),
            ("command_do", 778),
            ("kmod_module_get_initstate", 1416),
            ("kmod_module_get_refcnt", 1540),
        ],
    ),
];
