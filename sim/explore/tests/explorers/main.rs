//! The explorers, each held against a simpler one. One program, so that each search is compiled once for
//! the systems that the tests share.

#[path = "../common/mod.rs"]
mod common;

mod agreement;
mod any_number;
mod checkpoint;
mod counted;
mod coverability;
mod deep;
mod directed;
mod distributed;
mod fair;
mod faults;
mod handshake;
mod initial;
mod limits;
mod minimal;
mod por;
mod reference_model;
mod sleep;
mod threads;
mod walk;
