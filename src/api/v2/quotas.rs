//! `/users/{user}/quota` and `/quotas`: what users store and may store, who counts it, and scans that
//! count it anew. The limits themselves are fields of users and groups.

use accountd_protocol::quota::{QuotaFileSystem, QuotaReport, QuotaScan};
use rocket::http::Status;
use rocket::{delete, get, post};
use serde_json::{Value, json};

use super::connections::moment;
use super::error::Error;
use super::listing::{Query, Resource};
use super::output::{Object, object};
use super::path::Named;
use super::sent::Bare;
use super::users::{Signed, failed};
use super::{answers, day};
use crate::caller::Authenticated;
use crate::reply::Reply;

const NO_SCAN: Error = Error::NotFound("scan");

/// Every field that a quota is shown with.
pub const QUOTA_FIELDS: [&str; 8] =
    ["user", "backend", "limits", "used_bytes", "used_files", "bytes_grace", "files_grace", "scanned"];

const QUOTAS: Resource = Resource { fields: &QUOTA_FIELDS, sorts: &[], filters: &[] };

#[get("/users/<user>/quota")]
pub async fn show(caller: Signed, user: Named) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let id = user.user(&caller).await?;
    Ok(answers::json(Status::Ok, &shown(&caller.quota(id).await.map_err(failed)?)))
}

/// Begins a scan; 202, because it goes on behind the answer.
#[post("/users/<user>/quota/scan")]
pub async fn scan(bare: Result<Bare, Error>, user: Named) -> Result<Reply, Error> {
    let Bare(caller) = bare?;
    let id = user.user(&caller).await?;
    caller.start_scan(id).await.map_err(failed)?;
    Ok(answers::json(Status::Accepted, &json!({"status": "started"})))
}

#[delete("/users/<user>/quota/scan")]
pub async fn cancel(bare: Result<Bare, Error>, user: Named) -> Result<Reply, Error> {
    let Bare(caller) = bare?;
    let id = user.user(&caller).await?;
    caller.cancel_scan(id).await.map_err(|error| match failed(error) {
        Error::NotFound(_) => NO_SCAN,
        error => error,
    })?;
    Ok(answers::no_content())
}

/// Of all users that have one.
#[get("/quotas")]
pub async fn list(caller: Signed, query: Query) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let listing = query.listing(QUOTAS)?;
    let page = caller.quotas(listing.window()).await.map_err(failed)?;
    let items = page.items.iter().map(shown).collect();
    Ok(answers::json(Status::Ok, &listing.page(items, page.total, page.next.as_ref())))
}

#[get("/quotas/file-systems")]
pub async fn file_systems(caller: Signed) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let items: Vec<Value> = caller.quota_file_systems().await.map_err(failed)?.iter().map(file_system).collect();
    Ok(answers::json(Status::Ok, &json!({"items": items, "next": null, "total": items.len()})))
}

#[get("/quotas/scans")]
pub async fn scans(caller: Signed) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let items: Vec<Value> = caller.scans().await.map_err(failed)?.iter().map(shown_scan).collect();
    Ok(answers::json(Status::Ok, &json!({"items": items, "next": null, "total": items.len()})))
}

pub fn shown(report: &QuotaReport) -> Object {
    let QuotaReport { account, name, backend, limits, used, bytes_grace, files_grace, scanned } = report;
    let seconds = |seconds: &u64| day::moment(accountd_protocol::audit::Moment { seconds: *seconds, nanoseconds: 0 });
    object([
        ("user", json!({"id": account, "username": name})),
        ("backend", json!(backend)),
        ("limits", json!(limits)),
        ("used_bytes", json!(used.bytes)),
        ("used_files", json!(used.files)),
        ("bytes_grace", json!(bytes_grace.as_ref().and_then(seconds))),
        ("files_grace", json!(files_grace.as_ref().and_then(seconds))),
        ("scanned", json!(scanned.map(moment))),
    ])
}

fn file_system(file_system: &QuotaFileSystem) -> Value {
    let QuotaFileSystem { mount, kind, backend, reason } = file_system;
    json!({"mount": mount, "type": kind, "backend": backend, "reason": reason})
}

fn shown_scan(scan: &QuotaScan) -> Value {
    let QuotaScan { account, name, started, found, entries, state } = scan;
    json!({
        "user": {"id": account, "username": name},
        "state": state,
        "started": moment(*started),
        "entries": entries,
        "bytes": found.bytes,
        "files": found.files,
    })
}
