//! The table that is printed: a row for each thing that is done, ours below the peer's.

use crate::traced::Written;

pub struct Row {
    pub size: usize,
    pub what: String,
    pub milliseconds: f64,
    pub written: Option<Written>,
    /// How often what the peer needs goes into ours.
    pub ratio: Option<f64>,
}

impl Row {
    pub fn peer(size: usize, what: &str, milliseconds: f64) -> Self {
        Self { size, what: what.into(), milliseconds, written: None, ratio: None }
    }

    /// Ours, beside a peer that took so long, where there is one.
    pub fn ours(size: usize, what: &str, milliseconds: f64, peer: Option<f64>) -> Self {
        Self { ratio: peer.map(|peer| peer / milliseconds), ..Self::peer(size, what, milliseconds) }
    }

    pub fn writing(self, written: Written) -> Self {
        Self { written: Some(written), ..self }
    }
}

pub fn begin(title: &str) {
    println!("\n{title}: milliseconds (median), syncs and MiB written");
    println!("| existing | what                                     |        ms | syncs |    MiB |   peer / this |");
    println!("|---------:|------------------------------------------|----------:|------:|-------:|--------------:|");
}

impl std::fmt::Display for Row {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let written = self.written.as_ref().map_or_else(
            || format!("{:>5} | {:>6}", "", ""),
            |written| format!("{:>5} | {:>6.2}", written.syncs, written.bytes as f64 / f64::from(1 << 20)),
        );
        let ratio = self.ratio.map_or(String::new(), |ratio| format!("{ratio:.1} ×"));
        write!(out, "| {:>8} | {:<40} | {:>9.1} | {written} | {ratio:>13} |", self.size, self.what, self.milliseconds)
    }
}
