//! Goroutines that start programs: fork, exec, and what comes back.

use std::process::{Command, Stdio};

use gorun::{blocking, channel, spawn};

use crate::WORKERS;
use crate::common::*;

/// Says what it is told on both outputs, much more than a pipe holds on the first, and ends with a
/// status.
const SCRIPT: &str =
    r#"head -c 100000 /dev/zero; printf "out %s" "$1"; printf "err %s" "$1" >&2; exit "$1""#;

fn run_program(number: i32) {
    let mut program = Command::new("sh");
    program.args(["-c", SCRIPT, "sh", &number.to_string()]).stdin(Stdio::null());
    let output = program.output().unwrap();
    assert_eq!(output.status.code(), Some(number));
    let (zeros, text) = output.stdout.split_at(100_000);
    assert!(zeros.iter().all(|&byte| byte == 0));
    assert_eq!(text, format!("out {number}").as_bytes());
    assert_eq!(output.stderr, format!("err {number}").as_bytes());
}

#[test]
fn programs_started_by_many_goroutines_at_once_give_each_its_output() {
    let _watchdog = watchdog();
    for workers in WORKERS {
        run(workers, async {
            let programs: Vec<_> = (0..40)
                .map(|number| {
                    spawn(async move {
                        match number % 2 {
                            0 => run_program(number),
                            _ => blocking(|| run_program(number)),
                        }
                    })
                })
                .collect();
            // The others go on meanwhile, and a program cannot be started that does not exist.
            let (tx, rx) = channel(0);
            spawn(async move {
                for number in 0..1000 {
                    tx.send(number).await.unwrap();
                }
            });
            let mut received = 0;
            while let Some(number) = rx.recv().await {
                assert_eq!(number, received);
                received += 1;
            }
            assert_eq!(received, 1000);
            let missing = spawn(async { Command::new("/gorun/no such program").spawn().is_err() });
            assert!(missing.await.unwrap());
            for program in programs {
                program.await.unwrap();
            }
        });
    }
}
