//! The command line that a client's scp gives to the server's.

/// Which side of the protocol this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// `-f`: files go from here.
    Source,
    /// `-t`: files come here.
    Sink,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    Files,
    /// `-r`.
    Trees,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attributes {
    New,
    /// `-p`: modes and times are those of the source.
    Kept,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    pub side: Side,
    pub depth: Depth,
    pub attributes: Attributes,
    /// `-d`: the target has to be a directory.
    pub into_directory: bool,
    /// One for a sink, one or more for a source.
    pub paths: Vec<Vec<u8>>,
}

impl Options {
    /// The error is a message for the client.
    pub fn parse(words: &[Vec<u8>]) -> Result<Self, Vec<u8>> {
        let (mut side, mut depth, mut attributes, mut into_directory) = (None, Depth::Files, Attributes::New, false);
        let mut rest = words;
        while let [word, behind @ ..] = rest {
            let Some(letters) = word.strip_prefix(b"-").filter(|letters| !letters.is_empty()) else { break };
            rest = behind;
            if letters == b"-" {
                break;
            }
            for letter in letters {
                match letter {
                    b'f' | b't' if side.is_some() => return Err(b"-f and -t exclude each other".to_vec()),
                    b'f' => side = Some(Side::Source),
                    b't' => side = Some(Side::Sink),
                    b'r' => depth = Depth::Trees,
                    b'p' => attributes = Attributes::Kept,
                    b'd' => into_directory = true,
                    // What is said more or less of is the client's business.
                    b'v' | b'q' => {}
                    letter => return Err([b"unknown option -", &[*letter][..]].concat()),
                }
            }
        }
        let Some(side) = side else { return Err(b"neither -f nor -t: this is the server's side of scp".to_vec()) };
        match (side, rest) {
            (_, []) => Err(b"a path is missing".to_vec()),
            (Side::Sink, [_, _, ..]) => Err(b"ambiguous target".to_vec()),
            (_, paths) => Ok(Self { side, depth, attributes, into_directory, paths: paths.to_vec() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Options, String> {
        let words: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        Options::parse(&words).map_err(|message| String::from_utf8(message).unwrap())
    }

    #[test]
    fn options_are_bundled_or_not() {
        let bundled = parse(&["-rpvt", "there"]).unwrap();
        assert_eq!(bundled, parse(&["-v", "-r", "-p", "-q", "-t", "--", "there"]).unwrap());
        assert_eq!((bundled.side, bundled.depth, bundled.attributes), (Side::Sink, Depth::Trees, Attributes::Kept));
        let source = parse(&["-f", "--", "-a", "-"]).unwrap();
        assert_eq!(
            (source.side, source.depth, source.paths),
            (Side::Source, Depth::Files, vec![b"-a".to_vec(), b"-".to_vec()])
        );
        assert!(parse(&["-d", "-t", "x"]).unwrap().into_directory);
    }

    #[test]
    fn everything_else_is_refused_in_words() {
        for (words, message) in [
            (&["-t", "-z", "x"][..], "unknown option -z"),
            (&["-l", "10", "-t", "x"], "unknown option -l"),
            (&["-S/bin/sh", "-f", "x"], "unknown option -S"),
            (&["-t"], "a path is missing"),
            (&["-t", "a", "b"], "ambiguous target"),
            (&["-ft", "a"], "-f and -t exclude each other"),
            (&["a", "host:b"], "neither -f nor -t: this is the server's side of scp"),
        ] {
            assert_eq!(parse(words).unwrap_err(), message, "{words:?}");
        }
    }
}
