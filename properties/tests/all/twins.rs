//! What the steps do is what the texts say, transition by transition: each step of a process in one of the functions leads
//! where an edge of that function's graph leads, with the answer that the step has had; and each edge is taken by some step.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use kmodcheck_explore::Product;
use kmodcheck_model::builtin::{Environment, Naming, scenario};
use kmodcheck_model::event::{Finit, InitOutcome};
use kmodcheck_model::features::Features;
use kmodcheck_model::presets;
use kmodcheck_model::scenario::{Action, FailsAt, Failure, Helper, MODULE_NAME_LEN, Scenario};
use kmodcheck_model::state::{Ret, Task};
use kmodcheck_model::text::{Graph, Next, Node, OBJECT, graph};
use kmodcheck_model::{Event, Model, Pc, model::Role};
use kmodcheck_properties::grand::{GrandCell, System};
use kmodcheck_sim::Processes;

use crate::sample::long_some_of;

/// Any negative result that no text tells from others.
const OTHER: i64 = -1;

/// A function: its file, and what it is called with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Function {
    GetFsType,
    RequestModule { waits: bool },
    FinitModule,
    LoadModule,
    DeleteModule,
}

impl Function {
    fn graph(self, features: &Features) -> Graph {
        let (path, name, arguments) = match self {
            Self::GetFsType => ("fs/filesystems.c", "get_fs_type", vec![None]),
            Self::RequestModule { waits } => {
                ("kernel/module/kmod.c", "__request_module", vec![Some(i64::from(waits)), None])
            }
            Self::FinitModule => ("kernel/module/main.c", "idempotent_init_module", vec![None]),
            Self::LoadModule => ("kernel/module/main.c", "load_module", vec![None, None]),
            Self::DeleteModule => ("kernel/module/main.c", "delete_module", vec![None]),
        };
        graph(path, name, &arguments, features)
    }
}

/// Where a step leads, in a function's words.
#[derive(Clone, Copy, Debug, PartialEq)]
enum To {
    /// To a call, with that argument if it is told.
    Call(&'static str, Option<i64>),
    /// Out of it with that.
    Returns(i64),
    /// Out of it; what is returned is remembered nowhere.
    Leaves,
}

/// Where a process is in a function, and what it does there.
#[derive(Clone, Copy, Debug)]
struct At {
    function: Function,
    /// `None`: at its beginning.
    call: Option<(&'static str, Option<i64>)>,
    /// Whether it takes itself off again because there are too many.
    over_the_limit: bool,
}

fn number(ret: Ret) -> i64 {
    match ret {
        Ret::Zero => 0,
        Ret::Status256 => 256,
        Ret::Enoent => -2,
        Ret::Ebusy => -16,
        Ret::Ewouldblock => -11,
        Ret::Enomem => -12,
        Ret::Etime => -62,
        Ret::Enametoolong => -36,
        Ret::Erestartsys => -512,
        _ => OTHER,
    }
}

/// The call of loading or freeing that a place is.
fn loading(pc: Pc) -> Option<(&'static str, Option<i64>)> {
    const STATE: &str = "mod->state = _";
    Some(match pc {
        Pc::EarlyCheck | Pc::EarlyWait | Pc::EarlyAsleep | Pc::EarlyRecheck => {
            ("early_mod_check(_)", None)
        }
        Pc::AddUnformed | Pc::AddWait | Pc::AddAsleep | Pc::AddRecheck => {
            ("add_unformed_module(_)", None)
        }
        Pc::Resolve | Pc::ResolveAsleep => ("simplify_symbols(_, _)", None),
        Pc::CompleteFormation => (STATE, Some(1)),
        Pc::ComingNotifier => ("prepare_coming_module(_)", None),
        Pc::ParseArgs => ("parse_args(_)", None),
        Pc::UsageLinks => ("add_usage_links(_)", None),
        Pc::SectAttrs => ("add_sect_attrs(_, _)", None),
        Pc::Codetag => ("codetag_load_module(_)", None),
        Pc::ReadOnly => ("module_enable_rodata_ro(_)", None),
        Pc::SysfsInit => ("mod_sysfs_init(_)", None),
        Pc::AddModinfoAttrs => ("module_add_modinfo_attrs(_)", None),
        Pc::SysfsUndo | Pc::SysfsFini => ("mod_sysfs_fini(_)", None),
        Pc::FailGoing | Pc::SetGoing => (STATE, Some(2)),
        Pc::FailUnloadFree | Pc::UnloadFree => ("module_unload_free(_)", None),
        Pc::Unlink | Pc::ListDel => ("list_del_rcu(&mod->list)", None),
        Pc::Uevent => ("kobject_uevent(_, KOBJ_ADD)", None),
        Pc::Init | Pc::InitRequest | Pc::Unregister => ("do_one_initcall(mod->init)", None),
        Pc::SetLive => (STATE, Some(0)),
        Pc::AsyncSynchronize | Pc::UnloadSynchronize => ("async_synchronize_full()", None),
        Pc::DropInitial => ("module_put(_)", None),
        Pc::WakeLive | Pc::WakeFreed => ("wake_up_all(&module_wq)", None),
        Pc::RemoveModinfoAttrs | Pc::FailRemoveAttrs => ("module_remove_modinfo_attrs(_)", None),
        Pc::SetUnformed => (STATE, Some(3)),
        _ => return None,
    })
}

/// The calls of `idempotent_init_module()`.
fn finit(pc: Pc, features: &Features) -> Option<&'static str> {
    let kernel = &features.kernel;
    Some(match pc {
        Pc::Idempotent if kernel.idempotent_finit => "idempotent(_, _)",
        Pc::Idempotent => "exclusive_deny_write_access(_)",
        Pc::IdempotentAsleep if kernel.join_interruptible => {
            "wait_for_completion_interruptible(&idem.complete)"
        }
        Pc::IdempotentAsleep => "wait_for_completion(&idem.complete)",
        Pc::IdempotentComplete if kernel.idempotent_finit => "idempotent_complete(_, _)",
        Pc::IdempotentComplete => "allow_write_access(_)",
        pc if loading(pc).is_some() => "init_module_from_file(_)",
        _ => return None,
    })
}

/// The calls of `__request_module()`; what modprobe does is a part of one of them.
fn requesting(pc: Pc, features: &Features) -> Option<&'static str> {
    use kmodcheck_model::features::RequestLimit::{AllWaitersRace, FailsAtOnce, Semaphore};
    let limit = features.kernel.request_limit;
    Some(match pc {
        Pc::LimitCount => "atomic_inc(&kmod_concurrent)",
        Pc::LimitLook => "atomic_read(&kmod_concurrent) > max_modprobes",
        Pc::LimitBack => "atomic_dec(&kmod_concurrent)",
        Pc::TakeSlot | Pc::SlotAsleep if limit == Semaphore => {
            "down_timeout(&kmod_concurrent_max, MAX_KMOD_ALL_BUSY_TIMEOUT)"
        }
        Pc::TakeSlot | Pc::SlotAsleep => {
            "wait_event_killable_timeout(kmod_wq, atomic_dec_if_positive(&kmod_concurrent_max) >= 0, \
                  MAX_KMOD_ALL_BUSY_TIMEOUT)"
        }
        Pc::Duplicate | Pc::DuplicateAsleep | Pc::DuplicateRead => {
            "kmod_dup_request_exists_wait(_, _, _)"
        }
        Pc::Exec | Pc::HelperReturn => "call_modprobe(_, _)",
        Pc::Announce | Pc::DuplicateQueue => "kmod_dup_request_announce(_, _)",
        Pc::GiveSlot => match limit {
            FailsAtOnce => "atomic_dec(&kmod_concurrent)",
            AllWaitersRace => "atomic_inc(&kmod_concurrent_max)",
            Semaphore => "up(&kmod_concurrent_max)",
        },
        Pc::WakeSlot => "wake_up(&kmod_wq)",
        _ => return None,
    })
}

/// Calls that are no steps of their own in a scenario: what is done under a lock with the step at hand, and what nobody
/// could see there.
fn absorbed(node: &Node, scenario: &Scenario, frees: bool) -> bool {
    match node.pattern {
        "mutex_lock(&module_mutex)" | "mutex_unlock(&module_mutex)" => true,
        "modprobe_path[0]"
        | "strlen(_) >= MODULE_NAME_LEN"
        | "security_kernel_module_request(_)" => true,
        "find_module(_)" | "list_empty(&mod->source_list)" | "mod->exit" | "try_stop_module(_)" => {
            true
        }
        "WARN_ONCE(1, \"request_module fs-%.*s succeeded, but still no fs?\")" | "idem.ret" => true,
        "kobject_uevent(_, KOBJ_ADD)" => !scenario.listens(),
        "module_put(_)" => !scenario.unloads(),
        // None of these systems schedules anything.
        "mod->async_probe_requested"
        | "current->flags & PF_USED_ASYNC"
        | "async_synchronize_full()" => true,
        "prepare_coming_module(_)" => !scenario.may_fail_at(FailsAt::ComingNotifier),
        "parse_args(_)" => !scenario.may_fail_at(FailsAt::Arguments),
        "add_usage_links(_)" => !scenario.may_fail_at(FailsAt::UsageLinks),
        "add_sect_attrs(_, _)" => !scenario.may_fail_at(FailsAt::Sections),
        "codetag_load_module(_)" => !scenario.may_fail_at(FailsAt::Codetag),
        "module_enable_rodata_ro(_)" => !scenario.may_fail_at(FailsAt::ReadOnly),
        // A module without dependencies holds none, and one whose exit does nothing has none.
        "module_unload_free(_)" | "module_exit(_)" | "simplify_symbols(_, _)" => true,
        // One step with list_del_rcu().
        "wake_up_all(&module_wq)" => frees,
        pattern if scenario.limit.is_none() => {
            pattern.contains("kmod_concurrent") || pattern.contains("kmod_wq")
        }
        _ => false,
    }
}

/// Where a walk through a graph is, which edges it has taken, and whether it has moved.
type Walk = (Next, Vec<(usize, i64)>, bool);

/// A function's graph, and which of its edges steps have taken.
struct Twin {
    graph: Graph,
    taken: BTreeSet<(usize, i64)>,
}

impl Twin {
    /// Whether it is where a request goes that has counted itself and found too many.
    fn is_over_the_limit(&self, node: usize) -> bool {
        let looks = |of: &&Node| of.pattern == "atomic_read(&kmod_concurrent) > max_modprobes";
        self.graph.nodes.iter().filter(looks).any(|of| of.next.contains(&(1, Next::Node(node))))
    }

    /// Whether some edge from there, with that answer, leads there.
    fn leads(
        &mut self,
        from: At,
        answer: Option<i64>,
        to: To,
        scenario: &Scenario,
        frees: bool,
    ) -> bool {
        // Of two places with the same call, which.
        let from_limit =
            from.call.filter(|(call, _)| *call == RELEASES[0]).map(|_| from.over_the_limit);
        let starts: Vec<Next> = match from.call {
            None => vec![self.graph.first],
            Some((pattern, argument)) => (0..self.graph.nodes.len())
                .filter(|node| is(&self.graph.nodes[*node], pattern, argument))
                .filter(|node| {
                    from_limit.is_none_or(|limit| limit == self.is_over_the_limit(*node))
                })
                .map(Next::Node)
                .collect(),
        };
        let mut left: Vec<Walk> =
            starts.into_iter().map(|at| (at, Vec::new(), from.call.is_none())).collect();
        let mut found = false;
        while let Some((at, path, moved)) = left.pop() {
            let reached = moved
                && match (self.graph.node(at), to) {
                    (None, To::Leaves) => true,
                    (None, To::Returns(value)) => {
                        at == Next::Returns(value) || value < 0 && at == Next::Returns(OTHER)
                    }
                    (Some(node), To::Call(pattern, argument)) => is(node, pattern, argument),
                    _ => false,
                };
            if reached {
                self.taken.extend(path);
                found = true;
                continue;
            }
            let Next::Node(number) = at else { continue };
            let node = &self.graph.nodes[number];
            if moved && !absorbed(node, scenario, frees) {
                continue;
            }
            for (given, next) in &node.next {
                let wanted = moved
                    || answer
                        .is_none_or(|answer| *given == answer || answer < 0 && *given == OTHER);
                if wanted && path.len() < 20 {
                    let mut path = path.clone();
                    path.push((number, *given));
                    left.push((*next, path, true));
                }
            }
        }
        found
    }
}

fn is(node: &Node, pattern: &str, argument: Option<i64>) -> bool {
    node.pattern == pattern && argument.is_none_or(|argument| node.arguments == [argument])
}

/// What a process of that role does in each function by a step: from where, with which answer, to where.
fn moves(
    model: &Model,
    role: Role,
    before: &Task,
    event: &Event,
    after: &Task,
) -> Vec<(At, Option<i64>, To)> {
    let features = &model.scenario().features;
    let Role::Actor { action, .. } = role else { return Vec::new() };
    let mut moves = Vec::new();
    let outermost = before.depth == 0 && after.depth == 0;
    let looks_up = matches!(action, Action::GetFsType(_));
    let requests = matches!(
        action,
        Action::GetFsType(_) | Action::RequestModule(_) | Action::RequestModuleNowait(_)
    );
    if looks_up && outermost {
        let at = |call| At {
            function: Function::GetFsType,
            call: Some((call, None)),
            over_the_limit: false,
        };
        let fs = "__get_fs_type(_)";
        let asked = "request_module(\"fs-%.*s\", _)";
        match *event {
            Event::LookUp { second, found, .. } => {
                let to = match (found, second) {
                    (true, _) => To::Returns(OBJECT + 100),
                    (false, false) => To::Call(asked, None),
                    (false, true) => To::Returns(0),
                };
                moves.push((at(fs), Some(if found { OBJECT + 100 } else { 0 }), to));
            }
            Event::RequestReturn { ret } => {
                let to =
                    if after.pc == Pc::LookupSecond { To::Call(fs, None) } else { To::Returns(0) };
                moves.push((at(asked), Some(number(ret)), to));
            }
            _ => {}
        }
    }
    if requests && outermost {
        let waits = !matches!(action, Action::RequestModuleNowait(_));
        let function = Function::RequestModule { waits };
        let to = match after.pc {
            Pc::RequestReturn => Some(To::Returns(number(after.ret))),
            pc => requesting(pc, features).map(|call| To::Call(call, None)),
        };
        let from = match before.pc {
            Pc::RequestModule => Some(None),
            pc => requesting(pc, features).map(|call| Some((call, None))),
        };
        // A check is a table by which the steps go; a killed caller leaves from wherever its modprobe is.
        let killed = *event == Event::Killed && before.pc.in_helper();
        let from = if killed { Some(Some(("call_modprobe(_, _)", None))) } else { from };
        let stays = before.pc != Pc::RequestModule
            && requesting(before.pc, features) == requesting(after.pc, features);
        if let (Some(call), Some(to)) = (from, to)
            && !stays
        {
            let answer = match *event {
                Event::LimitLook { exceeded } => Some(i64::from(exceeded)),
                Event::TakeSlot { .. }
                    if features.kernel.request_limit
                        == kmodcheck_model::features::RequestLimit::Semaphore =>
                {
                    Some(0)
                }
                Event::TakeSlot { .. } => Some(1),
                Event::SlotTimedOut
                    if features.kernel.request_limit
                        == kmodcheck_model::features::RequestLimit::Semaphore =>
                {
                    Some(-62)
                }
                Event::SlotTimedOut => Some(0),
                Event::Duplicate { found, .. } => Some(i64::from(found)),
                Event::DuplicateResult { .. } => Some(1),
                Event::HelperReturn { status } => Some(number(status)),
                Event::Killed if killed => Some(number(Ret::Erestartsys)),
                Event::Killed if before.pc == Pc::DuplicateAsleep => Some(1),
                Event::Killed => Some(-512),
                _ => None,
            };
            // Of a duplicate's result nothing is known; of an error that no text tells, that it is one.
            let duplicate =
                matches!(before.pc, Pc::Duplicate | Pc::DuplicateAsleep | Pc::DuplicateRead);
            let to = match to {
                To::Returns(_)
                    if duplicate
                        || call.is_some_and(|(call, _)| {
                            call.contains("announce")
                                || RELEASES.contains(&call) && before.pc != Pc::LimitBack
                        }) =>
                {
                    To::Leaves
                }
                to => to,
            };
            let over_the_limit = before.pc == Pc::LimitBack;
            moves.push((At { function, call, over_the_limit }, answer, to));
        }
    }
    // Which level of finit_module() and load_module() it is in does not matter: each is the same function.
    // A caller that is killed leaves modprobe where it is.
    let left = *event == Event::Killed
        && (after.pc == Pc::RequestReturn || requesting(after.pc, features).is_some());
    if before.depth == after.depth && !matches!(event, Event::InitRequests { .. }) && !left {
        let unloads =
            matches!(action, Action::Rmmod(_) | Action::ModprobeRemove(_)) && before.depth == 0;
        loads(before, event, after, unloads, model.scenario(), &mut moves);
    }
    moves
}

/// What gives a slot back: what is returned then was known before.
const RELEASES: [&str; 4] = [
    "atomic_dec(&kmod_concurrent)",
    "atomic_inc(&kmod_concurrent_max)",
    "wake_up(&kmod_wq)",
    "up(&kmod_concurrent_max)",
];

fn loads(
    before: &Task,
    event: &Event,
    after: &Task,
    unloads: bool,
    scenario: &Scenario,
    moves: &mut Vec<(At, Option<i64>, To)>,
) {
    let features = &scenario.features;
    let result = |finit: Finit| match finit {
        Finit::Loaded => 0,
        Finit::Exists => -17,
        Finit::Failed => -19,
    };
    if features.kernel.idempotent_finit || features.kernel.exclusive_finit {
        let at = |call| At {
            function: Function::FinitModule,
            call: Some((call, None)),
            over_the_limit: false,
        };
        let (from, to) = (finit(before.pc, features), finit(after.pc, features));
        match (*event, before.pc, from) {
            (
                Event::Idempotent { joined, .. } | Event::DenyWrite { busy: joined, .. },
                _,
                Some(from),
            ) => {
                let answer = match (joined, features.kernel.idempotent_finit) {
                    (false, _) => 0,
                    (true, true) => 1,
                    (true, false) => -26,
                };
                let to = match (joined, to) {
                    (true, _) if !features.kernel.idempotent_finit => To::Returns(-26),
                    (_, Some(to)) => To::Call(to, None),
                    _ => panic!("{event:?} leads to {:?}", after.pc),
                };
                moves.push((at(from), Some(answer), to));
            }
            (Event::IdempotentComplete { .. } | Event::AllowWrite { .. }, _, Some(from)) => {
                moves.push((at(from), None, To::Leaves))
            }
            (Event::Killed, Pc::IdempotentAsleep, Some(from)) => {
                moves.push((at(from), Some(-512), To::Returns(-4)))
            }
            (_, _, Some(from)) if after.pc == Pc::IdempotentComplete && before.pc != after.pc => {
                let finit =
                    [Finit::Loaded, Finit::Exists, Finit::Failed][usize::from(after.result)];
                moves.push((
                    at(from),
                    Some(result(finit)),
                    To::Call(to.expect("it is there"), None),
                ));
            }
            _ => {}
        }
    }
    let function = if unloads { Function::DeleteModule } else { Function::LoadModule };
    let to = match loading(after.pc) {
        _ if after.pc == Pc::ModuleExit => Some(To::Call("module_exit(_)", None)),
        // busybox goes on to its next module without a look.
        Some(_) if before.pos != after.pos => Some(To::Leaves),
        Some((call, argument)) => Some(To::Call(call, argument)),
        None => Some(To::Leaves),
    };
    let from = match (before.pc, *event) {
        (Pc::DeleteModule, _) => Some(None),
        (Pc::ModuleExit, Event::ModuleExit { .. }) => Some(Some(("module_exit(_)", None))),
        (pc, _) => loading(pc).map(Some),
    };
    // A program inside an init or an exit is a part of it.
    let (Some(call), Some(to)) = (from, to) else { return };
    if before.pc != Pc::DeleteModule
        && (loading(before.pc).is_some() && loading(before.pc) == loading(after.pc))
        || after.pc == Pc::Program
    {
        return;
    }
    let answer = match *event {
        Event::SysfsInit { made, .. } => Some(if made { 0 } else { -22 }),
        Event::MayFail { failed: false, .. } => Some(0),
        Event::MayFail { at: FailsAt::ReadOnly, .. } => Some(-19),
        Event::MayFail { module, .. } => {
            let eexist = scenario.modules[usize::from(module)].failure.is_some_and(|f| f.eexist);
            Some(if eexist { -17 } else { -12 })
        }
        Event::AddModinfoAttrs { made, .. } => Some(if made { 0 } else { -12 }),
        Event::Init { outcome: InitOutcome::Succeeds, .. } => Some(0),
        Event::Init { outcome: InitOutcome::Eexist, .. } => Some(-17),
        Event::Init { .. } | Event::Unregister { .. } => Some(-19),
        _ => None,
    };
    let to = match (*event, to) {
        (Event::DeleteModule { ret, .. }, To::Leaves) if ret != Ret::Zero => {
            To::Returns(number(ret))
        }
        // What a load that has failed returns.
        (Event::Unlink { .. }, _) if after.pc == Pc::IdempotentComplete => match after.result {
            0 => To::Returns(0),
            1 => To::Returns(-17),
            _ => To::Leaves,
        },
        (_, to) => to,
    };
    moves.push((At { function, call, over_the_limit: false }, answer, to));
}

/// What no built-in system has: the ways in which a request is refused at once, a caller that is killed while it waits for a
/// slot, a name that sysfs has already.
fn others() -> Vec<Scenario> {
    let of = |kernel: &str, naming, change: fn(&mut Scenario)| {
        let features = Features {
            kernel: presets::kernel(kernel).unwrap(),
            kmod: presets::kmod("v30").unwrap(),
        };
        let mut scenario = scenario(naming, Environment::Ok, features, 2);
        change(&mut scenario);
        scenario
    };
    let mut all = Vec::new();
    for kernel in ["v4.9", "v5.11", "v6.5"] {
        all.push(of(kernel, Naming::Plain, |s| s.helper = Helper::EmptyPath));
        all.push(of(kernel, Naming::Plain, |s| s.lsm_refuses = true));
        all.push(of(kernel, Naming::Plain, |s| s.names[0].request = "x".repeat(MODULE_NAME_LEN)));
        all.push(of(kernel, Naming::Plain, |s| s.modules[0].name_taken = true));
        all.push(of(kernel, Naming::Plain, |s| {
            s.limit = Some(1);
            s.actors.iter_mut().for_each(|actor| actor.killable = true);
        }));
    }
    all.push(of("v6.11", Naming::Plain, |s| s.modprobe_killable = true));
    // Each place at which a load may fail, and each change that nobody has made yet.
    for kernel in ["v4.9", "v5.10", "v6.5", "v6.12", "v6.16", "v7.3+dup"] {
        for (at, eexist) in FailsAt::ALL.into_iter().flat_map(|(_, at)| [(at, false), (at, true)]) {
            for proposed in [false, true] {
                let mut scenario = of(kernel, Naming::Plain, |_| {});
                scenario.modules[0].registers &= at != FailsAt::ReadOnly;
                scenario.modules[0].failure =
                    Some(Failure { at, eexist: eexist && at.may_say_eexist() });
                let changes =
                    presets::SWITCHES.iter().filter(|switch| switch.commit == "proposed here");
                for change in changes.filter(|_| proposed) {
                    assert!(change.set(&mut scenario.features, "on"), "{}", change.name);
                }
                all.push(scenario);
            }
        }
    }
    all
}

#[test]
fn every_step_is_an_edge_and_every_edge_a_step() {
    let mut twins: BTreeMap<(Function, Features), Twin> = BTreeMap::new();
    let mut steps: BTreeMap<Function, usize> = BTreeMap::new();
    let systems = System::of(&GrandCell::all());
    let built_in = long_some_of(60, 250, systems).into_iter().map(|system| system.scenario);
    for scenario in built_in.chain(others()) {
        let model = Model::new(scenario.clone(), None).unwrap();
        let processes = Processes { model: &model };
        let product = Product::new(&processes).expect("few processes");
        let mut seen = BTreeSet::from([product.initial()]);
        let mut queue: Vec<_> = seen.iter().copied().collect();
        let mut scratch = Vec::new();
        while let Some(state) = queue.pop() {
            let _ = product.successors(&state, &mut scratch, |transition| {
                let step = &transition.step;
                let role = model.role(step.kind.0);
                let (before, after) = (model.task(step.local_before), model.task(step.local_after));
                let event = step.label;
                let mut all = moves(&model, role, &before, &event, &after);
                // Who has joined a finit_module() is moved by whoever completes it.
                if let Event::IdempotentComplete { result, .. } = event {
                    let both = transition.before.locals.iter().zip(&transition.after.locals);
                    for (was, is) in both.map(|(was, is)| (model.task(*was).pc, model.task(*is).pc))
                    {
                        if was == Pc::IdempotentAsleep && is != was {
                            let call = finit(was, &scenario.features).map(|call| (call, None));
                            let result = [0, -17, -19][result as usize];
                            let to = match is {
                                Pc::Idempotent if scenario.features.kernel.joiners_try_again => {
                                    To::Call("idempotent(_, _)", None)
                                }
                                _ => To::Returns(result),
                            };
                            all.push((
                                At { function: Function::FinitModule, call, over_the_limit: false },
                                Some(0),
                                to,
                            ));
                        }
                    }
                }
                for (at, answer, to) in all {
                    let key = (at.function, scenario.features);
                    let twin = twins.entry(key).or_insert_with(|| Twin {
                        graph: at.function.graph(&scenario.features),
                        taken: BTreeSet::new(),
                    });
                    let frees = before.pc == Pc::Unlink;
                    assert!(
                        twin.leads(at, answer, to, &scenario, frees),
                        "{}: {event:?} at {at:?}, answered {answer:?}, leads to {to:?}",
                        scenario.name
                    );
                    *steps.entry(at.function).or_default() += 1;
                }
                if seen.insert(*transition.after) {
                    queue.push(*transition.after);
                }
                ControlFlow::Continue(())
            });
        }
    }
    for (function, steps) in &steps {
        assert!(*steps > 100, "{function:?}: {steps} steps");
    }
    let mut edges: BTreeMap<(Function, String, i64), bool> = BTreeMap::new();
    for ((function, _), twin) in &twins {
        for (number, node) in twin.graph.nodes.iter().enumerate() {
            for (answer, _) in &node.next {
                let taken = twin.taken.contains(&(number, *answer));
                *edges
                    .entry((*function, format!("{} {:?}", node.pattern, node.arguments), *answer))
                    .or_default() |= taken;
            }
        }
    }
    // An init that returns more than 0 has succeeded: the model has one success.
    let positive =
        |edge: &(Function, String, i64)| edge.1.starts_with("do_one_initcall") && edge.2 == 1;
    let never: Vec<_> = edges
        .iter()
        .filter(|(edge, taken)| !**taken && !positive(edge))
        .map(|(edge, _)| edge)
        .collect();
    assert!(never.is_empty(), "no step takes these: {never:#?}");
}
