//! A whole file: its head, the initial values, what stands between, and the question.

use std::ops::Range;

use super::error::{TextError, Wrong};
use super::lexer::{Token, comment, words};
use super::macros::{self, Macro};
use super::parser::{Parsed, Parser};
use super::syntax::{
    Defined, Entry, Expr, File, Function, Item, Name, Process, Quantifier, Span, Stated,
};

/// The longest text that is read.
const LONGEST: usize = 1 << 20;

/// Most processes that one head may stand for.
const MOST_PROCESSES: usize = 256;

/// Reads a litmus test. `file`: how it is called in errors.
///
/// # Errors
/// The first thing that is wrong, where it is, and what was expected.
pub fn parse(file: &str, text: &str) -> Result<File, Box<TextError>> {
    parsed(text).map_err(|wrong| wrong.of(file, text))
}

fn parsed(text: &str) -> Parsed<File> {
    if text.len() > LONGEST {
        let span = Span { start: LONGEST, end: LONGEST };
        let found = format!("found a text of {} bytes", text.len());
        return Err(Wrong::new(span, found, format!("expected at most {LONGEST}")));
    }
    let (name, body) = head(text)?;
    let mut parser = Parser::new(words(text, body)?);
    while matches!(parser.peek(), Token::Text(_)) {
        parser.at += 1;
    }
    let initial = parser.entries()?;
    let mut items = Vec::new();
    while !parser.is_question() {
        items.push(parser.item()?);
    }
    let mut file = File {
        name,
        stated: stated(text),
        initial,
        items,
        locations: Vec::new(),
        filter: None,
        condition: None,
    };
    parser.question(&mut file)?;
    Ok(file)
}

/// The functions of a text that is nothing else. `file`: how it is called in errors.
///
/// # Errors
/// As [`parse`]; and what is no function.
pub fn functions(file: &str, text: &str) -> Result<Vec<Function>, Box<TextError>> {
    let items = |text| {
        let mut parser = Parser::new(macros::words(text, 0..text.len(), &[])?);
        let mut functions = Vec::new();
        while *parser.peek() != Token::End {
            let first = parser.span();
            let Item::Function(function) = parser.item()? else {
                let span = parser.since(first);
                return Err(Wrong::new(span, "found what is no function", "expected functions"));
            };
            functions.push(function);
        }
        Ok(functions)
    };
    items(text).map_err(|wrong: Wrong| wrong.of(file, text))
}

/// Bytes of a text that are types, shared variables, macros and functions.
pub(crate) fn declarations(text: &str, of: Range<usize>, all: &[Macro]) -> Parsed<Vec<Item>> {
    let mut parser = Parser::new(macros::words(text, of, all)?);
    let mut items = Vec::new();
    while *parser.peek() != Token::End {
        let first = parser.span();
        let item = parser.item()?;
        if matches!(item, Item::Process(_)) {
            let found = "found a process";
            return Err(Wrong::new(first, found, "expected variables, types and functions"));
        }
        items.push(item);
    }
    Ok(items)
}

/// Bytes of a text that are the statements of process `number`, which comes to a number.
pub(crate) fn program(
    text: &str,
    of: Range<usize>,
    number: usize,
    all: &[Macro],
) -> Parsed<Process> {
    let span = Span { start: of.start, end: of.end };
    let mut parser = Parser::new(macros::words(text, of, all)?);
    let mut body = Vec::new();
    while *parser.peek() != Token::End {
        body.push(parser.statement()?);
    }
    let (first, last) = (number, number);
    Ok(Process { first, last, returns: true, parameters: Vec::new(), body, span })
}

/// A text that is an expression.
pub(crate) fn condition(text: &str) -> Parsed<Expr> {
    let mut parser = Parser::new(macros::words(text, 0..text.len(), &[])?);
    let of = parser.conditional()?;
    if *parser.peek() == Token::End { Ok(of) } else { parser.wrong("an operator, or the end") }
}

/// Calls that begin with a text in quotes: the function, the text, and where that stands.
pub(crate) fn calls_with_text(
    text: &str,
    of: Range<usize>,
    all: &[Macro],
) -> Parsed<Vec<(String, String, Span)>> {
    let words = macros::words(text, of, all)?;
    let calls = words.windows(3).filter_map(|three| match three {
        [(Token::Name(name), _), (Token::Sign("("), _), (Token::Text(text), span)] => {
            Some((name.clone(), text.clone(), *span))
        }
        _ => None,
    });
    Ok(calls.collect())
}

/// `C NAME` in a line, and where the next one begins.
fn head(text: &str) -> Parsed<(String, usize)> {
    let mut at = 0;
    loop {
        at += text[at..].len() - text[at..].trim_start().len();
        let rest = &text[at..];
        at = if rest.starts_with("(*") {
            comment(text, at, "*)")?
        } else if rest.starts_with("/*") {
            comment(text, at, "*/")?
        } else if rest.starts_with("//") {
            at + rest.find('\n').unwrap_or(rest.len())
        } else {
            break;
        };
    }
    let line = text[at..].lines().next().unwrap_or_default();
    let span = Span { start: at, end: at + line.len() };
    let mut words = line.split_whitespace();
    match (words.next(), words.next()) {
        (Some("C"), Some(name)) => Ok((name.to_owned(), span.end)),
        _ => {
            let found = format!("found '{}'", line.chars().take(40).collect::<String>());
            Err(Wrong::new(span, found, "expected 'C NAME', as litmus tests begin"))
        }
    }
}

/// Whether a text begins as a litmus test does.
#[must_use]
pub fn is_litmus(text: &str) -> bool {
    head(text).is_ok_and(|(name, _)| !name.starts_with('='))
}

/// What a comment says of what comes out: `Result: Never`, in a line of its own.
fn stated(text: &str) -> Option<Stated> {
    let result = text.lines().find_map(|line| {
        line.trim_start_matches([' ', '\t', '*', '(', '/']).strip_prefix("Result:")
    })?;
    match result.split_whitespace().next()? {
        "Sometimes" => Some(Stated::Sometimes),
        "Always" => Some(Stated::Always),
        "Never" => Some(Stated::Never),
        "DEADLOCK" => Some(Stated::Deadlock),
        _ => None,
    }
}

/// The number of a process, of a name like `P3`.
fn process_number(name: &str) -> Option<usize> {
    let digits = name.strip_prefix('P')?;
    digits.parse().ok().filter(|_| digits == "0" || !digits.starts_with('0'))
}

impl Parser {
    /// The initial values, in braces.
    fn entries(&mut self) -> Parsed<Vec<Entry>> {
        self.needs("{")?;
        let mut entries = Vec::new();
        while !self.takes("}") {
            if self.takes(";") {
                continue;
            }
            if self.is_type() {
                let of = self.type_name()?;
                let declared = self.entry_declarations(&of)?;
                entries.extend(declared);
            } else if let (Token::Number(number), Token::Sign(":")) = (self.peek(), self.ahead(1)) {
                let process = usize::try_from(*number).unwrap_or(usize::MAX);
                self.at += 2;
                let name = self.name("a variable of the process")?;
                self.needs("=")?;
                entries.push(Entry::Local(process, name, self.conditional()?));
                self.entry_ends()?;
            } else {
                let bracket = self.takes("[");
                let name = self.name("a shared variable, PROCESS:VARIABLE or '}'")?;
                if bracket {
                    self.needs("]")?;
                }
                self.needs("=")?;
                entries.push(Entry::Shared(name, self.conditional()?));
                self.entry_ends()?;
            }
        }
        Ok(entries)
    }

    /// The last one needs no semicolon.
    fn entry_ends(&mut self) -> Parsed<()> {
        if self.is("}") { Ok(()) } else { self.needs(";").map(drop) }
    }

    fn entry_declarations(&mut self, of: &super::syntax::TypeName) -> Parsed<Vec<Entry>> {
        let declared = self.declarations(of, None)?;
        Ok(declared.into_iter().map(Entry::Declared).collect())
    }

    fn is_question(&self) -> bool {
        *self.peek() == Token::End
            || self.is("~")
            || ["exists", "forall", "locations", "filter"].iter().any(|word| self.is_name(word))
    }

    pub(super) fn item(&mut self) -> Parsed<Item> {
        let first = self.span();
        let next = if let Token::Name(name) = self.peek() { Some(name.clone()) } else { None };
        if let Some(number) = next.as_deref().and_then(process_number) {
            self.at += 1;
            return self.process(number, first).map(Item::Process);
        }
        let defines = matches!(self.ahead(2), Token::Sign("{"));
        if self.is_name("struct") && defines {
            self.at += 1;
            let name = self.name("the name of a struct")?;
            self.needs("{")?;
            let mut fields = Vec::new();
            while !self.takes("}") {
                let of = self.type_name()?;
                fields.extend(self.declarations(&of, None)?);
            }
            self.needs(";")?;
            return Ok(Item::Type(Defined::Struct(name, fields)));
        }
        if self.is_name("enum") && (defines || matches!(self.ahead(1), Token::Sign("{"))) {
            return self.enumeration();
        }
        if self.is_type() {
            let of = self.type_name()?;
            let name = self.name("the name of a variable or a function")?;
            if self.is("(") {
                let parameters = self.parameters()?;
                let span = self.since(first);
                let body = self.block()?;
                return Ok(Item::Function(Function { returns: of, name, parameters, body, span }));
            }
            return Ok(Item::Shared(self.declarations(&of, Some(name))?));
        }
        let is_macro = matches!(self.ahead(1), Token::Sign("("));
        match next {
            Some(_) if is_macro => {
                let name = self.name("a macro")?;
                self.needs("(")?;
                let mut arguments = vec![self.conditional()?];
                while self.takes(",") {
                    arguments.push(self.conditional()?);
                }
                self.needs(")")?;
                self.needs(";")?;
                Ok(Item::Macro(name, arguments))
            }
            _ => self.wrong(
                "a process (P0), a function, a declaration, or the question: 'exists', '~exists', 'forall', \
                 'locations' or 'filter'",
            ),
        }
    }

    /// What follows the name of the first process.
    fn process(&mut self, number: usize, first: Span) -> Parsed<Process> {
        let mut last = number;
        if self.takes("...") {
            let span = self.span();
            let name = self.name("the name of the last process")?;
            last = process_number(&name.text)
                .filter(|last| *last >= number && last - number < MOST_PROCESSES)
                .ok_or_else(|| {
                    Wrong::new(
                        span,
                        format!("found '{}'", name.text),
                        format!("expected the name of a later process, such as P{}", number + 1),
                    )
                })?;
        }
        let parameters = self.parameters()?;
        let span = self.since(first);
        Ok(Process { first: number, last, returns: false, parameters, body: self.block()?, span })
    }

    fn enumeration(&mut self) -> Parsed<Item> {
        self.at += 1;
        let name = if self.is("{") { None } else { Some(self.name("the name of an enum")?) };
        self.needs("{")?;
        let mut members: Vec<(Name, _)> = Vec::new();
        while !self.takes("}") {
            let member = self.name("a name")?;
            let value = if self.takes("=") { Some(self.conditional()?) } else { None };
            members.push((member, value));
            if !self.takes(",") {
                self.needs("}")?;
                break;
            }
        }
        self.needs(";")?;
        Ok(Item::Type(Defined::Enum(name, members)))
    }

    /// `locations`, `filter` and the condition, each at most once.
    fn question(&mut self, file: &mut File) -> Parsed<()> {
        loop {
            let first = self.span();
            let again = |is: bool, what: &str| match is {
                true => Err(Wrong::new(first, format!("found '{what}' again"), "expected it once")),
                false => Ok(()),
            };
            if self.takes_name("locations") {
                again(!file.locations.is_empty(), "locations")?;
                file.locations = self.locations()?;
            } else if self.takes_name("filter") {
                again(file.filter.is_some(), "filter")?;
                file.filter = Some(self.proposition()?);
            } else if *self.peek() == Token::End {
                return Ok(());
            } else {
                let quantifier = if self.takes_name("exists") {
                    Quantifier::Exists
                } else if self.takes_name("forall") {
                    Quantifier::Forall
                } else if self.is("~") && matches!(self.ahead(1), Token::Name(n) if n == "exists") {
                    self.at += 2;
                    Quantifier::NotExists
                } else {
                    return self.wrong(
                        "'exists', '~exists', 'forall', 'locations', 'filter' or the end of the file",
                    );
                };
                again(file.condition.is_some(), "a condition")?;
                file.condition = Some((quantifier, self.proposition()?));
            }
        }
    }
}
