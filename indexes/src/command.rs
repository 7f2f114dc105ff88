//! What an `install` command does, as far as that can be read off it.
//!
//! `command_do()` of kmod gives it to a shell. Read are lists (`;`, `&&`, `||`) of commands that only exit or print, and of
//! `modprobe --ignore-install` of the module itself; whatever is more than that may do anything.

use std::collections::BTreeSet;

/// What a command comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Command {
    /// It loads nothing, and exits with this.
    Exits(u8),
    /// It runs `modprobe --ignore-install` of its module, and exits as that does.
    Modprobe,
    /// It does the same, and exits 0 whatever that comes to.
    ModprobeForgiven,
    /// Not known: it may load the module or not, and exit with 0 or not.
    Unknown,
}

/// What the command in `text` does for `module`, whose name is normalised.
#[must_use]
pub fn command(text: &str, module: &str) -> Command {
    let Some(list) = List::parse(text, module) else { return Command::Unknown };
    let nothing = list.statuses(None);
    if !list.loads() {
        return match nothing.iter().collect::<Vec<_>>()[..] {
            [status] => Command::Exits(*status),
            _ => Command::Unknown,
        };
    }
    // What it does before may keep it from running modprobe at all, or make it run it twice.
    if list.runs(true) != Some(1) || list.runs(false) != Some(1) {
        return Command::Unknown;
    }
    let (loaded, failed) = (list.statuses(Some(0)), list.statuses(Some(1)));
    match (
        loaded.iter().collect::<Vec<_>>().as_slice(),
        failed.iter().collect::<Vec<_>>().as_slice(),
    ) {
        ([0], [0]) => Command::ModprobeForgiven,
        ([0], [status]) if **status != 0 => Command::Modprobe,
        _ => Command::Unknown,
    }
}

/// What joins a command to the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Join {
    Then,
    And,
    Or,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Simple {
    /// It exits with one of these.
    Status(&'static [u8]),
    /// The shell ends with this.
    Exit(u8),
    Modprobe,
}

/// Commands, one after the other.
struct List(Vec<(Join, Simple)>);

impl List {
    fn parse(text: &str, module: &str) -> Option<Self> {
        let mut list = Vec::new();
        let mut join = Join::Then;
        let mut words: Vec<String> = Vec::new();
        for token in tokens(text)? {
            let next = match token {
                Token::Word(word) => {
                    words.push(word);
                    continue;
                }
                Token::Join(next) => next,
            };
            if words.is_empty() {
                return None;
            }
            list.push((join, simple(&words, module)?));
            words.clear();
            join = next;
        }
        if !words.is_empty() {
            list.push((join, simple(&words, module)?));
        } else if join != Join::Then || list.is_empty() {
            return None;
        }
        Some(Self(list))
    }

    fn loads(&self) -> bool {
        self.0.iter().any(|(_, simple)| *simple == Simple::Modprobe)
    }

    /// With what it may exit, if modprobe, where it runs that, exits with `modprobe`.
    fn statuses(&self, modprobe: Option<u8>) -> BTreeSet<u8> {
        let mut ended = BTreeSet::new();
        let mut now = BTreeSet::from([0]);
        for (join, simple) in &self.0 {
            let mut next = BTreeSet::new();
            for status in now {
                if skipped(*join, status) {
                    next.insert(status);
                    continue;
                }
                match simple {
                    Simple::Status(statuses) => next.extend(statuses.iter().copied()),
                    Simple::Exit(status) => drop(ended.insert(*status)),
                    Simple::Modprobe => next.extend(modprobe),
                }
            }
            now = next;
        }
        ended.extend(now);
        ended
    }

    /// How many times it runs modprobe, if that succeeds or does not; `None`: it depends.
    fn runs(&self, succeeds: bool) -> Option<usize> {
        let mut now = BTreeSet::from([(0u8, 0usize)]);
        let mut ended = BTreeSet::new();
        for (join, simple) in &self.0 {
            let mut next = BTreeSet::new();
            for (status, runs) in now {
                if skipped(*join, status) {
                    next.insert((status, runs));
                    continue;
                }
                match simple {
                    Simple::Status(statuses) => next.extend(statuses.iter().map(|s| (*s, runs))),
                    Simple::Exit(_) => drop(ended.insert(runs)),
                    Simple::Modprobe => drop(next.insert((u8::from(!succeeds), runs + 1))),
                }
            }
            now = next;
        }
        ended.extend(now.into_iter().map(|(_, runs)| runs));
        match ended.into_iter().collect::<Vec<_>>()[..] {
            [runs] => Some(runs),
            _ => None,
        }
    }
}

/// Whether a command is passed over after this status.
fn skipped(join: Join, status: u8) -> bool {
    match join {
        Join::Then => false,
        Join::And => status != 0,
        Join::Or => status == 0,
    }
}

enum Token {
    Word(String),
    Join(Join),
}

/// The words of a command and what joins them; `None`: it has what is not read here (pipes, variables, groups, loops).
fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut characters = text.chars().peekable();
    while let Some(&character) = characters.peek() {
        match character {
            ' ' | '\t' => drop(characters.next()),
            '#' => break,
            ';' => {
                characters.next();
                tokens.push(Token::Join(Join::Then));
            }
            '&' | '|' => {
                characters.next();
                if characters.next() != Some(character) {
                    return None;
                }
                tokens.push(Token::Join(if character == '&' { Join::And } else { Join::Or }));
            }
            _ => {
                let word = word(&mut characters)?;
                if !is_no_word(&word) {
                    tokens.push(Token::Word(word));
                }
            }
        }
    }
    Some(tokens)
}

/// What stands in a command and does nothing: output that is thrown away, and what modprobe puts its own options for.
fn is_no_word(word: &str) -> bool {
    ["$CMDLINE_OPTS", ">/dev/null", "1>/dev/null", "2>/dev/null", "2>&1"].contains(&word)
}

/// One word, without its quotes.
fn word(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    let mut word = String::new();
    while let Some(&character) = characters.peek() {
        match character {
            ' ' | '\t' | ';' | '|' => break,
            // Only of `2>&1`.
            '&' if word != "2>" => break,
            '\'' | '"' => {
                characters.next();
                loop {
                    match characters.next()? {
                        end if end == character => break,
                        '$' | '`' | '\\' if character == '"' => return None,
                        inner => word.push(inner),
                    }
                }
                continue;
            }
            '`' | '(' | ')' | '{' | '}' | '\\' | '*' | '?' | '[' | '<' | '!' | '=' => return None,
            other => word.push(other),
        }
        characters.next();
    }
    let known = is_no_word(&word);
    // A space between `>` and its file is read as nothing that is known.
    (known || !word.contains(['$', '>'])).then_some(word)
}

/// What a command of these words does.
fn simple(words: &[String], module: &str) -> Option<Simple> {
    let program = words[0].rsplit('/').next().unwrap_or_default();
    let arguments = &words[1..];
    Some(match program {
        "true" | ":" => Simple::Status(&[0]),
        "echo" | "printf" => Simple::Status(&[0]),
        "false" => Simple::Status(&[1]),
        "logger" | "sleep" => Simple::Status(&[0, 1]),
        "exit" => Simple::Exit(match arguments {
            // The status of what came before.
            [] => return None,
            [status] => status.parse().ok()?,
            _ => return None,
        }),
        "modprobe" => modprobe(arguments, module)?,
        _ => return None,
    })
}

/// `modprobe --ignore-install MODULE`, and whatever options change nothing of what it does.
fn modprobe(arguments: &[String], module: &str) -> Option<Simple> {
    let mut ignores = false;
    let mut named = 0;
    for argument in arguments {
        match argument.as_str() {
            "-i" | "--ignore-install" => ignores = true,
            "-q" | "--quiet" | "-s" | "--syslog" | "-v" | "--verbose" | "--" => {}
            "-qi" | "-iq" => ignores = true,
            name if name.replace('-', "_") == module => named += 1,
            _ => return None,
        }
    }
    (ignores && named == 1).then_some(Simple::Modprobe)
}

#[cfg(test)]
mod tests {
    use super::{Command, command};

    #[test]
    fn commands_are_read_as_a_shell_would_run_them() {
        use Command::{Exits, Modprobe, ModprobeForgiven, Unknown};
        for (text, expected) in [
            ("/bin/true", Exits(0)),
            ("/usr/bin/true", Exits(0)),
            (":", Exits(0)),
            ("/bin/false", Exits(1)),
            ("exit 17", Exits(17)),
            ("exit 0 # off", Exits(0)),
            ("/bin/echo 'usb-storage is off' >/dev/null 2>&1", Exits(0)),
            ("/usr/bin/logger \"usb storage\"; /bin/false", Exits(1)),
            ("true && false", Exits(1)),
            ("false || true", Exits(0)),
            ("true || false", Exits(0)),
            ("exit 3; /bin/true", Exits(3)),
            ("/usr/bin/logger off", Unknown),
            ("/sbin/modprobe --ignore-install snd_pcm", Modprobe),
            ("/sbin/modprobe -i snd-pcm $CMDLINE_OPTS", Modprobe),
            ("modprobe -q -i snd-pcm && true", Modprobe),
            ("modprobe -i snd-pcm || exit 1", Modprobe),
            ("modprobe -i snd-pcm; exit 0", ModprobeForgiven),
            ("modprobe -i snd-pcm || true", ModprobeForgiven),
            ("sleep 1; modprobe -i snd-pcm", Modprobe),
            ("true || modprobe -i snd-pcm", Unknown),
            ("modprobe -i snd-pcm; exit 1", Unknown),
            ("modprobe -i snd-pcm; modprobe -i snd-pcm", Unknown),
            ("logger x && modprobe -i snd-pcm", Unknown),
            ("modprobe snd-pcm", Unknown),
            ("modprobe -i snd-pcm && modprobe snd-seq", Unknown),
            ("modprobe -i --use-blacklist snd-pcm", Unknown),
            ("modprobe -i other", Unknown),
            ("/bin/true | cat", Unknown),
            ("{ /bin/true; }", Unknown),
            ("if true; then false; fi", Unknown),
            ("A=1 true", Unknown),
            ("/bin/true > /tmp/x", Unknown),
            ("/bin/true &", Unknown),
            ("true &&", Unknown),
            ("; true", Unknown),
            ("'unclosed", Unknown),
            ("", Unknown),
        ] {
            assert_eq!(command(text, "snd_pcm"), expected, "{text}");
        }
    }
}
