//! /api/v2 as a client sees it: one request, one answer, or why there is none.
//!
//! Nothing but the URL says where a credential goes: neither a proxy of the environment nor a
//! redirection is followed.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::time::Duration;

use accountd_protocol::secret::Secret;
use serde_json::{Value, json};
use ureq::Body;
use ureq::http::{self, Method, StatusCode};
use zeroize::{Zeroize, Zeroizing};

use crate::credential::Credential;
use crate::error::Error;
use crate::problem::{Flags, Problem, Refused};
use crate::terminal;
use crate::url::Url;

const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// A check of many homes takes its time.
const ANSWER_DEADLINE: Duration = Duration::from_secs(180);
/// The largest backup, which is more than a page of the largest accounts.
const MAX_BODY_BYTES: u64 = 64 * 1024 * 1024;
const BASE: &str = "/api/v2";
/// What a code comes in.
const CODE_HEADER: &str = "X-Accountd-OTP";
/// The problem of a password that needs one.
const CODE_REQUIRED: &str = "two-factor-required";
/// As long as any command takes, and not much longer.
const TOKEN_SECONDS: u32 = 3600;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    method: Method,
    /// Behind `/api/v2`, encoded.
    path: String,
    body: Option<Content>,
    headers: Vec<(&'static str, String)>,
    doing: String,
    flags: Flags,
    answer: Expected,
    shown: ShownCode,
}

/// Where a code goes that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ShownCode {
    /// To a token, which every further request is sent with.
    ForToken,
    /// With the request itself, to which a token is not enough.
    WithRequest,
}

/// What a request is answered with, if it is not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// Or nothing.
    Json,
    Text,
}

/// What a body holds: there may be a password in it.
#[derive(Clone)]
enum Content {
    Json(Value),
    /// And what it is.
    Text(&'static str, Zeroizing<String>),
}

/// An answer that is no problem.
#[derive(Clone, Debug)]
pub struct Answer {
    /// JSON, or empty; a text where one was asked for.
    pub text: String,
    pub tag: Option<String>,
}

#[derive(Debug)]
pub struct Client {
    http: ureq::Agent,
    url: Url,
    credential: Credential,
    header: RefCell<Option<Zeroizing<String>>>,
    /// For the first request that one is asked for.
    code: RefCell<Option<Secret>>,
    /// Whether the header has a token that was made for this process.
    has_token: Cell<bool>,
}

impl Request {
    pub fn get(path: impl Into<String>, doing: impl Into<String>) -> Self {
        Self::new(Method::GET, path, doing)
    }

    /// What is a text and no JSON.
    pub fn get_text(path: impl Into<String>, doing: impl Into<String>) -> Self {
        Self { answer: Expected::Text, ..Self::get(path, doing) }
    }

    pub fn post(path: impl Into<String>, doing: impl Into<String>, body: Value) -> Self {
        Self { body: Some(Content::Json(body)), ..Self::new(Method::POST, path, doing) }
    }

    /// A file as it is, of this media type.
    pub fn post_text(
        path: impl Into<String>,
        doing: impl Into<String>,
        (media_type, text): (&'static str, Zeroizing<String>),
    ) -> Self {
        Self { body: Some(Content::Text(media_type, text)), ..Self::new(Method::POST, path, doing) }
    }

    pub fn put(path: impl Into<String>, doing: impl Into<String>, body: Value) -> Self {
        Self { body: Some(Content::Json(body)), ..Self::new(Method::PUT, path, doing) }
    }

    pub fn patch(path: impl Into<String>, doing: impl Into<String>, body: Value) -> Self {
        Self { body: Some(Content::Json(body)), ..Self::new(Method::PATCH, path, doing) }
    }

    pub fn delete(path: impl Into<String>, doing: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path, doing)
    }

    fn new(method: Method, path: impl Into<String>, doing: impl Into<String>) -> Self {
        let (path, doing) = (path.into(), doing.into());
        let (answer, shown) = (Expected::Json, ShownCode::ForToken);
        Self { method, path, body: None, headers: Vec::new(), doing, flags: &[], answer, shown }
    }

    /// How fields are called where they are wrong.
    pub fn naming(mut self, flags: Flags) -> Self {
        self.flags = flags;
        self
    }

    /// A code that has to be shown goes with this request.
    pub fn showing_code(mut self) -> Self {
        self.shown = ShownCode::WithRequest;
        self
    }

    /// Only if the resource has this tag; without one, in any state.
    pub fn only_if(mut self, tag: Option<&str>) -> Self {
        self.headers.extend(tag.map(|tag| ("If-Match", tag.to_owned())));
        self
    }

    pub fn idempotency_key(mut self, key: Option<String>) -> Self {
        self.headers.extend(key.map(|key| ("Idempotency-Key", key)));
        self
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Content(…)")
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        // A text wipes itself.
        if let Content::Json(body) = self {
            wipe(body);
        }
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(fields) => fields.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl Answer {
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

impl Client {
    pub fn new(url: Url, credential: Credential, code: Option<Secret>) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(concat!("accountctl/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT_DEADLINE))
            .timeout_recv_response(Some(ANSWER_DEADLINE))
            .timeout_recv_body(Some(ANSWER_DEADLINE));
        let (header, has_token) = (RefCell::default(), Cell::default());
        Self { http: config.build().into(), url, credential, header, code: RefCell::new(code), has_token }
    }

    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// A handle that has timed out meanwhile is replaced once.
    pub fn send(&self, request: &Request) -> Result<Answer, Error> {
        let header = self.header()?;
        let (status, answer) = self.exchange(request, &header)?;
        if status == StatusCode::UNAUTHORIZED && matches!(self.credential, Credential::Local(_)) {
            self.header.replace(None);
            let header = self.header()?;
            let (status, answer) = self.exchange(request, &header)?;
            return self.judged(request, status, answer);
        }
        if status == StatusCode::UNAUTHORIZED && kind(&answer).as_deref() == Some(CODE_REQUIRED) {
            return self.send_with_code(request);
        }
        self.judged(request, status, answer)
    }

    /// The same again, with a code of the authenticator or what it was good for.
    fn send_with_code(&self, request: &Request) -> Result<Answer, Error> {
        let code = self.next_code()?;
        let mut shown = match request.shown {
            ShownCode::WithRequest => request.clone(),
            ShownCode::ForToken => Request::post("/tokens", &request.doing, json!({"lifetime": TOKEN_SECONDS})),
        };
        shown.headers.push((CODE_HEADER, code.reveal().to_owned()));
        let header = self.credential.header()?;
        let (status, answer) = self.exchange(&shown, &header)?;
        let answer = self.judged(&shown, status, answer)?;
        if request.shown == ShownCode::WithRequest {
            return Ok(answer);
        }
        let token = Zeroizing::new(answer.value()["token"].as_str().unwrap_or_default().to_owned());
        let header = Zeroizing::new(format!("Bearer {}", *token));
        self.header.replace(Some(header.clone()));
        self.has_token.set(true);
        let (status, answer) = self.exchange(request, &header)?;
        self.judged(request, status, answer)
    }

    fn next_code(&self) -> Result<Secret, Error> {
        match self.code.take() {
            Some(code) => Ok(code),
            None if terminal::is_attended() => terminal::secret("Verification code: "),
            None => Err(Error::Usage {
                what: "no terminal to ask for the verification code at".into(),
                next: "Give it in ACCOUNTCTL_CODE, or take an API key.",
            }),
        }
    }

    fn header(&self) -> Result<Zeroizing<String>, Error> {
        if let Some(header) = &*self.header.borrow() {
            return Ok(header.clone());
        }
        let header = self.credential.header()?;
        self.header.replace(Some(header.clone()));
        Ok(header)
    }

    fn exchange(&self, request: &Request, authorization: &str) -> Result<(StatusCode, Answer), Error> {
        let mut response = self.run(request, authorization)?;
        let tag = response.headers().get("etag").and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let body = response.body_mut().with_config().limit(MAX_BODY_BYTES).read_to_string();
        let text = body.map_err(|error| self.unreachable(&error))?;
        Ok((response.status(), Answer { text, tag }))
    }

    fn run(&self, request: &Request, authorization: &str) -> Result<http::Response<Body>, Error> {
        let mut builder = http::Request::builder()
            .method(request.method.clone())
            .uri(format!("{}{BASE}{}", self.url.as_str(), request.path))
            .header("Authorization", authorization)
            .header("Accept", "application/json, application/problem+json, text/event-stream;q=0.5");
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        let (media_type, text) = match &request.body {
            None => {
                let request = builder.body(()).map_err(|_| unfit())?;
                return self.http.run(request).map_err(|error| self.unreachable(&error));
            }
            Some(Content::Json(body)) => ("application/json", Zeroizing::new(body.to_string())),
            Some(Content::Text(media_type, text)) => (*media_type, text.clone()),
        };
        let request = builder.header("Content-Type", media_type).body(text.as_str()).map_err(|_| unfit())?;
        self.http.run(request).map_err(|error| self.unreachable(&error))
    }

    /// Server-sent events, each of which has JSON, until they end for whatever reason: who follows
    /// something has to ask how it stands then.
    pub fn follow(&self, request: &Request, mut event: impl FnMut(&Value)) -> Result<(), Error> {
        let header = self.header()?;
        let response = self.run(request, &header)?;
        if !response.status().is_success() {
            return Ok(());
        }
        let lines = BufReader::new(response.into_body().into_reader().take(MAX_BODY_BYTES)).lines();
        for line in lines.map_while(Result::ok) {
            let data = line.strip_prefix("data:").and_then(|data| serde_json::from_str(data.trim()).ok());
            data.iter().for_each(&mut event);
        }
        Ok(())
    }

    fn judged(&self, request: &Request, status: StatusCode, answer: Answer) -> Result<Answer, Error> {
        let not_accountd = |reason: String| Error::NotAccountd { url: self.url.as_str().to_owned(), reason };
        if status.is_success() {
            let is_json = || answer.text.is_empty() || serde_json::from_str::<Value>(&answer.text).is_ok();
            return match request.answer {
                Expected::Text => Ok(answer),
                Expected::Json if is_json() => Ok(answer),
                Expected::Json => Err(not_accountd("its answer is not JSON".into())),
            };
        }
        let problem: Problem = serde_json::from_str(&answer.text)
            .map_err(|_| not_accountd(format!("it answers {} without a problem of accountd's", status.as_u16())))?;
        let refused = Refused { doing: request.doing.clone(), problem, flags: request.flags };
        Err(Error::Refused(Box::new(refused)))
    }

    fn unreachable(&self, error: &ureq::Error) -> Error {
        Error::Unreachable { url: self.url.as_str().to_owned(), reason: error.to_string() }
    }
}

/// Of a problem.
fn kind(answer: &Answer) -> Option<String> {
    serde_json::from_str::<Problem>(&answer.text).ok().map(|problem| problem.kind)
}

/// A token that was made for this process is of no use to another one.
impl Drop for Client {
    fn drop(&mut self) {
        if let (true, Some(header)) = (self.has_token.get(), self.header.take()) {
            // It ends by itself as well.
            let _ = self.exchange(&Request::delete("/tokens/current", ""), &header);
        }
    }
}

/// A value that no header can hold, from the command line or from a file.
fn unfit() -> Error {
    Error::Usage {
        what: "a token, a tag or a key has characters that can not be sent".into(),
        next: "Nothing has been changed. Correct it and call again.",
    }
}
