//! Labels of numbers: enums, so nothing that a client says becomes one.

/// What tells numbers of one kind apart.
pub trait Labels: Copy {
    const COUNT: usize;
    fn all() -> Vec<Self>;
    /// Below [`Labels::COUNT`], in the order of [`Labels::all`].
    fn index(self) -> usize;
    /// Names and values as they are shown.
    fn pairs(self) -> Vec<(&'static str, &'static str)>;
}

/// There is one number.
impl Labels for () {
    const COUNT: usize = 1;

    fn all() -> Vec<Self> {
        vec![()]
    }

    fn index(self) -> usize {
        0
    }

    fn pairs(self) -> Vec<(&'static str, &'static str)> {
        Vec::new()
    }
}

impl<A: Labels, B: Labels> Labels for (A, B) {
    const COUNT: usize = A::COUNT * B::COUNT;

    fn all() -> Vec<Self> {
        A::all().into_iter().flat_map(|first| B::all().into_iter().map(move |second| (first, second))).collect()
    }

    fn index(self) -> usize {
        self.0.index() * B::COUNT + self.1.index()
    }

    fn pairs(self) -> Vec<(&'static str, &'static str)> {
        [self.0.pairs(), self.1.pairs()].concat()
    }
}

/// An enum that is a label: its name there, and that of each value.
macro_rules! label {
    ($(#[$about:meta])* $label:ident = $name:literal {
        $($(#[$about_value:meta])* $value:ident => $shown:literal,)+
    }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $label {
            $($(#[$about_value])* $value,)+
        }

        impl $label {
            pub const ALL: &[Self] = &[$(Self::$value,)+];

            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$value => $shown,)+
                }
            }
        }

        impl $crate::metrics::Labels for $label {
            const COUNT: usize = Self::ALL.len();

            fn all() -> Vec<Self> {
                Self::ALL.to_vec()
            }

            fn index(self) -> usize {
                self as usize
            }

            fn pairs(self) -> Vec<(&'static str, &'static str)> {
                vec![($name, self.name())]
            }
        }
    };
}

pub(super) use label;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{CutOff, ProofKind};

    #[test]
    fn every_pair_has_a_place_of_its_own() {
        let all = <(CutOff, ProofKind)>::all();
        let places: Vec<usize> = all.iter().map(|labels| labels.index()).collect();
        assert_eq!(places, (0..<(CutOff, ProofKind)>::COUNT).collect::<Vec<_>>());
        assert_eq!(all[0].pairs(), [("reason", "login_grace"), ("method", "password")]);
    }
}
