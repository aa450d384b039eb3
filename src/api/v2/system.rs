//! `/system`: what there is to know before an account is made.

use std::hash::{DefaultHasher, Hash, Hasher};

use accountd_protocol::precondition::Tag;
use rocket::get;
use rocket::http::Status;
use serde_json::json;

use super::error::Error;
use super::users::{Signed, failed};
use super::{answers, output};
use crate::caller::Authenticated;
use crate::reply::Reply;

#[get("/system")]
pub async fn show(caller: Signed) -> Result<Reply, Error> {
    let Authenticated(caller) = caller?;
    let system = output::system(&caller.system().await.map_err(failed)?);
    let mut hasher = DefaultHasher::new();
    json!(system).to_string().hash(&mut hasher);
    Ok(answers::tagged(Status::Ok, &system, Some(&Tag(format!("{:016x}", hasher.finish())))))
}
