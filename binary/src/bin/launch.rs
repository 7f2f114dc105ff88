//! Becomes the program that its arguments name; see [`kmodcheck_binary::launch`].

fn main() {
    let status = kmodcheck_binary::launch::launch(std::env::args_os().skip(1));
    std::process::exit(status);
}
