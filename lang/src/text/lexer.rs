//! Words of a text. Outside of code, `(* ... *)` is a comment, as in OCaml; in code it is a pointer in
//! parentheses, as in C. Code is what stands in braces, except for the initial values.

use std::ops::Range;

use super::error::Wrong;
use super::syntax::Span;

/// A word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Name(String),
    Number(i64),
    Text(String),
    Sign(&'static str),
    End,
}

/// Longest first.
const SIGNS: [&str; 49] = [
    "...", "<<=", ">>=", "->", "++", "--", "&&", "||", "<<", ">>", "<=", ">=", "==", "!=", "+=",
    "-=", "*=", "/=", "%=", "&=", "|=", "^=", "/\\", "\\/", "{", "}", "(", ")", "[", "]", ";", ",",
    ":", "?", ".", "=", "<", ">", "+", "-", "*", "/", "%", "&", "|", "^", "!", "~", "#",
];

/// All words from a byte of the text on, with their places; the last one is the end.
pub(super) fn words(text: &str, from: usize) -> Result<Vec<(Token, Span)>, Wrong> {
    words_at(text, from, 0)
}

/// All words of some bytes of a text, which are code.
pub(super) fn words_of_code(text: &str, of: Range<usize>) -> Result<Vec<(Token, Span)>, Wrong> {
    words_at(&text[..of.end], of.start, 1)
}

/// `deep`: how deep in braces of code; the initial values are not code.
fn words_at(text: &str, from: usize, mut deep: usize) -> Result<Vec<(Token, Span)>, Wrong> {
    let bytes = text.as_bytes();
    let (mut words, mut at): (Vec<(Token, Span)>, usize) = (Vec::new(), from);
    let mut initial = false;
    while let Some(&byte) = bytes.get(at) {
        let rest = &text[at..];
        if byte.is_ascii_whitespace() {
            at += 1;
        } else if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if rest.starts_with("/*") {
            at = comment(text, at, "*/")?;
        } else if rest.starts_with("(*") && deep == 0 {
            at = comment(text, at, "*)")?;
        } else if byte.is_ascii_alphabetic() || byte == b'_' {
            let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let name = &rest[..length.unwrap_or(rest.len())];
            words.push((Token::Name(name.to_owned()), Span { start: at, end: at + name.len() }));
            at += name.len();
        } else if byte.is_ascii_digit() {
            let length = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
            let span = Span { start: at, end: at + length };
            words.push((Token::Number(number(&rest[..length], span)?), span));
            at += length;
        } else if byte == b'"' {
            let end = rest[1..].find(['"', '\n']).map(|end| end + 1);
            let Some(end) = end.filter(|end| rest.as_bytes()[*end] == b'"') else {
                let span = Span { start: at, end: at + 1 };
                return Err(Wrong::new(
                    span,
                    "a text without an end",
                    "expected '\"' in this line",
                ));
            };
            let text = rest[1..end].to_owned();
            words.push((Token::Text(text), Span { start: at, end: at + end + 1 }));
            at += end + 1;
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            match *sign {
                // The initial values stand in the first braces, unless something comes before.
                "{" if deep == 0 && !initial && words.is_empty() => initial = true,
                "{" => deep += 1,
                "}" => deep = deep.saturating_sub(1),
                _ => {}
            }
            let end = at + sign.len();
            words.push((Token::Sign(sign), Span { start: at, end }));
            at = end;
        } else {
            let character = rest.chars().next().unwrap_or_default();
            let span = Span { start: at, end: at + character.len_utf8() };
            return Err(Wrong::new(
                span,
                format!("found {character:?}"),
                "expected a name, a number or a sign of C",
            ));
        }
    }
    // What is missing at the end is missing behind the last thing that is there.
    let last = text.trim_end().len().max(from);
    words.push((
        Token::End,
        Span { start: text.floor_char_boundary(last.saturating_sub(1)), end: last },
    ));
    Ok(words)
}

/// Where a comment ends that begins at a byte.
pub(super) fn comment(text: &str, at: usize, ends: &str) -> Result<usize, Wrong> {
    match text[at + 2..].find(ends) {
        Some(length) => Ok(at + 2 + length + ends.len()),
        None => {
            let span = Span { start: at, end: at + 2 };
            Err(Wrong::new(span, "a comment without an end", format!("expected '{ends}' after it")))
        }
    }
}

fn number(word: &str, span: Span) -> Result<i64, Wrong> {
    let digits = word.trim_end_matches(['u', 'U', 'l', 'L']);
    let value = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => i64::from_str_radix(digits, 16),
        None if digits.len() > 1 && digits.starts_with('0') => i64::from_str_radix(digits, 8),
        None => digits.parse(),
    };
    let fits = value.ok().filter(|value| i32::try_from(*value).is_ok());
    fits.ok_or_else(|| {
        Wrong::new(span, format!("found '{word}'"), format!("expected a number up to {}", i32::MAX))
    })
}

impl Token {
    /// How it is called in an error.
    pub fn in_words(&self) -> String {
        match self {
            Self::Name(name) => format!("'{name}'"),
            Self::Number(number) => format!("'{number}'"),
            Self::Text(text) => format!("\"{text}\""),
            Self::Sign(sign) => format!("'{sign}'"),
            Self::End => "the end of the file".to_owned(),
        }
    }
}
