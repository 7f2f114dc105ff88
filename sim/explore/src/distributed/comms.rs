//! What workers say to each other: states, to their owners; and messages, to everybody.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use timely::ExchangeData;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Probe;
use timely::dataflow::operators::generic::operator::Operator;
use timely::dataflow::{InputHandle, ProbeHandle};
use timely::worker::Worker;

use crate::bfs::packed::Packed;

/// How long to sleep when there is nothing to do: somebody may have failed without a word.
const PATIENCE: Duration = Duration::from_millis(100);

type Builder<D> = CapacityContainerBuilder<Vec<D>>;

/// A dataflow from everybody to everybody, in epochs.
struct Channel<D: ExchangeData + Clone> {
    input: InputHandle<u64, Builder<D>>,
    arrived: Rc<RefCell<VecDeque<Vec<D>>>>,
    probe: ProbeHandle<u64>,
}

impl<D: ExchangeData + Clone> Channel<D> {
    fn new(worker: &mut Worker, route: impl Fn(&D) -> u64 + 'static) -> Self {
        let arrived = Rc::new(RefCell::new(VecDeque::new()));
        let mut input = InputHandle::new();
        let probe = ProbeHandle::new();
        let into = Rc::clone(&arrived);
        worker.dataflow::<u64, _, _>(|scope| {
            input
                .to_stream(scope)
                .unary::<Builder<()>, _, _, _>(
                    Exchange::new(move |data: &D| route(data)),
                    "receive",
                    |_, _| {
                        move |input, _| {
                            input.for_each(|_, data| {
                                into.borrow_mut().push_back(std::mem::take(data));
                            });
                        }
                    },
                )
                .probe_with(&probe);
        });
        Self { input, arrived, probe }
    }

    /// Begins the next epoch: what was sent belongs to this one.
    fn end_epoch(&mut self) {
        let next = self.input.time() + 1;
        self.input.advance_to(next);
    }

    /// Whether everything of the epochs that have ended here has arrived, from everybody.
    fn is_over(&self) -> bool {
        !self.probe.less_than(self.input.time())
    }
}

/// What one worker says to another.
#[derive(Clone, Serialize, Deserialize)]
struct Message {
    to: u64,
    from: u64,
    epoch: u64,
    bytes: Vec<u8>,
}

/// One worker's ends of all channels.
pub(super) struct Comms<const W: usize> {
    worker: Worker,
    states: Channel<Packed<W>>,
    messages: Channel<Message>,
    /// A word to stop, in no epoch's order.
    stops: Channel<u64>,
    failed: Arc<AtomicBool>,
}

impl<const W: usize> Comms<W> {
    pub fn new(
        mut worker: Worker,
        owner: impl Fn(&Packed<W>) -> u64 + 'static,
        failed: &Arc<AtomicBool>,
    ) -> Self {
        let states = Channel::new(&mut worker, owner);
        let messages = Channel::new(&mut worker, |message: &Message| message.to);
        let stops = Channel::new(&mut worker, |to: &u64| *to);
        Self { worker, states, messages, stops, failed: Arc::clone(failed) }
    }

    /// Sends each state to its owner.
    pub fn send(&mut self, states: &mut Vec<Packed<W>>) {
        self.states.input.send_batch(states);
        states.clear();
    }

    /// Some states that have come.
    pub fn received(&mut self) -> Option<Vec<Packed<W>>> {
        self.states.arrived.borrow_mut().pop_front()
    }

    /// Lets the dataflow go on.
    pub fn step(&mut self) {
        self.worker.step();
    }

    /// The same; sleeps if there is nothing to do.
    pub fn step_or_wait(&mut self) {
        assert!(!self.failed.load(Ordering::Relaxed), "another worker of this process has failed");
        self.worker.step_or_park(Some(PATIENCE));
    }

    /// Nothing more will be sent in this level.
    pub fn end_level(&mut self) {
        self.states.end_epoch();
    }

    /// Whether nobody will send anything more in this level, and everything has arrived.
    pub fn level_is_over(&self) -> bool {
        self.states.is_over()
    }

    /// Tells everybody to stop in the midst of a level.
    pub fn tell_to_stop(&mut self) {
        for to in 0..self.worker.peers() as u64 {
            self.stops.input.send(to);
        }
        self.stops.input.flush();
    }

    /// Whether somebody said so.
    pub fn told_to_stop(&self) -> bool {
        !self.stops.arrived.borrow().is_empty()
    }

    fn send_to(&mut self, to: usize, bytes: Vec<u8>) {
        let (from, epoch) = (self.worker.index() as u64, *self.messages.input.time());
        self.messages.input.send(Message { to: to as u64, from, epoch, bytes });
    }

    /// What has come once everybody has sent, by sender.
    fn gather<T: DeserializeOwned>(&mut self) -> Vec<T> {
        let epoch = *self.messages.input.time();
        self.messages.end_epoch();
        while !self.messages.is_over() {
            self.step_or_wait();
        }
        // Who was faster may have sent something of the next epoch already.
        let mut arrived: Vec<Message> = Vec::new();
        self.messages.arrived.borrow_mut().retain_mut(|messages| {
            arrived.extend(messages.extract_if(.., |message| message.epoch == epoch));
            !messages.is_empty()
        });
        arrived.sort_unstable_by_key(|message| message.from);
        let read = |message: &Message| {
            postcard::from_bytes(&message.bytes).expect("the processes are of one version")
        };
        arrived.iter().map(read).collect()
    }

    /// Everybody's value, by worker.
    pub fn all_to_all<T: Serialize + DeserializeOwned>(&mut self, value: &T) -> Vec<T> {
        let bytes = encoded(value);
        for to in 0..self.worker.peers() {
            self.send_to(to, bytes.clone());
        }
        self.gather()
    }

    /// For the first worker everybody's value, by worker; for the others nothing.
    pub fn all_to_first<T: Serialize + DeserializeOwned>(&mut self, value: &T) -> Vec<T> {
        self.send_to(0, encoded(value));
        self.gather()
    }

    /// Ends all dataflows, so that connections are closed in order.
    pub fn finish(self) {
        let Self { mut worker, states, messages, stops, .. } = self;
        drop((states, messages, stops));
        while worker.has_dataflows() {
            worker.step_or_park(Some(PATIENCE));
        }
    }

    /// The value that the first worker gives.
    pub fn first_to_all<T: Serialize + DeserializeOwned>(&mut self, value: Option<T>) -> T {
        if let Some(value) = value {
            let bytes = encoded(&value);
            for to in 0..self.worker.peers() {
                self.send_to(to, bytes.clone());
            }
        }
        self.gather().pop().expect("the first worker has sent it")
    }
}

fn encoded(value: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(value).expect("what is sent has lengths")
}
