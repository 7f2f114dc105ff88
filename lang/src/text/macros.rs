//! Macros of a host: a call of one becomes other words before anything is parsed, as with the C preprocessor. Texts
//! in quotes beside each other are one text, as in C.

use std::ops::Range;

use super::error::Wrong;
use super::lexer::{Token, words_of_code};
use super::syntax::Span;

/// A macro that takes arguments, of a host: `try_then_request_module(x, name)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Macro {
    /// What it is called.
    pub name: &'static str,
    /// The names of what it takes, at least one.
    pub parameters: &'static [&'static str],
    /// What it becomes.
    pub body: &'static str,
}

/// A word, and where it stands.
type Word = (Token, Span);

/// So many words a text may become.
const MOST: usize = 1 << 17;

/// How deep calls of macros may nest.
const DEEPEST: usize = 16;

/// All words of some bytes of a text, which are code, with every call of a macro taken apart; what a macro itself
/// says stands where it is called.
pub(super) fn words(text: &str, of: Range<usize>, macros: &[Macro]) -> Result<Vec<Word>, Wrong> {
    let words = words_of_code(text, of)?;
    let words = if macros.is_empty() { words } else { taken_apart(&words, macros, 0)? };
    let mut joined: Vec<Word> = Vec::with_capacity(words.len());
    for (token, span) in words {
        if let (Token::Text(more), Some((Token::Text(text), before))) = (&token, joined.last_mut())
        {
            text.push_str(more);
            // What a macro adds in front is not in the file.
            let of_macro = before.start <= span.start && span.end < before.end;
            *before = if of_macro { span } else { before.to(span) };
        } else {
            joined.push((token, span));
        }
    }
    Ok(joined)
}

fn taken_apart(words: &[Word], macros: &[Macro], deep: usize) -> Result<Vec<Word>, Wrong> {
    let mut found = Vec::with_capacity(words.len());
    let mut at = 0;
    while let Some((token, span)) = words.get(at) {
        let called = match token {
            Token::Name(name) => macros.iter().position(|m| m.name == name),
            _ => None,
        };
        let arguments = called.and_then(|number| Some((number, arguments(words, at + 1)?)));
        let Some((number, (arguments, after))) = arguments else {
            found.push((token.clone(), *span));
            at += 1;
            continue;
        };
        let whole = span.to(words[after - 1].1);
        at = after;
        let Macro { name, parameters, body } = macros[number];
        if arguments.len() != parameters.len() {
            let word = format!("found {} arguments of '{name}'", arguments.len());
            return Err(Wrong::new(whole, word, format!("expected {}", parameters.len())));
        }
        if deep == DEEPEST {
            let word = format!("found calls of macros nested {DEEPEST} deep");
            return Err(Wrong::new(whole, word, "expected fewer"));
        }
        let arguments: Result<Vec<Vec<Word>>, Wrong> =
            arguments.iter().map(|words| taken_apart(words, macros, deep + 1)).collect();
        let arguments = arguments?;
        let mut becomes = Vec::new();
        for (token, _) in words_of_code(body, 0..body.len())? {
            let parameter = match &token {
                Token::Name(name) => parameters.iter().position(|p| p == name),
                Token::End => continue,
                _ => None,
            };
            match parameter {
                Some(parameter) => becomes.extend_from_slice(&arguments[parameter]),
                None => becomes.push((token, whole)),
            }
        }
        // In what it becomes it is no macro any more, so that there is an end to it.
        let others: Vec<Macro> = macros.iter().filter(|m| m.name != name).copied().collect();
        found.extend(taken_apart(&becomes, &others, deep + 1)?);
        if found.len() > MOST {
            let word = format!("found more than {MOST} words with those of macros");
            return Err(Wrong::new(whole, word, "expected fewer"));
        }
    }
    Ok(found)
}

/// The arguments of a call whose parenthesis is at `open`, and the place behind it; `None`: it is no call.
fn arguments(words: &[Word], open: usize) -> Option<(Vec<&[Word]>, usize)> {
    if words.get(open)?.0 != Token::Sign("(") {
        return None;
    }
    let (mut all, mut deep, mut begin) = (Vec::new(), 0, open + 1);
    for (at, (token, _)) in words.iter().enumerate().skip(open + 1) {
        match token {
            Token::Sign("(" | "[" | "{") => deep += 1,
            Token::Sign(")") if deep == 0 => {
                all.push(&words[begin..at]);
                return Some((all, at + 1));
            }
            Token::Sign(")" | "]" | "}") => deep -= 1,
            Token::Sign(",") if deep == 0 => {
                all.push(&words[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    None
}
