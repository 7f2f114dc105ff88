//! Files below a root that is not this machine's: an unpacked image, a container, an initramfs. Links in it lead to files
//! in it, as they do for whoever has it as its root.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

/// Most links that are followed on the way to a file, as in the kernel (`MAXSYMLINKS`).
const MOST_LINKS: usize = 40;

/// Where a path of the root is on this machine, links followed; `None`: it leads nowhere, or in a circle.
pub(crate) fn inside(root: &Path, path: &Path) -> Option<PathBuf> {
    let mut open: VecDeque<OsString> = parts(path).map(OsStr::to_owned).collect();
    let mut at: Vec<OsString> = Vec::new();
    let mut links = 0;
    while let Some(part) = open.pop_front() {
        if part == ".." {
            at.pop();
            continue;
        }
        let here = on_machine(root, &at).join(&part);
        match std::fs::read_link(&here) {
            Ok(target) => {
                links += 1;
                if links > MOST_LINKS {
                    return None;
                }
                if target.is_absolute() {
                    at.clear();
                }
                for part in parts(&target).collect::<Vec<_>>().into_iter().rev() {
                    open.push_front(part.to_owned());
                }
            }
            Err(_) => at.push(part),
        }
    }
    let there = on_machine(root, &at);
    there.exists().then_some(there)
}

fn on_machine(root: &Path, at: &[OsString]) -> PathBuf {
    at.iter().fold(root.to_owned(), |path, part| path.join(part))
}

fn parts(path: &Path) -> impl Iterator<Item = &OsStr> {
    path.components().filter_map(|component| match component {
        Component::Normal(part) => Some(part),
        Component::ParentDir => Some(OsStr::new("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::inside;

    #[test]
    fn links_lead_to_files_below_the_root() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        std::fs::create_dir_all(root.join("usr/lib/modules")).unwrap();
        std::fs::write(root.join("usr/lib/modules/x"), "").unwrap();
        symlink("usr/lib", root.join("lib")).unwrap();
        symlink("/usr/lib", root.join("absolute")).unwrap();
        symlink("../../../../usr", root.join("above")).unwrap();
        symlink("circle", root.join("circle")).unwrap();
        symlink("/etc/passwd", root.join("passwd")).unwrap();
        for path in
            ["lib/modules/x", "/absolute/modules/x", "above/lib/modules/x", "usr/../lib/modules/x"]
        {
            let found = inside(root, Path::new(path));
            assert_eq!(found, Some(root.join("usr/lib/modules/x")), "{path}");
        }
        for path in ["circle", "passwd", "nothing"] {
            assert_eq!(inside(root, Path::new(path)), None, "{path}");
        }
    }
}
