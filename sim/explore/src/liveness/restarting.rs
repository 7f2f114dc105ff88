//! A system whose processes start over for ever.

use crate::system::successor::is_dormant;
use crate::system::{
    Choice, Effect, Footprint, Initial, Kind, Local, Queue, Shared, System, WayOut,
};

/// A system whose processes start over for ever: who has returned may begin again from where
/// processes of its kind begin. It need not: a process that has returned, or not begun, is obliged to
/// nothing. Nobody remembers any history, which progress does not depend on.
#[derive(Clone, Debug)]
pub struct Restarting<'a, S> {
    system: &'a S,
    /// The kinds that start over, each with where its processes begin.
    starts: Vec<(Kind, Local)>,
}

impl<'a, S: System> Restarting<'a, S> {
    /// `system`, whose processes of these kinds start over.
    pub fn new(system: &'a S, kinds: &[Kind]) -> Self {
        let mut starts: Vec<(Kind, Local)> = Vec::new();
        for (kind, local) in system.initial().processes {
            let known = starts.iter().any(|(other, _)| *other == kind);
            if kinds.contains(&kind) && !known && !is_dormant(system, kind, local) {
                starts.push((kind, system.anonymous(kind, local)));
            }
        }
        Self { system, starts }
    }

    /// Where processes of `kind` begin, if they start over.
    fn start(&self, kind: Kind) -> Option<Local> {
        self.starts.iter().find(|(other, _)| *other == kind).map(|(_, local)| *local)
    }
}

impl<S: System> System for Restarting<'_, S> {
    /// `None`: it starts over.
    type Label = Option<S::Label>;

    fn shared_bits(&self) -> u32 {
        self.system.shared_bits()
    }

    fn local_bits(&self) -> u32 {
        self.system.local_bits()
    }

    fn initial(&self) -> Initial {
        let mut initial = self.system.initial();
        for (kind, local) in &mut initial.processes {
            *local = self.system.anonymous(*kind, *local);
        }
        initial
    }

    fn step(
        &self,
        kind: Kind,
        shared: Shared,
        local: Local,
        choices: &mut Vec<Choice<Self::Label>>,
    ) {
        let mut inner = Vec::new();
        self.system.step(kind, shared, local, &mut inner);
        choices.extend(inner.into_iter().map(|choice| Choice {
            shared: choice.shared,
            local: self.system.anonymous(kind, choice.local),
            effect: match choice.effect {
                Effect::Spawn(kind, local) => {
                    Effect::Spawn(kind, self.system.anonymous(kind, local))
                }
                effect => effect,
            },
            way_out: choice.way_out,
            footprint: choice.footprint,
            label: Some(choice.label),
        }));
        if let Some(start) = self.start(kind).filter(|start| *start != local)
            && self.system.returned(kind, local)
        {
            choices.push(Choice {
                shared,
                local: start,
                effect: Effect::None,
                way_out: WayOut::Ordinary,
                footprint: Footprint::default(),
                label: None,
            });
        }
    }

    fn dormant(&self, kind: Kind) -> Option<Local> {
        self.system.dormant(kind)
    }

    fn observe(&self, kind: Kind, before: Shared, after: Shared, local: Local) -> Local {
        self.system.anonymous(kind, self.system.observe(kind, before, after, local))
    }

    fn wake(&self, kind: Kind, local: Local, queue: Queue) -> Option<Local> {
        Some(self.system.anonymous(kind, self.system.wake(kind, local, queue)?))
    }

    fn anonymous(&self, kind: Kind, local: Local) -> Local {
        self.system.anonymous(kind, local)
    }

    fn returned(&self, kind: Kind, local: Local) -> bool {
        self.system.returned(kind, local) || self.start(kind) == Some(local)
    }
}
