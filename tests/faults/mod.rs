//! Faults of the kernel at every file-system call of every kind of transaction: the agent is
//! killed there, or the call fails.
//!
//! Each kind is run once under strace(1), which tells the calls; then once for every call and
//! fault. Afterwards the account has changed whole or not at all, what was acknowledged is there,
//! nothing is left over, and the same request works.
//!
//! A run of the tests takes a sample of them; `make faults` takes all. `KINDS` names the kinds
//! that are wanted (parts of their names, separated by commas).

mod calls;
mod kinds;
mod runs;
mod stage;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use self::calls::Fault;
use self::kinds::Kind;
use self::runs::{Outcome, Run, Tally};
use self::stage::Stage;

/// How many sandboxes there are at a time.
const SANDBOXES: usize = 2;
/// How many runs of each kind a sample has.
const SAMPLE: usize = 8;

#[test]
fn a_fault_at_some_calls_of_every_kind_leaves_all_or_nothing() {
    inject(sampled);
}

#[test]
#[ignore = "takes hours: make faults"]
fn a_fault_at_any_call_of_any_kind_leaves_all_or_nothing() {
    inject(|_, runs| runs);
}

/// Runs at even distances, so that all calls and faults have their turn in one kind or another.
fn sampled(kind: usize, runs: Vec<Run>) -> Vec<Run> {
    let distance = (runs.len() / SAMPLE).max(1);
    runs.into_iter().skip(kind * 7 % distance).step_by(distance).collect()
}

/// Injects the chosen faults, each kind in a sandbox of its own, and shows what came of them.
fn inject(choose: impl Fn(usize, Vec<Run>) -> Vec<Run> + Sync) {
    let wanted = std::env::var("KINDS").unwrap_or_default();
    let is_wanted = |kind: &Kind| wanted.split(',').any(|part| kind.name.contains(part));
    let kinds = kinds::all();
    let (next, tallies) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..SANDBOXES {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(kind) = kinds.get(number) else { break };
                    if is_wanted(kind) {
                        let tally = run_kind(kind, |runs| choose(number, runs));
                        tallies.lock().unwrap().push((number, tally));
                    }
                }
            });
        }
    });
    let mut tallies = tallies.into_inner().unwrap();
    tallies.sort_by_key(|(number, _)| *number);
    let tallies: Vec<Tally> = tallies.into_iter().map(|(_, tally)| tally).collect();
    print!("{}", runs::table(&tallies));
    let failures: Vec<&String> = tallies.iter().flat_map(|tally| &tally.failures).collect();
    assert!(
        failures.is_empty(),
        "{} runs failed:\n{}",
        failures.len(),
        failures.iter().map(|text| format!("  {text}\n")).collect::<String>()
    );
}

fn run_kind(kind: &'static Kind, choose: impl Fn(Vec<Run>) -> Vec<Run>) -> Tally {
    let mut stage = Stage::new();
    let calls = runs::calls_of(&mut stage, kind);
    let runs = choose(runs::all(&calls));
    let mut tally = Tally::new(kind.name, &calls);
    let (begun, count) = (Instant::now(), runs.len());
    for run in runs {
        // A check that panics is that run's failure; the others go on.
        let result = catch_unwind(AssertUnwindSafe(|| runs::inject(&mut stage, kind, &run)));
        match result.unwrap_or_else(|panic| Err(text_of(&*panic))) {
            Ok(outcome) => tally.count(run.fault, outcome),
            Err(failure) => {
                tally.count(run.fault, Outcome::Hit);
                let failure = format!("{}: {run}: {failure}", kind.name);
                // At once: all of them take long.
                eprintln!("failed: {failure}");
                tally.failures.push(failure);
                // What a failure has left does not spoil the next run.
                stage = Stage::new();
            }
        }
    }
    // All kinds take an hour: what is known of each is shown when it is done.
    eprint!("{count} runs in {} s: {}", begun.elapsed().as_secs(), tally.row());
    tally
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "it panicked".into())
}

impl Fault {
    const ALL: [Fault; 5] =
        [Fault::Kill, Fault::Error("EIO"), Fault::Error("ENOSPC"), Fault::Error("EROFS"), Fault::Error("EDQUOT")];
}
