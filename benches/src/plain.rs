//! The practical limit: a page of plain Rust that can do nothing but count this one model. States in
//! one `u64`, a table whose size is known beforehand, a ring of states that wait for their cache
//! line. No trace, no property, no blocked process, no growth, no limit.

use memmap2::{Advice, MmapMut};

const ABSENT: u64 = 0;
const UNFORMED: u64 = 1;
const COMING: u64 = 2;
const LIVE: u64 = 3;
const GOING: u64 = 4;
const MODULE: u64 = 7;
const DIR: u64 = 8;
const INI: u64 = 16;
const FS: u64 = 32;
const FAILED: u64 = 64;

/// States that wait for their cache line.
const RING: usize = 32;

struct Table {
    slots: MmapMut,
    bits: u32,
    next: Vec<u64>,
    ring: [u64; RING],
    at: usize,
    states: u64,
}

impl Table {
    fn slots(&mut self) -> &mut [u64] {
        bytemuck::cast_slice_mut(&mut self.slots)
    }

    fn slot(&self, state: u64) -> usize {
        (state.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - self.bits)) as usize
    }

    /// Inserts the state that has waited longest and lets `state` wait. 0 is no state.
    fn offer(&mut self, state: u64) {
        let slot = self.slot(state);
        prefetch(&raw const self.slots()[slot]);
        let due = std::mem::replace(&mut self.ring[self.at], state);
        self.at = (self.at + 1) % RING;
        if due == 0 {
            return;
        }
        let mut slot = self.slot(due);
        let mask = (1 << self.bits) - 1;
        let slots = self.slots();
        while slots[slot] != 0 {
            if slots[slot] == due {
                return;
            }
            slot = (slot + 1) & mask;
        }
        slots[slot] = due;
        self.states += 1;
        self.next.push(due);
    }
}

fn prefetch(at: *const u64) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing that the program can see.
        #[allow(unsafe_code, reason = "what is measured is a loop with prefetch")]
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(at.cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// Slots of the table, known beforehand, as a binary logarithm.
const SLOT_BITS: [u32; 8] = [10, 10, 10, 14, 17, 21, 24, 28];

/// Whether there is a size for so many callers.
pub fn fits(callers: usize) -> bool {
    callers < SLOT_BITS.len()
}

/// Counts states and transitions with so many callers.
pub fn count(callers: usize) -> std::io::Result<(u64, u64)> {
    let slot_bits = SLOT_BITS[callers];
    let slots = MmapMut::map_anon(8 << slot_bits)?;
    #[cfg(target_os = "linux")]
    slots.advise(Advice::HugePage)?;
    let mut table =
        Table { slots, bits: slot_bits, next: Vec::new(), ring: [0; RING], at: 0, states: 0 };
    let initial = (0..callers).fold(0, |state, i| state | 1 << (7 + 5 * i));
    let mut transitions = 0;
    table.offer(initial);
    loop {
        // What still waits belongs to this level.
        (0..RING).for_each(|_| table.offer(0));
        let level = std::mem::take(&mut table.next);
        if level.is_empty() {
            return Ok((table.states, transitions));
        }
        for state in level {
            let module = state & MODULE;
            for i in 0..callers {
                let shift = 7 + 5 * i as u32;
                let here = state >> shift & 31;
                // Places are numbered in the order of the model's table, from 1.
                let set =
                    |shared: u64, next: u64| state & !(127 | 31 << shift) | shared | next << shift;
                let shared = state & 127;
                let with_module = |m: u64| shared & !MODULE | m;
                let after = match here {
                    1 => set(shared, 2),
                    2 => set(shared, if state & FS != 0 { 19 } else { 3 }),
                    3 => set(shared, if state & INI != 0 { 5 } else { 4 }),
                    4 => set(shared, if state & DIR != 0 { 17 } else { 6 }),
                    5 => set(shared, if module == LIVE { 17 } else { 6 }),
                    6 => match module {
                        ABSENT => set(with_module(UNFORMED), 8),
                        LIVE | GOING => set(shared, 17),
                        _ => set(shared, 7),
                    },
                    7 if module == LIVE || module == ABSENT => set(shared, 6),
                    8 => set(with_module(COMING), 9),
                    9 => set(shared | DIR, 10),
                    10 => set(shared | INI, 11),
                    11 => {
                        transitions += 1;
                        table.offer(set(shared | FS, 12));
                        set(shared | FAILED, 13)
                    }
                    12 => set(with_module(LIVE), 17),
                    13 => set(with_module(GOING), 14),
                    14 => set(shared & !INI, 15),
                    15 => set(shared & !DIR, 16),
                    16 => set(with_module(ABSENT), 18),
                    17 => set(shared, if state & FS != 0 { 19 } else { 20 }),
                    18 => set(shared, 21),
                    _ => continue,
                };
                transitions += 1;
                table.offer(after);
            }
        }
    }
}
