//! `struct stat` and `struct statx`.

/// What `stat()` says, without the times and the blocks, which are nobody's business.
#[derive(Default)]
pub(super) struct Stat {
    pub device: u64,
    pub inode: u64,
    pub mode: u32,
    pub links: u64,
    pub size: u64,
}

impl Stat {
    /// `struct stat`.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(144);
        bytes.extend(self.device.to_le_bytes());
        bytes.extend(self.inode.max(1).to_le_bytes());
        bytes.extend(self.links.max(1).to_le_bytes());
        bytes.extend(self.mode.to_le_bytes());
        // Owner, group, padding, device.
        bytes.resize(48, 0);
        bytes.extend(self.size.to_le_bytes());
        bytes.extend(4096_u64.to_le_bytes());
        bytes.resize(144, 0);
        bytes
    }

    /// `struct statx`.
    pub(super) fn extended(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256);
        // STATX_BASIC_STATS, the size of a block, no attributes.
        bytes.extend(0x7ff_u32.to_le_bytes());
        bytes.extend(4096_u32.to_le_bytes());
        bytes.resize(16, 0);
        bytes.extend(u32::try_from(self.links.max(1)).unwrap_or(1).to_le_bytes());
        bytes.resize(28, 0);
        bytes.extend((u16::try_from(self.mode).unwrap_or_default()).to_le_bytes());
        bytes.resize(32, 0);
        bytes.extend(self.inode.max(1).to_le_bytes());
        bytes.extend(self.size.to_le_bytes());
        bytes.resize(256, 0);
        bytes
    }
}
