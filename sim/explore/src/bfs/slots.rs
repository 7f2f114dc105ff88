//! The slots of a table, in huge pages where they are many and the feature `mmap` is on; else on the heap.

/// Bytes of a huge page: so many are mapped, and more.
#[cfg(feature = "mmap")]
const HUGE: usize = 2 << 20;

/// There is no room for so many.
#[derive(Debug)]
pub(crate) struct NoRoom;

/// What a table can be made of: bytes that may all be zero.
#[cfg(feature = "mmap")]
pub(crate) trait Plain: bytemuck::Pod {}

/// What a table can be made of: bytes that may all be zero.
#[cfg(not(feature = "mmap"))]
pub(crate) trait Plain: Copy {}

impl Plain for u8 {}
impl<const N: usize> Plain for [u32; N] where [u32; N]: Bits {}

#[cfg(not(feature = "mmap"))]
use Copy as Bits;
#[cfg(feature = "mmap")]
use bytemuck::Pod as Bits;

/// Slots, zero at first.
pub(crate) enum Slots<T> {
    Heap(Vec<T>),
    #[cfg(feature = "mmap")]
    Mapped(memmap2::MmapMut),
}

impl<T: Plain> Slots<T> {
    /// So many, each of which is `zero`.
    pub fn new(len: usize, zero: T) -> Result<Self, NoRoom> {
        #[cfg(feature = "mmap")]
        if len * size_of::<T>() >= HUGE {
            let bytes = len * size_of::<T>();
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
        slots.resize(len, zero);
        Ok(Self::Heap(slots))
    }

    #[inline]
    pub fn get(&self) -> &[T] {
        match self {
            Self::Heap(slots) => slots,
            #[cfg(feature = "mmap")]
            Self::Mapped(map) => bytemuck::cast_slice(map),
        }
    }

    #[inline]
    pub fn get_mut(&mut self) -> &mut [T] {
        match self {
            Self::Heap(slots) => slots,
            #[cfg(feature = "mmap")]
            Self::Mapped(map) => bytemuck::cast_slice_mut(map),
        }
    }
}
