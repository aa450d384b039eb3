//! `accountctl completion`: a script for a shell. Nobody is asked anything.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::error::Error;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// For this shell
    shell: Shell,
}

pub fn show(arguments: &Arguments, session: &Session) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut crate::Arguments::command(), "accountctl", &mut script);
    session.output.write(&String::from_utf8_lossy(&script))
}
