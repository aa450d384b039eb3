//! The user of a body: which members it has, each of the kind that this API has for it. Names count in
//! any case, unknown ones are passed over, and of two the last counts.

use accountd_protocol::secret::Secret;
use rocket::Data;

use super::error::Error;
use super::json::{Json, first_value};
use crate::body;

/// In mebibytes: more than any user is.
const LARGEST: u64 = 1;

/// Members that are absent are `None`, and so are numbers and texts that are null; a list that is null is empty.
#[derive(Debug, Default)]
pub struct Form {
    pub id: Option<i64>,
    pub username: Option<String>,
    pub password: Option<Secret>,
    pub public_keys: Option<Vec<String>>,
    pub home_dir: Option<String>,
    pub uid: Option<i64>,
    pub gid: Option<i64>,
    pub max_sessions: Option<i64>,
    pub quota_size: Option<i64>,
    pub quota_files: Option<i64>,
    pub permissions: Option<Vec<String>>,
    pub upload_bandwidth: Option<i64>,
    pub download_bandwidth: Option<i64>,
}

/// A value of another kind than the member's. The first of a body is the one that is said.
#[derive(Debug, Default)]
struct Mismatch(Option<String>);

impl Form {
    /// The body of a request, whatever it says that it is.
    pub async fn read(data: Data<'_>) -> Result<Self, Error> {
        let body = body::read_any(LARGEST, data).await?;
        Self::of(&body).map_err(Error::Malformed)
    }

    fn of(body: &[u8]) -> Result<Self, String> {
        match first_value(body).map_err(|malformed| malformed.to_string())? {
            Json::Object(members) => Self::of_members(members),
            // As if nothing had been said.
            Json::Null => Ok(Self::default()),
            other => Err(format!("json: cannot unmarshal {} into Go value of type dataprovider.User", kind(&other))),
        }
    }

    fn of_members(members: Vec<(String, Json)>) -> Result<Self, String> {
        let (mut form, mut mismatch) = (Self::default(), Mismatch::default());
        for (name, value) in members {
            form.take(&name.to_ascii_lowercase(), value, &mut mismatch);
        }
        mismatch.0.map_or(Ok(form), Err)
    }

    fn take(&mut self, name: &str, value: Json, mismatch: &mut Mismatch) {
        match name {
            "id" => mismatch.number(("id", "int64"), value, &mut self.id),
            "username" => mismatch.text("username", value, &mut self.username),
            "password" => {
                let mut password = None;
                mismatch.text("password", value, &mut password);
                self.password = password.map(Secret::new).or(self.password.take());
            }
            "public_keys" => mismatch.texts("public_keys", value, &mut self.public_keys),
            "home_dir" => mismatch.text("home_dir", value, &mut self.home_dir),
            "uid" => mismatch.number(("uid", "int"), value, &mut self.uid),
            "gid" => mismatch.number(("gid", "int"), value, &mut self.gid),
            "max_sessions" => mismatch.number(("max_sessions", "int"), value, &mut self.max_sessions),
            "quota_size" => mismatch.number(("quota_size", "int64"), value, &mut self.quota_size),
            "quota_files" => mismatch.number(("quota_files", "int"), value, &mut self.quota_files),
            "permissions" => mismatch.texts("permissions", value, &mut self.permissions),
            "upload_bandwidth" => mismatch.number(("upload_bandwidth", "int64"), value, &mut self.upload_bandwidth),
            "download_bandwidth" => {
                mismatch.number(("download_bandwidth", "int64"), value, &mut self.download_bandwidth);
            }
            // Only looked at: nobody writes them.
            "used_quota_size" => mismatch.number(("used_quota_size", "int64"), value, &mut None),
            "used_quota_files" => mismatch.number(("used_quota_files", "int"), value, &mut None),
            "last_quota_update" => mismatch.number(("last_quota_update", "int64"), value, &mut None),
            _ => {}
        }
    }
}

impl Mismatch {
    fn number(&mut self, (member, wanted): (&str, &str), value: Json, into: &mut Option<i64>) {
        match value {
            Json::Null => {}
            Json::Number(text) => match text.parse() {
                Ok(number) => *into = Some(number),
                Err(_) => self.note(&format!("number {text}"), member, wanted),
            },
            other => self.note(kind(&other), member, wanted),
        }
    }

    fn text(&mut self, member: &str, value: Json, into: &mut Option<String>) {
        match value {
            Json::Null => {}
            Json::String(mut text) => *into = Some(std::mem::take(&mut *text)),
            other => self.note(kind(&other), member, "string"),
        }
    }

    /// An element that is null is an empty text.
    fn texts(&mut self, member: &str, value: Json, into: &mut Option<Vec<String>>) {
        let elements = match value {
            Json::Null => Vec::new(),
            Json::Array(elements) => elements,
            other => return self.note(kind(&other), member, "[]string"),
        };
        let mut texts = Vec::new();
        for element in elements {
            let mut text = None;
            self.text(member, element, &mut text);
            texts.push(text.unwrap_or_default());
        }
        *into = Some(texts);
    }

    fn note(&mut self, found: &str, member: &str, wanted: &str) {
        self.0.get_or_insert_with(|| {
            format!("json: cannot unmarshal {found} into Go struct field User.{member} of type {wanted}")
        });
    }
}

fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool => "bool",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_another_kind_are_named_as_clients_know_it() {
        let rows = [
            ("[]", "json: cannot unmarshal array into Go value of type dataprovider.User"),
            ("12", "json: cannot unmarshal number into Go value of type dataprovider.User"),
            (r#""a""#, "json: cannot unmarshal string into Go value of type dataprovider.User"),
            ("true", "json: cannot unmarshal bool into Go value of type dataprovider.User"),
            (r#"{"uid":"1"}"#, "json: cannot unmarshal string into Go struct field User.uid of type int"),
            (r#"{"UID":1.5}"#, "json: cannot unmarshal number 1.5 into Go struct field User.uid of type int"),
            (r#"{"gid":1e3}"#, "json: cannot unmarshal number 1e3 into Go struct field User.gid of type int"),
            (
                r#"{"quota_size":9223372036854775808}"#,
                "json: cannot unmarshal number 9223372036854775808 into Go struct field User.quota_size of type int64",
            ),
            (r#"{"username":1}"#, "json: cannot unmarshal number into Go struct field User.username of type string"),
            (
                r#"{"permissions":"*"}"#,
                "json: cannot unmarshal string into Go struct field User.permissions of type []string",
            ),
            (
                r#"{"permissions":["*",{}]}"#,
                "json: cannot unmarshal object into Go struct field User.permissions of type string",
            ),
            (
                r#"{"last_quota_update":false,"uid":"x"}"#,
                "json: cannot unmarshal bool into Go struct field User.last_quota_update of type int64",
            ),
            (r#"{"uid":"x""#, "unexpected EOF"),
        ];
        for (body, expected) in rows {
            assert_eq!(Form::of(body.as_bytes()).unwrap_err(), expected, "{body}");
        }
    }

    #[test]
    fn names_count_in_any_case_null_says_nothing_and_the_last_counts() {
        let body = br#"{"USERNAME":"a","Home_Dir":"/x","home_dir":null,"uid":1,"Uid":-2,"other":{"uid":3},
            "permissions":["*"],"PERMISSIONS":null,"public_keys":[null,"k"],"password":"p","password":null} trailing"#;
        let form = Form::of(body).unwrap();
        assert_eq!((form.username.as_deref(), form.home_dir.as_deref()), (Some("a"), Some("/x")));
        assert_eq!((form.uid, form.gid, form.id), (Some(-2), None, None));
        assert_eq!(form.permissions, Some(vec![]));
        assert_eq!(form.public_keys, Some(vec![String::new(), "k".into()]));
        assert_eq!(form.password.unwrap().reveal(), "p");
        assert!(Form::of(b"null").unwrap().username.is_none());
    }
}
