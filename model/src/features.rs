//! Every behaviour that differs between kernels or kmod releases is one named switch here, with the
//! commit that introduced it. The model and the simulation read switches, never version numbers.

/// What libkmod makes of `/sys/module/NAME/` without an `initstate` file in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BareDirectory {
    /// Taken for built in: `kmod_module_get_initstate()` up to kmod v19.
    Builtin,
    /// Taken for coming: kmod fd44a98ae2eb, in v20.
    Coming,
}

/// When libkmod asks `modules.builtin` about a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BuiltinIndex {
    /// Only as the last look-up of `kmod_module_new_from_lookup()`: kmod up to v19.
    LastLookup,
    /// First thing in `kmod_module_get_initstate()` (`kmod_module_is_builtin()`): kmod v20 on.
    BeforeSysfs,
}

/// The switches of userspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KmodFeatures {
    /// What a directory without initstate means.
    pub bare_directory: BareDirectory,
    /// When modules.builtin is asked.
    pub builtin_index: BuiltinIndex,
}

impl KmodFeatures {
    /// kmod v19, the last release with the old rule.
    pub const V19: Self =
        Self { bare_directory: BareDirectory::Builtin, builtin_index: BuiltinIndex::LastLookup };
    /// kmod v20, the first release with commit fd44a98ae2eb.
    pub const V20: Self =
        Self { bare_directory: BareDirectory::Coming, builtin_index: BuiltinIndex::BeforeSysfs };
}
