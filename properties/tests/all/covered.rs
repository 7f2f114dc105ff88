//! Ways out of steps.

use kmodcheck_explore::Limits;
use kmodcheck_model::scenario::Action;
use kmodcheck_model::{Event, ModuleState};
use kmodcheck_properties::covered::{WayOut, ways_out};

#[test]
fn a_way_out_tells_how_and_not_about_whom() {
    let how = |event: Event| WayOut::of(&event).how;
    assert_eq!(how(Event::Stat { module: 3, found: true }), "Stat: found: true");
    let read = Event::Read { module: 0, content: Some(ModuleState::Live) };
    assert_eq!(how(read), "Read: content: Some(Live)");
    assert_eq!(how(Event::LimitCount), "LimitCount");
    assert_eq!(how(Event::NoFile { module: 12 }), "NoFile");
    assert_eq!(how(Event::Call { action: Action::Modprobe(4) }), "Call: action: Modprobe");
}

/// What only one kernel does is among the ways out of that one.
#[test]
fn kernels_have_ways_out_of_their_own() {
    let of = |kernel| ways_out(kernel, "v30", 2, Limits::default()).unwrap();
    let (old, new) = (of("v4.9"), of("6.12-debian"));
    let joins = |way: &&WayOut| way.function == "idempotent";
    assert_eq!((old.keys().filter(joins).count(), new.keys().filter(joins).count()), (0, 2));
    assert!(new.values().all(|system| system.contains(' ')));
}
