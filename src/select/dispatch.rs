//! The names that the expansion of [`select!`](crate::select!) uses.
#![forbid(unsafe_code)]

pub use super::case_kinds::{OtherFuture, kind};
pub use super::cases::{And, Choice, Nil};
pub use super::future::{try_once, wait};
