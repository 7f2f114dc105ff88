//! One line of a log after the other, and what each says of who does what.

use std::collections::BTreeSet;

use kmodcheck_model::scenario::{FailsAt, Failure};

use super::*;

/// One line, and where it is read into.
pub(super) struct Reader<'a> {
    pub story: &'a mut Story,
    pub file: &'a str,
    pub lines: &'a [Line],
    pub at: usize,
    pub out_of_order: bool,
}

impl Reader<'_> {
    fn error(&self, expected: &str) -> FtraceError {
        let line = &self.lines[self.at];
        FtraceError::Line {
            file: self.file.to_owned(),
            line: line.number,
            found: line.text.clone(),
            expected: expected.to_owned(),
        }
    }

    fn part(&mut self, who: Who, module: Option<&String>) {
        self.story.parts.push(Part {
            line: self.at,
            who,
            module: module.cloned(),
            last_reference: false,
            found: false,
            out_of_order: self.out_of_order,
        });
    }

    fn call(&mut self, does: Does) -> usize {
        let line = &self.lines[self.at];
        let task = format!("{}-{}", line.command, line.pid);
        self.story.calls.push(Call::new(task, does));
        self.story.calls.len() - 1
    }

    /// Who is in `load_module()` or `free_module()`.
    fn loader(&self, now: &Now) -> Result<Who, FtraceError> {
        let loader = now.player.filter(|_| now.load.is_some()).or(now.deletes.map(Who::Call));
        loader.ok_or_else(|| {
            self.error(
                "a finit_module() or delete_module() call of the same process before this line",
            )
        })
    }

    pub fn line(&mut self, now: &mut Now, paths: &BTreeSet<&str>) -> Result<(), FtraceError> {
        let lines = self.lines;
        let line = &lines[self.at];
        match &line.what {
            What::Lost | What::Unrelated => {}
            What::Exec { file } if paths.contains(file.as_str()) => self.exec(now),
            What::Exec { .. } => {}
            What::Exit => {
                let left = now.deletes.or(now.mount).filter(|_| self.out_of_order).map(Who::Call);
                if let Some(player) = now.player.or(left) {
                    self.part(player, None);
                    if let Who::Helper(helper) = player {
                        self.story.helpers[helper].exit = self.at;
                    }
                }
                *now = Now::default();
            }
            What::GetFsType { .. }
            | What::RequestModule
            | What::ModuleRequest { .. }
            | What::Helper { .. }
            | What::HelperReturns(_)
            | What::RequestReturns { .. }
            | What::MountReturns(_) => self.request(now, &line.what)?,
            What::Finit { .. }
            | What::FinitFile(_)
            | What::FinitReturns(_)
            | What::LoadModule
            | What::LoadModuleReturns(_)
            | What::Listed(_)
            | What::FinishedLoading(_)
            | What::FinishedLoadingReturns(_) => self.load(now, &line.what)?,
            What::Unformed(module) => {
                let player = self.loader(now)?;
                self.part(player, Some(module));
            }
            What::InitstateGone(module) | What::InitstateRead(module) => {
                // A shell's modprobe is not known for one yet.
                if let Some(helper @ Who::Helper(_)) = now.player {
                    self.part(helper, Some(module));
                    self.story.fate(module).mentioned = true;
                }
            }
            What::Get { module, site } => self.get(now, module, site)?,
            What::Put { module, site } => self.put(now, module, site)?,
            What::DeleteModule(module) => {
                // The system call's own event comes first and has no name; the probe's may follow.
                if let Some(call) = now.deletes.filter(|_| self.out_of_order) {
                    self.part(Who::Call(call), None);
                } else if now.deletes.is_none() {
                    let module = match module {
                        Some(module) => module.clone(),
                        None => deleted(lines, self.at).ok_or_else(|| {
                            self.error("an event that names the module before the call returns")
                        })?,
                    };
                    let call = self.call(Does::Delete(module.clone()));
                    self.part(Who::Call(call), Some(&module));
                    now.deletes = Some(call);
                    self.story.fate(&module);
                    now.loading = Some(module);
                }
            }
            What::DeleteModuleReturns(ret) => {
                let call = now.deletes.take();
                let call = call.ok_or_else(|| self.error("a delete_module() call before it"))?;
                self.part(Who::Call(call), None);
                if let Does::Delete(module) = self.story.calls[call].does.clone() {
                    let at = self.at;
                    let fate = self.story.fate(&module);
                    fate.mentioned |= *ret != -ENOENT;
                    if *ret == 0 {
                        fate.deleted.get_or_insert(at);
                    }
                }
            }
            What::Notified { .. }
            | What::SysfsSetup(_)
            | What::SysfsSetupReturns(_)
            | What::MakesDirectory(_)
            | What::MakesInitstate(_)
            | What::Loaded(_)
            | What::DoInit(_)
            | What::DoInitReturns(_)
            | What::FreeModule(_)
            | What::Freed(_)
            | What::SysfsTeardown(_) => self.forming(now, &line.what)?,
            What::Registers { fs } => {
                if let (Ok(player), Some(module)) = (self.loader(now), now.loading.clone()) {
                    self.part(player, Some(&module));
                    self.story.fate(&module).file_systems.insert(fs.clone());
                }
            }
        }
        Ok(())
    }

    fn exec(&mut self, now: &mut Now) {
        let helper = self.story.helpers.len();
        self.part(Who::Helper(helper), None);
        *now = Now { player: Some(Who::Helper(helper)), ..Now::default() };
        let line = &self.lines[self.at];
        self.story.helpers.push(HelperStory {
            task: format!("{}-{}", line.command, line.pid),
            callers: Vec::new(),
            exec: self.at,
            exit: usize::MAX,
            modules: Vec::new(),
        });
    }

    /// `get_fs_type()` and `__request_module()`.
    fn request(&mut self, now: &mut Now, what: &What) -> Result<(), FtraceError> {
        match what {
            What::GetFsType { fs } => {
                let call = self.call(Does::GetFsType(fs.clone()));
                self.part(Who::Call(call), None);
                (now.mount, now.request, now.references) = (Some(call), None, 0);
                return Ok(());
            }
            What::MountReturns(ret) => {
                if let Some(call) = now.mount.take() {
                    // What failed keeps no reference.
                    let gives = |l: &Line| matches!(l.what, What::Put { .. });
                    let kept = now.references != 0 && self.lines.iter().any(gives);
                    self.out_of_order |= *ret != 0 && kept;
                    self.part(Who::Call(call), None);
                    let found = self.story.calls[call].pinned.is_some();
                    if let Some(part) = self.story.parts.last_mut() {
                        part.found = found;
                    }
                    self.story.calls[call].mounted = Some(*ret);
                }
                return Ok(());
            }
            What::RequestModule => {
                let later = self.lines[self.at + 1..].iter();
                let mut later = later.filter(|l| l.pid == self.lines[self.at].pid);
                let request = later
                    .by_ref()
                    .take_while(|l| !matches!(l.what, What::RequestReturns { .. }))
                    .find_map(|l| match &l.what {
                        What::ModuleRequest { name, wait } => Some((name.clone(), *wait)),
                        What::Helper { name, .. } => Some((name.clone(), true)),
                        _ => None,
                    });
                // What mount() requests once it has its file system is another request.
                let own = now.mount.filter(|mount| {
                    let mount = &self.story.calls[*mount];
                    let same = |(name, _): &(String, bool)| mount.name().as_ref() == Some(name);
                    !mount.requested && mount.pinned.is_none() && request.as_ref().is_none_or(same)
                });
                let call = match (own, request) {
                    (Some(mount), _) => mount,
                    (None, Some((name, wait))) => self.call(Does::Request { name, wait }),
                    (None, None) => {
                        let expected = "a module_request event with the name that is requested";
                        return Err(self.error(expected));
                    }
                };
                self.story.calls[call].requested = true;
                now.request = Some(call);
                self.part(Who::Call(call), None);
                return Ok(());
            }
            _ => {}
        }
        let call = match (now.request, what) {
            (Some(call), _) => call,
            // Some other helper of the kernel's.
            (None, What::Helper { .. } | What::HelperReturns(_)) => return Ok(()),
            (None, _) => {
                let expected = "a __request_module() call of the same process before this line";
                return Err(self.error(expected));
            }
        };
        self.part(Who::Call(call), None);
        let at = self.at;
        let story = &mut self.story.calls[call];
        match what {
            What::Helper { .. } => story.helper = Some((at, usize::MAX)),
            What::HelperReturns(ret) => {
                story.started = Some(*ret);
                if let Some((_, to)) = &mut story.helper {
                    *to = at;
                }
            }
            What::RequestReturns { ret, to_get_fs_type } => {
                story.returned = Some(*ret);
                if let Some((_, to)) = &mut story.helper {
                    *to = (*to).min(at);
                }
                if *to_get_fs_type && !matches!(story.does, Does::GetFsType(_)) {
                    let expected = "the get_fs_type() call that this is in, before it";
                    return Err(self.error(expected));
                }
                now.request = None;
            }
            _ => {}
        }
        Ok(())
    }

    /// `finit_module()` up to the list.
    fn load(&mut self, now: &mut Now, what: &What) -> Result<(), FtraceError> {
        if let What::Finit { from_memory } = what {
            let player = match now.player {
                Some(player) => player,
                None => Who::Call(self.call(Does::Modprobe(Vec::new()))),
            };
            now.player = Some(player);
            now.load = Some(self.story.loads.len());
            now.loading = None;
            self.part(player, None);
            self.story.loads.push(Load {
                who: player,
                from: self.at,
                to: usize::MAX,
                module: None,
                from_memory: *from_memory,
                entered: false,
                returned: None,
                resolved: Vec::new(),
                seen: BTreeSet::new(),
                sysfs: None,
            });
            return Ok(());
        }
        let player = self.loader(now)?;
        let load = now.load;
        match what {
            What::FinitReturns(ret) => {
                self.part(player, None);
                now.load = None;
                if let Some(load) = load {
                    self.story.loads[load].to = self.at;
                    self.story.loads[load].returned = Some(*ret);
                }
            }
            What::LoadModule => {
                self.part(player, None);
                if let Some(load) = load {
                    self.story.loads[load].entered = true;
                }
            }
            What::FinitFile(module) => {
                self.part(player, Some(module));
                self.names(now, module);
            }
            What::Listed(module) => {
                self.part(player, Some(module));
                self.names(now, module);
                let at = self.at;
                self.story.fate(module).listed.get_or_insert(at);
            }
            What::FinishedLoading(module) => {
                self.part(player, Some(module));
                self.names(now, module);
            }
            What::LoadModuleReturns(ret) => {
                self.part(player, now.loading.as_ref());
                self.fails(now, *ret);
                // Of its own wait for a listed name; what whoever joined another one is told is that one's.
                if let Who::Call(call) = player {
                    self.story.calls[call].interrupted |= *ret == -ERESTARTSYS;
                }
            }
            _ => self.part(player, now.loading.as_ref()),
        }
        Ok(())
    }

    /// Where a load that returns this has failed, if that was between COMING and init.
    fn fails(&mut self, now: &Now, ret: i32) {
        let (Some(load), Some(module)) = (now.load, &now.loading) else { return };
        let load = &self.story.loads[load];
        let has = |place| load.seen.contains(&place);
        let came_to_init = load.seen.range(Place::SetUp..=Place::InitReturns).next().is_some();
        if ret >= 0 || !has(Place::Coming) || came_to_init {
            return;
        }
        // load_module() returns what mod_sysfs_setup() did.
        if load.sysfs.is_some_and(|sysfs| sysfs != ret) {
            return;
        }
        // Where the log has no line the load may have been, too, if such lines were not recorded; then this is one
        // explanation of several.
        let eexist = ret == -EEXIST;
        let at = if has(Place::MakesInitstate) && has(Place::SysfsReturns) {
            if eexist { FailsAt::Sections } else { FailsAt::UsageLinks }
        } else if has(Place::MakesDirectory) && has(Place::SysfsReturns) && eexist {
            FailsAt::Parameters
        } else if has(Place::SysfsSetup) {
            return;
        } else if has(Place::Going) {
            FailsAt::Arguments
        } else {
            FailsAt::ComingNotifier
        };
        let module = module.clone();
        self.story.fate(&module).failure = Some(Failure { at, eexist });
    }

    /// The module that is being loaded.
    fn names(&mut self, now: &mut Now, module: &str) {
        now.loading = Some(module.to_owned());
        self.story.fate(module);
        if let Some(load) = now.load {
            self.story.loads[load].module.get_or_insert_with(|| module.to_owned());
        }
    }

    fn get(&mut self, now: &mut Now, module: &str, site: &str) -> Result<(), FtraceError> {
        match site {
            "resolve_symbol" | "ref_module" => {
                let player = self.loader(now)?;
                self.part(player, now.loading.as_ref());
                self.story.fate(module).mentioned = true;
                // Which module needs it, a later line may say.
                if let Some(load) = now.load {
                    self.story.loads[load].resolved.push(module.to_owned());
                }
            }
            "__get_fs_type" | "get_filesystem" => {
                let Some(call) = now.mount else {
                    return match site {
                        "__get_fs_type" => {
                            Err(self.error("the get_fs_type() call that this is in, before it"))
                        }
                        _ => Ok(()),
                    };
                };
                if site == "__get_fs_type" {
                    self.part(Who::Call(call), None);
                    self.story.calls[call].pinned = Some(module.to_owned());
                }
                now.references += 1;
                self.story.fate(module).mentioned = true;
            }
            _ => {}
        }
        Ok(())
    }

    fn put(&mut self, now: &mut Now, module: &str, site: &str) -> Result<(), FtraceError> {
        match site {
            "do_init_module" => {
                let player = self.loader(now)?;
                self.part(player, Some(&module.to_owned()));
            }
            "module_unload_free" => {
                let player = self.loader(now)?;
                self.part(player, now.loading.as_ref());
                self.story.fate(module).mentioned = true;
            }
            _ => {
                let Some(call) = now.mount.filter(|_| now.references > 0) else { return Ok(()) };
                if self.story.calls[call].pinned.as_deref().is_some_and(|pinned| pinned != module) {
                    return Ok(());
                }
                now.references -= 1;
                self.part(Who::Call(call), Some(&module.to_owned()));
                if let Some(part) = self.story.parts.last_mut() {
                    part.last_reference = now.references == 0;
                }
            }
        }
        Ok(())
    }

    /// A module takes form, or is taken apart.
    fn forming(&mut self, now: &mut Now, what: &What) -> Result<(), FtraceError> {
        let player = self.loader(now)?;
        let at = self.at;
        if let (Some(load), Some(place)) = (now.load, Place::of(what)) {
            self.story.loads[load].seen.insert(place);
            if let What::SysfsSetupReturns(ret) = what {
                self.story.loads[load].sysfs = Some(*ret);
            }
        }
        match what {
            What::SysfsSetupReturns(ret) => {
                self.part(player, now.loading.as_ref());
                if let (true, Some(module)) = (*ret != 0, &now.loading) {
                    self.story.fate(module).sysfs_failed = true;
                }
            }
            What::DoInitReturns(ret) => {
                self.part(player, now.loading.as_ref());
                if let (true, Some(module)) = (*ret < 0, &now.loading) {
                    let fate = self.story.fate(module);
                    *(if *ret == -EEXIST {
                        &mut fate.init_eexist
                    } else {
                        &mut fate.init_failed
                    }) = true;
                }
            }
            What::Notified { module, .. }
            | What::SysfsSetup(module)
            | What::MakesDirectory(module)
            | What::MakesInitstate(module)
            | What::Loaded(module)
            | What::DoInit(module)
            | What::FreeModule(module)
            | What::Freed(module)
            | What::SysfsTeardown(module) => {
                self.part(player, Some(module));
                let forms = matches!(
                    what,
                    What::Notified { state: 1, .. }
                        | What::SysfsSetup(_)
                        | What::MakesDirectory(_)
                        | What::MakesInitstate(_)
                        | What::Loaded(_)
                        | What::DoInit(_)
                );
                if forms {
                    // Where nobody probes the list itself, this is the first that is seen of it.
                    self.names(now, module);
                }
                let fate = self.story.fate(module);
                if forms {
                    fate.formed = true;
                    fate.listed.get_or_insert(at);
                }
                fate.directory |= matches!(what, What::MakesDirectory(_));
                if matches!(what, What::FreeModule(_)) && now.deletes.is_some() {
                    fate.deleted.get_or_insert(at);
                }
            }
            _ => {}
        }
        Ok(())
    }
}
