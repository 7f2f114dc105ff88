//! What modprobe and the kernel take from the kernel's command line.

use super::{Configuration, Line, Place, normalised};
use crate::index::SourceFile;

/// `kmod_config_parse_kcmdline()`: `MODULE.OPTION[=VALUE]`, and `modprobe.blacklist=A,B`; and `module_blacklist=A,B` of
/// `kernel/module/main.c`, which the kernel heeds itself.
pub(super) fn read(config: &mut Configuration, file: SourceFile<'_>) {
    let place = Place { file: file.name.to_owned(), line: 1 };
    for word in words(file.text) {
        // To the kernel a dash in a parameter's name is an underscore (`parameq()`).
        let refused =
            word.split_once('=').filter(|(name, _)| name.replace('-', "_") == "module_blacklist");
        if let Some((_, names)) = refused {
            // The last one counts: it is one string (`module_param(module_blacklist, charp, 0400)`).
            config.refused =
                names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
            continue;
        }
        let Some((module, parameter)) = word.split_once('.') else { continue };
        let (option, value) = match parameter.split_once('=') {
            Some((option, value)) => (option, Some(value)),
            None => (parameter, None),
        };
        // A second dot, or a quote, before the value: not of this form.
        if module.is_empty() || module.contains(['=', '"']) || option.contains(['.', '"']) {
            continue;
        }
        if module == "modprobe" && option == "blacklist" {
            // Not normalised, unlike a `blacklist` line.
            let names = value.into_iter().flat_map(|value| value.split(','));
            config.blacklist.extend(names.map(|name| Line {
                name: name.to_owned(),
                value: String::new(),
                place: place.clone(),
            }));
        } else if let Some(name) = normalised(module) {
            let value = parameter.to_owned();
            config.options.push(Line { name, value, place: place.clone() });
        }
    }
}

/// The words, blanks between quotes being part of one; quotes around a whole word are the boot loader's, and belong to
/// its value.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for character in text.chars().chain([' ']) {
        match character {
            '"' => {
                quoted = !quoted;
                word.push('"');
            }
            c if c.is_ascii_whitespace() && !quoted => {
                if !word.is_empty() {
                    words.push(requoted(&word));
                    word.clear();
                }
            }
            c => word.push(c),
        }
    }
    words
}

/// `"a.b=c d"` is `a.b="c d"`.
fn requoted(word: &str) -> String {
    let Some(inner) = word.strip_prefix('"') else { return word.to_owned() };
    match inner.split_once('=') {
        Some((name, value)) if !name.contains('"') => format!("{name}=\"{value}"),
        _ => word.to_owned(),
    }
}
