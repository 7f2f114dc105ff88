//! The recorded certificates: theorems for any number of callers that a stranger can check.

use kmodcheck_model::Mutant;
use kmodcheck_model::builtin::{Environment, Naming};

use crate::property::Property;
use crate::systems::grand::GrandCell;

/// A theorem with its certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certified {
    /// What it says, in words.
    pub words: &'static str,
    /// The certificate's file name, and its text.
    pub file: (&'static str, &'static str),
    /// The system.
    pub cell: GrandCell,
    /// The property that the words are about. (A certificate may prove more.)
    pub property: Property,
    /// A fault in the model that makes the theorem false.
    pub mutant: Mutant,
}

macro_rules! certified {
    ($words:literal, $environment:ident, $naming:ident, $kernel:literal, $kmod:literal,
     $property:ident, $mutant:expr, $file:literal) => {
        Certified {
            words: $words,
            file: ($file, include_str!(concat!("../../certificates/", $file))),
            cell: GrandCell {
                environment: Environment::$environment,
                naming: Naming::$naming,
                kernel: $kernel,
                kmod: $kmod,
            },
            property: Property::$property,
            mutant: $mutant,
        }
    };
}

/// All of them.
pub const CERTIFIED: [Certified; 15] = [
    certified!(
        "Without a check, kmod v20 gives no false success on v4.9, if no init fails",
        Ok,
        Plain,
        "v4.9",
        "v20",
        NoFalseSuccess,
        Mutant::OldRule,
        "ok_plain_v4.9_v20.json"
    ),
    certified!(
        "The same for get_fs_type() of an alias: it finds its file system",
        Ok,
        FsAndOther,
        "v4.9",
        "v20",
        GetFsTypeFindsIt,
        Mutant::OldRule,
        "ok_fs-other_v4.9_v20.json"
    ),
    certified!(
        "AuthorTree catches every false success of kmod v19, if no init fails and the name is mapped",
        Ok,
        FsAndOther,
        "v4.9+author-tree",
        "v19",
        NoFalseSuccess,
        Mutant::CheckAcceptsForming,
        "ok_fs-other_v4.9+author-tree_v19.json"
    ),
    certified!(
        "AuthorMail does, under the same assumptions",
        Ok,
        FsAndOther,
        "v4.9+author-mail",
        "v19",
        NoFalseSuccess,
        Mutant::CheckAcceptsForming,
        "ok_fs-other_v4.9+author-mail_v19.json"
    ),
    certified!(
        "Verify does, under the same assumptions",
        Ok,
        FsAndOther,
        "v4.9+verify",
        "v19",
        NoFalseSuccess,
        Mutant::CheckAcceptsForming,
        "ok_fs-other_v4.9+verify_v19.json"
    ),
    certified!(
        "WaitAndVerify does, under the same assumptions",
        Ok,
        FsAndOther,
        "v4.9+wait-and-verify",
        "v19",
        NoFalseSuccess,
        Mutant::CheckAcceptsForming,
        "ok_fs-other_v4.9+wait-and-verify_v19.json"
    ),
    certified!(
        "ExactBuiltin catches every false success of kmod v19, also where inits fail",
        Fail,
        Plain,
        "v4.9+exact-builtin",
        "v19",
        NoFalseSuccess,
        Mutant::CheckAcceptsForming,
        "fail_plain_v4.9+exact-builtin_v19.json"
    ),
    certified!(
        "The same for get_fs_type() of an alias",
        Fail,
        FsAndOther,
        "v4.9+exact-builtin",
        "v19",
        NoFalseSuccess,
        Mutant::CheckAcceptsForming,
        "fail_fs-other_v4.9+exact-builtin_v19.json"
    ),
    certified!(
        "ExactBuiltin catches every false success of kmod v20, also where inits fail",
        Fail,
        FsAndOther,
        "v4.9+exact-builtin",
        "v20",
        NoFalseSuccess,
        Mutant::CheckAcceptsForming,
        "fail_fs-other_v4.9+exact-builtin_v20.json"
    ),
    certified!(
        "ExactBuiltin turns no true success into an error, if the name is mapped",
        Fail,
        FsAndOther,
        "v4.9+exact-builtin",
        "v19",
        NoFalseAlarm,
        Mutant::CheckRejectsAll,
        "fail_fs-other_v4.9+exact-builtin_v19.json"
    ),
    certified!(
        "AuthorTree turns no true success into an error, if the name is mapped and not built in",
        Ok,
        FsAndOther,
        "v4.9+author-tree",
        "v19",
        NoFalseAlarm,
        Mutant::CheckRejectsAll,
        "ok_fs-other_v4.9+author-tree_v19.json"
    ),
    certified!(
        "Verify turns no true success into an error",
        Ok,
        FsAndOther,
        "v4.9+verify",
        "v19",
        NoFalseAlarm,
        Mutant::CheckRejectsAll,
        "ok_fs-other_v4.9+verify_v19.json"
    ),
    certified!(
        "WaitAndVerify turns no true success into an error",
        Ok,
        FsAndOther,
        "v4.9+wait-and-verify",
        "v19",
        NoFalseAlarm,
        Mutant::CheckRejectsAll,
        "ok_fs-other_v4.9+wait-and-verify_v19.json"
    ),
    certified!(
        "From v5.3 on, kmod v20 gives no false success, also where inits fail",
        Fail,
        Plain,
        "v5.3",
        "v20",
        NoFalseSuccess,
        Mutant::OldRule,
        "fail_plain_v5.3_v20.json"
    ),
    certified!(
        "The order of sysfs entries and module states is kept, whatever the callers do",
        Fail,
        Plain,
        "v4.9+exact-builtin",
        "v19",
        LifecycleAndSysfs,
        Mutant::SwapLoad(3),
        "fail_plain_v4.9+exact-builtin_v19.json"
    ),
];
