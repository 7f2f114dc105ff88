//! Memory asked for before it is needed.

/// Asks for the cache line of `slots[at]`, which need not be there.
#[inline]
pub(crate) fn prefetch<T>(slots: &[T], at: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let pointer = slots.as_ptr().wrapping_add(at).cast::<i8>();
        // SAFETY: a prefetch reads nothing that the program can see, wherever the pointer points.
        #[allow(
            unsafe_code,
            reason = "a hint to the processor, for which std has no safe function"
        )]
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(pointer);
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    std::hint::black_box(&slots[at]);
}
