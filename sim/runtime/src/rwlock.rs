//! A lock for many readers: the 'big reader lock' that the kernel once had (include/linux/lglock.h,
//! until v4.9).
//!
//! Each reader has a lock of its own, with a copy of the value, and a writer takes all of them. That
//! is no faster here, but it says to loom what a plain lock would hide: two readers do not depend on
//! each other. Where threads are many there is one lock for all, so that a write stays one step.

use std::ops::{Deref, DerefMut};

use crate::{Mutex, Runtime, TaskId};

/// See the module's head.
pub struct RwLock<R: Runtime, T: Clone + Send + 'static> {
    copies: Vec<Mutex<R, T>>,
}

impl<R: Runtime, T: Clone + Send + 'static> std::fmt::Debug for RwLock<R, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RwLock").finish_non_exhaustive()
    }
}

impl<R: Runtime, T: Clone + Send + 'static> RwLock<R, T> {
    /// A lock around `value` for that many tasks.
    pub fn new(tasks: usize, value: T) -> Self {
        let copies = if R::SPAWNS.is_some() { tasks } else { 1 };
        Self { copies: (0..copies).map(|_| Mutex::new(value.clone())).collect() }
    }

    /// Takes it for reading.
    pub fn read(&self, task: TaskId) -> ReadGuard<'_, R, T> {
        ReadGuard { guard: self.copies[task.0 % self.copies.len()].lock() }
    }

    /// Takes it for writing.
    pub fn write(&self) -> WriteGuard<'_, R, T> {
        WriteGuard { guards: self.copies.iter().map(Mutex::lock).collect() }
    }
}

/// The value, not to be changed by others meanwhile.
pub struct ReadGuard<'a, R: Runtime, T: Send + 'static> {
    guard: R::Guard<'a, T>,
}

impl<R: Runtime, T: Send + 'static> Deref for ReadGuard<'_, R, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<R: Runtime, T: Send + 'static> std::fmt::Debug for ReadGuard<'_, R, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadGuard").finish_non_exhaustive()
    }
}

/// The value, for one task alone.
pub struct WriteGuard<'a, R: Runtime, T: Clone + Send + 'static> {
    guards: Vec<R::Guard<'a, T>>,
}

impl<R: Runtime, T: Clone + Send + 'static> Deref for WriteGuard<'_, R, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guards[0]
    }
}

impl<R: Runtime, T: Clone + Send + 'static> DerefMut for WriteGuard<'_, R, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guards[0]
    }
}

impl<R: Runtime, T: Clone + Send + 'static> Drop for WriteGuard<'_, R, T> {
    fn drop(&mut self) {
        let (written, copies) = self.guards.split_first_mut().expect("at least one lock");
        for copy in copies {
            **copy = (**written).clone();
        }
    }
}

impl<R: Runtime, T: Clone + Send + 'static> std::fmt::Debug for WriteGuard<'_, R, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WriteGuard").finish_non_exhaustive()
    }
}
