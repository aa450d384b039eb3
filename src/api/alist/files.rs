//! `fs`: files are served over SFTP, and not here. The web front end asks for the root after a login, and gets a
//! directory with nothing in it and a note; whatever else it asks for is refused.

use rocket::Data;
use serde_json::{Value, json};

use super::body::Members;
use super::caller::Account;
use super::error::Error;
use super::meaning::normal_path;
use super::reply::Reply;
use super::request::Asked;

const NOTE: &str = "The files of this server are not shown here: they are served over SFTP.";
const NO_TIME: &str = "1970-01-01T00:00:00Z";

pub async fn get(asked: &Asked<'_>, data: Data<'_>) -> Result<Reply, Error> {
    let _account = Account::of(asked).await?;
    is_root(asked, data).await?;
    Ok(Reply::data(&json!({
        "name": "root", "size": 0, "is_dir": true, "modified": NO_TIME, "created": NO_TIME, "sign": "", "thumb": "",
        "type": 1, "hashinfo": "null", "hash_info": Value::Null, "raw_url": "", "readme": NOTE, "header": "",
        "provider": "unknown", "related": Value::Null,
    })))
}

pub async fn list(asked: &Asked<'_>, data: Data<'_>) -> Result<Reply, Error> {
    let _account = Account::of(asked).await?;
    is_root(asked, data).await?;
    Ok(Reply::data(&json!({
        "content": [], "total": 0, "readme": NOTE, "header": "", "write": false, "provider": "unknown",
    })))
}

/// Directories to choose from: a path has to be typed.
pub async fn dirs(asked: &Asked<'_>, data: Data<'_>) -> Result<Reply, Error> {
    let _account = Account::of(asked).await?;
    is_root(asked, data).await?;
    Ok(Reply::data(&json!([])))
}

pub async fn other(asked: &Asked<'_>) -> Result<Reply, Error> {
    let _account = Account::of(asked).await?;
    Err(Error::FilesElsewhere)
}

async fn is_root(asked: &Asked<'_>, data: Data<'_>) -> Result<(), Error> {
    let mut members = Members::read("FsReq", asked.request, data).await?;
    let path = normal_path(&members.text("path")?);
    if path == "/" { Ok(()) } else { Err(Error::NoSuchObject) }
}
