//! What this executable was built of: what another build has saved or says is not believed.

use std::sync::LazyLock;

use kmodcheck_explore::checkpoint::Build;
use kmodcheck_explore::hex;
use sha2::{Digest, Sha256};

/// A digest of the sources of every crate that a verdict depends on.
pub(crate) fn build() -> Build {
    let mut all = Sha256::new();
    for sources in [
        kmodcheck_binary::SOURCES,
        kmodcheck_indexes::SOURCES,
        kmodcheck_lang::SOURCES,
        kmodcheck_model::SOURCES,
        kmodcheck_explore::SOURCES,
        kmodcheck_sim::SOURCES,
        kmodcheck_properties::SOURCES,
        env!("KMODCHECK_SOURCES"),
    ] {
        all.update(sources);
    }
    all.finalize()[..size_of::<Build>()].try_into().expect("a digest is longer")
}

/// The same, as it is shown and saved.
pub(crate) fn build_in_words() -> &'static str {
    static WORDS: LazyLock<String> = LazyLock::new(|| hex(&build()));
    &WORDS
}

/// The version with the build, for `--version`.
pub(crate) fn version() -> &'static str {
    static VERSION: LazyLock<String> =
        LazyLock::new(|| format!("{} (build {})", env!("CARGO_PKG_VERSION"), build_in_words()));
    &VERSION
}
