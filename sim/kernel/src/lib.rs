//! The kernel's side and modprobe once more, as straight-line concurrent code.
