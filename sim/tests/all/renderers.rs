//! What the renderers promise, for runs of one to nine actors drawn at random.

use std::ops::ControlFlow;

use kmodcheck_explore::Product;
use kmodcheck_explore::TraceStep;
use kmodcheck_model::Model;
use kmodcheck_model::builtin::{Environment, Naming, scenario};
use kmodcheck_model::features::{Features, KernelFeatures, KmodFeatures};
use kmodcheck_sim::Processes;
use kmodcheck_sim::trace::story::Violated;
use kmodcheck_sim::trace::{Story, Trace, columns, dot, mermaid, neighbourhood, svg};

fn model(callers: u8, name: &str) -> Model {
    let features = Features { kernel: KernelFeatures::V4_9, kmod: KmodFeatures::V19 };
    let mut scenario = scenario(Naming::FsAndModule, Environment::Fail, features, callers);
    scenario.modules[0].name = name.to_owned();
    Model::new(scenario, None).unwrap()
}

/// A random run.
fn walk(model: &Model, seed: u64) -> Trace {
    let system = Processes { model };
    let product = Product::new(&system).unwrap();
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut now = product.initial();
    let mut trace = Vec::new();
    for _ in 0..60 {
        let mut next = Vec::new();
        let _ = product.successors(&now, &mut Vec::new(), |t| {
            let step = TraceStep { actor: t.actor, ordinal: t.ordinal, label: t.label };
            next.push((step, *t.after));
            ControlFlow::Continue(())
        });
        if next.is_empty() {
            break;
        }
        let (step, after) = next[rng.usize(0..next.len())];
        trace.push(step);
        now = after;
    }
    trace
}

fn story_of(model: &Model, trace: &Trace) -> Story {
    let violates = Violated {
        property: "no-false-success".to_owned(),
        statement: "A \"statement\"; with <marks> & more, long enough to be folded once or twice. "
            .repeat(3)
            .trim_end()
            .to_owned(),
    };
    Story::tell(model, trace, Some(violates)).unwrap()
}

const NAMES: [&str; 2] = ["ext4", "a_module_with_a_name_that_is_longer_than_any_column_is_wide"];

/// Every run: callers, the model, a trace of it.
fn runs() -> impl Iterator<Item = (u8, Model, Trace)> {
    (1..=9).flat_map(|callers| {
        NAMES.into_iter().flat_map(move |name| {
            (0..6).map(move |seed| {
                let model = model(callers, name);
                let trace = walk(&model, seed);
                (callers, model, trace)
            })
        })
    })
}

/// The widths of a narrow terminal, of a mail, of a page and of two wide terminals.
const WIDTHS: [usize; 5] = [60, 72, columns::WIDTH, 120, 200];

#[test]
fn columns_are_as_wide_as_told_and_lose_nothing() {
    for ((callers, model, trace), width) in
        runs().flat_map(|run| WIDTHS.map(|width| (run.clone(), width)))
    {
        let story = story_of(&model, &trace);
        let drawn = columns::render_story(&story, width);
        for line in drawn.lines() {
            assert!(line.chars().count() <= width, "{callers} {width}: {line}");
            assert_eq!(line, line.trim_end(), "{callers} {width}");
        }
        // Folding breaks words, so they are compared without what folding puts in.
        let bare = |text: &str| text.replace([' ', '\n'], "");
        let (steps, statement) = drawn.rsplit_once("\n\n").unwrap();
        assert_eq!(bare(statement), bare(&story.violates.as_ref().unwrap().sentence()));
        // The last column has every change, in order, and nothing else.
        let rows = || steps.lines().skip(2);
        let shown: String = rows()
            .map(|line| line.chars().skip(width - columns::CHANGES).collect::<String>())
            .collect();
        let changes: Vec<String> = story.steps.iter().map(|s| s.changes.join(", ")).collect();
        assert_eq!(bare(&shown), bare(&changes.concat()), "{callers} {width}");
        // And what is left of it has every step's words, with a column, a lane or a number of those who step.
        let mut who: Vec<usize> = story.steps.iter().map(|step| step.actor).collect();
        who.sort_unstable();
        who.dedup();
        let room = width - columns::CHANGES;
        let in_columns = who.len() == 1 || room / who.len() >= columns::NARROWEST;
        let heads: Vec<&str> = drawn.lines().next().unwrap().split_whitespace().collect();
        let numbered = heads[0] == "who";
        let left: String = rows()
            .map(|line| line.chars().take(room).collect::<String>())
            .map(|line| match () {
                () if in_columns => line,
                () if numbered && line.starts_with("CPU") => {
                    line.split_once(' ').unwrap().1.to_owned()
                }
                () => line.replacen('*', "", 1),
            })
            .collect();
        let told: Vec<String> =
            story.steps.iter().map(|s| format!("{}: {}", s.function, s.what)).collect();
        assert_eq!(bare(&left), bare(&told.concat()), "{callers} {width}");
        if numbered {
            continue;
        }
        for (place, cpu) in who.iter().enumerate() {
            let head = if in_columns { format!("CPU{cpu}") } else { cpu.to_string() };
            assert_eq!(heads[place], head, "{callers} {width}");
        }
        if !in_columns {
            let stars = rows().filter(|l| l.trim_start().starts_with('*')).count();
            assert_eq!(stars, story.steps.len(), "a star for each step");
        }
    }
}

/// Without the shared state: whoever is alone has the whole width, and a process that does nothing takes none.
#[test]
fn a_process_that_is_alone_has_one_column() {
    let model = model(3, "ext4");
    let race = walk(&model, 3);
    let first = race[0].actor;
    let alone: Trace = race.iter().take_while(|step| step.actor == first).cloned().collect();
    for width in WIDTHS {
        let drawn = columns::render_within(model.scenario(), &alone, width);
        let mut lines = drawn.lines();
        assert_eq!(lines.next(), Some(&*format!("CPU{first}")), "{drawn}");
        assert!(lines.skip(1).all(|line| !line.starts_with("   ")), "{drawn}");
        let of = |wanted: &[usize]| {
            let steps = race.iter().filter(|step| wanted.contains(&step.actor)).cloned();
            columns::render_within(model.scenario(), &steps.collect(), width)
        };
        let drawn = of(&[0, 2]);
        assert!(drawn.lines().all(|line| line.chars().count() <= width), "{drawn}");
        let heads: Vec<&str> = drawn.lines().next().unwrap().split_whitespace().collect();
        assert_eq!(heads[..2], ["CPU0", "CPU2"], "{drawn}");
    }
    // What is drawn as it was has two columns.
    assert!(columns::render(model.scenario(), &race[..0].to_vec()).starts_with("CPU0 "));
}

#[test]
fn two_callers_stand_in_two_columns() {
    let model = model(2, "ext4");
    let trace = walk(&model, 3);
    let story = story_of(&model, &trace);
    let drawn = columns::render_story(&story, columns::WIDTH);
    let starts: Vec<usize> = drawn
        .lines()
        .skip(2)
        .take_while(|line| !line.is_empty())
        .filter(|line| line.contains(": "))
        .map(|line| line.len() - line.trim_start().len())
        .collect();
    for step in &story.steps {
        assert!(drawn.contains(step.function), "{} is folded away", step.function);
    }
    assert!(starts.contains(&0) && starts.contains(&32), "{starts:?}\n{drawn}");
}

#[test]
fn the_shared_state_is_told_as_it_changes() {
    for (_, model, trace) in runs() {
        let story = story_of(&model, &trace);
        let mut before = story.initial.clone();
        for step in &story.steps {
            // Words where something changed, none where nothing did.
            assert_eq!(step.changes.is_empty(), before == step.after, "{step:?}");
            before = step.after.clone();
        }
    }
}

#[test]
fn svg_is_well_formed() {
    for (_, model, trace) in runs() {
        let drawn = svg::render(&story_of(&model, &trace));
        let mut open = Vec::new();
        for tag in drawn.split('<').skip(1) {
            let (tag, rest) = tag.split_once('>').expect("every tag is closed");
            assert!(!rest.contains('>'), "{rest}");
            let name: &str = tag.split([' ', '/']).find(|n| !n.is_empty()).unwrap();
            if tag.starts_with('/') {
                assert_eq!(open.pop(), Some(name));
            } else if !tag.ends_with('/') {
                open.push(name);
            }
            assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        }
        assert!(open.is_empty(), "{open:?}");
        for entity in drawn.split('&').skip(1) {
            let known = ["amp;", "lt;", "gt;", "quot;"];
            assert!(known.iter().any(|k| entity.starts_with(k)), "{entity:.20}");
        }
    }
}

#[test]
fn mermaid_keeps_one_statement_a_line() {
    for (_, model, trace) in runs() {
        let story = story_of(&model, &trace);
        let drawn = mermaid::render(&story);
        assert!(drawn.starts_with("sequenceDiagram\n"));
        for line in drawn.lines().skip(1) {
            let statement = line.trim_start();
            let known = ["participant ", "Note over ", "CPU"];
            assert!(known.iter().any(|k| statement.starts_with(k)), "{line}");
            // `;` ends a statement, `#` begins an entity.
            for part in statement.split('#').skip(1) {
                let code = part.split_once(';').expect("an entity").0;
                assert!(["35", "59", "lt", "gt", "quot"].contains(&code), "{line}");
            }
            let semicolons = statement.matches(';').count();
            assert_eq!(semicolons, statement.matches('#').count(), "{line}");
        }
    }
}

#[test]
fn the_graph_has_every_transition() {
    for (_, model, trace) in runs().filter(|(callers, ..)| *callers <= 3) {
        let graph = neighbourhood::around(&model, &trace).unwrap();
        let system = Processes { model: &model };
        let product = Product::new(&system).unwrap();
        let states = neighbourhood::states(&product, &trace, &graph);
        let mut edges = 0;
        for state in &states[..=trace.len()] {
            let _ = product.successors(state, &mut Vec::new(), |_| {
                edges += 1;
                ControlFlow::Continue(())
            });
        }
        assert_eq!(graph.edges.len(), edges);
        assert_eq!(graph.edges.iter().filter(|e| e.taken).count(), trace.len());
        let drawn = dot::render(&story_of(&model, &trace), &graph);
        assert_eq!(drawn.matches(" -> s").count(), edges, "{drawn}");
        assert_eq!(drawn.matches("penwidth=2];").count(), 2 * trace.len() + 1);
        assert!(
            drawn.lines().all(|l| (l.matches('"').count() - l.matches("\\\"").count()) % 2 == 0)
        );
    }
}
