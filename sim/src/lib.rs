//! What drives the model: its processes for the explorer, and traces.
