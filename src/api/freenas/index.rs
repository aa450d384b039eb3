//! `/api/v1.0/`: which resources there are.

use std::collections::BTreeMap;

use rocket::get;
use rocket::http::Status;

use super::BASE;
use super::error::Error;
use super::reply::Reply;
use super::users::Signed;
use crate::caller::Basic;

const RESOURCES: [&str; 2] = ["account/groups", "account/users"];

#[get("/")]
pub async fn show(caller: Signed) -> Result<Reply, Error> {
    let Basic(_) = caller?;
    let index: BTreeMap<_, _> = RESOURCES.iter().map(|name| (name, endpoints(name))).collect();
    Ok(Reply::json(Status::Ok, &index))
}

fn endpoints(resource: &str) -> BTreeMap<&'static str, String> {
    BTreeMap::from([("list_endpoint", format!("{BASE}/{resource}/")), ("schema", format!("{BASE}/{resource}/schema/"))])
}
