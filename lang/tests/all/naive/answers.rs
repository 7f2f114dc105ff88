//! What a request may be answered.

use super::{By, Naive, One, Request, Runs, State};

impl Naive<'_> {
    /// What a request may be answered, each with the state afterwards.
    pub(super) fn answered(
        &self,
        state: &State,
        who: usize,
        request: &Request,
    ) -> Vec<(By, State)> {
        let mut all = Vec::new();
        let mut answer = |by: By, value: i64, change: &dyn Fn(&mut State)| {
            let mut next = state.clone();
            change(&mut next);
            next.all[who].answers.push(value);
            all.push((by, next));
        };
        let cell = |name: &str| state.cells[name];
        let set = |name: &str, value: i64| {
            let name = name.to_owned();
            move |next: &mut State| {
                next.cells.insert(name.clone(), value);
            }
        };
        let me = &state.all[who];
        let in_line = |lock: &str| state.line.get(lock).is_some_and(|line| !line.is_empty());
        match request {
            Request::Read(name) => answer(By::Itself, cell(name), &|_| {}),
            Request::Write(name, value) => answer(By::Itself, 0, &set(name, *value)),
            Request::Change(name, how, with) => {
                let old = cell(name);
                let new = changed(how, old, with);
                answer(By::Itself, old, &set(name, new.unwrap_or(old)));
            }
            Request::Choose(values) => {
                values.iter().for_each(|value| answer(By::Itself, *value, &|_| {}));
            }
            Request::Lock { lock, signal } => match cell(lock) {
                0 => answer(By::Itself, 0, &set(lock, 1)),
                _ if *signal => answer(By::Signal, -4, &|_| {}),
                _ => {}
            },
            Request::TryLock(lock) => match cell(lock) {
                0 => answer(By::Itself, 1, &set(lock, 1)),
                _ => answer(By::Itself, 0, &|_| {}),
            },
            Request::Unlock(lock) => answer(By::Itself, 0, &set(lock, 0)),
            Request::IsLocked(lock) => answer(By::Itself, i64::from(cell(lock) != 0), &|_| {}),
            // A rw_semaphore is -1 with a writer, else the number of readers.
            Request::ReadLock { lock, signal } => {
                if cell(lock) >= 0 && !in_line(lock) {
                    answer(By::Itself, 0, &set(lock, cell(lock) + 1));
                } else if *signal {
                    answer(By::Signal, -4, &|_| {});
                }
            }
            Request::TryReadLock(lock) => {
                if cell(lock) >= 0 && !in_line(lock) {
                    answer(By::Itself, 1, &set(lock, cell(lock) + 1));
                } else {
                    answer(By::Itself, 0, &|_| {});
                }
            }
            Request::ReadUnlock(lock) => answer(By::Itself, 0, &set(lock, cell(lock) - 1)),
            Request::WriteLock { lock } => {
                if cell(lock) == 0 {
                    answer(By::Itself, 1, &set(lock, -1));
                } else {
                    answer(By::Itself, 0, &|next: &mut State| {
                        next.line.entry(lock.clone()).or_default().insert(who);
                    });
                }
            }
            Request::WriteLockInLine { lock, signal } => {
                let leaves = |next: &mut State| {
                    next.line.get_mut(lock).unwrap().remove(&who);
                };
                if cell(lock) == 0 {
                    answer(By::Itself, 0, &|next: &mut State| {
                        leaves(next);
                        next.cells.insert(lock.clone(), -1);
                    });
                } else if *signal {
                    answer(By::Signal, -4, &leaves);
                }
            }
            Request::TryWriteLock(lock) => {
                if cell(lock) == 0 && !in_line(lock) {
                    answer(By::Itself, 1, &set(lock, -1));
                } else {
                    answer(By::Itself, 0, &|_| {});
                }
            }
            Request::WriteUnlock(lock) => answer(By::Itself, 0, &set(lock, 0)),
            Request::Downgrade(lock) => answer(By::Itself, 0, &set(lock, 1)),
            Request::Down { semaphore, signal, time } => match cell(semaphore) {
                1.. => answer(By::Itself, 0, &set(semaphore, cell(semaphore) - 1)),
                _ => {
                    if *signal {
                        answer(By::Signal, -4, &|_| {});
                    }
                    if *time {
                        answer(By::Time, -62, &|_| {});
                    }
                }
            },
            Request::TryDown(semaphore) => match cell(semaphore) {
                1.. => answer(By::Itself, 0, &set(semaphore, cell(semaphore) - 1)),
                _ => answer(By::Itself, 1, &|_| {}),
            },
            Request::Up(semaphore) => {
                answer(By::Itself, 0, &set(semaphore, cell(semaphore) + 1));
            }
            // More than can be counted: for all who ever wait.
            Request::Complete(completion) => match cell(completion) {
                1_000 => answer(By::Itself, 0, &|_| {}),
                done => answer(By::Itself, 0, &set(completion, done + 1)),
            },
            Request::CompleteAll(completion) => answer(By::Itself, 0, &set(completion, 1_000)),
            Request::Reinit(completion) => answer(By::Itself, 0, &set(completion, 0)),
            Request::Completed(completion) => {
                answer(By::Itself, i64::from(cell(completion) > 0), &|_| {});
            }
            Request::TryComplete(completion) => match cell(completion) {
                0 => answer(By::Itself, 0, &|_| {}),
                1_000 => answer(By::Itself, 1, &|_| {}),
                done => answer(By::Itself, 1, &set(completion, done - 1)),
            },
            Request::WaitCompletion { completion, signal, time } => match cell(completion) {
                0 => {
                    if *signal {
                        answer(By::Signal, -512, &|_| {});
                    }
                    if *time {
                        answer(By::Time, 0, &|_| {});
                    }
                }
                1_000 => answer(By::Itself, 1, &|_| {}),
                done => answer(By::Itself, 1, &set(completion, done - 1)),
            },
            Request::Enqueue(queue) => answer(By::Itself, 0, &|next: &mut State| {
                next.all[who].queue = Some((queue.clone(), false));
            }),
            Request::Sleep { signal, time } => {
                let leaves = |next: &mut State| next.all[who].queue = None;
                if me.queue.as_ref().is_some_and(|(_, woken)| *woken) {
                    answer(By::Itself, 0, &leaves);
                } else {
                    if *time {
                        answer(By::Time, 2, &leaves);
                    }
                    if *signal {
                        answer(By::Signal, 3, &leaves);
                    }
                }
            }
            Request::Wake(queue) => answer(By::Itself, 0, &|next: &mut State| {
                for (other, one) in next.all.iter_mut().enumerate() {
                    if let Some((its, woken)) = &mut one.queue
                        && other != who
                        && its == queue
                    {
                        *woken = true;
                    }
                }
            }),
            Request::ReadSection(enters) => answer(By::Itself, 0, &|next: &mut State| {
                next.all[who].reading = *enters;
                next.all[who].sections += u32::from(*enters);
            }),
            Request::GracePeriodBegins => answer(By::Itself, 0, &|next: &mut State| {
                let readers = next.all.iter().enumerate().filter(|(_, one)| one.reading);
                let readers = readers.map(|(other, one)| (other, one.sections)).collect();
                next.all[who].waits_for = readers;
            }),
            Request::GracePeriodEnds => {
                let reads = |(other, section): &(usize, u32)| {
                    let other = &state.all[*other];
                    other.reading && other.sections == *section
                };
                if !me.waits_for.iter().any(reads) {
                    answer(By::Itself, 0, &|next: &mut State| next.all[who].waits_for.clear());
                }
            }
            Request::Queue(work) => {
                let (queued, pending, running, ended) = state.works[work];
                if pending > 0 {
                    answer(By::Itself, 0, &|_| {});
                } else {
                    answer(By::Itself, 1, &|next: &mut State| {
                        let now = (queued + 1, queued + 1, running, ended);
                        next.works.insert(work.clone(), now);
                    });
                }
            }
            Request::Flush(work) => {
                let (_, pending, running, _) = state.works[work];
                let run = if pending > 0 { pending } else { running };
                answer(By::Itself, i64::from(run > 0), &|next: &mut State| next.all[who].run = run);
            }
            Request::FlushEnds(work) => {
                let (_, pending, running, ended) = state.works[work];
                let waits = me.run > ended && (pending == me.run || running == me.run);
                if !waits {
                    answer(By::Itself, 0, &|next: &mut State| next.all[who].run = 0);
                }
            }
            Request::Cancel(work) => {
                let (queued, pending, running, ended) = state.works[work];
                answer(By::Itself, i64::from(pending > 0), &|next: &mut State| {
                    next.works.insert(work.clone(), (queued, 0, running, ended));
                    next.all[who].run = running;
                });
            }
            Request::Take(work) => {
                let (queued, pending, _, ended) = state.works[work];
                if pending > 0 {
                    answer(By::Itself, 0, &|next: &mut State| {
                        next.works.insert(work.clone(), (queued, 0, pending, ended));
                    });
                }
            }
            Request::Done(work) => {
                let (queued, pending, running, _) = state.works[work];
                answer(By::Itself, 0, &|next: &mut State| {
                    next.works.insert(work.clone(), (queued, pending, 0, running));
                });
            }
            Request::Schedule(function, data) => answer(By::Itself, 0, &|next: &mut State| {
                next.all.push(One::new(Runs::Async(function.clone(), *data)));
            }),
            Request::AllAsynchronous => {
                let runs = |other: &usize| {
                    let is = matches!(state.all[*other].runs, Runs::Async(..));
                    is && self.run(state, *other).is_err()
                };
                if !(0..state.all.len()).any(|other| runs(&other)) {
                    answer(By::Itself, 0, &|_| {});
                }
            }
        }
        all
    }
}

/// What an atomic operation writes, if it writes.
pub(super) fn changed(how: &str, old: i64, with: &[i64]) -> Option<i64> {
    match (how, with) {
        ("add", [by]) => Some(old + by),
        ("sub", [by]) => Some(old - by),
        ("and", [by]) => Some(old & by),
        ("or", [by]) => Some(old | by),
        ("xor", [by]) => Some(old ^ by),
        ("xchg", [new]) => Some(*new),
        ("cmpxchg", [expected, new]) => (old == *expected).then_some(*new),
        ("add_unless", [by, not]) => (old != *not).then_some(old + by),
        _ => unreachable!("{how} is not generated"),
    }
}
