//! Pattern matching as `fnmatch(3)` does it with no flags in the C locale: what kmod calls on the
//! keys of `modules.alias`.
//!
//! `*` matches any run of bytes, `?` one byte, `[...]` one byte of a set (`!` or `^` first negates
//! it; ranges and the named classes of POSIX are read, collating symbols `[.x.]` and equivalence
//! classes `[=x=]` are not), a backslash takes the next byte literally. `/` and a leading `.` are
//! ordinary, since kmod passes neither FNM_PATHNAME nor FNM_PERIOD. A `[` without its `]` stands
//! for itself; no index contains one, because `depmod` leaves such an alias out.

/// Whether the whole of `text` matches `pattern`.
#[must_use]
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Only the last `*` has to be tried again: an earlier one could not gain from more text.
    let mut star = None;
    loop {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            star = Some((p, t));
            continue;
        }
        match (pattern.get(p), text.get(t)) {
            (None, None) => return true,
            (Some(_), Some(&byte)) => {
                if let Some(length) = element(&pattern[p..], byte) {
                    p += length;
                    t += 1;
                    continue;
                }
            }
            _ => {}
        }
        match star {
            Some((after, from)) if from < text.len() => {
                p = after;
                t = from + 1;
                star = Some((after, t));
            }
            _ => return false,
        }
    }
}

/// Length of the pattern's first element if it matches `byte`; `*` is not for this function.
fn element(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern[0] {
        b'?' => Some(1),
        b'\\' => (pattern.get(1) == Some(&byte)).then_some(2),
        b'[' => match set(pattern, byte) {
            Some((length, member)) => member.then_some(length),
            None => (byte == b'[').then_some(1),
        },
        literal => (literal == byte).then_some(1),
    }
}

/// Length of the set that `pattern` begins with, and whether `byte` is matched by it; `None` if it
/// is never closed.
fn set(pattern: &[u8], byte: u8) -> Option<(usize, bool)> {
    let negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let first = if negated { 2 } else { 1 };
    let mut at = first;
    let mut member = false;
    loop {
        if at > first && *pattern.get(at)? == b']' {
            return Some((at + 1, member != negated));
        }
        if let Some((name, length)) = class_name(&pattern[at..]) {
            match in_class(name, byte) {
                Some(in_class) => member |= in_class,
                // As in glibc, where what comes after a member that matches is only skipped.
                None if member => {}
                None => return Some((at, false)),
            }
            at += length;
            continue;
        }
        let (low, length) = member_byte(&pattern[at..])?;
        at += length;
        if pattern.get(at) == Some(&b'-') && pattern.get(at + 1).is_some_and(|&b| b != b']') {
            let (high, length) = member_byte(&pattern[at + 1..])?;
            at += 1 + length;
            member |= (low..=high).contains(&byte);
        } else {
            member |= low == byte;
        }
    }
}

/// One byte of a set, and how many bytes of pattern it took.
fn member_byte(pattern: &[u8]) -> Option<(u8, usize)> {
    match pattern {
        [b'\\', escaped, ..] => Some((*escaped, 2)),
        [b'\\'] | [] => None,
        [byte, ..] => Some((*byte, 1)),
    }
}

/// `[:name:]`, and how many bytes of pattern it took.
fn class_name(pattern: &[u8]) -> Option<(&[u8], usize)> {
    let inner = pattern.strip_prefix(b"[:")?;
    let length = inner.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
    inner[length..].starts_with(b":]").then(|| (&inner[..length], length + 4))
}

/// Whether `byte` is in a class; `None` if there is no such class.
fn in_class(name: &[u8], byte: u8) -> Option<bool> {
    Some(match name {
        b"alnum" => byte.is_ascii_alphanumeric(),
        b"alpha" => byte.is_ascii_alphabetic(),
        b"blank" => matches!(byte, b' ' | b'\t'),
        b"cntrl" => byte.is_ascii_control(),
        b"digit" => byte.is_ascii_digit(),
        b"graph" => byte.is_ascii_graphic(),
        b"lower" => byte.is_ascii_lowercase(),
        b"print" => byte.is_ascii_graphic() || byte == b' ',
        b"punct" => byte.is_ascii_punctuation(),
        b"space" => byte.is_ascii_whitespace() || byte == 0x0b,
        b"upper" => byte.is_ascii_uppercase(),
        b"xdigit" => byte.is_ascii_hexdigit(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::matches;
    use proptest::prelude::*;

    #[test]
    fn known_answers() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "any/thing.at-all", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("?", "", false),
            ("mdio:01??", "mdio:0110", true),
            ("mdio:01??", "mdio:011", false),
            ("usb:d0[0-2]*dc*", "usb:d01FFdc09", true),
            ("usb:d0[0-2]*dc*", "usb:d03FFdc09", false),
            ("[!a-c]", "d", true),
            ("[^a-c]", "b", false),
            ("[]a]", "]", true),
            ("[a-]", "-", true),
            ("[--0]", ".", true),
            ("[c-a]", "b", false),
            ("[[:digit:]x]", "7", true),
            ("[[:digit:]x]", ":", false),
            ("[![:digits:]]", "a", false),
            (r"\*", "*", true),
            (r"\*", "a", false),
            (r"[\]]", "]", true),
            (r"a\", "a", false),
            ("[ab", "[ab", true),
            ("[ab", "a", false),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes()),
                expected,
                "'{pattern}' on '{text}'"
            );
        }
    }

    /// Matching by its definition: every way to split the text, and every set written out as the
    /// list of its members. Knows no escape, class or unclosed set.
    fn by_definition(pattern: &[char], text: &[char]) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['*', rest @ ..] => (0..=text.len()).any(|skip| by_definition(rest, &text[skip..])),
            ['?', rest @ ..] => !text.is_empty() && by_definition(rest, &text[1..]),
            ['[', rest @ ..] => {
                let Some(first) = text.first() else { return false };
                let negated = matches!(rest[0], '!' | '^');
                let rest = if negated { &rest[1..] } else { rest };
                let close = 1 + rest[1..].iter().position(|&c| c == ']').expect("closed");
                let mut members = String::new();
                let mut inner = &rest[..close];
                while let [low, tail @ ..] = inner {
                    match tail {
                        ['-', high, tail @ ..] => {
                            members.extend(*low..=*high);
                            inner = tail;
                        }
                        _ => {
                            members.push(*low);
                            inner = tail;
                        }
                    }
                }
                members.contains(*first) != negated && by_definition(&rest[close + 1..], &text[1..])
            }
            [literal, rest @ ..] => {
                text.first() == Some(literal) && by_definition(rest, &text[1..])
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn agrees_with_the_definition(
            pattern in r"([abc\-\]!]|\*|\?|\[[!^]?[\]abc][abc\-]{0,3}\]){0,8}",
            text in r"[abc\-\]!]{0,8}",
        ) {
            let expected = by_definition(
                &pattern.chars().collect::<Vec<_>>(),
                &text.chars().collect::<Vec<_>>(),
            );
            prop_assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected);
        }

        #[test]
        fn never_panics(pattern: Vec<u8>, text: Vec<u8>) {
            let _ = matches(&pattern, &text);
        }

        #[test]
        fn never_panics_on_the_special_bytes(pattern in r"[\[\]\\!\-:ad*?]{0,12}", text in "[ad]{0,6}") {
            let _ = matches(pattern.as_bytes(), text.as_bytes());
        }
    }
}
