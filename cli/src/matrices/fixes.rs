//! `kmodcheck fixes`: which changes of switches make a property hold.

use kmodcheck_model::builtin::{Environment, Naming};
use kmodcheck_model::features::Features;
use kmodcheck_properties::fixes::{Answer, Fared, Question, fixes};
use serde::Serialize;

use crate::args::{Arguments, Fixes};
use crate::input::session;
use crate::output::{self, Ended, Failure, bars};

pub(crate) fn run(arguments: &Arguments, asked: &Fixes) -> Result<Ended, Failure> {
    let (kmod, environment) = (asked.pin.unwrap_or(asked.kmod), asked.env);
    let base = Features { kernel: asked.kernel.features, kmod: kmod.features };
    let namings = asked.naming.map_or(Naming::ALL.to_vec(), |naming| vec![naming]);
    let question = Question {
        base,
        kmod_may_change: asked.pin.is_none(),
        environment,
        namings,
        property: asked.property,
        max_size: asked.max_size,
    };
    let bar = bars::bar(0);
    let answer = fixes(
        &question,
        session::threads(arguments),
        session::limits(arguments),
        session::interrupt(),
        &|_, of| {
            bar.set_length(of as u64);
            bar.inc(1);
        },
    );
    let covered = bar.position();
    bar.finish_and_clear();
    let Some(answer) = answer else {
        crate::output::note!("kmodcheck: interrupted after {covered} systems");
        return Ok(Ended::OutOfBudget);
    };
    if arguments.json {
        output::print_json(&json(asked, kmod.name, &answer));
    } else {
        print(asked, kmod.name, environment, &answer);
    }
    Ok(Ended::of(false, answer.cut > 0))
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

fn print(asked: &Fixes, kmod: &str, environment: Environment, answer: &Answer) {
    let property = asked.property;
    output::print(&format!("{}: {}", property.name(), property.statement()));
    output::print(&format!(
        "from kernel {} with kmod {kmod}{}, environment {} ({}), {} callers{}",
        asked.kernel.name,
        if asked.pin.is_some() { " (which stays)" } else { "" },
        environment.name(),
        environment.assumes(),
        environment.callers(),
        asked.naming.map_or(", every way to ask".to_owned(), |n| format!(", {}", n.name())),
    ));
    output::print(&format!("as it is: {}\n", fared(&answer.base)));
    output::print(&format!(
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
        output::print(&format!(
            "Out of budget: of {} sets it is not decided whether they suffice.",
            answer.undecided
        ));
    }
    if !answer.unread.is_empty() {
        output::print(&format!("No step of these systems reads: {}.", answer.unread.join(", ")));
    }
    if answer.sufficient.is_empty() && answer.undecided > 0 {
        output::print("\nNone was found to suffice; more states may find one.");
        return;
    }
    if answer.sufficient.is_empty() {
        output::print(&format!(
            "\nNo set of at most {} changes suffices. What has to be given up is the environment's \
             assumption: {}.",
            asked.max_size,
            environment.assumes()
        ));
        return;
    }
    output::print(match answer.undecided {
        0 => "\nSufficient, and no proper subset is:",
        _ => "\nSufficient, and no proper subset was found to be:",
    });
    for (set, how) in &answer.sufficient {
        if set.is_empty() {
            output::print("- nothing has to change");
            continue;
        }
        let changes: Vec<String> =
            set.iter().map(|c| format!("{}={}", c.switch.name, c.value)).collect();
        output::print(&format!("- {}: {}", changes.join(" + "), fared(how)));
        for change in set {
            output::print(&format!(
                "    {}: {}; {}",
                change.switch.name, change.switch.meaning, change.switch.commit
            ));
        }
    }
}

#[derive(Serialize)]
struct FixesJson {
    format: &'static str,
    version: u32,
    kernel: String,
    kmod: String,
    kmod_may_change: bool,
    environment: String,
    property: &'static str,
    max_size: usize,
    base: FaredJson,
    sufficient: Vec<SetJson>,
    rejected: usize,
    /// Sets of which it was not decided whether they suffice.
    undecided: usize,
    sets: usize,
    systems: usize,
    unread_switches: Vec<&'static str>,
    complete: bool,
}

/// `null`: not decided.
#[derive(Serialize)]
struct FaredJson {
    holds: Option<bool>,
    premise_met: bool,
    false_alarm: Option<bool>,
    stuck: Option<bool>,
}

#[derive(Serialize)]
struct SetJson {
    changes: Vec<ChangeJson>,
    fared: FaredJson,
}

#[derive(Serialize)]
struct ChangeJson {
    switch: &'static str,
    value: &'static str,
    commit: &'static str,
}

fn json(asked: &Fixes, kmod: &str, answer: &Answer) -> FixesJson {
    let fared = |f: &Fared| FaredJson {
        holds: f.holds,
        premise_met: f.premise_met,
        false_alarm: f.false_alarm,
        stuck: f.stuck,
    };
    FixesJson {
        format: "kmodcheck-fixes",
        version: 2,
        kernel: asked.kernel.name.to_owned(),
        kmod: kmod.to_owned(),
        kmod_may_change: asked.pin.is_none(),
        environment: asked.env.name().to_owned(),
        property: asked.property.name(),
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
        unread_switches: answer.unread.clone(),
        complete: answer.cut == 0,
    }
}
