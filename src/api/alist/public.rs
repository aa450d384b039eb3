//! `public`: what the web front end asks for before anybody has logged in.

use serde_json::json;

use super::reply::Reply;
use crate::ProgramBuild;

pub fn settings(build: Option<&ProgramBuild>) -> Reply {
    let version = build.map_or_else(String::new, |build| format!("accountd {}", build.version));
    Reply::data(&json!({
        "site_title": "accountd",
        "logo": "",
        "favicon": "",
        "version": version,
        "announcement": "",
        "pagination_type": "all",
        "default_page_size": "30",
        "home_icon": "🏠",
        "home_container": "max_980px",
        "settings_layout": "list",
        "allow_indexed": "false",
        "allow_mounted": "false",
        "ldap_login_enabled": "false",
        "sso_login_enabled": "false",
        "webauthn_login_enabled": "false",
    }))
}

pub fn none() -> Reply {
    Reply::data(&json!([]))
}
