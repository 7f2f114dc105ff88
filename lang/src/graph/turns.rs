//! Steps that loops need which have no other.

use super::code::{ActionKind, Instr, Pc};

/// Takes out the steps of loops in which every turn has another step, or sleeps.
pub(crate) fn without_needless_turns(code: &mut [Instr]) {
    let is_turn =
        |instr: &Instr| matches!(instr, Instr::Act(action) if action.kind == ActionKind::Turn);
    let turns: Vec<Pc> = (0..code.len()).filter(|pc| is_turn(&code[*pc])).collect();
    let needless: Vec<Pc> = turns
        .into_iter()
        .filter(|turn| {
            let mut seen = vec![false; code.len()];
            let mut open = Vec::new();
            code[*turn].next(*turn, &mut |next| open.push(next));
            while let Some(pc) = open.pop() {
                if pc == *turn {
                    return false;
                }
                let local = !code[pc].is_rest() || is_turn(&code[pc]);
                if local && !std::mem::replace(&mut seen[pc], true) {
                    code[pc].next(pc, &mut |next| open.push(next));
                }
            }
            true
        })
        .collect();
    for pc in needless {
        code[pc] = Instr::Jump(pc + 1);
    }
}
