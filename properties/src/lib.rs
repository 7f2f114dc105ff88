//! What must hold: statements, sources, predicates, recorded verdicts.
