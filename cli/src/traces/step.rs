//! `kmodcheck step SCENARIO`: a run chosen by hand, in the terminal or through a pipe.

use std::io::{BufRead, IsTerminal, Write};

use kmodcheck_explore::{End, Options};
use kmodcheck_model::{History, Model};
use kmodcheck_properties::Property;
use kmodcheck_properties::by_hand::Walk;
use kmodcheck_sim::Processes;
use kmodcheck_sim::trace::columns;

use crate::args::Arguments;
use crate::args::evidence::Step;
use crate::input::subject::{Asked, Subject};
use crate::input::{files, session};
use crate::interrupt;
use crate::output::{self, Ended, Failure};

const HELP: &str = "\
  NUMBER         take that step
  u              undo the last step
  w              can it still go wrong from here?
  f PROPERTY     go on by the shortest way to a violation of that property
  t              show the run so far
  s FILE         save the run up to its last violation as a trace
  l              list the steps that can be taken
  h              this help
  q              leave";

pub(crate) fn run(arguments: &Arguments, asked: &Step) -> Result<Ended, Failure> {
    let model = Subject::load(&Asked::from(&asked.subject).or_race())?.small_model()?;
    let model = model.remembering(History::Both)?;
    let system = Processes { model: &model };
    let walk = Walk::new(&model, &system).expect("the model is small");
    let stdin = std::io::stdin();
    let mut by_hand = ByHand {
        arguments,
        model: &model,
        walk,
        terminal: stdin.is_terminal(),
        out_of_budget: false,
    };
    output::print(&format!("{}: h for help", model.scenario().name));
    by_hand.list();
    by_hand.prompt();
    for (number, line) in stdin.lock().lines().enumerate() {
        interrupt::at_prompt(false);
        let line = line.map_err(|error| format!("standard input: {error}"))?;
        match by_hand.command(line.trim()) {
            Ok(true) => {}
            Ok(false) => break,
            // Whoever types can try again; a script is wrong.
            Err(error) if by_hand.terminal => output::print(&format!("  {error}")),
            Err(error) => return Err(format!("line {}: {error}", number + 1).into()),
        }
        by_hand.prompt();
    }
    Ok(if by_hand.out_of_budget { Ended::OutOfBudget } else { Ended::AsExpected })
}

struct ByHand<'a> {
    arguments: &'a Arguments,
    model: &'a Model,
    walk: Walk<'a>,
    terminal: bool,
    out_of_budget: bool,
}

impl ByHand<'_> {
    fn prompt(&self) {
        interrupt::at_prompt(true);
        if self.terminal {
            let mut out = anstream::stdout();
            let _ = write!(out, "{}> ", self.walk.trace().len());
            let _ = out.flush();
        }
    }

    /// Obeys a line; `false` to leave.
    fn command(&mut self, line: &str) -> Result<bool, Failure> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        match word {
            "" => {}
            "q" | "quit" => return Ok(false),
            "h" | "help" | "?" => output::print(HELP),
            "l" | "list" => self.list(),
            "u" | "undo" => {
                if !self.walk.undo() {
                    return Err("there is no step to undo".into());
                }
                self.list();
            }
            "t" | "trace" => {
                output::print(columns::render_story(&self.walk.story(), columns::WIDTH).trim_end())
            }
            "w" | "wrong" => self.wrong()?,
            "f" | "finish" => self.finish(rest)?,
            "s" | "save" => self.save(rest)?,
            number => self.choose(number)?,
        }
        Ok(true)
    }

    fn choose(&mut self, word: &str) -> Result<(), Failure> {
        let enabled = self.walk.enabled();
        let chosen = word.parse::<usize>().ok().and_then(|n| enabled.get(n.checked_sub(1)?));
        let Some(chosen) = chosen else {
            let most = enabled.len();
            return Err(format!("found '{word}', expected a step from 1 to {most}, or h").into());
        };
        self.walk.take(chosen.step.actor, chosen.step.ordinal);
        self.say_last();
        self.list();
        Ok(())
    }

    /// The last step, what it changed, what it violated.
    fn say_last(&self) {
        let story = self.walk.story();
        let Some(step) = story.steps.last() else { return };
        let changes = if step.changes.is_empty() {
            String::new()
        } else {
            format!("   [{}]", step.changes.join(", "))
        };
        output::print(&format!(
            "{:3} CPU{} {}: {}{changes}",
            story.steps.len(),
            step.actor,
            step.function,
            step.what
        ));
        for (at, violated) in self.walk.violations().filter(|(at, _)| *at == story.steps.len()) {
            for property in violated {
                let words =
                    format!("    step {at} violates {}: {}", property.name(), property.statement());
                let options = textwrap::Options::new(columns::WIDTH).subsequent_indent("      ");
                output::print(&textwrap::fill(&words, options));
            }
        }
    }

    fn list(&self) {
        let enabled = self.walk.enabled();
        if enabled.is_empty() {
            let asleep = self.walk.asleep();
            if asleep.is_empty() {
                output::print("  everybody has returned");
            } else {
                let who: Vec<String> = asleep.iter().map(|i| format!("CPU{i}")).collect();
                output::print(&format!("  nothing can be done; asleep: {}", who.join(", ")));
            }
        }
        for (i, e) in enabled.iter().enumerate() {
            let way_out = e.way_out.map_or(String::new(), |w| format!(" ({w})"));
            let violates = if e.violates.is_empty() {
                String::new()
            } else {
                let names: Vec<&str> = e.violates.iter().map(|p| p.name()).collect();
                format!("  violates {}", names.join(", "))
            };
            output::print(&format!(
                "  {:2}) CPU{} {}: {}{way_out}{violates}",
                i + 1,
                e.step.actor,
                e.function,
                e.what
            ));
        }
    }

    fn options(&self) -> Options<'static> {
        // Ctrl-C ends a search, not the session.
        session::interrupt().store(false, std::sync::atomic::Ordering::Relaxed);
        Options {
            symmetry: true,
            limits: session::limits(self.arguments),
            interrupt: Some(session::interrupt()),
            ..Options::default()
        }
    }

    fn wrong(&mut self) -> Result<(), Failure> {
        let ahead = self.walk.ahead(&self.options())?;
        for (property, way) in &ahead.violated {
            output::print(&format!(
                "  yes: {} can be violated in {} more steps (f {})",
                property.name(),
                way.len(),
                property.name()
            ));
        }
        let states = ahead.states;
        match ahead.end {
            End::Complete if ahead.violated.is_empty() => {
                output::print(&format!("  no: {states} states from here, nothing violated in any"));
            }
            End::Complete => output::print(&format!("  nothing else: {states} states from here")),
            _ => {
                self.out_of_budget = true;
                let how = output::cut();
                output::print(&format!("  not known beyond that: {how} after {states} states"));
            }
        }
        Ok(())
    }

    fn finish(&mut self, name: &str) -> Result<(), Failure> {
        let property = Property::from_name(name).ok_or_else(|| {
            let names = Property::ALL.map(Property::name).join(", ");
            format!("found property '{name}', expected one of {names}")
        })?;
        let options = Options { symmetry: false, ..self.options() };
        let ahead = self.walk.ahead(&options)?;
        let Some((_, way)) = ahead.violated.iter().find(|(p, _)| *p == property) else {
            return Err(match ahead.end {
                End::Complete => format!("{name} cannot be violated from here"),
                _ => format!("{}: no violation of {name} was found", output::cut()),
            }
            .into());
        };
        for step in way {
            if !self.walk.take(step.actor, step.ordinal) {
                return Err("the way that was found cannot be taken".into());
            }
            self.say_last();
        }
        self.list();
        Ok(())
    }

    fn save(&self, file: &str) -> Result<(), Failure> {
        if file.is_empty() {
            return Err("expected a file: s FILE".into());
        }
        let Some((steps, violated)) = self.walk.violations().last() else {
            return Err("nothing is violated yet: go on, or let f find the way".into());
        };
        let trace = self.walk.trace()[..steps].to_vec();
        let saved = output::trace_json(violated[0], self.model.scenario(), &trace);
        files::write(std::path::Path::new(file), &saved.to_json())?;
        output::print(&format!("  {file}: {steps} steps, violates {}", violated[0].name()));
        Ok(())
    }
}
