//! Where the members of the kernel's structures are, by its own type information (BTF, as
//! /sys/kernel/btf/vmlinux has it).

use std::collections::BTreeSet;
use std::path::Path;

use btfparse::{ErrorKind, Offset, Readable, TypeInformation, TypeVariant};

use crate::output::Failure;

/// The type information of a kernel.
pub(super) struct Btf {
    /// The file, for errors.
    file: String,
    types: TypeInformation,
}

/// A file in memory.
struct Bytes(Vec<u8>);

impl Readable for Bytes {
    fn read(&self, offset: u64, buffer: &mut [u8]) -> btfparse::Result<()> {
        let from = usize::try_from(offset).ok();
        let bytes = from.and_then(|from| self.0.get(from..from.checked_add(buffer.len())?));
        let bytes = bytes.ok_or_else(|| {
            let rest = self.0.len();
            btfparse::Error::new(ErrorKind::IOError, &format!("the file ends after {rest} bytes"))
        })?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }
}

impl Btf {
    /// Reads the type information.
    ///
    /// # Errors
    /// No such file, or one that is no BTF.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let file = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => format!(
                "{file}: there is no such file, expected the kernel's type information: a kernel with \
                 CONFIG_DEBUG_INFO_BTF, or --btf FILE"
            ),
            _ => format!("{file}: {error}"),
        })?;
        let magic = [0x9f, 0xeb];
        if bytes.get(..2) != Some(&magic) {
            let found: Vec<_> = bytes.iter().take(2).map(|byte| format!("{byte:02x}")).collect();
            return Err(format!(
                "{file}: found '{}' as its first two bytes, expected '9f eb': BTF of a little-endian \
                 machine, as /sys/kernel/btf/vmlinux is",
                found.join(" ")
            )
            .into());
        }
        let types = TypeInformation::new(&Bytes(bytes))
            .map_err(|error| format!("{file}: no BTF that can be read: {}", error.message()))?;
        Ok(Self { file, types })
    }

    /// The offset of a member in bytes, `STRUCT.MEMBER` or `STRUCT.MEMBER.MEMBER`, through structures that
    /// have no name as C has it.
    ///
    /// # Errors
    /// No such structure or member, one that is no whole number of bytes from the beginning, or two
    /// structures of that name that have it at different places.
    pub(super) fn offset(&self, member: &str) -> Result<u32, Failure> {
        let (name, path) = member.split_once('.').expect("a member has a structure");
        let named = |kind: &TypeVariant| match kind {
            TypeVariant::Struct(structure) => structure.name().as_deref() == Some(name),
            _ => false,
        };
        let all = self.types.get().iter().filter(|(_, kind)| named(kind));
        let mut found = BTreeSet::new();
        let mut error = format!("{}: found no struct {name}, expected one", self.file);
        for (id, _) in all {
            match self.types.offset_of(*id, path) {
                Ok((_, Offset::ByteOffset(bytes))) => {
                    found.insert(bytes);
                }
                Ok((_, Offset::BitOffsetAndSize(..))) => {
                    error = format!(
                        "{}: found a bit field as {path} of struct {name}, expected a member of bytes",
                        self.file
                    );
                }
                Err(_) => {
                    error =
                        format!("{}: found no {path} in struct {name}, expected one", self.file);
                }
            }
        }
        match found.len() {
            0 => Err(error.into()),
            1 => Ok(*found.first().expect("there is one")),
            _ => Err(format!(
                "{}: found {path} at offsets {found:?} of structures called {name}, expected one",
                self.file
            )
            .into()),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::PathBuf;

    use super::Btf;

    /// BTF as the kernel's documentation has it (Documentation/bpf/btf.rst), made by hand.
    #[derive(Default)]
    pub(crate) struct Made {
        types: Vec<u8>,
        names: Vec<u8>,
        count: u32,
    }

    const INT: u32 = 1;
    const PTR: u32 = 2;
    const STRUCT: u32 = 4;
    const UNION: u32 = 5;

    impl Made {
        pub(crate) fn new() -> Self {
            let mut made = Self { names: vec![0], ..Self::default() };
            // Type 1 is an int of 4 bytes, type 2 a pointer to nothing in particular.
            made.head("int", INT, 0, 0, 4);
            made.types.extend(32_u32.to_le_bytes());
            made.head("", PTR, 0, 0, 0);
            made
        }

        fn name(&mut self, name: &str) -> u32 {
            if name.is_empty() {
                return 0;
            }
            let at = u32::try_from(self.names.len()).unwrap();
            self.names.extend(name.as_bytes());
            self.names.push(0);
            at
        }

        fn head(&mut self, name: &str, kind: u32, members: usize, flag: u32, size: u32) -> u32 {
            let name = self.name(name);
            let info = u32::try_from(members).unwrap() | kind << 24 | flag << 31;
            for word in [name, info, size] {
                self.types.extend(word.to_le_bytes());
            }
            self.count += 1;
            self.count
        }

        fn members(&mut self, members: &[(&str, u32, u32)]) {
            for (name, of, at) in members {
                let name = self.name(name);
                for word in [name, *of, *at] {
                    self.types.extend(word.to_le_bytes());
                }
            }
        }

        /// Members by name, type and offset in bytes; gives its type.
        pub(crate) fn structure(&mut self, name: &str, members: &[(&str, u32, u32)]) -> u32 {
            let bits: Vec<_> = members.iter().map(|(name, of, at)| (*name, *of, at * 8)).collect();
            let id = self.head(name, STRUCT, members.len(), 0, 4096);
            self.members(&bits);
            id
        }

        fn union(&mut self, members: &[(&str, u32, u32)]) -> u32 {
            let id = self.head("", UNION, members.len(), 0, 16);
            self.members(members);
            id
        }

        pub(crate) fn bytes(&self) -> Vec<u8> {
            let length = |part: &[u8]| u32::try_from(part.len()).unwrap();
            let mut bytes = vec![0x9f, 0xeb, 1, 0];
            let (types, names) = (length(&self.types), length(&self.names));
            for word in [24, 0, types, types, names] {
                bytes.extend(word.to_le_bytes());
            }
            bytes.extend(&self.types);
            bytes.extend(&self.names);
            bytes
        }

        pub(crate) fn read(&self) -> Btf {
            read(&self.bytes()).unwrap()
        }
    }

    fn read(bytes: &[u8]) -> Result<Btf, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        Btf::read(file.path()).map_err(|error| error.to_string())
    }

    /// The structures that probes look into, at the places that they have in Debian's 6.12.117 on x86-64, in part.
    pub(crate) fn of_6_12() -> Made {
        let mut made = Made::new();
        let name = made.structure("qstr", &[("name", 2, 8)]);
        // As v6.16 has it; before, it is a member as others are.
        let either = made.union(&[("d_name", name, 0), ("__d_name", name, 0)]);
        made.structure("dentry", &[("d_flags", 1, 0), ("", either, 32 * 8 / 8)]);
        let path = made.structure("path", &[("mnt", 2, 0), ("dentry", 2, 8)]);
        made.structure("file", &[("f_count", 1, 0), ("f_path", path, 64)]);
        made.structure("module", &[("state", 1, 0), ("name", 2, 24)]);
        made.structure("kobject", &[("name", 2, 0), ("parent", 2, 24)]);
        made.structure("attribute", &[("name", 2, 0)]);
        made.structure("file_system_type", &[("name", 2, 0)]);
        made.structure("subprocess_info", &[("path", 2, 40), ("argv", 2, 48)]);
        made.structure("pt_regs", &[("di", 2, 112)]);
        made
    }

    #[test]
    fn members_are_found_also_in_what_has_no_name() {
        let btf = of_6_12().read();
        for (member, offset) in [
            ("module.state", 0),
            ("module.name", 24),
            ("pt_regs.di", 112),
            ("file.f_path.dentry", 72),
            ("dentry.d_name.name", 40),
        ] {
            assert_eq!(btf.offset(member).unwrap(), offset, "{member}");
        }
    }

    #[test]
    fn what_is_not_there_or_not_clear_is_named() {
        let mut made = of_6_12();
        made.structure("twice", &[("name", 2, 8)]);
        made.structure("twice", &[("name", 2, 16)]);
        made.structure("same", &[("name", 2, 8)]);
        made.structure("same", &[("name", 2, 8), ("other", 2, 16)]);
        let flags = made.head("flags", STRUCT, 1, 1, 4);
        made.members(&[("bit", 1, 3 << 24 | 5)]);
        assert!(flags > 0);
        let btf = made.read();
        let says = |member: &str, what: &str| {
            let error = btf.offset(member).unwrap_err().to_string();
            assert!(error.ends_with(what), "{error}");
        };
        says("modul.name", ": found no struct modul, expected one");
        says("module.nam", ": found no nam in struct module, expected one");
        says(
            "twice.name",
            ": found name at offsets {8, 16} of structures called twice, expected one",
        );
        says("flags.bit", ": found a bit field as bit of struct flags, expected a member of bytes");
        assert_eq!(btf.offset("same.name").unwrap(), 8);
    }

    #[test]
    fn a_file_that_is_no_btf_is_refused_and_a_part_of_one() {
        let no_such = Btf::read(&PathBuf::from("/no/such/file")).err().unwrap().to_string();
        assert!(no_such.starts_with("/no/such/file: there is no such file"), "{no_such}");
        let text = read(b"# not this").err().unwrap();
        assert!(text.contains("found '23 20' as its first two bytes, expected '9f eb'"), "{text}");
        let whole = of_6_12().bytes();
        for end in 0..whole.len() {
            // Where only names are cut, types may be there; nothing panics, and nothing is found at a wrong place.
            if let Ok(btf) = read(&whole[..end]) {
                assert!(btf.offset("module.name").map_or(true, |offset| offset == 24));
            }
        }
    }
}
