//! The fields that a new user and a changed one have in common, each from form value to type.

use accountd_protocol::home::HomeTransfer;
use accountd_protocol::id::AccountId;
use accountd_protocol::name::NewUserName;
use accountd_protocol::refusal::Field;
use accountd_protocol::text::{Email, FieldPath, FullName};

use super::faults::Faults;
use super::form::Form;
use super::messages::{self, NOT_NULL, REQUIRED};
use super::place::Place;

/// The dialect's own limits, narrower than those of the system.
const MAX_NAME: usize = 16;
const MAX_FULL_NAME: usize = 120;

/// A form that is being read, and what was found wrong with it so far.
#[derive(Debug)]
pub struct UserForm<'a> {
    pub place: Place,
    pub form: &'a mut Form,
    pub faults: Faults,
}

impl<'a> UserForm<'a> {
    pub fn new(place: Place, form: &'a mut Form) -> Self {
        Self { place, form, faults: Faults::default() }
    }

    /// Notes each of these that the form does not have.
    pub fn require(&mut self, keys: &[&'static str], message: &str) {
        for key in keys.iter().filter(|key| !self.form.has(key)) {
            self.faults.add(key, message);
        }
    }

    /// What a field is taken for when the form does not have it.
    pub fn default(&mut self, key: &str, value: &str) {
        self.form.set_default(key, value);
    }

    /// A checkbox that is there and on.
    pub fn checked_box(&self, key: &str) -> bool {
        self.form.boolean(key) == Some(true)
    }

    pub fn name(&mut self) -> Option<NewUserName> {
        let name = self.filled("bsdusr_username")?;
        let length = name.chars().count();
        if length > MAX_NAME {
            self.faults.add("bsdusr_username", messages::too_long(MAX_NAME, length));
            return None;
        }
        if name.starts_with('-') {
            self.faults.add("bsdusr_username", "Name must begin with an alphanumeric character and not a \"-\".");
            return None;
        }
        self.checked(Field::UserName, NewUserName::new(name))
    }

    pub fn full_name(&mut self) -> Option<FullName> {
        let name = self.filled("bsdusr_full_name")?.trim().to_owned();
        if name.is_empty() {
            self.faults.add("bsdusr_full_name", REQUIRED);
            return None;
        }
        let length = name.chars().count();
        if length > MAX_FULL_NAME {
            self.faults.add("bsdusr_full_name", messages::too_long(MAX_FULL_NAME, length));
            return None;
        }
        self.checked(Field::FullName, FullName::new(name))
    }

    pub fn email(&mut self) -> Option<Email> {
        let email = self.form.text("bsdusr_email")?;
        let email = self.faults.take("bsdusr_email", email)?;
        self.checked(Field::Email, Email::new(email.trim()))
    }

    pub fn home(&mut self) -> Option<FieldPath> {
        let home = self.form.text("bsdusr_home")?;
        let home = self.faults.take("bsdusr_home", home)?;
        if home.is_empty() {
            self.faults.add("bsdusr_home", NOT_NULL);
            return None;
        }
        let home = self.faults.take("bsdusr_home", absolute(&home))?;
        self.checked(Field::Home, FieldPath::new(home))
    }

    /// An extension: what happens to what is in the old home.
    pub fn home_transfer(&mut self) -> HomeTransfer {
        let word = self.form.text("bsdusr_home_transfer").unwrap_or(Ok(String::new()));
        let transfer = word.and_then(|word| match word.as_str() {
            "" | "copy" => Ok(HomeTransfer::Copy),
            "move" => Ok(HomeTransfer::Move),
            "none" => Ok(HomeTransfer::None),
            _ => Err(messages::no_choice(&word.escape_debug().to_string())),
        });
        self.faults.take("bsdusr_home_transfer", transfer).unwrap_or_default()
    }

    pub fn shell(&mut self) -> Option<FieldPath> {
        let shell = self.filled("bsdusr_shell")?;
        let parsed = FieldPath::new(shell.clone()).map_err(|_| messages::no_choice(&shell.escape_debug().to_string()));
        self.faults.take("bsdusr_shell", parsed)
    }

    pub fn uid(&mut self) -> Option<u32> {
        let uid = self.form.number("bsdusr_uid")?;
        self.faults.take("bsdusr_uid", uid)
    }

    /// Permission bits, in octal whether sent as a text or as a number.
    pub fn home_mode(&mut self) -> Option<u32> {
        let mode = match self.form.text("bsdusr_mode")? {
            Ok(text) if text.is_empty() => return None,
            Ok(text) => permission_bits(&text),
            Err(_) => None,
        };
        let bad = || "Please provide a valid value for home_mode attribute".into();
        self.faults.take("bsdusr_home", mode.ok_or_else(bad))
    }

    pub fn primary_group(&mut self) -> Option<AccountId> {
        let id = self.form.id("bsdusr_group")?;
        self.faults.take("bsdusr_group", id).map(AccountId)
    }

    pub fn groups(&mut self) -> Option<Vec<AccountId>> {
        let ids = self.form.ids("bsdusr_to_group")?;
        let ids = self.faults.take("bsdusr_to_group", ids)?;
        Some(ids.into_iter().map(AccountId).collect())
    }

    pub fn ssh_keys(&mut self) -> Option<String> {
        let keys = self.form.text("bsdusr_sshpubkey")?;
        self.faults.take("bsdusr_sshpubkey", keys)
    }

    fn filled(&mut self, key: &'static str) -> Option<String> {
        let text = self.form.filled(key)?;
        self.faults.take(key, text)
    }

    pub fn checked<T, P>(&mut self, field: Field, result: Result<T, P>) -> Option<T>
    where
        P: Into<accountd_protocol::refusal::Problem>,
    {
        self.faults.check(self.place, field, self.form, result)
    }
}

/// The path from `/`, with one slash between its components and without `.`. A `..` is refused:
/// what was meant by it depends on symbolic links, and here nothing is looked up.
fn absolute(path: &str) -> Result<String, String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.contains(&"..") {
        return Err("The path must not contain \"..\".".into());
    }
    Ok(format!("/{}", parts.join("/")))
}

/// Octal digits that stand for nothing beyond 777, as Python reads them.
fn permission_bits(text: &str) -> Option<u32> {
    let text = text.trim();
    let digits = text.strip_prefix("0o").unwrap_or(text);
    let octal = digits.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    let mode = octal.then(|| u32::from_str_radix(digits, 8).ok())??;
    (mode & !0o777 == 0).then_some(mode)
}
