//! `kmodcheck fixes`: which changes of switches make a property hold.

use std::sync::Once;

use kmodcheck_model::builtin::{Environment, Naming};
use kmodcheck_model::features::Features;
use kmodcheck_model::presets;
use kmodcheck_properties::fixes::{Answer, Fared, Question, Wanted, fixes};
use kmodcheck_properties::{Property, asked};
use kmodcheck_sim::scenario_file::{DEFAULT_KERNEL, DEFAULT_KMOD};
use kmodcheck_sim::suggest;
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::subject::Changes;
use crate::args::{Arguments, Fixes};
use crate::input::session;
use crate::input::subject::{Asked, Subject};
use crate::output::layout::{Layout, verdict};
use crate::output::{self, Ended, Failure, bars};

pub(crate) fn run(arguments: &Arguments, asked: &Fixes) -> Result<Ended, Failure> {
    let asked_of = match Property::from_name(&asked.property).and_then(|p| built_in(asked, p)) {
        Some(built_in) => built_in,
        None => of_subject(asked)?,
    };
    let question = &asked_of.question;
    let bar = bars::bar(0, "systems");
    let threads = session::threads(arguments);
    let announced = Once::new();
    let answer =
        fixes(question, threads, session::limits(arguments), session::interrupt(), &|_, of| {
            announced.call_once(|| bars::announce("fixes", of, threads));
            bar.set_length(of as u64);
            bar.inc(1);
        })?;
    let covered = bar.position();
    bar.finish_and_clear();
    let Some(answer) = answer else {
        crate::output::note!("kmodcheck: interrupted after {covered} systems");
        return Ok(Ended::OutOfBudget);
    };
    if arguments.json {
        output::print_json(&json(asked, &asked_of, &answer));
    } else {
        print(asked, &asked_of, &answer);
    }
    Ok(Ended::of(false, answer.cut > 0))
}

/// What is asked, and of what in words.
struct AskedOf {
    question: Question,
    kernel: String,
    kmod: String,
    /// Of a built-in system: what its environment is.
    environment: Option<Environment>,
    /// What has to hold, in a sentence.
    statement: String,
    /// Of another: what it is called.
    subject: Option<String>,
}

/// The question of an environment of the grand matrix; none if another system is given, or another number
/// of callers, or more than releases is changed.
fn built_in(asked: &Fixes, property: Property) -> Option<AskedOf> {
    let of = Asked::from(&asked.subject);
    let Changes { with, without, alias_map, limit, timeouts, .. } = of.changes;
    let changed = !with.is_empty() || !without.is_empty() || alias_map.is_some();
    let elsewhere = of.name.is_some() || of.indexes.modules.is_some() || of.callers.is_some();
    if elsewhere
        || changed
        || limit.is_some()
        || *timeouts
        || of.changes.patches()
        || of.changes.binary.modprobe.is_some()
    {
        return None;
    }
    let kernel = of.kernel.map_or(DEFAULT_KERNEL, |kernel| kernel.name);
    let kmod = asked.pin.or(of.kmod).map_or(DEFAULT_KMOD, |kmod| kmod.name);
    let base = Features { kernel: presets::kernel(kernel)?, kmod: presets::kmod(kmod)? };
    let environment = of.env.unwrap_or(Environment::Ok);
    let namings = of.naming.map_or(Naming::ALL.to_vec(), |naming| vec![naming]);
    let question = Question::built_in(base, environment, &namings, property, asked.max_size);
    Some(AskedOf {
        question: Question { kmod_may_change: asked.pin.is_none(), ..question },
        kernel: kernel.to_owned(),
        kmod: kmod.to_owned(),
        environment: Some(environment),
        statement: property.statement().to_owned(),
        subject: None,
    })
}

/// The question of any other system.
fn of_subject(asked: &Fixes) -> Result<AskedOf, Failure> {
    let of = Asked::from(&asked.subject);
    let of = Asked { kmod: asked.pin.or(of.kmod), ..of };
    // Changes alone are changes of the built-in system.
    let of = if of.is_none() { Asked { env: Some(Environment::Ok), ..of } } else { of };
    let subject = Subject::load(&of)?;
    if !subject.scenario.patched.is_none() {
        let found = format!("{}: found a system that a patch has changed", subject.from);
        return Err(
            format!("{found}, expected one of a release: sets of switches are tried").into()
        );
    }
    let model = subject.small_model()?;
    let (wanted, statement) = match Property::from_name(&asked.property) {
        Some(property) => (Wanted::Property(property), property.statement().to_owned()),
        None => own(asked, &asked::questions(&model))?,
    };
    let question = Question {
        base: subject.scenario.features,
        kmod_may_change: asked.pin.is_none(),
        systems: vec![subject.scenario.clone()],
        built_in: false,
        wanted,
        max_size: asked.max_size,
    };
    let (kernel, kmod) = (subject.choice.kernel.clone(), subject.choice.kmod.clone());
    Ok(AskedOf {
        question,
        kernel,
        kmod,
        environment: None,
        statement,
        subject: Some(format!("{}; {}", subject.named(), subject.releases())),
    })
}

/// What the subject asks itself by that name, and what it says.
fn own(asked: &Fixes, questions: &[asked::Asked]) -> Result<(Wanted, String), Failure> {
    let found = questions.iter().find(|question| question.name == asked.property);
    if let Some(question) = found {
        return Ok((Wanted::Asked(question.name.clone()), question.statement.clone()));
    }
    let own = questions.iter().map(|question| question.name.as_str());
    let known: Vec<&str> = Property::ALL.iter().map(|p| p.name()).chain(own).collect();
    let meant = suggest::did_you_mean(&asked.property, known.iter().copied());
    Err(format!(
        "found property '{}', expected one of {}{}",
        asked.property,
        known.join(", "),
        meant.map_or(String::new(), |meant| format!("; {meant}"))
    )
    .into())
}

fn fared(fared: &Fared) -> String {
    let mut words = vec![match (fared.holds, fared.premise_met) {
        (Some(true), true) => "holds",
        (Some(true), false) => "holds vacuously (its premise never occurs any more)",
        (Some(false), _) => "violated",
        (None, _) => "not decided (out of budget)",
    }];
    words.extend((fared.false_alarm == Some(true)).then_some("false alarms"));
    words.extend((fared.stuck == Some(true)).then_some("somebody sleeps for ever"));
    words.join(", ")
}

fn print(asked: &Fixes, of: &AskedOf, answer: &Answer) {
    let layout = Layout::of(asked.layout.wide);
    layout.print(&format!("{}: {}", of.question.wanted.name(), of.statement));
    let stays = if asked.pin.is_some() { " (which stays)" } else { "" };
    let AskedOf { kernel, kmod, .. } = of;
    layout.print(&match (of.environment, &of.subject) {
        (Some(environment), _) => format!(
            "from kernel {kernel} with kmod {kmod}{stays}, environment {} ({}), {} callers{}",
            environment.name(),
            environment.assumes(),
            environment.callers(),
            asked
                .subject
                .system
                .cell
                .naming
                .map_or(", every way to ask".to_owned(), |n| format!(", {}", n.name())),
        ),
        (None, subject) => format!("{}{stays}", subject.as_deref().unwrap_or_default()),
    });
    layout.print(&format!("as it is: {}\n", verdict(&fared(&answer.base))));
    layout.print(&format!(
        "{} sets of at most {} changes tried ({} distinct systems, {}); {} sets make the property hold \
         at the price of a false alarm or of a process that sleeps for ever.",
        answer.sets,
        asked.max_size,
        answer.systems,
        match answer.cut {
            0 => "every state of each".to_owned(),
            cut => format!("{cut} of them cut"),
        },
        answer.rejected
    ));
    if answer.undecided > 0 {
        layout.print(&format!(
            "Out of budget: of {} sets it is not decided whether they suffice.",
            answer.undecided
        ));
    }
    if !answer.unread.is_empty() {
        layout.print(&format!("No step of these systems reads: {}.", answer.unread.join(", ")));
    }
    if answer.sufficient.is_empty() && answer.undecided > 0 {
        layout.print("\nNone was found to suffice; more states may find one.");
        return;
    }
    if answer.sufficient.is_empty() {
        layout.print(&format!(
            "\nNo set of at most {} changes suffices.{}",
            asked.max_size,
            of.environment.map_or(String::new(), |environment| format!(
                " What has to be given up is the environment's assumption: {}.",
                environment.assumes()
            ))
        ));
        return;
    }
    layout.print(match answer.undecided {
        0 => "\nSufficient, and no proper subset is:",
        _ => "\nSufficient, and no proper subset was found to be:",
    });
    for (set, how) in &answer.sufficient {
        if set.is_empty() {
            layout.print("- nothing has to change");
            continue;
        }
        let changes: Vec<String> =
            set.iter().map(|c| format!("{}={}", c.switch.name, c.value)).collect();
        layout.print(&format!("- {}: {}", changes.join(" + "), verdict(&fared(how))));
        for change in set {
            layout.print(&format!(
                "    {}: {}; {}",
                change.switch.name, change.switch.meaning, change.switch.commit
            ));
        }
    }
}

/// The smallest changes of switches that make a property hold.
#[derive(Serialize, JsonSchema)]
pub(crate) struct FixesJson {
    format: &'static str,
    version: u32,
    kernel: String,
    kmod: String,
    kmod_may_change: bool,
    /// Of a built-in system.
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<&'static str>,
    /// Of another, what it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    property: String,
    max_size: usize,
    base: FaredJson,
    sufficient: Vec<SetJson>,
    rejected: usize,
    /// Sets of which it was not decided whether they suffice.
    undecided: usize,
    sets: usize,
    systems: usize,
    /// Of a built-in system; of another it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    unread_switches: Option<Vec<&'static str>>,
    complete: bool,
}

/// `null`: not decided.
#[derive(Serialize, JsonSchema)]
struct FaredJson {
    holds: Option<bool>,
    premise_met: bool,
    false_alarm: Option<bool>,
    stuck: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
struct SetJson {
    changes: Vec<ChangeJson>,
    fared: FaredJson,
}

#[derive(Serialize, JsonSchema)]
struct ChangeJson {
    switch: &'static str,
    value: &'static str,
    commit: &'static str,
}

fn json(asked: &Fixes, of: &AskedOf, answer: &Answer) -> FixesJson {
    let fared = |f: &Fared| FaredJson {
        holds: f.holds,
        premise_met: f.premise_met,
        false_alarm: f.false_alarm,
        stuck: f.stuck,
    };
    FixesJson {
        format: "kmodcheck-fixes",
        version: 2,
        kernel: of.kernel.clone(),
        kmod: of.kmod.clone(),
        kmod_may_change: asked.pin.is_none(),
        environment: of.environment.map(Environment::name),
        subject: of.subject.clone(),
        property: asked.property.clone(),
        max_size: asked.max_size,
        base: fared(&answer.base),
        sufficient: answer
            .sufficient
            .iter()
            .map(|(set, how)| SetJson {
                changes: set
                    .iter()
                    .map(|c| ChangeJson {
                        switch: c.switch.name,
                        value: c.value,
                        commit: c.switch.commit,
                    })
                    .collect(),
                fared: fared(how),
            })
            .collect(),
        rejected: answer.rejected,
        undecided: answer.undecided,
        sets: answer.sets,
        systems: answer.systems,
        unread_switches: of.question.built_in.then(|| answer.unread.clone()),
        complete: answer.cut == 0,
    }
}
