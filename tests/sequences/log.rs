//! What was done, to be read when it has come to a panic.

use std::fmt::Display;

#[derive(Default)]
pub(crate) struct Log(Vec<String>);

impl Log {
    pub(crate) fn note(&mut self, step: impl Display) {
        self.0.push(step.to_string());
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("after these steps, of which the last is the one that differs:");
            self.0.iter().for_each(|step| eprintln!("  {step}"));
        }
    }
}
