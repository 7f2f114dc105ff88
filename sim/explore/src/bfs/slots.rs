//! The slots of a table, in huge pages where they are many and the feature `mmap` is on; else on the heap.

/// Bytes of a huge page: what the table of a shard is a multiple of, once it is as large.
pub(crate) const HUGE: usize = 2 << 20;

/// There is no room for so many.
#[derive(Debug)]
pub(crate) struct NoRoom;

/// Slots, empty where they are zero.
pub(crate) enum Slots<const W: usize> {
    Heap(Vec<[u64; W]>),
    #[cfg(feature = "mmap")]
    Mapped(memmap2::MmapMut),
}

impl<const W: usize> Slots<W> {
    pub fn new(len: usize) -> Result<Self, NoRoom> {
        #[cfg(feature = "mmap")]
        if len * size_of::<[u64; W]>() >= HUGE {
            let bytes = len * size_of::<[u64; W]>();
            let map = memmap2::MmapMut::map_anon(bytes).map_err(|_| NoRoom)?;
            #[cfg(target_os = "linux")]
            {
                // A kernel without huge pages has small ones.
                let _ = map.advise(memmap2::Advice::HugePage);
            }
            return Ok(Self::Mapped(map));
        }
        let mut slots = Vec::new();
        slots.try_reserve_exact(len).map_err(|_| NoRoom)?;
        slots.resize(len, [0; W]);
        Ok(Self::Heap(slots))
    }

    /// Whether [`Slots::extend`] needs no second table for a moment.
    pub fn extends_in_place(&self) -> bool {
        cfg!(target_os = "linux") && !matches!(self, Self::Heap(_))
    }

    /// As many slots, the first of them as they are, the others empty; on an error, what there was.
    pub fn extend(&mut self, len: usize) -> Result<(), NoRoom> {
        let bytes = len * size_of::<[u64; W]>();
        match self {
            Self::Heap(slots) if bytes < HUGE || cfg!(not(feature = "mmap")) => {
                slots.try_reserve_exact(len - slots.len()).map_err(|_| NoRoom)?;
                slots.resize(len, [0; W]);
            }
            #[cfg(all(feature = "mmap", target_os = "linux"))]
            Self::Mapped(map) => {
                let options = memmap2::RemapOptions::new().may_move(true);
                // SAFETY: the mapping is of no file that could be too short, and nobody refers to it.
                #[allow(
                    unsafe_code,
                    reason = "unsafe for mappings of files, of which this is none"
                )]
                unsafe {
                    map.remap(bytes, options).map_err(|_| NoRoom)?;
                }
            }
            _ => {
                let mut new = Self::new(len)?;
                let old = self.get();
                new.get_mut()[..old.len()].copy_from_slice(old);
                *self = new;
            }
        }
        Ok(())
    }

    pub fn get(&self) -> &[[u64; W]] {
        match self {
            Self::Heap(slots) => slots,
            #[cfg(feature = "mmap")]
            Self::Mapped(map) => bytemuck::cast_slice(map),
        }
    }

    pub fn get_mut(&mut self) -> &mut [[u64; W]] {
        match self {
            Self::Heap(slots) => slots,
            #[cfg(feature = "mmap")]
            Self::Mapped(map) => bytemuck::cast_slice_mut(map),
        }
    }
}
