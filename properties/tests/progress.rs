use kmodcheck_explore::Options;
use kmodcheck_model::builtin::{Environment, Naming};
use kmodcheck_model::{Model, Mutant, Pc};
use kmodcheck_properties::grand::GrandCell;
use kmodcheck_properties::progress::{self, Progress};

#[test]
fn look() {
    for environment in Environment::ALL {
        for kernel in [
            "v4.9",
            "v4.9+author-tree",
            "v4.9+wait-and-verify",
            "v4.13",
            "v5.3",
            "v6.2",
            "v6.5",
            "v6.5+dup",
        ] {
            for naming in [Naming::Plain] {
                let cell = GrandCell { environment, naming, kernel, kmod: "v20" };
                let model = Model::new(cell.scenario(), None).unwrap();
                let t = std::time::Instant::now();
                let r = progress::progress(
                    &model,
                    &Options {
                        limits: kmodcheck_explore::Limits {
                            states: Some(2_000_000),
                            ..Default::default()
                        },
                        ..Default::default()
                    },
                )
                .unwrap();
                let what = match &r.progress {
                    Progress::Returns => "returns".to_owned(),
                    Progress::ByTimeOutOnly(l) => {
                        format!("time-out only {} {}", l.stem.len(), l.cycle.len())
                    }
                    Progress::Never(l) => format!(
                        "never p{} {} {} {:?}",
                        l.process,
                        l.stem.len(),
                        l.cycle.len(),
                        l.cycle.iter().map(|s| s.label.map(|l| l.function())).collect::<Vec<_>>()
                    ),
                    Progress::OutOfBudget(e) => format!("{e:?}"),
                };
                println!(
                    "{} {kernel}: {} {} {:?} {}",
                    environment.name(),
                    r.states,
                    r.transitions,
                    t.elapsed(),
                    what.chars().take(400).collect::<String>()
                );
            }
        }
    }
    let _ = Mutant::Skip(Pc::WakeLive);
}
