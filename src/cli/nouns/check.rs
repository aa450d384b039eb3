//! `accountctl check`: what is wrong with the accounts, and the repair of exactly what was shown.

use serde_json::{Value, json};

use crate::client::{Answer, Request};
use crate::error::Error;
use crate::flags::{Body, put};
use crate::output::{Format, Shape, items, plain};
use crate::path::query;
use crate::problem::Flags;
use crate::session::Session;
use crate::text::harmless;

const COLUMNS: &[&str] = &["number", "severity", "code", "where", "message", "repair"];
const FINDING: Shape = Shape { id: "number", columns: COLUMNS, fields: COLUMNS, present: finding };
const REPAIRED: &[&str] = &["number", "code", "where", "done", "reason"];
const OUTCOME: Shape = Shape { id: "number", columns: REPAIRED, fields: REPAIRED, present: outcome };
const FLAGS: Flags = &[("codes", "--code"), ("findings", "--finding"), ("digest", "the plan")];

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Look; nothing is changed
    Run(Look),
    /// Repair all that can be, or what is chosen; the plan is shown and agreed to first
    Repair {
        #[command(flatten)]
        look: Look,
        /// Only findings with this code; once for each
        #[arg(long = "code", value_name = "CODE")]
        codes: Vec<String>,
        /// Only the finding with this number; once for each
        #[arg(long = "finding", value_name = "NUMBER", conflicts_with = "codes")]
        findings: Vec<u64>,
    },
}

#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Look {
    /// At homes too, which takes longer
    #[arg(long)]
    homes: bool,
}

impl Look {
    fn send(self, session: &Session) -> Result<Answer, Error> {
        let pairs = if self.homes { vec![("homes", "true".to_owned())] } else { Vec::new() };
        session.client.send(&Request::get(format!("/checks{}", query(&pairs)), "check the accounts"))
    }
}

impl Verb {
    pub fn run(self, session: &Session) -> Result<(), Error> {
        match self {
            Verb::Run(look) => {
                let answer = look.send(session)?;
                match session.output.format {
                    Format::Columns(_) => show(session, items(&answer.value(), "items"))?,
                    Format::Tabs | Format::Json | Format::Ids => session.output.items(&FINDING, &answer, "items")?,
                }
                note_omitted(session, &answer.value());
                Ok(())
            }
            Verb::Repair { look, codes, findings } => repair(session, look, (codes, findings)),
        }
    }
}

fn note_omitted(session: &Session, report: &Value) {
    match report["omitted"].as_u64() {
        Some(omitted) if omitted > 0 => session.output.note(&format!("{omitted} more findings are not shown.")),
        _ if items(report, "items").is_empty() => session.output.note("Nothing is wrong."),
        _ => {}
    }
}

fn repair(session: &Session, look: Look, (codes, findings): (Vec<String>, Vec<u64>)) -> Result<(), Error> {
    let report = look.send(session)?.value();
    let is_chosen = |finding: &&Value| {
        let is_named = codes.iter().any(|code| finding["code"] == code.as_str())
            || findings.iter().any(|number| finding["number"] == *number);
        is_named || codes.is_empty() && findings.is_empty() && !finding["repair"].is_null()
    };
    let plan: Vec<Value> = items(&report, "items").iter().filter(is_chosen).cloned().collect();
    if plan.is_empty() && codes.is_empty() && findings.is_empty() {
        session.output.note("Nothing can be repaired.");
        return Ok(());
    }
    if let Format::Columns(_) = session.output.format {
        // For people; programs get what came of it.
        show(session, &plan)?;
    }
    if !plan.is_empty() {
        session.agree(&format!("Repair these {}?", plan.len()))?;
    }
    let mut body = Body::new();
    put(&mut body, "digest", Some(report["digest"].clone()));
    put(&mut body, "homes", Some(look.homes));
    put(&mut body, "codes", (!codes.is_empty()).then_some(codes));
    put(&mut body, "findings", (!findings.is_empty()).then_some(findings));
    let request = Request::post("/checks/repair", "repair the accounts", Value::Object(body)).naming(FLAGS);
    let answer = session.client.send(&request)?;
    session.output.items(&OUTCOME, &answer, "items")?;
    let is_done = |item: &Value| item["done"] == true;
    if items(&answer.value(), "items").iter().all(is_done) { Ok(()) } else { Err(Error::NotAllRepaired) }
}

/// For people: what is wrong can not be told in the width of a column.
fn show(session: &Session, findings: &[Value]) -> Result<(), Error> {
    let mut lines = String::new();
    for finding in findings {
        let [number, severity, code, message] =
            ["number", "severity", "code", "message"].map(|field| plain(&finding[field]));
        lines.push_str(&format!("{number}  {severity}  {code}  {}\n", harmless(&place(finding))));
        lines.push_str(&format!("    {}\n", harmless(&message)));
        if let Some(repair) = finding["repair"].as_str() {
            lines.push_str(&format!("    repair: {}\n", harmless(repair)));
        }
    }
    session.output.write(&lines)
}

fn finding(finding: &Value) -> Option<Value> {
    let mut shown = finding.clone();
    shown["where"] = json!(place(finding));
    Some(shown)
}

fn outcome(item: &Value) -> Option<Value> {
    let finding = &item["finding"];
    Some(json!({
        "number": finding["number"],
        "code": finding["code"],
        "where": place(finding),
        "done": item["done"],
        "reason": item["reason"],
    }))
}

/// `/etc/passwd:12 anna`
fn place(finding: &Value) -> String {
    let object = &finding["object"];
    let mut place = plain(&object["file"]);
    if let Some(line) = object["line"].as_u64() {
        place.push_str(&format!(":{line}"));
    }
    for part in ["name", "number"] {
        if !object[part].is_null() {
            place.push_str(&format!(" {}", plain(&object[part])));
        }
    }
    place
}
