//! What is global in the kernel, who runs in it, and one run of a scenario.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Mutex as PlainMutex};

use kmodcheck_model::scenario::{Action, Actor, ModuleId, Name, NameId, Scenario};
use kmodcheck_model::{Event, Ret};
use kmodcheck_runtime::{At, Mutex, Queue, Runtime, RwLock, Sched, Slept, Stuck, TaskId};

use crate::dups::DupKmodReqs;
use crate::fault::Fault;
use crate::filesystems::{self, FileSystemType};
use crate::kmod::{self, Slots};
use crate::log::{Entry, Log, Place, Who};
use crate::modprobe;
use crate::module::{self, Idempotents, Modules};
use crate::sysfs::{self, ModuleKset};

/// `module_wq`.
pub(crate) const MODULE_WQ: Queue = Queue(0);
/// `kmod_wq`, or the wait list of the semaphore.
pub(crate) const KMOD_WQ: Queue = Queue(1);
/// Listeners for the ADD uevent of the module with number 0; the others' follow.
pub(crate) const UEVENTS: Queue = Queue(100);
/// The completion that belongs to the task with number 0; the others' follow.
pub(crate) const COMPLETIONS: Queue = Queue(1000);

/// The globals.
pub(crate) struct Kernel<R: Runtime> {
    pub rt: R,
    pub scenario: Arc<Scenario>,
    pub fault: Option<Fault>,
    /// `module_mutex`, and what it protects.
    pub module_mutex: Mutex<R, Modules>,
    /// /sys/module/.
    pub module_kset: ModuleKset<R>,
    /// `file_systems`, under `file_systems_lock`.
    pub file_systems: RwLock<R, Vec<FileSystemType>>,
    /// `kmod_concurrent` (v4.9) or `kmod_concurrent_max`.
    pub slots: Mutex<R, Slots>,
    /// `idem_hash`, under `idem_lock`.
    pub idempotents: Mutex<R, Idempotents>,
    /// `dup_kmod_reqs`, under `kmod_dup_mutex`.
    pub dup_kmod_reqs: Mutex<R, DupKmodReqs>,
    /// Wait queues.
    pub sched: Sched<R>,
    pub log: Log<R>,
}

/// `current`: a task, and in whose name it acts.
pub(crate) struct Current<R: Runtime> {
    pub kernel: Arc<Kernel<R>>,
    pub who: Who,
    pub task: TaskId,
    /// The threads of the helpers that it has started.
    pub helpers: RefCell<Vec<R::JoinHandle<()>>>,
    /// In the init of a module: what that init requests, it waits for, and nothing kills it.
    pub nested: Cell<bool>,
    choices: Cell<usize>,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    /// The condition came out true.
    Met,
    /// A signal came.
    Killed,
    /// Its time was over.
    TimedOut,
}

/// What can end a wait besides its condition.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WaysOut {
    /// SIGKILL.
    pub killable: bool,
    /// A time limit, with what is written down when it is over.
    pub time_limit: Option<Event>,
}

impl<R: Runtime> Current<R> {
    pub fn new(kernel: &Arc<Kernel<R>>, who: Who, task: TaskId) -> Self {
        Self {
            kernel: Arc::clone(kernel),
            who,
            task,
            helpers: RefCell::default(),
            nested: Cell::new(false),
            choices: Cell::new(0),
        }
    }

    pub fn scenario(&self) -> &Scenario {
        &self.kernel.scenario
    }

    pub fn name(&self, id: NameId) -> &Name {
        &self.kernel.scenario.names[usize::from(id)]
    }

    /// What the actor does, in whose name this task acts.
    pub fn action(&self) -> Action {
        self.actor().action
    }

    fn actor(&self) -> Actor {
        actor(&self.kernel.scenario, usize::from(self.number()))
    }

    /// The number of the actor in whose name this task acts.
    pub fn number(&self) -> u8 {
        match self.who {
            Who::Actor(number) | Who::Helper(number) => number,
            Who::Kworker(_) => unreachable!("a kworker acts in nobody's name"),
        }
    }

    /// Whether the task is an actor, itself, that may be killed.
    pub fn killable(&self) -> bool {
        matches!(self.who, Who::Actor(_)) && self.actor().killable && !self.nested.get()
    }

    /// Whether the task may be killed while it loads a module.
    pub fn loader_killable(&self) -> bool {
        self.scenario().modprobe_killable || self.killable()
    }

    /// Writes an event down, while the lock is held that protects what it tells of.
    pub fn emit(&self, event: Event) -> Place {
        self.kernel.log.write(self.who, self.task, event, false)
    }

    /// The same, and from here on the actor's helper is on its own.
    pub fn emit_and_leave(&self, event: Event) -> Place {
        self.kernel.log.write(self.who, self.task, event, true)
    }

    /// One of `0..n`.
    pub fn choose(&self, n: usize) -> usize {
        if n == 1 { 0 } else { self.kernel.rt.choose(self.next_choice(), n) }
    }

    fn next_choice(&self) -> At {
        let nth = self.choices.get();
        self.choices.set(nth + 1);
        At { task: self.task.0, nth }
    }

    pub fn faulty(&self, fault: Fault) -> bool {
        self.kernel.fault == Some(fault)
    }

    /// How this wait will end, if its condition does not end it before.
    fn way_out(&self, ways: WaysOut) -> Option<Waited> {
        if ways.time_limit.is_some()
            && self.scenario().timeouts
            && self.kernel.rt.timeout(self.next_choice())
        {
            return Some(Waited::TimedOut);
        }
        if ways.killable && self.kernel.rt.timeout(self.next_choice()) {
            return Some(Waited::Killed);
        }
        None
    }

    /// Sleeps on a queue on which the task is, until woken or killed.
    pub fn sleep(&self, queue: Queue, ways: WaysOut) -> Result<Waited, Stuck> {
        let killed = self.way_out(ways) == Some(Waited::Killed);
        let left = killed
            && self.kernel.sched.leave(queue, self.task, || {
                self.emit(Event::Killed);
            });
        if left {
            return Ok(Waited::Killed);
        }
        self.kernel.sched.schedule(queue, self.task)?;
        Ok(Waited::Met)
    }

    /// `wait_event(queue, condition)`, killable and with a time limit, as `ways` say. A test gives the
    /// place of the event that it wrote down, with `Err` for a test that came out false; one that did
    /// not put the task to sleep leaves no event.
    ///
    /// The kernel makes one more test first, without queueing: if it comes out true, so would the
    /// one here, with the same effect; if not, the one here follows. And it takes the task off the
    /// queue at the end (`finish_wait()`); nobody wakes these queues but by `wake_up_all()`, which
    /// does nothing to who is not asleep.
    pub fn wait_event(
        &self,
        queue: Queue,
        ways: WaysOut,
        mut condition: impl FnMut() -> Result<Place, Place>,
    ) -> Result<Waited, Stuck> {
        let sched = &self.kernel.sched;
        loop {
            if !self.faulty(Fault::TestBeforeQueueing) {
                sched.prepare_to_wait(queue, self.task);
            }
            let Err(place) = condition() else { return Ok(Waited::Met) };
            if self.faulty(Fault::TestBeforeQueueing) {
                sched.prepare_to_wait(queue, self.task);
            }
            match self.way_out(ways) {
                None | Some(Waited::Met) => {}
                Some(Waited::Killed) => {
                    // prepare_to_wait_event() finds the signal, and the test after it came out false.
                    self.kernel.log.write_after(place, Event::Killed);
                    sched.finish_wait(queue, self.task);
                    return Ok(Waited::Killed);
                }
                Some(Waited::TimedOut) => {
                    let event = ways.time_limit.expect("it has one");
                    if self.faulty(Fault::NoLastTest) {
                        sched.finish_wait(queue, self.task);
                        self.emit(event);
                        return Ok(Waited::TimedOut);
                    }
                    // ___wait_cond_timeout(): it is tested once more when the time is over. What
                    // wakes the queue after that test finds nobody who would test again.
                    self.kernel.log.take_back(place);
                    let Err(last) = condition() else { return Ok(Waited::Met) };
                    self.kernel.log.write_after(last, event);
                    sched.finish_wait(queue, self.task);
                    return Ok(Waited::TimedOut);
                }
            }
            let slept = sched.schedule(queue, self.task)? == Slept::Yes;
            if !slept {
                self.kernel.log.take_back(place);
            }
        }
    }
}

/// The actor of that number: those of one entry follow each other.
fn actor(scenario: &Scenario, number: usize) -> Actor {
    let mut all = scenario.actors.iter().flat_map(|a| (0..a.count).map(move |_| *a));
    all.nth(number).expect("the number of an actor")
}

/// What an actor's call came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Returned {
    /// It returned this.
    Ret(Ret),
    /// It sleeps, and so does everybody else who has not returned.
    Stuck,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// By actor.
    pub returned: Vec<Returned>,
    /// Every event, in order.
    pub log: Vec<Entry>,
}

/// Runs `scenario` once on `rt`, faithfully unless `fault` is some deliberate fault, and gives what it
/// came to to `then`, on the thread of the actor that returns last. The first actor runs on the thread
/// that calls this.
///
/// # Panics
/// With more actors than the runtime has threads, or, where threads are few, with one that may leave
/// its helper behind. With a scenario that a patch has changed.
pub fn run<R: Runtime>(
    rt: &R,
    scenario: &Arc<Scenario>,
    fault: Option<Fault>,
    then: impl FnOnce(Run) + Send + 'static,
) {
    let actors = scenario.processes();
    assert!(
        scenario.patched.is_none(),
        "a patch is of the other description, and this one is of releases"
    );
    if let Some(most) = R::SPAWNS {
        assert!(actors <= most + 1, "{actors} actors are too many");
        let leaves = |a: &Actor| {
            matches!(a.action, Action::RequestModuleNowait(_))
                || a.killable && !matches!(a.action, Action::Modprobe(_))
        };
        assert!(!scenario.actors.iter().any(leaves), "a helper left behind takes a thread");
        let kworkers = scenario.features.kernel.duplicate_requests;
        assert!(!kworkers, "kworkers take threads");
    }
    let kernel = Arc::new(Kernel {
        rt: rt.clone(),
        scenario: Arc::clone(scenario),
        fault,
        module_mutex: Mutex::new(Modules::default()),
        module_kset: ModuleKset::new(scenario, actors),
        file_systems: RwLock::new(actors, filesystems::registered_at_boot(scenario)),
        slots: Mutex::new(Slots::new(scenario)),
        idempotents: Mutex::new(Idempotents::default()),
        dup_kmod_reqs: Mutex::new(DupKmodReqs::default()),
        sched: Sched::new(actors),
        log: Log::new(actors, fault != Some(Fault::OrderUnseen)),
    });
    for number in 0..actors {
        // udevd has been listening since boot.
        if let Action::Udev(module) = actor(scenario, number).action {
            kernel.sched.prepare_to_wait(uevents(module), TaskId(number));
        }
    }
    // Nobody waits for the others' ends: a lock or a join would be one more thing that loom orders.
    let last = Arc::new(PlainMutex::new((vec![None; actors], Some(then))));
    let life = |number: usize| {
        let (kernel, last) = (Arc::clone(&kernel), Arc::clone(&last));
        move || {
            let current = Current::new(&kernel, Who::Actor(number as u8), TaskId(number));
            let returned = act(&current);
            kernel.sched.exit();
            for helper in current.helpers.take() {
                kernel.rt.join(helper);
            }
            let mut last = last.lock().expect("no panic in here");
            last.0[number] = Some(returned);
            if let Some(returned) = last.0.iter().copied().collect() {
                let then = last.1.take().expect("one actor is the last");
                then(Run { returned, log: kernel.log.entries() });
            }
        }
    };
    let others: Vec<_> = (1..actors).map(|number| rt.spawn(life(number))).collect();
    life(0)();
    if R::SPAWNS.is_none() {
        for other in others {
            rt.join(other);
        }
    }
}

/// Those who listen for a module's ADD uevent.
pub(crate) fn uevents(module: ModuleId) -> Queue {
    Queue(UEVENTS.0 + usize::from(module))
}

/// What one actor does.
fn act<R: Runtime>(current: &Current<R>) -> Returned {
    let action = current.action();
    if let Action::Udev(module) = action {
        return udev(current, module);
    }
    current.emit(Event::Call { action });
    let ret = match action {
        Action::RequestModule(name) => kmod::__request_module(current, true, name),
        Action::RequestModuleNowait(name) => kmod::__request_module(current, false, name),
        Action::GetFsType(name) => filesystems::mount(current, name),
        Action::Modprobe(name) => modprobe::main(current, name, false),
        Action::ModprobeRemove(name) => modprobe::main_remove(current, name),
        Action::Insmod(name) => modprobe::main_insmod(current, name),
        Action::Rmmod(module) => {
            Ok(module::delete_module(current, module).err().map_or(Ret::Zero, Ret::from))
        }
        Action::LateInitcalls => {
            sysfs::param_sysfs_builtin_init(current);
            Ok(Ret::Zero)
        }
        Action::Udev(_) => unreachable!("above"),
        Action::Program(_) => unreachable!("programs are not played here"),
    };
    ret.map_or(Returned::Stuck, Returned::Ret)
}

/// A udev rule that uses the module once its uevent has come. Waiting for ever is what it is for.
fn udev<R: Runtime>(current: &Current<R>, module: ModuleId) -> Returned {
    if current.kernel.sched.schedule(uevents(module), current.task).is_err() {
        return Returned::Ret(Ret::Zero);
    }
    let modules = current.kernel.module_mutex.lock();
    let initialised = modules.initialised(module);
    current.emit(Event::UdevUse { module, initialised });
    Returned::Ret(if initialised { Ret::Zero } else { Ret::NotReady })
}

/// The module of that name, if the scenario has one.
pub(crate) fn module_of_name(scenario: &Scenario, name: &str) -> Option<ModuleId> {
    scenario.modules.iter().position(|module| module.name == name).map(|id| id as ModuleId)
}
