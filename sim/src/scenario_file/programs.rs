//! The programs of a file: which there are, and where each stands.

use std::ops::Range;

use kmodcheck_lang::{Called, PieceError};
use kmodcheck_model::program;
use kmodcheck_model::scenario::{Program, ProgramId, Programs};

use super::error::Finding;
use super::modules::Module;
use super::schema;
use crate::suggest;

/// One piece of C in the file.
struct Piece {
    name: String,
    text: String,
    /// Where the text begins in the file.
    start: usize,
    /// The module whose init or exit it is.
    module: Option<usize>,
}

/// All of them: what programs share, those of actors, then those of modules.
pub(super) struct Written {
    pieces: Vec<Piece>,
    inits: Vec<Option<ProgramId>>,
    exits: Vec<Option<ProgramId>>,
}

/// A call of a program, with the module whose init or exit it is in, and where in the file the name in quotes is.
pub(super) type Placed = (Option<usize>, Called, Range<usize>);

/// Where a text begins in the file that has it verbatim.
pub(super) fn start(file: &str, written: &str, span: &Range<usize>) -> Option<usize> {
    let raw = file.get(span.clone())?;
    let triple = |quote: &str| raw.starts_with(&quote.repeat(3));
    let quotes = if triple("'") || triple("\"") { 3 } else { 1 };
    let rest = raw.get(quotes..)?;
    let newline = ["\n", "\r\n"].iter().find(|n| quotes == 3 && rest.starts_with(**n));
    let skipped = quotes + newline.map_or(0, |n| n.len());
    raw[skipped..].starts_with(written).then_some(span.start + skipped)
}

/// What programs can call, besides functions of their own.
fn functions() -> impl Iterator<Item = &'static str> {
    let macros = program::MACROS.iter().map(|of| of.name);
    program::functions().chain(macros).chain(kmodcheck_lang::PRIMITIVES.iter().copied())
}

impl Written {
    /// The programs of a file.
    pub fn of(
        text: &str,
        file: &schema::File,
        modules: &[Module<'_>],
        findings: &mut Vec<Finding>,
    ) -> Self {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut wrong = Vec::new();
        let mut add = |name: String, of: &str, span: Range<usize>, module: Option<usize>| {
            // What is not there begins nowhere.
            let nothing = of.is_empty().then_some(span.start);
            let start = start(text, of, &span).or(nothing).unwrap_or_else(|| {
                wrong.push(Finding::new(
                    span.clone(),
                    "found a program with escapes",
                    "expected it between ''' and ''', as it is",
                ));
                span.start
            });
            pieces.push(Piece { name, text: of.to_owned(), start, module });
        };
        let shared = file.shared.as_ref().map(|shared| (shared.get_ref().as_str(), shared.span()));
        match shared {
            Some((shared, span)) => add("what programs share".to_owned(), shared, span, None),
            None => add("what programs share".to_owned(), "", 0..0, None),
        }
        let mut numbers = 0;
        for actor in &file.actor {
            let Some(program) = &actor.program else { continue };
            if let Some(call) = &actor.call {
                findings.push(Finding::new(
                    call.span(),
                    "found 'call' beside 'program'",
                    "expected one of them: a program calls by itself",
                ));
            }
            numbers += 1;
            let name = actor.name.as_ref().map(|name| name.get_ref().clone());
            let name = name.unwrap_or_else(|| format!("program {numbers}"));
            add(name, program.get_ref(), program.span(), None);
        }
        let (mut inits, mut exits) = (vec![None; modules.len()], vec![None; modules.len()]);
        for (at, module) in modules.iter().enumerate() {
            let exit = module.spec.exit.as_ref();
            let exit = exit.map(|exit| (exit.get_ref().as_str(), exit.span(), "exit", &mut exits));
            let init = module.init_program().zip(module.spec.init.as_ref());
            let init = init.map(|(text, init)| (text, init.span(), "init", &mut inits));
            for (of, span, what, ids) in init.into_iter().chain(exit) {
                ids[at] = u8::try_from(numbers).ok();
                numbers += 1;
                add(format!("{what} of {}", module.name), of, span, Some(at));
            }
            if let (Some(_), Some(requests)) = (module.init_program(), &module.spec.requests) {
                findings.push(Finding::new(
                    requests.span(),
                    "found 'requests' beside an init that is a program",
                    "expected request_module() in the program",
                ));
            }
        }
        if let (0, Some(shared)) = (numbers, &file.shared) {
            findings.push(Finding::new(
                shared.span(),
                "found 'shared' and no program",
                "expected a program that shares it: of an actor, an init or an exit",
            ));
        }
        findings.append(&mut wrong);
        Self { pieces, inits, exits }
    }

    /// Leaves out those of modules that nobody touches.
    pub fn keep(&mut self, included: &[usize]) {
        let mut ids: Vec<Option<ProgramId>> = Vec::new();
        let mut next = 0;
        self.pieces.retain(|piece| {
            let keeps = piece.module.is_none_or(|module| included.contains(&module));
            ids.push(keeps.then_some(next));
            next += u8::from(keeps);
            keeps
        });
        // The first piece is none of a program.
        let renumbered = |id: &ProgramId| ids[usize::from(*id) + 1].map(|id| id - 1);
        for id in self.inits.iter_mut().chain(&mut self.exits) {
            *id = id.as_ref().and_then(renumbered);
        }
    }

    /// The program of a module's init.
    pub fn init(&self, module: usize) -> Option<ProgramId> {
        self.inits[module]
    }

    /// The program of a module's exit.
    pub fn exit(&self, module: usize) -> Option<ProgramId> {
        self.exits[module]
    }

    /// As the scenario has them.
    pub fn programs(&self) -> Programs {
        let Some((shared, all)) = self.pieces.split_first() else { return Programs::default() };
        let all = all.iter().map(|p| Program { name: p.name.clone(), text: p.text.clone() });
        Programs::new(shared.text.clone(), all.collect())
    }

    /// Every call with a name in quotes.
    pub fn calls(&self, findings: &mut Vec<Finding>) -> Vec<Placed> {
        let called = match kmodcheck_lang::calls(&self.programs().sources()) {
            Ok(called) => called,
            Err(error) => {
                findings.push(self.finding(error));
                Vec::new()
            }
        };
        let place = |call: Called| {
            let piece = self.pieces.get(call.piece)?;
            let at = piece.start + call.at.start..piece.start + call.at.end;
            Some((piece.module, call, at))
        };
        called.into_iter().filter_map(place).collect()
    }

    /// What is wrong with one of them, where it stands in the file.
    pub fn finding(&self, error: PieceError) -> Finding {
        let start = self.pieces.get(error.piece).map_or(0, |piece| piece.start);
        let error = *error.error;
        let also = error.also.into_iter();
        let called = error.found.strip_prefix("found a call of '");
        let called = called.and_then(|rest| rest.strip_suffix('\''));
        let help = called.and_then(|name| suggest::did_you_mean(name, functions()));
        Finding {
            help,
            also: also.map(|(s, what)| (start + s.start..start + s.end, what)).collect(),
            ..Finding::new(
                start + error.span.start..start + error.span.end,
                error.found,
                &error.expected,
            )
        }
    }
}
