//! Trading mode, execution mode and trading state.
//!
//! Runs on: any thread.
//! Owns: the words of configuration and their order of strictness.
//! Never: changes a mode; RISK does.

/// Whether real money can move.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(u8)]
pub enum TradingMode {
    /// Simulators and the brokers' paper accounts only.
    #[default]
    Paper = 0,
    /// Real accounts only.
    Live = 1,
}

impl TradingMode {
    /// `paper` or `live`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paper => "paper",
            Self::Live => "live",
        }
    }
}

/// Who releases an order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(u8)]
pub enum ExecutionMode {
    /// Every order waits for a person.
    Manual = 0,
    /// Orders over the thresholds wait for a person.
    SemiAuto = 1,
    /// Checked orders go.
    #[default]
    FullAuto = 2,
    /// Nothing is ever sent; reported as it would have gone.
    Research = 3,
    /// Cancels and the liquidator only.
    Emergency = 4,
}

impl ExecutionMode {
    /// The name in configuration and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::SemiAuto => "semi_auto",
            Self::FullAuto => "full_auto",
            Self::Research => "research",
            Self::Emergency => "emergency",
        }
    }
}

/// What a scope lets through; later is stricter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(u8)]
pub enum TradingState {
    /// Checked orders.
    #[default]
    Active = 0,
    /// Provably reducing orders and cancels.
    Reducing = 1,
    /// Cancels.
    Halted = 2,
}

impl TradingState {
    /// The name in reports, as FIX and NautilusTrader have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Reducing => "reducing",
            Self::Halted => "halted",
        }
    }

    /// From the stored number.
    #[must_use]
    pub const fn from_u8(value: u8) -> Option<Self> {
        match value {
            0 => Some(Self::Active),
            1 => Some(Self::Reducing),
            2 => Some(Self::Halted),
            _ => None,
        }
    }
}
