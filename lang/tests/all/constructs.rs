//! x
use kmodcheck_explore::Options;
use kmodcheck_lang::Program;

#[test]
#[ignore]
fn by_hand() {
    for file in std::env::var("FILES").unwrap().split_whitespace() {
        let text = std::fs::read_to_string(file).unwrap();
        match Program::read(file, &text) {
            Err(error) => println!("{error}"),
            Ok(program) => {
                let answer = program.answer(&Options::default()).unwrap();
                let all = program.every_access_a_step().answer(&Options::default()).unwrap();
                println!("{file}: {:?} {} {} {} states, {}", answer.observation, answer.positive, answer.negative, answer.states, all.states);
                if std::env::var_os("VERBOSE").is_some() { println!("{answer:#?}"); }
            }
        }
    }
}
