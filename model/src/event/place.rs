//! In which file of which sources a reader finds a step: the function is [`Event::function`]'s, the file depends on the
//! release.
//!
//! Read in v4.9, in Debian's 6.1.192 and 6.12.117, and in kmod v5 to v34 (docs/sources.md). Between those, kernel/umh.c was
//! split off kernel/kmod.c in v4.14, kernel/module.c became kernel/module/ in v5.19, and kernel/kmod.c moved there in
//! v6.4. A function that was not found there has no file: none is better than a wrong one.

use super::Event;
use crate::features::{KmodFeatures, Program};
use crate::releases::Release;

/// Where a reader finds a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, from the root of the sources.
    pub file: &'static str,
    /// The function in it.
    pub function: &'static str,
}

impl Event {
    /// Where the step is in that kernel's sources, or in modprobe's; `None`: it is in neither, or not known.
    pub fn place(&self, kernel: &Release, kmod: &KmodFeatures) -> Option<Place> {
        let function = self.function();
        if function == "modprobe" {
            return match kmod.modprobe {
                Program::Kmod => self.in_kmod(),
                Program::Busybox => None,
            };
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
            "do_one_initcall" => "init/main.c",
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
        Some(Place { file, function })
    }

    /// Of a step of kmod's modprobe.
    fn in_kmod(&self) -> Option<Place> {
        let (file, function) = match self {
            Self::Open { .. } | Self::Stat { .. } | Self::Read { .. } | Self::ReadEnd { .. } => {
                ("libkmod/libkmod-module.c", "kmod_module_get_initstate")
            }
            Self::OpenUnknown { .. } | Self::StatUnknown { .. } => {
                ("tools/modprobe.c", "handle_failed_lookup")
            }
            Self::InstallCommand { .. }
            | Self::CommandRunsModprobe { .. }
            | Self::CommandEnds { .. } => ("libkmod/libkmod-module.c", "command_do"),
            Self::Exit { .. } => ("tools/modprobe.c", "do_modprobe"),
            _ => return None,
        };
        Some(Place { file, function })
    }
}
