//! `__request_module()` as a text: what it checks before modprobe, and what it makes of modprobe's 0.

use kmodcheck_lang::text::syntax::Span;

use super::code::{Made, Wrong};
use super::graph::{Graph, Next, Node, OBJECT, Parted, Word, found};
use super::{CHECK_ERRORS, CheckRules, OfCaller, STATES, Then};
use crate::features::{AliasMap, KernelFeatures, RequestLimit};
use crate::state::{ModuleState, Ret};

/// Any other than the ones that are known.
const OTHER: i64 = -1;
/// What a helper's exit status 1 is as a wait status.
const STATUS: i64 = 256;

/// What `__request_module()` may do and ask.
pub(super) const WORDS: &[Word] = &[
    Word { pattern: "modprobe_path[0]", answers: &[1, 0] },
    Word { pattern: "strlen(_) >= MODULE_NAME_LEN", answers: &[0, 1] },
    Word { pattern: SECURITY, answers: &[0, OTHER] },
    Word { pattern: "atomic_inc(&kmod_concurrent)", answers: &[0] },
    Word { pattern: "atomic_read(&kmod_concurrent) > max_modprobes", answers: &[0, 1] },
    Word { pattern: "atomic_dec(&kmod_concurrent)", answers: &[0] },
    Word {
        pattern: "wait_event_killable_timeout(kmod_wq, atomic_dec_if_positive(&kmod_concurrent_max) >= 0, \
                  MAX_KMOD_ALL_BUSY_TIMEOUT)",
        answers: &[1, 0, -512],
    },
    Word { pattern: "atomic_inc(&kmod_concurrent_max)", answers: &[0] },
    Word { pattern: "wake_up(&kmod_wq)", answers: &[0] },
    Word {
        pattern: "down_timeout(&kmod_concurrent_max, MAX_KMOD_ALL_BUSY_TIMEOUT)",
        answers: &[0, -62],
    },
    Word { pattern: "up(&kmod_concurrent_max)", answers: &[0] },
    Word { pattern: "kmod_dup_request_exists_wait(_, _, _)", answers: &[0, 1] },
    Word { pattern: "kmod_dup_request_announce(_, _)", answers: &[0] },
    Word { pattern: MODPROBE, answers: &[0, STATUS, OTHER] },
    // What a check may ask: module_mutex and the list, the wait for a module, the map, and what is built in.
    Word { pattern: LOCK, answers: &[0] },
    Word { pattern: UNLOCK, answers: &[0] },
    Word { pattern: FIND, answers: &[0, (1 << 41) + 3, (1 << 41) + 1, 1 << 41, (1 << 41) + 2] },
    Word { pattern: FINISHED, answers: &[1, 0] },
    Word { pattern: WAIT, answers: &[0] },
    Word { pattern: EXACT, answers: &[MODULE, 0] },
    Word { pattern: PREFIX, answers: &[MODULE, 0] },
    Word { pattern: BUILT_IN, answers: &[0, 1] },
];

const SECURITY: &str = "security_kernel_module_request(_)";
const MODPROBE: &str = "call_modprobe(_, _)";
const LOCK: &str = "mutex_lock(&module_mutex)";
const UNLOCK: &str = "mutex_unlock(&module_mutex)";
const FIND: &str = "find_module_all(_)";
const FINISHED: &str = "finished_loading(_)";
const WAIT: &str = "wait_event(module_wq, finished_loading(_))";
const EXACT: &str = "next_in_alias_map(_)";
const PREFIX: &str = "next_without_prefix(_)";
const BUILT_IN: &str = "in_builtin_table(_)";

/// The second argument of `__request_module()`: what is requested.
const REQUESTED: i64 = OBJECT + 1;
/// What the alias map answers.
const MODULE: i64 = OBJECT + 7;

/// What a text makes of `__request_module()`.
pub(super) struct Request {
    pub kernel: KernelFeatures,
    pub check: CheckRules,
}

/// A kernel like that one as far as the text has its say: by how it begins, limits and ends requests.
fn variants(kernel: &KernelFeatures) -> impl Iterator<Item = KernelFeatures> + '_ {
    let limits = [RequestLimit::FailsAtOnce, RequestLimit::AllWaitersRace, RequestLimit::Semaphore];
    let all = limits.into_iter().flat_map(move |request_limit| {
        let ends = [(false, false), (true, false), (true, true)];
        [false, true].into_iter().flat_map(move |path| ends.map(|ends| (path, ends))).map(
            move |(path, (duplicates, quiet))| KernelFeatures {
                request_limit,
                empty_path_fails: path,
                duplicate_requests: duplicates,
                nowait_announces_nothing: quiet,
                ..*kernel
            },
        )
    });
    std::iter::once(*kernel).chain(all)
}

/// What a text, as a graph of a request that waits and of one that does not, makes of a kernel. `shipped`: the same of the
/// text that nobody has changed, of a kernel.
pub(super) fn request(
    kernel: &KernelFeatures,
    graph: &dyn Fn(bool) -> Made<Graph>,
    shipped: &dyn Fn(&KernelFeatures, bool) -> Made<Graph>,
) -> Made<Request> {
    let both = [graph(false)?, graph(true)?];
    let heads = [Head::of(&both[0])?, Head::of(&both[1])?];
    let mut parted = None;
    let mut like = None;
    for kernel in variants(kernel) {
        let mut same = true;
        for (waits, (graph, head)) in both.iter().zip(&heads).enumerate() {
            let known = shipped(&kernel, waits == 1)?;
            let known_head = Head::of(&known)?;
            let begins = |node: &Node, answer| node.pattern == SECURITY && answer == 0;
            let starts = |node: &Node, answer| node.pattern == MODPROBE && answer == 0;
            let parts = graph
                .parts(graph.first, &known, known.first, &begins)
                .or_else(|| graph.parts(head.goes_on, &known, known_head.goes_on, &starts));
            if let Some(parts) = parts {
                same = false;
                parted.get_or_insert(parts);
            }
        }
        if same {
            like = Some(kernel);
            break;
        }
    }
    let Some(like) = like else {
        let Parted { span, found, expected } =
            parted.expect("the first one that was tried differs");
        return Err(Wrong::new(
            span,
            format!("found that __request_module() comes to {found}"),
            format!(
                "expected {expected}, as this kernel's: of another order or limit the model has no steps"
            ),
        ));
    };
    let before = [heads[0].before(false)?, heads[1].before(true)?];
    if before[0] != before[1] {
        return Err(wrong(
            &both[1],
            both[1].first,
            "found another check before modprobe in a request that waits",
            "expected the same",
        ));
    }
    let mut map = before[0].2;
    let mut of = [OfCaller::NONE; 4];
    for (waits, graph) in both.iter().enumerate() {
        let released = released(like.request_limit);
        for built_in in [false, true] {
            let tail = Tail { graph, built_in, released };
            let (rules, looks) = tail.rules()?;
            of[2 * waits + usize::from(built_in)] = rules;
            if let Some(looks) = looks {
                let mapped = looks.mapped();
                if *map.get_or_insert(mapped) != mapped {
                    return Err(two_maps(&looks));
                }
            }
        }
    }
    let (already_live, author, _) = before[0];
    let check = CheckRules { before: author, of };
    // Where nothing looks at the list no map is used.
    let alias_map = map.unwrap_or(kernel.alias_map);
    Ok(Request { kernel: KernelFeatures { already_live, alias_map, ..like }, check })
}

fn wrong(graph: &Graph, at: Next, found: impl Into<String>, expected: impl Into<String>) -> Wrong {
    let span = graph.node(at).map_or(Span::default(), |node| node.span);
    Wrong::new(span, found, expected)
}

/// How a slot is given back.
fn released(limit: RequestLimit) -> &'static [&'static str] {
    match limit {
        RequestLimit::FailsAtOnce => &["atomic_dec(&kmod_concurrent)"],
        RequestLimit::AllWaitersRace => &["atomic_inc(&kmod_concurrent_max)", "wake_up(&kmod_wq)"],
        RequestLimit::Semaphore => &["up(&kmod_concurrent_max)"],
    }
}

/// Whether a node is part of a check.
fn checks(node: &Node) -> bool {
    [LOCK, UNLOCK, FIND, FINISHED, WAIT, EXACT, PREFIX, BUILT_IN].contains(&node.pattern)
}

/// What is looked at before modprobe: after the LSM has agreed.
struct Head<'g> {
    /// The segments: each begins there, and ends where the next one begins.
    segments: Vec<Looks<'g>>,
    /// Where it goes on if nothing that was looked at makes modprobe superfluous.
    goes_on: Next,
}

/// Places at which the list is looked at for each name, of a check.
struct Looks<'g> {
    graph: &'g Graph,
    first: Next,
    /// The node that asks the map for the next name.
    map: Option<(usize, AliasMap)>,
}

impl<'g> Looks<'g> {
    fn of(graph: &'g Graph, first: Next) -> Made<Self> {
        let map = match (first, graph.node(first)) {
            (_, Some(node))
                if [EXACT, PREFIX].contains(&node.pattern) && node.arguments != [REQUESTED] =>
            {
                return Err(wrong(
                    graph,
                    first,
                    "found another name mapped",
                    "expected the requested one",
                ));
            }
            (Next::Node(at), Some(node)) if node.pattern == EXACT => Some((at, AliasMap::Exact)),
            (Next::Node(at), Some(node)) if node.pattern == PREFIX => Some((at, AliasMap::Prefix)),
            _ => None,
        };
        Ok(Self { graph, first, map })
    }

    /// How it maps the requested name: not at all, or by which map.
    fn mapped(&self) -> AliasMap {
        self.map.map_or(AliasMap::None, |(_, map)| map)
    }

    /// The name that it is about.
    fn name(&self) -> i64 {
        if self.map.is_some() { MODULE } else { REQUESTED }
    }

    /// Whether whatever it asks about names is asked about that one.
    fn is_about_its_name(&self) -> Made<()> {
        let (mut seen, mut left) = (Vec::new(), vec![self.begins()]);
        while let Some(next) = left.pop() {
            let Some(node) = self.graph.node(next).filter(|node| checks(node)) else { continue };
            if seen.contains(&next) || self.map.is_some_and(|(at, _)| next == Next::Node(at)) {
                continue;
            }
            seen.push(next);
            if [FIND, FINISHED, WAIT, BUILT_IN].contains(&node.pattern)
                && node.arguments != [self.name()]
            {
                return Err(wrong(
                    self.graph,
                    next,
                    format!("found {} for another name", node.pattern),
                    "expected the name that the map gives, or without one the requested name",
                ));
            }
            left.extend(node.next.iter().map(|(_, next)| *next));
        }
        Ok(())
    }

    /// Where it looks first, of the first name.
    fn begins(&self) -> Next {
        match self.map {
            Some((at, _)) => self.graph.nodes[at].next[0].1,
            None => self.first,
        }
    }

    /// Where it goes on when there is no further name.
    fn exhausted(&self) -> Option<Next> {
        self.map.map(|(at, _)| self.graph.nodes[at].next[1].1)
    }

    /// Past what asks whether the name is built in.
    fn past(&self, mut next: Next, built_in: bool) -> Next {
        while let Some(node) = self.graph.node(next)
            && node.pattern == BUILT_IN
        {
            next = node.next[usize::from(built_in)].1;
        }
        next
    }

    /// A look of a name in that state: where it leads. Also of `finished_loading()`, which is one.
    fn look(&self, at: Next, state: ModuleState, built_in: bool) -> Made<Next> {
        let mut next = at;
        for expected in [LOCK, FIND, UNLOCK] {
            next = self.past(next, built_in);
            let Some(node) = self.graph.node(next).filter(|node| node.pattern == expected) else {
                let found = format!("found {}", self.graph.in_words(next));
                return Err(wrong(
                    self.graph,
                    at,
                    found,
                    format!("expected {expected}: a look is the list under module_mutex, no more"),
                ));
            };
            let answer = if expected == FIND { found(state) } else { 0 };
            next =
                node.next.iter().find(|(of, _)| *of == answer).expect("every state is an answer").1;
        }
        Ok(self.past(next, built_in))
    }
}

impl<'g> Head<'g> {
    fn of(graph: &'g Graph) -> Made<Self> {
        // To where the LSM has agreed.
        let at = graph.nodes.iter().find(|node| node.pattern == SECURITY);
        let Some(at) = at else {
            return Err(wrong(
                graph,
                graph.first,
                "found no question to the LSM",
                "expected security_kernel_module_request()",
            ));
        };
        let mut next = at.next[0].1;
        let mut segments = Vec::new();
        while graph.node(next).is_some_and(checks) {
            if segments.len() == 2 {
                return Err(wrong(
                    graph,
                    next,
                    "found a third look at the list before modprobe",
                    "expected two at most",
                ));
            }
            let looks = Looks::of(graph, next)?;
            looks.is_about_its_name()?;
            next = leaves(&looks)?;
            segments.push(looks);
        }
        Ok(Self { segments, goes_on: next })
    }

    /// Whether there is the shortcut, whether there is `finished_kmod_load()`, and the map.
    fn before(&self, request_waits: bool) -> Made<(bool, bool, Option<AliasMap>)> {
        let (mut already_live, mut author, mut map) = (false, false, None);
        for looks in &self.segments {
            let kind = kind(looks, request_waits)?;
            match kind {
                Kind::AlreadyLive if !already_live && !author => already_live = true,
                Kind::Author if !author => author = true,
                _ => {
                    return Err(wrong(
                        looks.graph,
                        looks.first,
                        "found the same looks once more, or in another order",
                        "expected the shortcut first, and each once",
                    ));
                }
            }
            let of = looks.mapped();
            if *map.get_or_insert(of) != of {
                return Err(two_maps(looks));
            }
        }
        Ok((already_live, author, map))
    }
}

/// What is looked at before modprobe.
enum Kind {
    AlreadyLive,
    Author,
}

/// Where looks before modprobe lead if the name is on no list.
fn leaves(looks: &Looks<'_>) -> Made<Next> {
    let next = looks.look(looks.begins(), ModuleState::Absent, false)?;
    match looks.graph.node(next) {
        Some(_) if looks.map.is_none_or(|(at, _)| next != Next::Node(at)) => Ok(next),
        _ => Err(wrong(
            looks.graph,
            looks.first,
            "found that a name that is not listed needs no modprobe",
            "expected that it goes on to modprobe",
        )),
    }
}

/// Whether it is one of those that the model has. `request_waits`: a request that waits sleeps, another one asks once.
fn kind(looks: &Looks<'_>, request_waits: bool) -> Made<Kind> {
    let graph = looks.graph;
    let on = leaves(looks)?;
    let over = |next: Next| {
        let next_name = looks.map.is_some_and(|(at, _)| next == Next::Node(at));
        next_name && looks.exhausted() == Some(Next::Returns(0))
            || looks.map.is_none() && next == Next::Returns(0)
    };
    let begins = looks.begins();
    if looks.past(begins, true) != looks.past(begins, false) {
        return Err(built_in_before(looks));
    }
    for state in STATES {
        if looks.look(begins, state, false)? != looks.look(begins, state, true)? {
            return Err(built_in_before(looks));
        }
    }
    let all: Vec<Next> =
        STATES.into_iter().map(|state| looks.look(begins, state, false)).collect::<Made<_>>()?;
    let listed = all[1];
    if over(all[3]) && [0, 1, 2, 4].iter().all(|state| all[*state] == on) {
        return Ok(Kind::AlreadyLive);
    }
    let waits = graph.node(listed).is_some_and(|node| match node.pattern {
        WAIT => request_waits && over(node.next[0].1),
        FINISHED => !request_waits && over(node.next[0].1) && node.next[1].1 == on,
        _ => false,
    });
    if all[0] == on && all[1..].iter().all(|next| *next == listed) && waits {
        return Ok(Kind::Author);
    }
    Err(wrong(
        graph,
        looks.first,
        "found another look at the list before modprobe",
        "expected the shortcut (LIVE is 0, anything else goes on), or one that waits for a name that is listed and then is 0",
    ))
}

fn two_maps(looks: &Looks<'_>) -> Wrong {
    wrong(looks.graph, looks.first, "found two ways to map a name", "expected one")
}

fn built_in_before(looks: &Looks<'_>) -> Wrong {
    wrong(
        looks.graph,
        looks.first,
        "found that it matters before modprobe whether the name is built in",
        "expected that only after modprobe",
    )
}

/// What follows modprobe's 0.
struct Tail<'g> {
    graph: &'g Graph,
    built_in: bool,
    released: &'static [&'static str],
}

impl<'g> Tail<'g> {
    fn rules(&self) -> Made<(OfCaller, Option<Looks<'g>>)> {
        let graph = self.graph;
        let modprobe = graph.nodes.iter().find(|node| node.pattern == MODPROBE);
        let Some(modprobe) = modprobe else {
            return Err(wrong(
                graph,
                graph.first,
                "found no call of modprobe",
                "expected call_modprobe()",
            ));
        };
        // What is no 0 stays what it is.
        for (answer, next) in &modprobe.next[1..] {
            let same = self.returned(self.announced(*next)) == Some(*answer);
            if !same {
                return Err(wrong(
                    graph,
                    *next,
                    format!("found another end after call_modprobe() has returned {answer}"),
                    "expected that it is returned, the slot given back",
                ));
            }
        }
        let first = self.announced(modprobe.next[0].1);
        if let Some(value) = self.returned(first) {
            return match value {
                0 => Ok((OfCaller::NONE, None)),
                _ => Err(wrong(
                    graph,
                    first,
                    format!("found {value} of modprobe's 0, whatever is on the list"),
                    "expected a look first",
                )),
            };
        }
        let looks = Looks::of(graph, first)?;
        looks.is_about_its_name()?;
        let mut places =
            Places { tail: self, looks: &looks, exists: None, waits: None, looks_at: None };
        let begins = looks.past(looks.begins(), self.built_in);
        let mut rules = OfCaller::NONE;
        rules.first = Some(places.place(begins)?);
        if let Some(exhausted) = looks.exhausted()
            && self.returned(exhausted) != Some(0)
        {
            return Err(wrong(
                graph,
                exhausted,
                "found another end when all names are accepted",
                "expected 0",
            ));
        }
        places.fill(&mut rules)?;
        Ok((rules, Some(looks)))
    }

    /// Past the announcement to those who request the same.
    fn announced(&self, next: Next) -> Next {
        match self.graph.node(next) {
            Some(node) if node.pattern == "kmod_dup_request_announce(_, _)" => node.next[0].1,
            _ => next,
        }
    }

    /// What is returned from there, if nothing happens any more but that the slot is given back.
    fn returned(&self, mut next: Next) -> Option<i64> {
        for expected in self.released {
            let node = self.graph.node(next).filter(|node| node.pattern == *expected)?;
            next = node.next[0].1;
        }
        match next {
            Next::Returns(value) => Some(value),
            Next::Node(_) => None,
        }
    }
}

/// The places at which a check looks: one that may lead to a wait, the wait, and one that does not.
struct Places<'g> {
    tail: &'g Tail<'g>,
    looks: &'g Looks<'g>,
    exists: Option<Next>,
    waits: Option<Next>,
    looks_at: Option<Next>,
}

impl Places<'_> {
    /// Which place that is.
    fn place(&mut self, at: Next) -> Made<Then> {
        let graph = self.looks.graph;
        let node = graph.node(at).filter(|node| checks(node));
        let Some(node) = node else {
            let found = format!("found {}", graph.in_words(at));
            return Err(wrong(
                graph,
                at,
                found,
                "expected a look, a wait, the next name, or an end",
            ));
        };
        let (slot, then) = match node.pattern {
            WAIT | FINISHED => (&mut self.waits, Then::Waits),
            LOCK => {
                // A look that a wait can follow is the first of two.
                let mut waits = false;
                for state in STATES {
                    let next = self.looks.look(at, state, self.tail.built_in)?;
                    let node = graph.node(next);
                    waits |= node.is_some_and(|node| [WAIT, FINISHED].contains(&node.pattern));
                }
                if waits {
                    (&mut self.exists, Then::Exists)
                } else {
                    (&mut self.looks_at, Then::Looks)
                }
            }
            _ => {
                return Err(wrong(
                    graph,
                    at,
                    format!("found {}", node.pattern),
                    "expected module_mutex taken, or a wait",
                ));
            }
        };
        match *slot {
            Some(known) if known != at => Err(wrong(
                graph,
                at,
                "found another place of the same kind at which it looks or waits",
                "expected at most a look, a wait, and a look after it: the model has no place for more",
            )),
            _ => {
                *slot = Some(at);
                Ok(then)
            }
        }
    }

    /// Where an answer leads.
    fn then(&mut self, next: Next) -> Made<Then> {
        let next = self.looks.past(next, self.tail.built_in);
        if self.looks.map.is_some_and(|(at, _)| next == Next::Node(at)) {
            return Ok(Then::Accept);
        }
        match self.tail.returned(next) {
            Some(0) if self.looks.map.is_none() => Ok(Then::Accept),
            Some(0) => Err(wrong(self.looks.graph, next, "found 0 before all names have been looked at", "expected on to the next name")),
            Some(value) => error(value).map(Then::Error).ok_or_else(|| {
                wrong(
                    self.looks.graph,
                    self.looks.first,
                    format!("found {value} returned"),
                    "expected an error that the model tells: -ENOENT, -EBUSY, -EINPROGRESS, -EPERM, -ENOMEM, -EACCES or -ETIME",
                )
            }),
            None => self.place(next),
        }
    }

    /// What each place makes of what it finds, until no other one is found.
    fn fill(&mut self, rules: &mut OfCaller) -> Made<()> {
        let mut filled = [None; 3];
        while filled != [self.exists, self.waits, self.looks_at] {
            filled = [self.exists, self.waits, self.looks_at];
            for (at, later) in [(self.exists, false), (self.looks_at, true)] {
                let Some(at) = at else { continue };
                for (number, state) in STATES.into_iter().enumerate() {
                    let next = self.looks.look(at, state, self.tail.built_in)?;
                    let then = self.then(next)?;
                    let table = if later { &mut rules.looks } else { &mut rules.exists };
                    table[number] = then;
                }
            }
            if let Some(node) = self.waits.and_then(|at| self.looks.graph.node(at)) {
                rules.over = self.then(node.next[0].1)?;
                rules.forming = match node.pattern {
                    FINISHED => Some(self.then(node.next[1].1)?),
                    _ => None,
                };
            }
        }
        Ok(())
    }
}

fn error(value: i64) -> Option<Ret> {
    CHECK_ERRORS
        .into_iter()
        .find(|ret| kmodcheck_lang::constant(&ret.to_string()[1..]) == Some(-value))
}
