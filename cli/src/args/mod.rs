//! What can be typed: declarations only.

pub(crate) mod compare;
pub(crate) mod evidence;
pub(crate) mod examples;
pub(crate) mod flags;
pub(crate) mod modprobe;
pub(crate) mod scale;
pub(crate) mod subject;
pub(crate) mod values;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::TypedValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use kmodcheck_model::builtin::{Environment, Naming};
use kmodcheck_properties::Property;
use kmodcheck_properties::grand::GrandCell;
use kmodcheck_sim::scenario_file::Expected;

use compare::Compare;
use evidence::{Evidence, Report, Serve, Step, Trace};
pub(crate) use flags::Arguments;
use flags::{Accepting, All, Json, Reproducing, StatesLimit, Wide, Width};
use modprobe::Modprobe;
use scale::{EngineArguments, Merge, Sample};
use subject::{Callers, Changes, Indexes, Subject, Subjects, System};
use values::{
    Kernel, Kmod, Series, any_kernel, any_kmod, case, environment, expectation, kernel, kmod,
    naming, property, property_or_own, series,
};

/// Model checker for the Linux module loading race.
///
/// Without a command: explores the built-in scenarios under every reading of the proposed check, and
/// says on one screen which reading catches what, and how the race ends; `--all` prints the matrix, the
/// race, and the theorem with the traces behind its assumptions.
///
/// Exit status: 0 all as expected; 1 a verdict that differs from the recorded or expected one, or a
/// trace that no longer fits, also where a limit cut something else; 2 bad input or arguments, or output
/// that could not be written; 3 out of budget, and nothing that was decided differs, or interrupted,
/// whatever was found by then.
#[derive(Debug, Parser)]
#[command(version = crate::sources::version(), args_conflicts_with_subcommands = true)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Print every table of the main job, the race, and a trace for each assumption.
    #[arg(long, conflicts_with = "json")]
    pub all: bool,

    /// Of the main job; each command has its own.
    #[command(flatten)]
    pub flags: All,
}

impl CommandLine {
    /// The flags of whichever command it is.
    pub(crate) fn arguments(&self) -> Arguments {
        let Some(command) = &self.command else { return self.flags.into() };
        match command {
            Command::Check(asked) => asked.flags.into(),
            Command::Compare(asked) => asked.flags.into(),
            Command::Matrix(asked) => asked.flags.into(),
            Command::Review(asked) => asked.flags.into(),
            Command::Mutants(asked) => asked.flags.into(),
            Command::Prove(asked) => asked.matrix.flags.into(),
            Command::Progress(asked) => asked.flags.into(),
            Command::Fixes(asked) => asked.flags.into(),
            Command::KmodSh(asked) => asked.flags.into(),
            Command::Machine(asked) => asked.flags.into(),
            Command::Accept(asked) => asked.flags.into(),
            Command::Covered(asked) => asked.flags.into(),
            Command::Record(asked) => asked.flags.into(),
            Command::Reproduce(asked) => asked.flags.into(),
            Command::Export(asked) => asked.flags.into(),
            Command::Features(asked) => asked.flags.into(),
            Command::Verify(asked) => asked.flags.into(),
            Command::Aliases(asked) => asked.flags.into(),
            Command::Modprobe(asked) => asked.flags.into(),
            Command::Replay(asked) => asked.flags.into(),
            Command::Trace(asked) => asked.flags.into(),
            Command::Report(asked) => asked.flags.into(),
            Command::Step(asked) => asked.flags.into(),
            Command::Serve(asked) => asked.flags.into(),
            Command::Evidence(asked) => asked.flags.into(),
            Command::Sample(asked) => asked.flags.into(),
            Command::Merge(asked) => asked.flags.into(),
            Command::New(_)
            | Command::Text(_)
            | Command::Schema(_)
            | Command::Steer(_)
            | Command::Completions { .. }
            | Command::Man { .. } => Arguments::default(),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check systems: scenario files, or a real module resolved through the module indexes as modprobe would; or litmus
    /// tests.
    Check(Box<Check>),
    /// Say what changes between two releases: which verdicts, and what calls can come to.
    Compare(Box<Compare>),
    /// Write a system for somebody else's checker: what each process may do, and what it violates.
    Export(Box<Export>),
    /// Write a commented scenario file to begin with.
    New(New),
    /// List every switch: its commit, meaning and values, and which releases have them; or what is in a release.
    Features(Features),
    /// Print the JSON Schema of a format of JSON, or of scenario files; without NAME, which there are.
    Schema(Schema),
    /// Print the kernel's functions that are texts, as a release has them, or as a patch changes them.
    Text(Text),
    /// Say what a patch of the kernel's functions changes in the built-in systems, as a page for a mail.
    Review(Review),
    /// Put every fault that a machine can make into the functions that are texts: which verdicts of the built-in systems
    /// change by it, and what nobody sees.
    Mutants(Mutants),
    /// Explore every kernel preset, kmod preset and environment, on every property.
    Matrix(Matrix),
    /// Prove or refute every safety property for any number of callers.
    Prove(Prove),
    /// Check certificates, as `prove --certificates` writes them, without the prover.
    Verify(Verify),
    /// Look for runs in which a call never returns, while actors start over for ever.
    Progress(Progress),
    /// Find the smallest changes of switches that make a property hold.
    ///
    /// Of a SUBJECT, or else of the built-in system with --env (ok unless given), asked in every way unless
    /// --naming is given.
    Fixes(Fixes),
    /// Run the kernel's own stress cases, kmod.sh 0001 to 0011, over the presets.
    KmodSh(KmodSh),
    /// Say which requests can go wrong on a machine, and why: every name that its kernel may ask for, on its releases, with
    /// its indexes and its configuration.
    Machine(Machine),
    /// Count how many aliases of real module indexes each alias map of the patch covers.
    Aliases(Aliases),
    /// Run a modprobe as it is, whatever it is answered: print what it asks and does, or compare it with another one or
    /// with a modelled release.
    Modprobe(Modprobe),
    /// Take every step of a saved trace again and look whether the violation is there.
    Replay(Replay),
    /// Decide whether a log is a behaviour of the model; steps that it does not show are found.
    ///
    /// Of a log of tracefs, --kernel and --kmod are the releases that were recorded (6.1-debian and v30 unless given),
    /// and --modules has the indexes of the recorded kernel: without them, what modprobe goes through is
    /// inferred from the log. Of events, they belong to --scenario, or stand in its place.
    Accept(Accept),
    /// Say which steps of the model, and which ways out of them, logs of a real kernel have shown.
    Covered(Covered),
    /// Record how this machine loads modules while a command runs, and decide whether that is a behaviour of the model.
    ///
    /// As root: sets probes in an instance of tracefs of its own, runs COMMAND (or waits for Ctrl-C), writes the log,
    /// takes everything away again, and does with the log what `accept` does.
    Record(Record),
    /// Make of a saved trace a plan by which a real kernel is held up until it does the same.
    Steer(Steer),
    /// Make a real kernel follow a saved trace, in an emulator, and say whether it did the same.
    Reproduce(Reproduce),
    /// Draw a saved trace, make it minimal, say why it happened, keep it as a regression.
    Trace(Trace),
    /// Write one HTML file that asks nothing of the network: of a SUBJECT, for a mail, or of all that the main job finds.
    Report(Report),
    /// Choose the steps of a run by hand, of `race` unless told.
    Step(Step),
    /// Choose the steps of a run by hand, of `race` unless told, in a browser on this machine.
    Serve(Serve),
    /// Write Markdown for a design review, with traces to replay: of a SUBJECT, or findings and theorems of the main job.
    Evidence(Evidence),
    /// Print the completions of a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages.
    Man {
        /// The directory, made if it is not there.
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        directory: PathBuf,
    },
    /// Take random walks: finds violations, and never says that a property holds.
    Sample(Box<Sample>),
    /// Join the parts of a campaign of random walks.
    Merge(Merge),
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub subject: Subjects,

    #[command(flatten)]
    pub engine: EngineArguments,

    /// Count states one by one instead of up to exchanging callers.
    #[arg(long)]
    pub no_symmetry: bool,

    /// Follow every transition, also one whose end is found otherwise. Takes longer and says the same.
    #[arg(long)]
    pub follow_all: bool,

    /// Take every access to what is shared as a step, also where nobody can tell (of a litmus test). Takes
    /// longer and says the same.
    #[arg(long)]
    pub every_access: bool,

    /// Show a shortest run to this result of an actor's call, or to this branch of a property's
    /// premise: 1=NULL, 'get_fs_type(ext4)=NULL', 'get-fs-type-finds-it:NULL, GOING'. An actor is its
    /// number, from 1, or its call.
    #[arg(long, value_name = "ACTOR=RESULT|PROPERTY:BRANCH", conflicts_with = "property")]
    pub witness: Option<String>,

    /// Save the run that --witness shows, or else the shortest trace of this property's violation (the
    /// first violated one unless told): the very one that is printed.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub save_trace: Option<PathBuf>,

    /// Print and save the run as the explorer has found it, not the one with the fewest context switches of that
    /// length. JSON has it in any case.
    #[arg(long, conflicts_with = "json")]
    pub raw_trace: bool,

    /// Put faults into the model and into the scenario's own programs, one after the other, and say for whatever
    /// holds which of them violates it. Takes as long as many searches.
    #[arg(long)]
    pub faults: bool,

    /// Also list what no scenario can have, and so no verdict speaks of. JSON has it in any case.
    #[arg(long, conflicts_with = "json")]
    pub assumptions: bool,

    /// Which property --save-trace and the printed trace are about.
    #[arg(long, value_name = "NAME", value_parser = property())]
    pub property: Option<Property>,

    /// What is expected, as PROPERTY=holds (its premise met), PROPERTY=vacuous or PROPERTY=violated;
    /// may be given several times, and counts for more than the file. A property without an
    /// expectation is expected not to be violated.
    #[arg(long, value_name = "PROPERTY=VERDICT", value_parser = expectation(), hide_possible_values = true)]
    pub expect: Vec<(Property, Expected)>,

    /// Write the verdicts as JUnit XML, too, as CI systems read it: a suite for each SUBJECT, a test case for each judged
    /// property, with the run of what differs.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub junit: Option<PathBuf>,

    #[command(flatten)]
    pub width: Width,

    #[command(flatten)]
    pub flags: All,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    pub subject: Subject,

    /// For which checker: Promela is SPIN's language.
    #[arg(long, value_enum)]
    pub format: Format,

    /// Judge only this property, and let processes remember what it reads; without it, every property that
    /// `check` decides in one exploration.
    #[arg(long, value_name = "NAME", value_parser = property())]
    pub property: Option<Property>,

    /// Where to write it; to standard output unless given.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub out: Option<PathBuf>,

    #[command(flatten)]
    pub flags: StatesLimit,
}

/// Somebody else's language.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    /// Of SPIN.
    Promela,
}

#[derive(Debug, Args)]
pub(crate) struct New {
    /// Where to write it; to standard output unless given. A file that is there is left alone.
    pub file: Option<PathBuf>,

    /// Not the example but a file drawn at random, without comments: to try something on systems that nobody
    /// thought of. The same seed draws the same.
    #[arg(long, value_name = "SEED")]
    pub drawn: Option<u64>,

    /// With --drawn: each actor as a program, with locks, flags and waits.
    #[arg(long, requires = "drawn")]
    pub programs: bool,

    /// Not the example but a file to begin one of that kind with: a race, a hang, a shell's script, a module's init.
    #[arg(long, value_name = "KIND", conflicts_with = "drawn")]
    pub kind: Option<Kind>,
}

/// What a file to begin with is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Two who do not see each other.
    Race,
    /// Somebody who waits for ever.
    Hang,
    /// A shell's script and udev.
    Script,
    /// An init that does something of its own.
    ModuleInit,
}

#[derive(Debug, Args)]
pub(crate) struct Matrix {
    /// Only this kernel, a preset. Of `prove SUBJECT`: the kernel in place of its own, any release.
    #[arg(long, value_parser = any_kernel())]
    pub kernel: Option<Kernel>,

    /// Only this kmod release. Of `prove SUBJECT` likewise.
    #[arg(long, value_parser = any_kmod())]
    pub kmod: Option<Kmod>,

    /// Only this environment.
    #[arg(long, value_parser = environment())]
    pub env: Option<Environment>,

    /// Only this way to ask.
    #[arg(long, value_parser = naming())]
    pub naming: Option<Naming>,

    /// Only this property.
    #[arg(long, value_name = "NAME", value_parser = property())]
    pub property: Option<Property>,

    #[command(flatten)]
    pub layout: Wide,

    #[command(flatten)]
    pub flags: All,
}

impl Matrix {
    /// Whether the cell is asked for.
    pub(crate) fn wants(&self, cell: &GrandCell) -> bool {
        self.kernel.is_none_or(|kernel| kernel.name == cell.kernel)
            && self.kmod.is_none_or(|kmod| kmod.name == cell.kmod)
            && self.env.is_none_or(|environment| environment == cell.environment)
            && self.naming.is_none_or(|naming| naming == cell.naming)
    }

    /// The properties asked for.
    pub(crate) fn properties(&self) -> Vec<Property> {
        match self.property {
            Some(property) => vec![property],
            // Nobody listens for uevents in these environments.
            None => Property::of_built_in_systems().collect(),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Prove {
    /// Instead of the grand matrix, this system: FILE, a scenario (TOML or JSON) or a saved trace, `race`, or
    /// a cell of the main matrix ('fs-ext4 ok v19 none none'). --kernel and --kmod take the place of its own.
    #[arg(value_name = "SUBJECT", value_hint = ValueHint::FilePath, conflicts_with_all = ["env", "naming"])]
    pub subject: Option<String>,

    #[command(flatten)]
    pub indexes: Indexes,

    #[command(flatten)]
    pub changes: Changes,

    #[command(flatten)]
    pub matrix: Matrix,

    /// Look for violations that the invariant does not exclude with up to so many callers.
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=16))]
    pub callers: u8,

    /// Write a certificate of what holds in each system into this directory, made if it is not there.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub certificates: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Certificates.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,

    /// Also write the steps of the one certificate's system, for verifiers that share no code with this one:
    /// tools/verify/verify.py takes both files.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub steps: Option<PathBuf>,

    #[command(flatten)]
    pub flags: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Progress {
    /// Instead of the grand matrix, this system: FILE, a scenario (TOML or JSON) or a saved trace, `race`, or
    /// a cell of the main matrix ('fs-ext4 ok v19 none none'). --kernel and --kmod take the place of its own.
    #[arg(value_name = "SUBJECT", value_hint = ValueHint::FilePath, conflicts_with_all = ["env", "naming", "hard_cases", "threads"])]
    pub subject: Option<String>,

    #[command(flatten)]
    pub indexes: Indexes,

    #[command(flatten)]
    pub changes: Changes,

    #[command(flatten)]
    pub callers: Callers,

    /// Instead of the grand matrix: the cases that are known to be hard.
    #[arg(long, conflicts_with_all = ["modules", "kernel", "kmod", "env", "naming", "threads"])]
    pub hard_cases: bool,

    /// Only this kernel, a preset; of a SUBJECT the kernel in place of its own, any release.
    #[arg(long, value_parser = any_kernel())]
    pub kernel: Option<Kernel>,

    /// Only this kmod release; of a SUBJECT likewise.
    #[arg(long, value_parser = any_kmod())]
    pub kmod: Option<Kmod>,

    /// Only this environment.
    #[arg(long, value_parser = environment())]
    pub env: Option<Environment>,

    /// Only this way to ask.
    #[arg(long, value_parser = naming())]
    pub naming: Option<Naming>,

    #[command(flatten)]
    pub layout: Wide,

    #[command(flatten)]
    pub flags: All,
}

#[derive(Debug, Args)]
pub(crate) struct Fixes {
    #[command(flatten)]
    pub subject: Subject,

    /// The kmod release that cannot be updated: only the kernel may change.
    #[arg(long, value_parser = kmod(), conflicts_with = "kmod")]
    pub pin: Option<Kmod>,

    /// The property that has to hold: one of the model's, or one that the file itself asks.
    #[arg(long, value_name = "NAME", value_parser = property_or_own(), default_value = Property::NoFalseSuccess.name())]
    pub property: String,

    /// Most changes in a set.
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=5).map(usize::from))]
    pub max_size: usize,

    #[command(flatten)]
    pub layout: Wide,

    #[command(flatten)]
    pub flags: All,
}

#[derive(Debug, Args)]
pub(crate) struct Machine {
    /// The machine's root: this machine's, or an unpacked image, container or initramfs. Nothing of it is executed.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, default_value = "/")]
    pub root: PathBuf,

    /// Which of several kernels, as its directory in lib/modules is called; or, where there is one, which release it is.
    #[arg(long, value_parser = any_kernel())]
    pub kernel: Option<Kernel>,

    /// kmod: a preset, or any release; that of the root unless given.
    #[arg(long, value_parser = any_kmod())]
    pub kmod: Option<Kmod>,

    /// modprobe's configuration, as `modprobe -C` takes it, in place of the root's own: etc/modprobe.d and the others.
    #[arg(long, value_name = "DIR|FILE", value_hint = ValueHint::AnyPath)]
    pub config: Option<PathBuf>,

    /// No configuration, whatever the root has.
    #[arg(long, conflicts_with_all = ["config", "cmdline"])]
    pub no_config: bool,

    /// The kernel's command line, for modprobe.blacklist= and module_blacklist=. Unless given, that of the kernel that
    /// runs, if the modules are its own.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub cmdline: Option<PathBuf>,

    /// Only names that begin so, as fs-; several may be given. Those that the kernel requests by itself unless given.
    #[arg(long, value_name = "PREFIX")]
    pub family: Vec<String>,

    /// Every name without a wildcard: modules' own, and all aliases.
    #[arg(long, conflicts_with = "family")]
    pub all: bool,

    /// How many ask for a name at once.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub callers: u8,

    /// Every init may fail, at every attempt.
    #[arg(long)]
    pub init_may_fail: bool,

    /// Waits with a time limit may end by it.
    #[arg(long)]
    pub timeouts: bool,

    #[command(flatten)]
    pub layout: Wide,

    #[command(flatten)]
    pub flags: All,
}

#[derive(Debug, Args)]
pub(crate) struct KmodSh {
    /// Only this kernel.
    #[arg(long, value_parser = kernel())]
    pub kernel: Option<Kernel>,

    /// Only this kmod release.
    #[arg(long, value_parser = kmod())]
    pub kmod: Option<Kmod>,

    /// Only this case.
    #[arg(long, value_parser = case())]
    pub case: Option<&'static str>,

    /// How many requests may run at a time; lower it to exhaust what the limit does.
    #[arg(long, default_value_t = kmodcheck_properties::kmod_sh::LIMIT, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=50))]
    pub limit: u8,

    /// Hold what threads of real runs got, as tools/real-kernel/kmod-sh has written it down, against what this kernel and
    /// kmod can answer: exit 1 if they cannot.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires_all = ["kernel", "kmod"], conflicts_with_all = ["case", "limit", "wide"])]
    pub observed: Option<PathBuf>,

    /// Apply a unified diff to the texts of the functions (`kmodcheck text` prints them). May be given several
    /// times.
    #[arg(long, value_name = "DIFF", value_hint = ValueHint::FilePath)]
    pub patch: Vec<PathBuf>,

    /// The texts as this directory has them, in the place of those that are shipped (`kmodcheck text --out`).
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub text: Option<PathBuf>,

    #[command(flatten)]
    pub layout: Wide,

    #[command(flatten)]
    pub flags: All,
}

#[derive(Debug, Args)]
pub(crate) struct Features {
    /// What is in this kernel, commit by commit: as people write it, or as `uname -r` says it.
    #[arg(long, value_name = "RELEASE")]
    pub kernel: Option<String>,

    /// The same of this kmod.
    #[arg(long, value_name = "RELEASE")]
    pub kmod: Option<String>,

    #[command(flatten)]
    pub flags: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Review {
    /// Unified diffs of the texts, applied one after the other; `kmodcheck text` prints the texts.
    #[arg(required_unless_present = "text", value_name = "DIFF", value_hint = ValueHint::FilePath)]
    pub patch: Vec<PathBuf>,

    /// The texts as this directory has them, in the place of those that are shipped (`kmodcheck text --out`).
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub text: Option<PathBuf>,

    /// The kernel that is patched, a preset or any release. May be given several times; all presets unless given.
    #[arg(long, value_parser = any_kernel())]
    pub kernel: Vec<Kernel>,

    /// Only this kmod release. May be given several times; all unless given.
    #[arg(long, value_parser = any_kmod())]
    pub kmod: Vec<Kmod>,

    /// Prove or refute it for any number of callers, too.
    #[arg(long)]
    pub any_number: bool,

    /// Write it as a page of HTML, too.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub html: Option<PathBuf>,

    #[command(flatten)]
    pub flags: All,
}

#[derive(Debug, Args)]
pub(crate) struct Mutants {
    /// Only of this text, such as kernel/module/main.c.
    #[arg(value_name = "TEXT")]
    pub file: Option<String>,

    /// The kernel whose functions these are. May be given several times; v6.2 and v6.5 unless given.
    #[arg(long, value_parser = kernel())]
    pub kernel: Vec<Kernel>,

    /// The kmod. May be given several times; v34.2 unless given.
    #[arg(long, value_parser = kmod())]
    pub kmod: Vec<Kmod>,

    /// List those that are refused, and those that decide what was decided, too.
    #[arg(long, conflicts_with = "json")]
    pub every: bool,

    #[command(flatten)]
    pub flags: All,
}

#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// The format, as files say it, or without `kmodcheck-`; `scenario`: scenario files.
    pub name: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Text {
    /// Only this text, such as kernel/module/main.c.
    #[arg(value_name = "TEXT")]
    pub file: Option<String>,

    /// As this kernel has them: with since(COMMIT) resolved. Without it they are printed as a patch has to
    /// find them.
    #[arg(long, value_parser = kernel())]
    pub kernel: Option<Kernel>,

    /// The same of kmod's texts.
    #[arg(long, value_parser = kmod())]
    pub kmod: Option<Kmod>,

    /// Apply a unified diff. May be given several times.
    #[arg(long, value_name = "DIFF", value_hint = ValueHint::FilePath)]
    pub patch: Vec<PathBuf>,

    /// The texts as this directory has them.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub text: Option<PathBuf>,

    /// Write them below this directory, each at its place, to be edited there.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "file")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Aliases {
    /// Directory with modules.dep, modules.alias, modules.softdep and modules.builtin.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub modules: PathBuf,

    #[command(flatten)]
    pub flags: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    #[command(flatten)]
    pub subject: Subject,

    #[command(flatten)]
    pub width: Width,

    #[command(flatten)]
    pub flags: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Accept {
    /// The log.
    pub file: PathBuf,

    /// What the log is: text of tracefs, or events in the words of a trace (lines of JSON).
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub format: LogFormat,

    #[command(flatten)]
    pub system: System,

    #[command(flatten)]
    pub callers: Callers,

    /// A module that modprobe's configuration blacklists, so that it is not loaded through an alias;
    /// may be given several times (ftrace).
    #[arg(long, value_name = "MODULE")]
    pub blacklist: Vec<String>,

    /// Do not look at an event, such as 'mod_tree_insert', and take what it tells of for hidden: where
    /// its probe was wrong for that kernel. An event that the log has nowhere is hidden anyway. May be
    /// given several times (ftrace).
    #[arg(long, value_name = "NAME")]
    pub without_probe: Vec<String>,

    /// Whose actors the log's are (events): a scenario file (TOML or JSON), a saved trace, or the name of
    /// a built-in scenario, such as 'race'.
    #[arg(long = "scenario", value_name = "SUBJECT", value_hint = ValueHint::FilePath)]
    pub subject: Option<String>,

    /// Show every line of the log that was compared, with the hidden steps in their places.
    #[arg(long)]
    pub show: bool,

    #[command(flatten)]
    pub flags: Accepting,
}

#[derive(Debug, Args)]
pub(crate) struct Covered {
    /// The logs, text of tracefs.
    #[arg(required = true, value_name = "LOG", value_hint = ValueHint::FilePath)]
    pub logs: Vec<PathBuf>,

    /// The kernel that was recorded, a preset.
    #[arg(long, value_parser = kernel())]
    pub kernel: Kernel,

    /// The kmod that was recorded, a preset.
    #[arg(long, value_parser = kmod())]
    pub kmod: Kmod,

    /// The indexes of the recorded kernel; without them, what modprobe goes through is inferred from each log.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub modules: Option<PathBuf>,

    /// The configuration of the recorded modprobe, as `modprobe -C` takes it; empty unless given.
    #[arg(long, value_name = "DIR|FILE", value_hint = ValueHint::AnyPath, requires = "modules")]
    pub config: Option<PathBuf>,

    #[command(flatten)]
    pub layout: Wide,

    #[command(flatten)]
    pub flags: All,
}

/// What a log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Text of tracefs.
    Ftrace,
    /// Events in the words of a trace.
    Events,
}

#[derive(Debug, Args)]
pub(crate) struct Record {
    /// What is run while recording, after `--`; without it, what others do is recorded until Ctrl-C.
    #[arg(value_name = "COMMAND", last = true)]
    pub command: Vec<OsString>,

    /// Where the log goes.
    #[arg(long, value_name = "LOG", value_hint = ValueHint::FilePath, default_value = "kmodcheck-record.log")]
    pub out: PathBuf,

    /// The kernel's type information, which says where the members of its structures are.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, default_value = "/sys/kernel/btf/vmlinux")]
    pub btf: PathBuf,

    /// The size of each CPU's buffer in KiB. What finds no room is lost, and the log ends before it.
    #[arg(long, default_value_t = 4096, value_name = "KIB", value_parser = clap::value_parser!(u32).range(4..=1_048_576))]
    pub buffer: u32,

    /// Print a shell script that records with the same probes, for a machine on which this program does not run; nothing is
    /// recorded.
    #[arg(long, conflicts_with_all = ["command", "out", "json", "kernel", "kmod", "modules", "show", "states_limit"])]
    pub print: bool,

    /// Take away what recorders have left behind that were killed; nothing is recorded.
    #[arg(long, conflicts_with_all = ["command", "out", "print", "btf", "buffer", "json", "kernel", "kmod", "modules", "show", "states_limit"])]
    pub clean: bool,

    /// Only write the log.
    #[arg(long, conflicts_with_all = ["print", "clean", "json", "kernel", "kmod", "modules", "show", "states_limit"])]
    pub no_accept: bool,

    /// The kernel of the model; the running one unless given.
    #[arg(long, value_parser = any_kernel())]
    pub kernel: Option<Kernel>,

    /// The kmod of the model; the one that is installed unless given.
    #[arg(long, value_parser = any_kmod())]
    pub kmod: Option<Kmod>,

    /// Directory with the module indexes; those of the running kernel, if there are any, unless given.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub modules: Option<PathBuf>,

    /// Show every line of the log that was compared, with the hidden steps in their places.
    #[arg(long)]
    pub show: bool,

    #[command(flatten)]
    pub flags: Accepting,
}

#[derive(Debug, Args)]
pub(crate) struct Steer {
    #[command(flatten)]
    pub subject: Subject,

    /// Longest hold, in milliseconds.
    #[arg(long, default_value_t = 20_000, value_name = "MS", value_parser = clap::value_parser!(u32).range(1..=120_000))]
    pub longest: u32,
}

#[derive(Debug, Args)]
pub(crate) struct Reproduce {
    #[command(flatten)]
    pub subject: Subject,

    /// The kernel that is booted: Debian 12's of this series.
    #[arg(long, default_value = "6.1", value_parser = series())]
    pub series: Series,

    /// Longest hold, in milliseconds.
    #[arg(long, default_value_t = 20_000, value_name = "MS", value_parser = clap::value_parser!(u32).range(1..=120_000))]
    pub longest: u32,

    /// Keep the log, what became of each hold, the guest's console and its module indexes here.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,

    /// What records.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, default_value = "tools/real-kernel/record")]
    pub recorder: PathBuf,

    #[command(flatten)]
    pub flags: Reproducing,
}
