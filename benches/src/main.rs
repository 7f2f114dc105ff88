//! Side by side with other checkers.

mod ours;
mod plain;
mod with_stateright;

use with_stateright::Strategy;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let n: usize = args[2].parse().unwrap();
    let threads: usize = args.get(3).map_or(1, |t| t.parse().unwrap());
    let t = std::time::Instant::now();
    let (s, tr) = match args[1].as_str() {
        "plain" => plain::count(n as u32, [0, 0, 0, 0, 17, 21, 24, 28][n]).unwrap(),
        "ours" | "sym" => {
            let e = ours::run(n, args[1] == "sym", threads, None).unwrap();
            eprintln!(
                "{:?} bytes {} viol {} {} depth {}",
                e.end,
                e.bytes,
                e.tally,
                e.violations.len(),
                e.depth
            );
            (e.states, e.transitions)
        }
        "bfs" => with_stateright::count(n, Strategy::Bfs, threads),
        "dfs" => with_stateright::count(n, Strategy::Dfs, threads),
        "dfssym" => with_stateright::count(n, Strategy::DfsSymmetry, threads),
        "first" => {
            println!("{:?}", ours::first_violation(n, threads > 1));
            (0, 0)
        }
        _ => panic!(),
    };
    let d = t.elapsed().as_secs_f64();
    println!("{s} {tr} {d:.3} s {:.2} M/s", s as f64 / d / 1e6);
}
