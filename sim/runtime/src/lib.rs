//! Threads, locks and wait queues behind one trait: std, loom, shuttle.
