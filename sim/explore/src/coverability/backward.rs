//! Backward search through upward-closed sets of configurations.
//!
//! - Paper: P. A. Abdulla, K. Čerāns, B. Jonsson, Y.-K. Tsay, 'General decidability theorems for
//!   infinite-state systems', 1996; A. Finkel, Ph. Schnoebelen, 'Well-structured transition systems
//!   everywhere!', 2001. Broadcasts: J. Esparza, A. Finkel, R. Mayr, 'On the verification of
//!   broadcast protocols', 1999.
//! - Decides: whether some number of processes can reach a bad configuration.
//! - Needs: the table of the family. More processes must be able to do what fewer can: so it is,
//!   since a rule asks for no absence, but that a process woken alone is some sleeper, and then the
//!   rule that wakes the additional sleeper leads to a larger configuration.
//! - Costs: 32 bytes for each minimal element, compared with those of the same control state.
//!
//! The set that grows here is upward closed, contains the bad configurations and every configuration
//! from which a step leads into it, and is kept as the antichain of its minimal elements for each
//! control state. An element that [`Views`] show to be unreachable is enlarged before it is added,
//! to all configurations with the same impossible view: what leads into these is impossible, too,
//! because the views are inductive. So the elements stay small, and the set is still closed.

use std::collections::VecDeque;

use super::question::{Bounds, Undecided};
use super::table::{BLOCKS, EXHAUSTED, Letter, NONE, Table};
use super::views::Views;

/// Most letters of one element.
const MOST: usize = 15;

/// A multiset of letters, in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Element {
    letters: [Letter; MOST],
    len: u16,
}

const _: () = assert!(size_of::<Element>() == 32);

impl Element {
    pub const EMPTY: Self = Self { letters: [NONE; MOST], len: 0 };

    pub fn letters(&self) -> &[Letter] {
        &self.letters[..usize::from(self.len)]
    }

    /// With one more; `None` if there is no room.
    pub fn with(mut self, letter: Letter) -> Option<Self> {
        let len = usize::from(self.len);
        if len == MOST {
            return None;
        }
        let at = self.letters().partition_point(|l| *l <= letter);
        self.letters.copy_within(at..len, at + 1);
        self.letters[at] = letter;
        self.len += 1;
        Some(self)
    }

    /// With one less of `letter`, if there is one.
    pub fn without(mut self, letter: Letter) -> Option<Self> {
        let at = self.letters().binary_search(&letter).ok()?;
        let len = usize::from(self.len);
        self.letters.copy_within(at + 1..len, at);
        self.letters[len - 1] = NONE;
        self.len -= 1;
        Some(self)
    }

    /// Whether `other` has all of these, each at least as often.
    pub fn within(&self, other: &Self) -> bool {
        if self.len > other.len {
            return false;
        }
        let mut others = other.letters().iter();
        self.letters().iter().all(|letter| others.by_ref().any(|o| o == letter))
    }
}

/// How the search ended.
pub(crate) enum Closure {
    /// No initial configuration is in the set: by control state, its minimal elements.
    Closed(Vec<Vec<Element>>),
    /// An initial configuration with so many anonymous processes is in it.
    Initial {
        /// How many.
        others: usize,
    },
}

/// What goes backward from one control state.
struct Incoming {
    from: u32,
    rule: u32,
}

/// The search's tables, made once for a table.
pub(crate) struct Backward<'t> {
    table: &'t Table,
    /// Without it, nothing is enlarged.
    views: Option<&'t Views>,
    incoming: Vec<Vec<Incoming>>,
    /// By transfer and letter: what becomes that letter. Empty for the identity.
    origins: Vec<Vec<Vec<Letter>>>,
    /// By shared state: the steps that change nothing else, by what they put.
    inner: Vec<Vec<(Letter, Letter)>>,
}

struct Search<'s, 't> {
    backward: &'s Backward<'t>,
    antichains: Vec<Vec<Element>>,
    queue: VecDeque<(u32, Element)>,
    elements: usize,
    /// An initial configuration in the set.
    initial: Option<usize>,
}

impl<'t> Backward<'t> {
    pub fn new(table: &'t Table, views: Option<&'t Views>) -> Self {
        let mut incoming: Vec<Vec<Incoming>> = table.controls.iter().map(|_| Vec::new()).collect();
        for (from, rules) in table.rules.iter().enumerate() {
            let beside = &table.beside[from];
            for (number, rule) in rules.iter().enumerate() {
                if rule.takes.iter().all(|l| *l == NONE || beside.has(*l)) {
                    let (from, rule_number) = (from as u32, number as u32);
                    incoming[rule.to as usize].push(Incoming { from, rule: rule_number });
                }
            }
        }
        let letters = table.letters.len();
        let origins = (table.transfers.iter().zip(&table.identity))
            .map(|(image, identity)| {
                if *identity {
                    return Vec::new();
                }
                let mut origins = vec![Vec::new(); letters];
                for (from, to) in image.iter().enumerate() {
                    if *to < BLOCKS {
                        origins[usize::from(*to)].push(from as Letter);
                    }
                }
                origins
            })
            .collect();
        let inner = table
            .inner
            .iter()
            .map(|inner| {
                let mut by_put: Vec<(Letter, Letter)> =
                    inner.iter().map(|i| (i.puts, i.takes)).collect();
                by_put.sort_unstable();
                by_put
            })
            .collect();
        Self { table, views, incoming, origins, inner }
    }

    /// The least upward-closed set that contains what violates one of `properties` and everything
    /// from which a step leads into it, enlarged by what the views show to be unreachable.
    pub fn close(&self, properties: u64, bounds: &Bounds<'_>) -> Result<Closure, Undecided> {
        let bad = properties | 1 << EXHAUSTED;
        let mut first = Vec::new();
        for (control, violated) in self.table.bad.iter().enumerate() {
            if violated & bad != 0 {
                first.push((control as u32, Element::EMPTY));
            }
        }
        for (control, letter, violated) in &self.table.bad_letters {
            if violated & bad != 0 {
                let element = Element::EMPTY.with(*letter).ok_or(Undecided::TooManyTogether)?;
                first.push((*control, element));
            }
        }
        self.close_from(&first, bounds)
    }

    /// The same for the upward-closed set of these elements.
    pub fn close_from(
        &self,
        first: &[(u32, Element)],
        bounds: &Bounds<'_>,
    ) -> Result<Closure, Undecided> {
        let mut search = Search {
            backward: self,
            antichains: self.table.controls.iter().map(|_| Vec::new()).collect(),
            queue: VecDeque::new(),
            elements: 0,
            initial: None,
        };
        for (control, element) in first {
            search.offer(*control, *element);
        }
        let (mut looks, mut noted) = (0_u32, 0);
        while let Some((control, element)) = search.queue.pop_front() {
            if let Some(others) = search.initial {
                return Ok(Closure::Initial { others });
            }
            looks += 1;
            if looks.is_multiple_of(256) {
                // An antichain may have twice the room that it uses.
                let waiting = search.queue.capacity() * size_of::<(u32, Element)>();
                let held = 2 * search.elements * size_of::<Element>() + waiting;
                bounds.note_again(&mut noted, held);
                bounds.check(search.elements)?;
            }
            // Replaced by a smaller one meanwhile?
            if search.antichains[control as usize].contains(&element) {
                search.predecessors(control, &element)?;
            }
        }
        match search.initial {
            Some(others) => Ok(Closure::Initial { others }),
            None => {
                let mut antichains = search.antichains;
                antichains.iter_mut().for_each(|elements| elements.sort_unstable());
                Ok(Closure::Closed(antichains))
            }
        }
    }
}

impl Search<'_, '_> {
    /// Everything from which one step leads to `element` at `control` or to more.
    fn predecessors(&mut self, control: u32, element: &Element) -> Result<(), Undecided> {
        let backward = self.backward;
        let table = backward.table;
        let shared = table.controls[control as usize].shared as usize;
        let inner = &backward.inner[shared];
        let mut last = NONE;
        for &letter in element.letters() {
            if letter == last {
                continue;
            }
            last = letter;
            let rest = element.without(letter).expect("it is one of the element's");
            let first = inner.partition_point(|i| i.0 < letter);
            for (_, taken) in inner[first..].iter().take_while(|i| i.0 == letter) {
                let before = rest.with(*taken).ok_or(Undecided::TooManyTogether)?;
                self.offer(control, before);
            }
        }
        for incoming in &backward.incoming[control as usize] {
            let rule = &table.rules[incoming.from as usize][incoming.rule as usize];
            let mut rest = *element;
            for put in rule.puts {
                if put != NONE {
                    rest = rest.without(put).unwrap_or(rest);
                }
            }
            let mut before = Element::EMPTY;
            for taken in rule.takes {
                if taken != NONE {
                    before = before.with(taken).ok_or(Undecided::TooManyTogether)?;
                }
            }
            let origins = &backward.origins[rule.transfer as usize];
            self.origins(incoming.from, rest.letters(), origins, before)?;
        }
        Ok(())
    }

    /// Offers `before` with every choice of where the letters of `rest` came from.
    fn origins(
        &mut self,
        from: u32,
        rest: &[Letter],
        origins: &[Vec<Letter>],
        before: Element,
    ) -> Result<(), Undecided> {
        let Some((first, rest)) = rest.split_first() else {
            self.offer(from, before);
            return Ok(());
        };
        if origins.is_empty() {
            let before = before.with(*first).ok_or(Undecided::TooManyTogether)?;
            return self.origins(from, rest, origins, before);
        }
        for origin in &origins[usize::from(*first)] {
            if self.backward.table.beside[from as usize].has(*origin) {
                let before = before.with(*origin).ok_or(Undecided::TooManyTogether)?;
                self.origins(from, rest, origins, before)?;
            }
        }
        Ok(())
    }

    /// Adds an element, or one that is smaller and still unreachable, if it is not there already.
    fn offer(&mut self, control: u32, element: Element) {
        let table = self.backward.table;
        let beside = &table.beside[control as usize];
        // Beyond the table: not reachable, and everybody who tabulates finds that out.
        if element.letters().iter().any(|l| !beside.has(*l)) {
            return;
        }
        let covers = |e: &Element| e.within(&element);
        if self.antichains[control as usize].iter().any(covers) {
            return;
        }
        let element = match self.backward.views.and_then(|v| impossible(v, control, &element)) {
            Some(smaller) => smaller,
            None => {
                let initial = (control as usize) < table.initials;
                if initial && element.letters().iter().all(|l| table.initial.has(*l)) {
                    self.initial.get_or_insert(element.letters().len());
                }
                element
            }
        };
        let antichain = &mut self.antichains[control as usize];
        let before = antichain.len();
        antichain.retain(|e| !element.within(e));
        self.elements = self.elements + antichain.len() + 1 - before;
        antichain.push(element);
        self.queue.push_back((control, element));
    }
}

/// The part of `element` that cannot stand beside `control`, if the views say so.
fn impossible(views: &Views, control: u32, element: &Element) -> Option<Element> {
    if !views.reached(control) {
        return Some(Element::EMPTY);
    }
    let letters = element.letters();
    if let Some(letter) = letters.iter().find(|l| !views.alone(control, **l)) {
        return Element::EMPTY.with(*letter);
    }
    for (number, one) in letters.iter().enumerate() {
        for other in &letters[number + 1..] {
            if !views.together(control, *one, *other) {
                return Element::EMPTY.with(*one)?.with(*other);
            }
        }
    }
    None
}
