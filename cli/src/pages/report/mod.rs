//! `kmodcheck report`: everything the main job found, as one HTML file that needs nothing else.

mod certificates;
mod data;
mod growth;

use std::path::Path;

use kmodcheck_model::builtin::{Environment, Naming};
use kmodcheck_properties::matrix::{self, Cell, Kmod, check_name, map_name};
use kmodcheck_properties::{Property, Verdict};
use minijinja::Environment as Templates;
use serde::Serialize;

use crate::args::Arguments;
use crate::args::evidence::Report;
use crate::input::subject::{Asked, RACE};
use crate::input::{files, session};
use crate::matrices::main_job;
use crate::output::{self, Ended, Failure};
use crate::pages::compared;
use crate::pages::one_system::{self, OneSystem};
use crate::pages::player::{self, NoPlayer, PARTS, Player};

/// Largest report: a file that mail and browsers take without complaint.
pub(crate) const MOST_BYTES: usize = 2_000_000;

const ONE_SYSTEM: &str = include_str!("../../../templates/one_system.html");
const PLAYER: &str = include_str!("../../../templates/player.html");
const PAGE: &str = include_str!("../../../templates/report.html");
const STYLE: &str = include_str!("../../../templates/report.css");
const SCRIPT: &str = include_str!("../../../templates/report.js");

/// What the template shows.
#[derive(Serialize)]
struct Page {
    version: &'static str,
    cells: usize,
    differences: usize,
    tables: Vec<TableView>,
    race: String,
    graph: String,
    properties: Vec<data::PropertyData>,
    claims: Vec<data::ClaimData>,
    growth: growth::Growth,
    certificates: certificates::Certificates,
    style: &'static str,
    script: &'static str,
    data: String,
    /// What the player reads; `None`: there is none.
    player: Option<String>,
    player_says: String,
    systems: Vec<String>,
    stepping: String,
    parts: &'static str,
    player_script: &'static str,
}

/// A table of the matrix, ready for the template.
#[derive(Serialize)]
struct TableView {
    call: &'static str,
    environments: Vec<&'static str>,
    rows: Vec<RowView>,
}

#[derive(Serialize)]
struct RowView {
    kmod: &'static str,
    check: &'static str,
    map: &'static str,
    cells: Vec<CellView>,
}

#[derive(Serialize)]
struct CellView {
    index: usize,
    verdict: &'static str,
    class: &'static str,
    detail: String,
    label: String,
}

pub(crate) fn run(arguments: &Arguments, asked: &Report) -> Result<Ended, Failure> {
    files::try_file(&asked.out)?;
    let subject = Asked::from(&asked.subject);
    if !subject.is_none() {
        return of_one_system(arguments, asked, &subject);
    }
    subject.says_nothing()?;
    let certificates = certificates::read(asked.certificates.as_deref())?;
    let reports = match main_job::explored(arguments, "report") {
        Ok(reports) => reports,
        Err(ended) => return Ok(ended),
    };
    let differs = main_job::differs(&reports);
    let threads = session::threads(arguments);
    let Some(growth) = growth::measure(asked.times, session::interrupt()) else {
        crate::output::note!("kmodcheck: interrupted while counting states by number of callers");
        return Ok(Ended::of(differs, true));
    };
    let data = data::collect(&reports, threads, growth, certificates);
    let differences = kmodcheck_properties::recorded::differences(&reports);
    let tables: Vec<TableView> = Naming::ALL.into_iter().map(|n| table(&reports, n)).collect();
    let mut templates = Templates::new();
    templates.add_template("report.html", PAGE)?;
    templates.add_template("player.html", PLAYER)?;
    let (player, player_says, systems) = match stepped()? {
        Ok(player) => (Some(json_in_html(&player)), player.in_words(), player.names()),
        Err(why) => (None, why.in_words(), Vec::new()),
    };
    let mut page = Page {
        player,
        player_says,
        systems,
        stepping: String::new(),
        parts: PARTS,
        player_script: player::SCRIPT,
        version: env!("CARGO_PKG_VERSION"),
        cells: reports.len(),
        differences: differences.len(),
        tables,
        race: data.race,
        graph: data.graph,
        properties: data.properties,
        claims: data.claims,
        growth: data.growth,
        certificates: data.certificates,
        style: STYLE,
        script: SCRIPT,
        data: json_in_html(&data.app),
    };
    let stepping = templates.get_template("player.html")?;
    page.stepping = stepping.render(minijinja::Value::from_serialize(&page))?;
    let html =
        templates.get_template("report.html")?.render(minijinja::Value::from_serialize(&page))?;
    save(&asked.out, &html)?;
    Ok(Ended::of(differs, false))
}

/// The state graphs of the race and of the cells beside it: the other kmod, and an init that may fail. (All cells would be
/// several times what a page may have.)
fn stepped() -> Result<Result<Player, NoPlayer>, Failure> {
    let fails = Cell { environment: Environment::Fail, ..RACE };
    let cells = [RACE, Cell { kmod: Kmod::V20, ..RACE }, fails, Cell { kmod: Kmod::V20, ..fails }];
    let mut systems = Vec::new();
    for cell in cells {
        let releases = player::Releases { kernel: "v4.9", kmod: cell.kmod.name() };
        let most = player::MOST_TRANSITIONS / cells.len();
        let of =
            player::System::of(&cell.model(2, None), cell.to_string(), &releases, Vec::new(), most);
        match of? {
            Ok(system) => systems.push(system),
            Err(none) => return Ok(Err(none)),
        }
    }
    Ok(Ok(Player::new(systems)))
}

/// The page of one system.
fn of_one_system(
    arguments: &Arguments,
    asked: &Report,
    subject: &Asked<'_>,
) -> Result<Ended, Failure> {
    let given = [("--times", asked.times), ("--certificates", asked.certificates.is_some())];
    if let Some((flag, _)) = given.iter().find(|(_, given)| *given) {
        return Err(
            format!("found {flag} beside a system, expected it with the main matrix").into()
        );
    }
    let found = one_system::judge(arguments, subject)?;
    let before = compared::without(arguments, subject)?;
    let player = player(&found, before.as_ref(), &compared::what(subject))?;
    let compared = match &before {
        Some(before) => Some(compared::compared(arguments, subject, [before, &found])?),
        None => None,
    };
    let mut page = SystemPage {
        system: found.view(arguments),
        compared,
        repeat: repeat(),
        player: None,
        player_says: String::new(),
        systems: Vec::new(),
        stepping: String::new(),
        style: STYLE,
        parts: PARTS,
        script: player::SCRIPT,
    };
    match player {
        Ok(player) => {
            page.player_says = player.in_words();
            page.systems = player.names();
            page.player = Some(json_in_html(&player));
        }
        Err(why) => page.player_says = why.in_words(),
    }
    let mut templates = Templates::new();
    templates.add_template("one_system.html", ONE_SYSTEM)?;
    templates.add_template("player.html", PLAYER)?;
    let render = |page: &mut SystemPage| -> Result<String, Failure> {
        let stepping = templates.get_template("player.html")?;
        page.stepping = stepping.render(minijinja::Value::from_serialize(&*page))?;
        let whole = templates.get_template("one_system.html")?;
        Ok(whole.render(minijinja::Value::from_serialize(&*page))?)
    };
    let mut html = render(&mut page)?;
    if html.len() > MOST_BYTES && page.player.take().is_some() {
        page.player_says =
            format!("With its state graph ({}) the page would be too large", page.player_says);
        html = render(&mut page)?;
    }
    save(&asked.out, &html)?;
    Ok(found.ended())
}

/// What the page of one system shows.
#[derive(Serialize)]
struct SystemPage {
    #[serde(flatten)]
    system: one_system::View,
    compared: Option<compared::ComparedView>,
    /// What to type to have the same again.
    repeat: String,
    /// What the player reads; `None`: there is none.
    player: Option<String>,
    /// How much that is, or why there is none.
    player_says: String,
    /// The systems in it.
    systems: Vec<String>,
    /// The player, as HTML.
    stepping: String,
    style: &'static str,
    parts: &'static str,
    script: &'static str,
}

/// The player of one system, or of two: the changed one comes first.
fn player(
    found: &OneSystem,
    before: Option<&OneSystem>,
    what: &str,
) -> Result<Result<Player, NoPlayer>, Failure> {
    let Some(before) = before else {
        return Ok(found.player("", 1)?.map(|system| Player::new(vec![system])));
    };
    let with = found.player(&format!("with {what}"), 2)?;
    let without = before.player(&format!("without {what}"), 2)?;
    Ok(with.and_then(|with| Ok(Player::new(vec![with, without?]))))
}

/// `check` of the same system, as it was typed: all but where the page goes to and how many threads there are.
fn repeat() -> String {
    let mut words = vec!["kmodcheck check".to_owned()];
    let mut typed = std::env::args_os().skip(2).map(|word| word.to_string_lossy().into_owned());
    while let Some(word) = typed.next() {
        if ["--out", "--threads"].contains(&word.as_str()) {
            typed.next();
        } else if !word.starts_with("--out=") && !word.starts_with("--threads=") {
            words.push(quoted(&word));
        }
    }
    words.join(" ")
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+.,:/@%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

fn save(out: &Path, html: &str) -> Result<(), Failure> {
    let (bytes, out_name) = (html.len(), out.display());
    if bytes > MOST_BYTES {
        return Err(format!(
            "{out_name}: the report has {bytes} bytes, expected at most {MOST_BYTES}"
        )
        .into());
    }
    files::write(out, html)?;
    output::print(&format!("{out_name}: {} kB", bytes / 1000));
    Ok(())
}

/// JSON that can stand inside a script element: nothing in it ends the element.
fn json_in_html(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).expect("nothing in it that JSON lacks");
    text.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

fn call(naming: Naming) -> &'static str {
    match naming {
        Naming::Plain => "request_module(\"ext4\")",
        Naming::FsAndModule => "get_fs_type(\"ext4\")",
        Naming::FsAndOther => "get_fs_type(\"ext3\"), an alias of ext4",
    }
}

fn table(reports: &[matrix::CellReport], naming: Naming) -> TableView {
    let mut rows: Vec<RowView> = Vec::new();
    let environments: Vec<Environment> = Environment::ALL
        .into_iter()
        .filter(|e| reports.iter().any(|r| r.cell.naming == naming && r.cell.environment == *e))
        .collect();
    for (index, report) in reports.iter().enumerate().filter(|(_, r)| r.cell.naming == naming) {
        let cell = &report.cell;
        let (kmod, check, map) = (cell.kmod.name(), check_name(cell.check), map_name(cell.map));
        let at = rows.iter().position(|r| (r.kmod, r.check, r.map) == (kmod, check, map));
        let at = at.unwrap_or_else(|| {
            rows.push(RowView { kmod, check, map, cells: Vec::new() });
            rows.len() - 1
        });
        rows[at].cells.push(cell_view(index, report));
    }
    let order = |kmod: &str| Kmod::ALL.iter().position(|k| k.name() == kmod);
    rows.sort_by_key(|row| order(row.kmod));
    TableView {
        call: call(naming),
        environments: environments.iter().map(|e| e.name()).collect(),
        rows,
    }
}

/// What a cell shows of the headline property before any script runs.
fn cell_view(index: usize, report: &matrix::CellReport) -> CellView {
    let (callers, most) = report.reports.last().expect("every cell is explored");
    let verdict = &most.answer(Property::NoFalseSuccess).verdict;
    let detail = match verdict {
        Verdict::Violated(trace) => format!("{} steps", trace.len()),
        _ => format!("{} states", most.states),
    };
    let word = output::word(verdict);
    CellView {
        index,
        verdict: word,
        class: data::class(verdict),
        label: format!("{}: {word}, {callers} callers, {detail}", report.cell),
        detail,
    }
}
