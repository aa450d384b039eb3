//! One run: a request with a fault in it, and what has to be true afterwards.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use super::calls::{Actor, Call, Effect, Fault, Strace, calls, met_shared_memory};
use super::kinds::Kind;
use super::stage::{Fate, NEW_KEYS, Stage, Subject};

/// How long keys may take to come behind an answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// A fault at a call.
#[derive(Clone, Debug)]
pub struct Run {
    pub call: Call,
    pub fault: Fault,
}

/// Whether the request got as far as the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Hit,
    Missed,
}

/// What came of the runs of a kind.
#[derive(Debug)]
pub struct Tally {
    kind: &'static str,
    looking: usize,
    changing: usize,
    runs: BTreeMap<Fault, usize>,
    missed: usize,
    pub failures: Vec<String>,
}

impl fmt::Display for Run {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Call { actor, name, number, what, .. } = &self.call;
        write!(out, "{} at {actor:?} {name} {number} ({what})", self.fault)
    }
}

/// The calls of one request of this kind.
pub fn calls_of(stage: &mut Stage, kind: &Kind) -> Vec<Call> {
    let subject = stage.prepare(kind);
    let (agent, output) = (stage.agent(), stage.output());
    let strace = Strace::note(agent, &output);
    let answer = (kind.request)(stage, &subject);
    let noted = strace.finish();
    assert!((200..300).contains(&answer.status), "{}: {} {}", kind.name, answer.status, answer.body);
    let signs = (kind.signs)(stage, &subject);
    assert!(signs.iter().all(|(_, done)| *done), "{}: {signs:?}", kind.name);
    stage.clear(&subject);
    calls(agent, &noted)
}

/// Fault by fault, and in each call by call. Killed between two looks, everything is as at the next change; and a look has only EIO.
pub fn all(calls: &[Call]) -> Vec<Run> {
    let fits = |call: &Call, fault: Fault| call.effect == Effect::Changes || fault == Fault::Error("EIO");
    let runs = Fault::ALL.into_iter().flat_map(|fault| calls.iter().map(move |call| Run { call: call.clone(), fault }));
    runs.filter(|run| fits(&run.call, run.fault)).collect()
}

pub fn inject(stage: &mut Stage, kind: &Kind, run: &Run) -> Result<Outcome, String> {
    let subject = stage.prepare(kind);
    let before = stage.files();
    let agent = stage.agent();
    if run.fault == Fault::Kill {
        stage.world().hold("agent");
    }
    let strace = Strace::inject(agent, &run.call, run.fault, &stage.output());
    let answer = (kind.request)(stage, &subject);
    let fate = stage.fate(agent, run, answer.status);
    let noted = strace.end();
    let fate = stage.final_fate(agent, run, fate);
    if met_shared_memory(&noted) {
        stage.restart(agent, run.fault);
        stage.clear(&subject);
        return Ok(Outcome::Missed);
    }
    if fate == Fate::Died && run.call.number.is_multiple_of(5) {
        stage.try_useradd(agent)?;
    }
    stage.bring_back(agent, run.fault, fate)?;
    if run.call.actor == Actor::Child {
        // Keys that a home did not take are put there behind the answer, when it takes them.
        settled(stage, kind, &subject);
    }
    judge(stage, kind, &subject, (answer.status, fate)).map_err(|why| format!("answered {}: {why}", answer.status))?;
    if !whole(stage, kind, &subject)? {
        stage.unchanged_since(&before).map_err(|why| format!("answered {}: {why}", answer.status))?;
        let again = (kind.request)(stage, &subject);
        if !(200..300).contains(&again.status) || !whole(stage, kind, &subject)? {
            return Err(format!("answered {}; again: {} {}", answer.status, again.status, again.body));
        }
    }
    // Now also of what only the next change of the same keys takes away.
    stage.nothing_is_left_over(None)?;
    stage.bystander_is_well()?;
    stage.clear(&subject);
    let hit = fate == Fate::Died || noted.contains("INJECTED") || run.call.actor == Actor::Child;
    Ok(if hit { Outcome::Hit } else { Outcome::Missed })
}

/// What was acknowledged is there, what was refused is not, and nothing is half there.
fn judge(stage: &mut Stage, kind: &Kind, subject: &Subject, (status, fate): (u16, Fate)) -> Result<(), String> {
    let done = whole(stage, kind, subject)?;
    match status {
        200..300 if !done => Err("it was acknowledged and is not there".into()),
        400..500 if done => Err("it was refused and is there".into()),
        200..600 => stage.nothing_is_left_over((fate == Fate::Died).then_some(NEW_KEYS)),
        _ => Err("there was no answer".into()),
    }
}

fn whole(stage: &mut Stage, kind: &Kind, subject: &Subject) -> Result<bool, String> {
    let signs = (kind.signs)(stage, subject);
    let first = signs[0].1;
    if signs.iter().all(|(_, done)| *done == first) { Ok(first) } else { Err(format!("half of it: {signs:?}")) }
}

/// Waits until all signs say the same; what is half there for longer is found by others.
fn settled(stage: &mut Stage, kind: &Kind, subject: &Subject) {
    let end = Instant::now() + PATIENCE;
    while whole(stage, kind, subject).is_err() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(100));
    }
}

impl Tally {
    pub fn new(kind: &'static str, calls: &[Call]) -> Self {
        let count = |effect| calls.iter().filter(|call| call.effect == effect).count();
        let (looking, changing) = (count(Effect::Looks), count(Effect::Changes));
        Self { kind, looking, changing, runs: BTreeMap::new(), missed: 0, failures: Vec::new() }
    }

    pub fn count(&mut self, fault: Fault, outcome: Outcome) {
        *self.runs.entry(fault).or_default() += 1;
        self.missed += usize::from(outcome == Outcome::Missed);
    }

    fn total(&self) -> usize {
        self.runs.values().sum()
    }

    /// A line of the table.
    pub fn row(&self) -> String {
        let mut row = format!("{:<34}{:>7}{:>9}", self.kind, self.looking, self.changing);
        row.extend(Fault::ALL.map(|fault| format!("{:>8}", self.runs.get(&fault).copied().unwrap_or_default())));
        row.push_str(&format!("{:>9}{:>8}\n", self.missed, self.failures.len()));
        row
    }
}

/// Kind by fault.
pub fn table(tallies: &[Tally]) -> String {
    let mut text = format!("{:<34}{:>7}{:>9}", "", "looks", "changes");
    text.extend(Fault::ALL.map(|fault| format!("{:>8}", fault.to_string())));
    text.push_str("   missed  failed\n");
    for tally in tallies {
        text.push_str(&tally.row());
    }
    let total: usize = tallies.iter().map(Tally::total).sum();
    text.push_str(&format!("faults injected: {total}\n"));
    text
}
