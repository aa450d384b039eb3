//! `/checks`: what is wrong with the accounts, and the repair of what was shown.

use accountd_protocol::checks::{
    CheckReport, CheckedHomes, Chosen, RepairOrder, RepairOutcome, RepairRefused, RepairReport, RepairedFinding,
};
use rocket::http::Status;
use rocket::{get, post};
use serde_json::{Value, json};

use super::answers;
use super::error::Error;
use super::faults::{Conflict, Fault, Kind};
use super::input::{Given, Input};
use super::listing::Query;
use super::sent::Sent;
use super::users::{Signed, failed};
use crate::caller::Authenticated;
use crate::reply::Reply;

/// Looks, and changes nothing.
#[get("/checks")]
pub async fn show(caller: Signed, query: Query) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let mut checked = CheckedHomes::Skipped;
    let mut faults = Vec::new();
    for (name, value) in query.pairs() {
        match (name, value) {
            ("homes", "true") => checked = CheckedHomes::Looked,
            ("homes", "false") => checked = CheckedHomes::Skipped,
            ("homes", _) => faults.push(Fault::new(name, "bad_value", "has to be true or false")),
            _ => faults.push(Fault::new(name, "unknown", "is not known here")),
        }
    }
    if !faults.is_empty() {
        return Err(Error::Query(faults));
    }
    let CheckReport { homes, findings, omitted, digest } = caller.check(checked).await.map_err(failed)?;
    let looked = homes == CheckedHomes::Looked;
    Ok(answers::json(Status::Ok, &json!({"homes": looked, "items": findings, "omitted": omitted, "digest": digest})))
}

#[post("/checks/repair", data = "<sent>")]
pub async fn repair(sent: Result<Sent, Error>) -> Result<Reply, Error> {
    let (caller, input) = sent?.open(Kind::User)?;
    let order = order(input)?;
    match caller.repair_checks(order).await.map_err(failed)? {
        RepairReport::Performed(repaired) => {
            let items: Vec<Value> = repaired.iter().map(outcome).collect();
            Ok(answers::json(Status::Ok, &json!({"items": items})))
        }
        RepairReport::Refused(refused) => Err(Error::Fields(vec![fault(&refused)])),
    }
}

fn order(mut input: Input) -> Result<RepairOrder, Error> {
    input.require("digest");
    ["homes", "codes", "findings"].iter().for_each(|field| input.refuse_null(field));
    let (digest, homes) = (input.text("digest"), input.boolean("homes").value().unwrap_or_default());
    let (codes, findings) = (input.texts("codes").value(), input.numbers("findings").value());
    let chosen = match (codes, findings) {
        (None, None) => Chosen::All,
        (Some(codes), None) => Chosen::Codes(codes),
        (None, Some(findings)) => Chosen::Findings(findings),
        (Some(codes), Some(_)) => {
            input.fault("findings", "must_be_absent", "can not be given together with codes");
            Chosen::Codes(codes)
        }
    };
    input.finish(&[])?;
    // What is missing has been named.
    let Given::Value(digest) = digest else { return Err(Error::Internal) };
    let homes = if homes { CheckedHomes::Looked } else { CheckedHomes::Skipped };
    Ok(RepairOrder { homes, digest, chosen })
}

fn outcome(RepairedFinding { finding, outcome }: &RepairedFinding) -> Value {
    let reason = match outcome {
        RepairOutcome::Done => None,
        RepairOutcome::NotDone(reason) => Some(reason),
    };
    json!({"finding": finding, "done": reason.is_none(), "reason": reason})
}

fn fault(refused: &RepairRefused) -> Fault {
    let message = refused.to_string();
    match refused {
        RepairRefused::Changed => {
            Fault { conflict: Conflict::WithWhatExists, ..Fault::new("digest", "changed", message) }
        }
        RepairRefused::NoSuchCode(_) => Fault::new("codes", "no_such", message),
        RepairRefused::NoSuchFinding(_) => Fault::new("findings", "no_such", message),
    }
}
