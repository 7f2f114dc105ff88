//! What is global in the kernel, who runs in it, and one run of a scenario.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Mutex as PlainMutex};

use kmodcheck_model::scenario::{Caller, ModuleId, Scenario};
use kmodcheck_model::{Event, Ret};
use kmodcheck_runtime::{At, Mutex, Queue, Runtime, RwLock, Sched, Slept, Stuck, TaskId};

use crate::fault::Fault;
use crate::filesystems::{self, FileSystemType};
use crate::log::{Entry, Log, Place};
use crate::module::Modules;
use crate::sysfs::ModuleKset;
use crate::{kmod, log};

/// `module_wq`.
pub(crate) const MODULE_WQ: Queue = Queue(0);

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
    /// Wait queues.
    pub sched: Sched<R>,
    pub log: Log<R>,
}

/// `current`: a task, and the actor in whose name it acts. A helper acts in its caller's.
pub(crate) struct Current<R: Runtime> {
    pub kernel: Arc<Kernel<R>>,
    pub actor: u8,
    pub task: TaskId,
    /// The threads of the helpers that it has started.
    pub helpers: RefCell<Vec<R::JoinHandle<()>>>,
    choices: Cell<usize>,
}

impl<R: Runtime> Current<R> {
    pub fn new(kernel: &Arc<Kernel<R>>, actor: u8, task: TaskId) -> Self {
        Self {
            kernel: Arc::clone(kernel),
            actor,
            task,
            helpers: RefCell::default(),
            choices: Cell::new(0),
        }
    }

    pub fn scenario(&self) -> &Scenario {
        &self.kernel.scenario
    }

    /// Writes an event down, while the lock is held that protects what it tells of.
    pub fn emit(&self, event: Event) -> Place {
        self.kernel.log.write(self.actor, self.task, event)
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

    /// `wait_event(module_wq, condition)`. A test gives the place of the event that it wrote down,
    /// with `Err` for a test that came out false; one that did not put the task to sleep leaves no
    /// event.
    ///
    /// The kernel makes one more test first, without queueing: if it comes out true, so would the
    /// one here, with the same effect; if not, the one here follows. And it takes the task off the
    /// queue at the end (`finish_wait()`); nobody wakes module_wq but by `wake_up_all()`, which does
    /// nothing to who is not asleep.
    pub fn wait_event_module_wq(
        &self,
        mut condition: impl FnMut() -> Result<Place, Place>,
    ) -> Result<(), Stuck> {
        let sched = &self.kernel.sched;
        loop {
            sched.prepare_to_wait(MODULE_WQ, self.task);
            match condition() {
                Ok(_) => return Ok(()),
                Err(place) => {
                    if sched.schedule(self.task)? == Slept::No {
                        self.kernel.log.take_back(place);
                    }
                }
            }
        }
    }
}

/// What a caller's call came to.
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
    /// By caller.
    pub returned: Vec<Returned>,
    /// Every event, in order.
    pub log: Vec<Entry>,
}

/// Runs `scenario` once on `rt`, faithfully unless `fault` is some deliberate fault, and gives what it
/// came to to `then`, on the thread of the caller that returns last. The first caller runs on the
/// thread that calls this.
///
/// # Panics
/// With more callers than the runtime has threads.
pub fn run<R: Runtime>(
    rt: &R,
    scenario: &Arc<Scenario>,
    fault: Option<Fault>,
    then: impl FnOnce(Run) + Send + 'static,
) {
    let callers = usize::from(scenario.callers);
    assert!(R::SPAWNS.is_none_or(|most| callers <= most + 1), "{callers} callers are too many");
    let kernel = Arc::new(Kernel {
        rt: rt.clone(),
        scenario: Arc::clone(scenario),
        fault,
        module_mutex: Mutex::new(Modules::default()),
        module_kset: ModuleKset::new(scenario, callers),
        file_systems: RwLock::new(callers, filesystems::registered_at_boot(scenario)),
        sched: Sched::new(callers),
        log: log::Log::new(callers),
    });
    // Nobody waits for the others' ends: a lock or a join would be one more thing that loom orders.
    let last = Arc::new(PlainMutex::new((vec![None; callers], Some(then))));
    let caller = |number: usize| {
        let (kernel, last) = (Arc::clone(&kernel), Arc::clone(&last));
        move || {
            let current = Current::new(&kernel, number as u8, TaskId(number));
            let returned = call(&current);
            kernel.sched.exit();
            for helper in current.helpers.take() {
                kernel.rt.join(helper);
            }
            let mut last = last.lock().expect("no panic in here");
            last.0[number] = Some(returned);
            if let Some(returned) = last.0.iter().copied().collect() {
                let then = last.1.take().expect("one caller is the last");
                then(Run { returned, log: kernel.log.entries() });
            }
        }
    };
    let others: Vec<_> = (1..callers).map(|number| rt.spawn(caller(number))).collect();
    caller(0)();
    if R::SPAWNS.is_none() {
        for other in others {
            rt.join(other);
        }
    }
}

/// One caller, from its call to its return.
fn call<R: Runtime>(current: &Current<R>) -> Returned {
    let scenario = Arc::clone(&current.kernel.scenario);
    current.emit(Event::Call);
    let ret = match scenario.caller {
        Caller::RequestModule => kmod::__request_module(current, &scenario.request),
        Caller::GetFsType => filesystems::get_fs_type(current, scenario.file_system())
            .map(|found| if found { Ret::Found } else { Ret::Null }),
    };
    ret.map_or(Returned::Stuck, Returned::Ret)
}

/// The module of that name, if the scenario has one.
pub(crate) fn module_of_name(scenario: &Scenario, name: &str) -> Option<ModuleId> {
    scenario.modules.iter().position(|module| module.name == name).map(|id| id as ModuleId)
}
