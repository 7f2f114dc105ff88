//! Explorers of systems of interchangeable processes; knows no kernel.
