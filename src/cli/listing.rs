//! Lists, whose pages are followed to the end unless there is a limit.

use serde_json::{Value, json};

use crate::client::Request;
use crate::error::Error;
use crate::output::{Format, Rows, Shape, items};
use crate::path::query;
use crate::problem::Flags;
use crate::session::Session;
use crate::text::harmless_json;

/// The most that the API gives in one page.
const PAGE: usize = 1000;

/// How much of a list, in which order, and what of each item.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Part {
    /// Only so many; without it, all
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
    /// Go on where another list ended: its `next` in --json
    #[arg(long, value_name = "CURSOR")]
    pub cursor: Option<String>,
}

/// The same of a list that can be sorted.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Arrangement {
    #[command(flatten)]
    pub part: Part,
    /// Sort by these fields, as in -uid,username; - is downwards
    #[arg(long, value_name = "FIELDS", allow_hyphen_values = true)]
    pub sort: Option<String>,
    /// Show these fields only, as in id,username
    #[arg(long, value_name = "FIELDS")]
    pub fields: Option<String>,
}

/// A list to be shown.
#[derive(Clone, Debug)]
pub struct List<'a> {
    pub path: &'a str,
    pub doing: &'a str,
    pub filters: Vec<(&'static str, String)>,
    pub flags: Flags,
    pub shape: Shape,
}

impl Arrangement {
    /// Shows the list as it is asked for.
    pub fn show(self, session: &Session, mut list: List<'_>) -> Result<(), Error> {
        list.filters.extend(self.sort.map(|sort| ("sort", sort)));
        let columns: Vec<&str> = match &self.fields {
            Some(fields) => fields.split(',').collect(),
            None => list.shape.columns.to_vec(),
        };
        // An id alone does not say whether the shape has the item in its list.
        let fields = self.fields.clone().filter(|_| session.output.format != Format::Ids);
        list.filters.extend(fields.map(|fields| ("fields", fields)));
        self.part.show(session, list, &columns)
    }
}

impl Part {
    pub fn show(self, session: &Session, list: List<'_>, columns: &[&str]) -> Result<(), Error> {
        let mut pages =
            Pages { session, list: &list, cursor: self.cursor, left: self.limit.map(|limit| limit as usize) };
        if session.output.format == Format::Json {
            return pages.print_json();
        }
        let mut rows = Rows::new(session.output, list.shape, columns);
        while let Some((_, page)) = pages.next()? {
            rows.page(items(&page, "items"))?;
            if pages.is_over() {
                break;
            }
        }
        Ok(())
    }
}

struct Pages<'a> {
    session: &'a Session,
    list: &'a List<'a>,
    cursor: Option<String>,
    /// How many items are still wanted; `None`: all.
    left: Option<usize>,
}

impl Pages<'_> {
    /// A page as text and as value; `None` when enough has been shown.
    fn next(&mut self) -> Result<Option<(String, Value)>, Error> {
        let wanted = self.left.map_or(PAGE, |left| left.min(PAGE));
        if wanted == 0 {
            return Ok(None);
        }
        let mut pairs = self.list.filters.clone();
        pairs.push(("limit", wanted.to_string()));
        pairs.extend(self.cursor.take().map(|cursor| ("cursor", cursor)));
        let request = Request::get(format!("{}{}", self.list.path, query(&pairs)), self.list.doing);
        let answer = self.session.client.send(&request.naming(self.list.flags))?;
        let page = answer.value();
        self.cursor = page["next"].as_str().map(str::to_owned);
        self.left = self.left.map(|left| left.saturating_sub(items(&page, "items").len()));
        Ok(Some((answer.text, page)))
    }

    fn is_over(&self) -> bool {
        self.cursor.is_none() || self.left == Some(0)
    }

    /// One page as it came; several as one, with the items of all and the rest of the last.
    fn print_json(&mut self) -> Result<(), Error> {
        let output = self.session.output;
        let Some((text, mut page)) = self.next()? else { return Ok(()) };
        if self.is_over() {
            return output.write(&format!("{}\n", harmless_json(&text)));
        }
        output.write("{\"items\":[")?;
        let mut separator = "";
        loop {
            let texts: Vec<String> = items(&page, "items").iter().map(Value::to_string).collect();
            if !texts.is_empty() {
                output.write(&format!("{separator}{}", harmless_json(&texts.join(","))))?;
                separator = ",";
            }
            if self.is_over() {
                break;
            }
            match self.next()? {
                Some((_, next)) => page = next,
                None => break,
            }
        }
        let Value::Object(mut rest) = page else { return output.write("]}\n") };
        rest.remove("items");
        let rest: String = rest.iter().map(|(name, value)| format!(",{}:{}", json!(name), value)).collect();
        output.write(&format!("]{}}}\n", harmless_json(&rest)))
    }
}
