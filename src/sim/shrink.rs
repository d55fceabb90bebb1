//! Shortening a schedule that fails: as many decisions as possible become what comes first.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

/// How long that may take, in real time.
const LONGEST: Duration = Duration::from_secs(3);

/// How often it is tried at most.
const MOST_TRIES: usize = 2000;

/// Sets decisions of `script` to zero, as long as it `fails`; returns the decisions that it was run with.
pub(super) fn shrink(mut script: Vec<u32>, mut fails: impl FnMut(&[u32]) -> bool) -> Vec<u32> {
    let start = Instant::now();
    let mut tries = 0;
    let mut can_try = || {
        tries += 1;
        tries <= MOST_TRIES && start.elapsed() < LONGEST
    };
    let count = |script: &[u32]| script.iter().filter(|choice| **choice != 0).count();
    let mut size = count(&script).max(1);
    loop {
        let mut any = false;
        let mut at = 0;
        loop {
            let set: Vec<_> = (0..script.len()).filter(|&index| script[index] != 0).collect();
            let Some(chunk) =
                set.get(at..(at + size).min(set.len())).filter(|chunk| !chunk.is_empty())
            else {
                break;
            };
            if !can_try() {
                return trimmed(script);
            }
            let mut shorter = script.clone();
            chunk.iter().for_each(|&index| shorter[index] = 0);
            if fails(&shorter) {
                (script, any) = (shorter, true);
            } else {
                at += size;
            }
        }
        if size == 1 && !any {
            return trimmed(script);
        }
        size = size.div_ceil(2);
    }
}

/// What follows a script is zeros anyway.
fn trimmed(mut script: Vec<u32>) -> Vec<u32> {
    while script.pop_if(|last| *last == 0).is_some() {}
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_needed_is_left() {
        let script: Vec<u32> = (1..200).collect();
        let mut runs = 0;
        let shortest = shrink(script, |script| {
            runs += 1;
            script.get(16) == Some(&17) && script.get(150) == Some(&151)
        });
        let left: Vec<_> = shortest.iter().copied().filter(|choice| *choice != 0).collect();
        assert_eq!((left, shortest.len()), (vec![17, 151], 151));
        assert!(runs < 200, "{runs} runs");
    }

    #[test]
    fn what_always_fails_becomes_nothing() {
        assert!(shrink(vec![1; 1000], |_| true).is_empty());
        assert!(shrink(vec![], |_| true).is_empty());
    }
}
