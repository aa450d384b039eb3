//! `accountctl system`

use crate::client::Request;
use crate::error::Error;
use crate::output::{Shape, as_it_is};
use crate::session::Session;

const SHAPE: Shape =
    Shape { id: "version", columns: &[], fields: &["version", "shells", "home_roots", "home_mode"], present: as_it_is };

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Version, login shells, directories of pools, mode of new homes
    Show,
}

impl Verb {
    pub fn run(self, session: &Session) -> Result<(), Error> {
        match self {
            Verb::Show => {
                let answer = session.client.send(&Request::get("/system", "show the system"))?;
                session.output.object(&SHAPE, &answer)
            }
        }
    }
}
