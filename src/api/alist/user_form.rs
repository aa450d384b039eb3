//! The body of `create` and `update`: a whole user, of which what is missing is nothing.

use accountd_protocol::secret::Secret;
use rocket::Data;
use rocket::request::Request;

use super::body::Members;
use super::error::Error;
use super::meaning::normal_path;

#[derive(Debug)]
pub struct Form {
    /// Not looked at when a user is made.
    pub id: i64,
    pub username: String,
    /// Empty: none, or the present one.
    pub password: Secret,
    /// Clean already.
    pub base_path: String,
    pub role: i64,
    pub disabled: bool,
    pub permission: i32,
    pub sso_id: String,
    /// `None`: whatever it was.
    pub allow_ldap: Option<bool>,
}

impl Form {
    pub async fn read(request: &Request<'_>, data: Data<'_>) -> Result<Self, Error> {
        let mut members = Members::read("User", request, data).await?;
        let form = Self {
            id: members.number("id", "uint")?,
            username: members.text("username")?,
            password: members.secret("password")?,
            base_path: normal_path(&members.text("base_path")?),
            role: members.number("role", "int")?,
            disabled: members.flag("disabled")?.unwrap_or_default(),
            permission: members.number("permission", "int32")?,
            sso_id: members.text("sso_id")?,
            allow_ldap: members.flag("allow_ldap")?,
        };
        if form.username.is_empty() { Err(Error::required("User", "Username")) } else { Ok(form) }
    }
}
