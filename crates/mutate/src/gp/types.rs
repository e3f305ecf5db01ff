//! The rough kinds of values.

/// The rough kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base<'a> {
    Unknown,
    Bool,
    Int,
    Float,
    Text,
    Function,
    Module,
    /// What calls of this name return.
    Result(&'a str),
}

/// A rough kind within so many lists, tuples or dictionaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Type<'a> {
    pub(super) base: Base<'a>,
    pub(super) depth: u8,
}

impl<'a> Type<'a> {
    pub(super) const UNKNOWN: Self = Self::of(Base::Unknown);

    pub(super) const fn of(base: Base<'a>) -> Self {
        Self { base, depth: 0 }
    }

    pub(super) fn listed(self) -> Self {
        Self {
            depth: self.depth.saturating_add(1),
            ..self
        }
    }

    pub(super) fn element(self) -> Self {
        match self.depth {
            0 => Self::UNKNOWN,
            depth => Self {
                depth: depth - 1,
                ..self
            },
        }
    }

    pub(super) fn is_known(self) -> bool {
        self.base != Base::Unknown
    }

    pub(super) fn is_number(self) -> bool {
        self.depth == 0 && matches!(self.base, Base::Int | Base::Float)
    }

    /// What both can pass for; the more general of two numbers, the known of two.
    pub(super) fn join(self, other: Self) -> Self {
        if !self.is_known() && self.depth <= other.depth {
            return other;
        }
        if self.is_number() && other.is_number() && self != other {
            return Self::of(Base::Float);
        }
        self
    }

    /// Whether a value of this kind may stand where one of kind `slot` stood.
    pub(super) fn fits(self, slot: Self, whole: bool) -> bool {
        if self.is_number() && slot.is_number() {
            return !whole || self.base == Base::Int;
        }
        self == slot && self.is_known()
    }
}
