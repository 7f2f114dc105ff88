//! `kmodcheck review DIFF`: what a patch of the texts changes in the built-in systems, as a page for a mail or a browser.

mod tables;

use kmodcheck_explore::Options;
use kmodcheck_model::builtin::{Environment, Naming};
use kmodcheck_model::features::Features;
use kmodcheck_model::text::Decisions;
use kmodcheck_properties::any_number::{AnyNumber, Effort};
use kmodcheck_properties::compare::Side;
use kmodcheck_properties::grand::GrandCell;
use kmodcheck_properties::results::{CallResult, call};
use kmodcheck_properties::review::{Pair, Proved, Reviewed, any_number, review};
use kmodcheck_properties::verdict::Trace;
use kmodcheck_properties::witness::Witness;
use kmodcheck_properties::{Property, Verdict};
use kmodcheck_sim::patch::Texts;
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::values::{kernels, kmods};
use crate::args::{Arguments, Review};
use crate::input::{files, session};
use crate::output::{self, Ended, Failure, bars, screen, word};

/// As wide as a mail.
const WIDTH: usize = 72;

/// What changes in the same way in some systems.
struct Change<'r> {
    what: What,
    words: [&'static str; 2],
    systems: Vec<&'r Reviewed>,
    /// A shortest run that shows it, of which system, and on which side: 0 without the patch, 1 with it.
    run: Option<(&'r Reviewed, usize, Trace)>,
}

/// A verdict on a property, or what a call can come to.
#[derive(Clone, PartialEq)]
enum What {
    Property(Property),
    /// Whose call, and what it comes to.
    Result(String, String, CallResult),
}

impl What {
    fn name(&self) -> String {
        match self {
            Self::Property(property) => property.name().to_owned(),
            Self::Result(call, result, _) => format!("{call} comes to: {result}"),
        }
    }
}

/// What a patch changes in the built-in systems.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ReviewJson<'a> {
    format: &'static str,
    version: u32,
    /// What was patched.
    kernels: Vec<&'a str>,
    kmods: Vec<&'a str>,
    /// How many systems there are, and how many were explored.
    systems: usize,
    explored: usize,
    /// What is decided otherwise, for each of these releases.
    decisions: Vec<DecisionsJson<'a>>,
    changes: Vec<ChangeJson<'a>>,
    /// Properties that are undecided in some system, a search having been cut.
    undecided: Vec<&'static str>,
    /// The same for any number of callers, if that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    any_number: Option<Vec<ForAnyJson<'a>>>,
}

#[derive(Serialize, JsonSchema)]
struct ForAnyJson<'a> {
    property: &'static str,
    before: &'static str,
    after: &'static str,
    /// Environment, way to ask, kernel and kmod of each cell.
    cells: Vec<[&'a str; 4]>,
    /// The least number of callers that violates it.
    #[serde(skip_serializing_if = "Option::is_none")]
    callers: Option<u8>,
}

/// What the functions decide, in tables.
#[derive(Serialize, JsonSchema)]
struct DecisionsJson<'a> {
    kernel: &'a str,
    kmod: &'a str,
    before: &'a Decisions,
    after: &'a Decisions,
}

#[derive(Serialize, JsonSchema)]
struct ChangeJson<'a> {
    /// A property's name; of what a call can come to, null.
    property: Option<&'static str>,
    /// The call and what it can come to; of a property, null.
    call: Option<&'a str>,
    result: Option<&'a str>,
    before: &'static str,
    after: &'static str,
    /// Environment, way to ask, kernel and kmod of each cell.
    cells: Vec<[&'a str; 4]>,
    /// Of the shortest run that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<usize>,
}

/// One pair of releases, and what is decided for it.
struct Release {
    kernel: &'static str,
    kmod: &'static str,
    before: Decisions,
    after: Decisions,
}

pub(crate) fn run(arguments: &Arguments, asked: &Review) -> Result<Ended, Failure> {
    if let Some(html) = &asked.html {
        files::try_file(html)?;
    }
    let texts = files::texts(asked.text.as_deref(), &asked.patch)?;
    let names = files::named(asked.text.as_deref(), &asked.patch);
    let releases = releases(asked, &texts)?;
    let mut cells = Vec::new();
    for environment in Environment::ALL {
        for naming in Naming::ALL {
            for Release { kernel, kmod, .. } in &releases {
                cells.push(GrandCell { environment, naming, kernel, kmod });
            }
        }
    }
    let pairs = Pair::of(&cells, &|cell| {
        let is = |of: &&Release| (of.kernel, of.kmod) == (cell.kernel, cell.kmod);
        releases.iter().find(is).expect("its releases are asked for").after.clone()
    });
    let bar = bars::bar(pairs.len(), "systems");
    let search = Options {
        symmetry: true,
        limits: session::limits(arguments),
        interrupt: Some(session::interrupt()),
        ..Options::default()
    };
    let threads = session::threads(arguments);
    bars::announce("review", pairs.len(), threads);
    let reviewed = review(&pairs, threads, &search, &|| bar.inc(1))?;
    bar.finish_and_clear();

    let (mut changes, undecided) = changes(&reviewed);
    changes.sort_by_key(Change::rank);
    for change in &mut changes {
        change.find(&search)?;
    }
    let worse = changes.iter().any(|change| change.words[1] == "violated");
    let partly = reviewed.len() < pairs.len() || !undecided.is_empty();
    let mut proved = Vec::new();
    let mut undecided_for_any = false;
    if asked.any_number {
        let effort = Effort { options: search, callers: 3, certificate: false };
        let bar = bars::bar(2 * pairs.len(), "proofs");
        bars::announce("review --any-number", 2 * pairs.len(), threads);
        let all = any_number(&pairs, threads, &effort, &|| bar.inc(1))?;
        bar.finish_and_clear();
        undecided_for_any = all.len() < pairs.len()
            || all.iter().flat_map(|of| of.answers.iter().flatten()).any(AnyNumber::is_cut);
        proved = of_any_number(&all);
    }
    let worse = worse || proved.iter().any(|change| change.words[1] == "violated");
    let partly = partly || undecided_for_any;
    let page = Page {
        names,
        releases,
        cells: cells.len(),
        systems: pairs.len(),
        explored: reviewed.len(),
        changes,
        undecided,
        any_number: asked.any_number.then_some(proved),
    };
    if let Some(html) = &asked.html {
        files::write(html, &page.html())?;
    }
    if arguments.json {
        output::print_json(&page.json());
    } else {
        output::print(page.text().trim_end());
    }
    Ok(Ended::of(worse, partly))
}

/// The releases that are asked for; of those that have a reading of the RFC, which no text has, only if they are.
fn releases(asked: &Review, texts: &Texts) -> Result<Vec<Release>, Failure> {
    let kernels = match &asked.kernel[..] {
        [] => kernels().into_iter().filter(|kernel| !kernel.features.already_live).collect(),
        asked => asked.to_vec(),
    };
    let kmods = match &asked.kmod[..] {
        [] => kmods(),
        asked => asked.to_vec(),
    };
    let mut releases: Vec<Release> = Vec::new();
    for kernel in &kernels {
        for kmod in &kmods {
            if releases.iter().any(|of| (of.kernel, of.kmod) == (kernel.name, kmod.name)) {
                continue;
            }
            let features = Features { kernel: kernel.features, kmod: kmod.features };
            let (before, after) = (Decisions::of_features(&features), texts.decisions(&features)?);
            releases.push(Release { kernel: kernel.name, kmod: kmod.name, before, after });
        }
    }
    Ok(releases)
}

/// What changes, in the order of properties and then of results; and which properties are undecided somewhere.
fn changes(reviewed: &[Reviewed]) -> (Vec<Change<'_>>, Vec<&'static str>) {
    let cut = |v: &Verdict| matches!(v, Verdict::OutOfBudget | Verdict::NoneFound);
    let mut changes: Vec<Change<'_>> = Vec::new();
    let mut undecided = Vec::new();
    for property in Property::ALL {
        for one in reviewed {
            let verdicts = one.answers(property).map(|answer| &answer.verdict);
            let words = verdicts.map(word);
            if verdicts.into_iter().any(cut) {
                undecided.push(property.name());
            } else if words[0] != words[1] {
                add(&mut changes, What::Property(property), words, one);
            }
        }
    }
    undecided.dedup();
    for one in reviewed.iter().filter(|one| one.complete()) {
        let scenario = one.sides[0].model.scenario();
        for (actor, result, side) in one.results() {
            let words = match side {
                Side::Before => ["possible", "never"],
                Side::After => ["never", "possible"],
            };
            let call = call(scenario, actor);
            let call = call.split('(').next().unwrap_or_default().to_owned();
            let said = result.in_words(scenario.actors[actor].action);
            add(&mut changes, What::Result(call, said, result), words, one);
        }
    }
    (changes, undecided)
}

fn add<'r>(changes: &mut Vec<Change<'r>>, what: What, words: [&'static str; 2], one: &'r Reviewed) {
    match changes.iter_mut().find(|c| c.what == what && c.words == words) {
        Some(change) if change.systems.last().is_some_and(|last| std::ptr::eq(*last, one)) => {}
        Some(change) => change.systems.push(one),
        None => changes.push(Change { what, words, systems: vec![one], run: None }),
    }
}

/// What a review says.
struct Page<'r> {
    names: String,
    releases: Vec<Release>,
    cells: usize,
    systems: usize,
    explored: usize,
    changes: Vec<Change<'r>>,
    undecided: Vec<&'static str>,
    /// What changes for any number of callers, if that was asked.
    any_number: Option<Vec<ForAny>>,
}

/// A verdict for any number of callers that changes in the same way in some systems.
struct ForAny {
    property: Property,
    words: [&'static str; 2],
    cells: Vec<GrandCell>,
    /// The least number that violates it, on the side on which it is.
    callers: Option<u8>,
}

impl ForAny {
    fn line(&self) -> String {
        let [was, is] = self.words;
        let callers =
            self.callers.map_or(String::new(), |callers| format!(" (from {callers} callers)"));
        format!("{}: {was} -> {is}{callers}", self.property.name())
    }
}

/// What is proved otherwise with the patch than without.
fn of_any_number(all: &[Proved]) -> Vec<ForAny> {
    let word = |answer: &AnyNumber| match answer {
        AnyNumber::NotApplicable => Some(("not applicable", None)),
        AnyNumber::Holds { premise_met: true } => Some(("holds", None)),
        AnyNumber::Holds { premise_met: false } => Some(("vacuous", None)),
        AnyNumber::Violated { callers, .. } => Some(("violated", Some(*callers))),
        // That is what is said of two callers.
        AnyNumber::Bounded { .. } | AnyNumber::NotDecided(_) => None,
    };
    let mut changes: Vec<ForAny> = Vec::new();
    for property in Property::ALL {
        for of in all {
            let answers = of.answers.each_ref().map(|answers| word(&answers[property as usize]));
            let [Some((was, least)), Some((is, least_with))] = answers else { continue };
            let words = [was, is];
            if was == is {
                continue;
            }
            let callers = least.or(least_with);
            match changes.iter_mut().find(|c| c.property == property && c.words == words) {
                Some(change) => {
                    change.cells.extend(&of.cells);
                    change.callers = change.callers.min(callers);
                }
                None => changes.push(ForAny { property, words, cells: of.cells.clone(), callers }),
            }
        }
    }
    changes.sort_by_key(|change| Rank::of(change.words));
    changes
}

impl Page<'_> {
    fn kernels(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.releases.iter().map(|of| of.kernel).collect();
        names.dedup();
        names
    }

    fn kmods(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for of in &self.releases {
            if !names.contains(&of.kmod) {
                names.push(of.kmod);
            }
        }
        names
    }

    fn json(&self) -> ReviewJson<'_> {
        let decided = self.releases.iter().filter(|of| of.before != of.after);
        ReviewJson {
            format: "kmodcheck-review",
            version: 2,
            kernels: self.kernels(),
            kmods: self.kmods(),
            systems: self.systems,
            explored: self.explored,
            decisions: decided
                .map(|Release { kernel, kmod, before, after }| DecisionsJson {
                    kernel,
                    kmod,
                    before,
                    after,
                })
                .collect(),
            changes: self.changes.iter().map(Change::json).collect(),
            undecided: self.undecided.clone(),
            any_number: self.any_number.as_ref().map(|all| {
                all.iter()
                    .map(|change| ForAnyJson {
                        property: change.property.name(),
                        before: change.words[0],
                        after: change.words[1],
                        cells: change.cells.iter().map(GrandCell::names).collect(),
                        callers: change.callers,
                    })
                    .collect()
            }),
        }
    }

    fn head(&self) -> String {
        format!(
            "{} on kernel {}: {} of {} systems of two callers explored, {} cells, kmod {}",
            self.names,
            self.kernels().join(", "),
            self.explored,
            self.systems,
            self.cells,
            self.kmods().join(", ")
        )
    }

    /// What is decided otherwise, each table with the releases that it is of.
    fn tables(&self) -> Vec<(String, String)> {
        let mut tables: Vec<(Vec<&Release>, String)> = Vec::new();
        for of in self.releases.iter().filter(|of| of.before != of.after) {
            let table = tables::decided(&of.before, &of.after);
            match tables.iter_mut().find(|(_, other)| *other == table) {
                Some((releases, _)) => releases.push(of),
                None => tables.push((vec![of], table)),
            }
        }
        tables.into_iter().map(|(of, table)| (self.among(&of), table)).collect()
    }

    /// Which of the releases these are: those of one side where all of the other are with each; all: nothing.
    fn among(&self, these: &[&Release]) -> String {
        if these.len() == self.releases.len() {
            return String::new();
        }
        let only = |name: fn(&Release) -> &'static str| {
            let mut names: Vec<&str> = these.iter().map(|of| name(of)).collect();
            let mut seen = Vec::new();
            names.retain(|name| {
                !seen.contains(name) && {
                    seen.push(*name);
                    true
                }
            });
            let all = self.releases.iter().filter(|of| names.contains(&name(of))).count();
            (all == these.len()).then(|| names.join(", "))
        };
        only(|of| of.kernel)
            .or_else(|| only(|of| of.kmod).map(|kmods| format!("kmod {kmods}")))
            .unwrap_or_else(|| {
                these
                    .iter()
                    .map(|of| format!("{} with {}", of.kernel, of.kmod))
                    .collect::<Vec<_>>()
                    .join(", ")
            })
    }

    /// The first change with the same run.
    fn same_run(&self, change: &Change<'_>) -> Option<usize> {
        let at = self.changes.iter().position(|other| match (&other.run, &change.run) {
            (Some((a, x, run)), Some((b, y, other))) => {
                x == y
                    && run == other
                    && a.sides[*x].model.scenario().names == b.sides[*y].model.scenario().names
            }
            _ => false,
        })?;
        (!std::ptr::eq(&raw const self.changes[at], &raw const *change)).then_some(at + 1)
    }

    /// What is said where nothing is shown.
    fn nothing(&self) -> Option<&'static str> {
        if self.releases.iter().all(|of| of.before == of.after) {
            Some(
                "The patch changes nothing that these releases do in the model: every answer is what it was.",
            )
        } else if self.changes.is_empty() {
            Some("No verdict changes, and calls can come to what they could.")
        } else {
            None
        }
    }

    /// What stands over what is proved.
    fn for_any(&self, all: &[ForAny]) -> String {
        if all.is_empty() {
            "For any number of callers: what is proved or refuted is what it was.".to_owned()
        } else {
            "For any number of callers:".to_owned()
        }
    }

    fn text(&self) -> String {
        let fold = |text: &str| screen::fold(text, "  ", WIDTH).join("\n") + "\n";
        let mut page = fold(&self.head()) + "\n";
        for (of, table) in self.tables() {
            if !of.is_empty() {
                page += &fold(&format!("on {of}:"));
            }
            page += &table;
            page += "\n";
        }
        if let Some(nothing) = self.nothing() {
            page += &fold(nothing);
        }
        let mut rank = None;
        for (number, change) in (1..).zip(&self.changes) {
            if rank.replace(change.rank()) != Some(change.rank()) {
                page += &format!("{}:\n", change.rank().in_words());
            }
            page += &fold(&format!("[{number}] {}", change.line()));
            page += &fold(&format!("  {}", change.places()));
        }
        if !self.undecided.is_empty() {
            page += &fold(&format!("undecided, a search was cut: {}", self.undecided.join(", ")));
        }
        if let Some(all) = &self.any_number {
            page += &fold(&self.for_any(all));
            let mut rank = None;
            for change in all {
                let of = Rank::of(change.words);
                if rank.replace(of) != Some(of) {
                    page += &format!("{}:\n", of.in_words().replacen('W', "w", 1));
                }
                page += &fold(&format!("  {}", change.line()));
                page += &fold(&format!("    {}", places(&change.cells)));
            }
        }
        for (number, change) in (1..).zip(&self.changes) {
            let Some((when, cell, drawn)) = change.shown() else { continue };
            if let Some(same) = self.same_run(change) {
                page += &format!("\n[{number}] {when} as [{same}]\n");
                continue;
            }
            page += &format!("\n[{number}] {when}\n{}\n{drawn}\n", fold(&cell));
        }
        page + "\n" + &fold(LAST)
    }

    /// The same as one page that needs nothing else.
    fn html(&self) -> String {
        let escaped =
            |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let mut page = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
             content=\"width=device-width\">\n<title>Review of {}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
             <main>\n<h1>What the patch changes</h1>\n<p>{}</p>\n",
            escaped(&self.names),
            escaped(&self.head())
        );
        for (of, table) in self.tables() {
            let of = if of.is_empty() { String::new() } else { format!(" on {of}") };
            page += &format!(
                "<h2>What is decided otherwise{}</h2>\n<pre>{}</pre>\n",
                escaped(&of),
                escaped(&table)
            );
        }
        if let Some(nothing) = self.nothing() {
            page += &format!("<p>{}</p>\n", escaped(nothing));
        } else {
            page += "<h2>What comes of it</h2>\n<ol>\n";
            let mut rank = None;
            for (number, change) in (1..).zip(&self.changes) {
                if rank.replace(change.rank()) != Some(change.rank()) {
                    page += &format!(
                        "</ol>\n<h3>{}</h3>\n<ol start=\"{number}\">\n",
                        change.rank().in_words()
                    );
                }
                let (line, places) = (escaped(&change.line()), escaped(&change.places()));
                page += &format!("<li><a href=\"#run{number}\">{line}</a><br>{places}</li>\n");
            }
            page += "</ol>\n";
        }
        if let Some(all) = &self.any_number {
            page += &format!("<h2>{}</h2>\n<ul>\n", escaped(&self.for_any(all)));
            for change in all {
                page +=
                    &format!("<li>{}<br>{}</li>\n", escaped(&change.line()), places(&change.cells));
            }
            page += "</ul>\n";
        }
        if !self.undecided.is_empty() {
            page += &format!("<p>Undecided, a search was cut: {}</p>\n", self.undecided.join(", "));
        }
        for (number, change) in (1..).zip(&self.changes) {
            let Some((when, cell, drawn)) = change.shown() else { continue };
            page += &format!(
                "<h2 id=\"run{number}\">{number}. {}</h2>\n<p>{}<br><code>{}</code></p>\n<pre>{}</pre>\n",
                escaped(&change.line()),
                escaped(&when),
                escaped(&cell),
                escaped(&drawn)
            );
        }
        page + &format!("<p>{}</p>\n</main>\n</body>\n</html>\n", escaped(LAST))
    }
}

/// What a reader can ask next.
const LAST: &str = "Two callers each, every interleaving; of any number of callers: kmodcheck prove with --patch. The \
                    same of one system: kmodcheck compare.";

/// Of the page.
const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:0;color:#1a1a1a;background:#fff}\
                     main{max-width:60rem;margin:auto;padding:1rem}\
                     pre{overflow-x:auto;font:13px/1.4 ui-monospace,monospace;background:#f4f4f4;padding:.8rem}\
                     code{overflow-wrap:anywhere}a{color:#0b57a4}h1,h2{line-height:1.2}\
                     @media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#161616}\
                     pre{background:#222}a{color:#8cc0ff}}\
                     @media print{pre{white-space:pre-wrap;background:none;border:1px solid #999}}";

/// Cells by environment.
fn places(cells: &[GrandCell]) -> String {
    let all: Vec<String> = Environment::ALL
        .into_iter()
        .filter_map(|environment| {
            let of = cells.iter().filter(|cell| cell.environment == environment).count();
            let word = if of == 1 { "cell" } else { "cells" };
            (of > 0).then(|| format!("{} ({of} {word})", environment.name()))
        })
        .collect();
    all.join(", ")
}

/// How a change is to be taken, what is to be read first before the rest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Worse,
    Better,
    Results,
    Other,
}

impl Rank {
    /// Of what is said without the patch and with it.
    fn of(words: [&str; 2]) -> Self {
        match words {
            [_, "violated"] => Self::Worse,
            ["violated", _] => Self::Better,
            _ => Self::Other,
        }
    }

    fn in_words(self) -> &'static str {
        match self {
            Self::Worse => "What is violated with the patch and was not",
            Self::Better => "What was violated and is not with the patch",
            Self::Results => "What calls can come to",
            Self::Other => "What is said otherwise, and was no violation",
        }
    }
}

impl<'r> Change<'r> {
    fn rank(&self) -> Rank {
        match self.what {
            What::Result(..) => Rank::Results,
            What::Property(_) => Rank::of(self.words),
        }
    }

    fn cells(&self) -> impl Iterator<Item = &'r GrandCell> + '_ {
        self.systems.iter().flat_map(|one| &one.system.cells)
    }

    fn line(&self) -> String {
        let [was, is] = self.words;
        format!("{}: {was} -> {is}", self.what.name())
    }

    /// In which cells, by environment.
    fn places(&self) -> String {
        places(&self.cells().copied().collect::<Vec<_>>())
    }

    /// Looks for a shortest run that shows it: of a verdict, the violation, with the patch if there is one.
    fn find(&mut self, search: &Options<'_>) -> Result<(), Failure> {
        self.run = match &self.what {
            What::Property(property) => {
                let runs = self.systems.iter().filter_map(|one| {
                    let answers = one.answers(*property);
                    let of = |side: usize| match &answers[side].verdict {
                        Verdict::Violated(trace) => Some((*one, side, trace.clone())),
                        _ => None,
                    };
                    of(1).or_else(|| of(0))
                });
                runs.min_by_key(|(.., trace)| trace.len())
            }
            What::Result(.., wanted) => {
                let states =
                    |one: &&&Reviewed| one.sides[0].report.states + one.sides[1].report.states;
                let one = *self.systems.iter().min_by_key(states).expect("it is in some system");
                let side = usize::from(self.words[1] == "possible");
                let changes = one.results();
                let (actor, ..) = changes
                    .iter()
                    .find(|(_, result, of)| result == wanted && *of as usize == side)
                    .expect("it changes there");
                let of = &one.sides[side];
                let witness = Witness::Result { actor: *actor, result: *wanted };
                witness.find(&of.model, &of.report, search)?.map(|trace| (one, side, trace))
            }
        };
        Ok(())
    }

    /// When its run can happen and in how many steps, in which cell, and the run.
    fn shown(&self) -> Option<(String, String, String)> {
        let (one, side, trace) = self.run.as_ref()?;
        let cell = one.system.cells[0];
        let when = if *side == 0 { "without the patch" } else { "with the patch" };
        let cell = format!(
            "--env {} --naming {} --kernel {} --kmod {}",
            cell.environment.name(),
            cell.naming.name(),
            cell.kernel,
            cell.kmod
        );
        let model = &one.sides[*side].model;
        let drawn = match &self.what {
            What::Property(property) => output::told_text(model, *property, trace, WIDTH),
            What::Result(.., result) => {
                let changes = one.results();
                let (actor, ..) = changes.iter().find(|(_, of, _)| of == result)?;
                let witness = Witness::Result { actor: *actor, result: *result };
                output::results::text(model, witness, trace, WIDTH)
            }
        };
        Some((format!("{when}, in {} steps:", trace.len()), cell, drawn.trim_end().to_owned()))
    }

    fn json(&self) -> ChangeJson<'_> {
        let [before, after] = self.words;
        let cells = self.cells().map(GrandCell::names);
        let (property, call, result) = match &self.what {
            What::Property(property) => (Some(property.name()), None, None),
            What::Result(call, result, _) => (None, Some(call.as_str()), Some(result.as_str())),
        };
        let steps = self.run.as_ref().map(|(.., trace)| trace.len());
        ChangeJson { property, call, result, before, after, cells: cells.collect(), steps }
    }
}
