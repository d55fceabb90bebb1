//! Values that belong to a future and all that it calls: a request's number, its deadline, its log.
//!
//! [`task_local!`](crate::task_local!) declares a key. [`LocalKey::scope`] wraps a future, and gives the
//! key a value in each poll of it: in the future's own code, and in the functions that it calls, but
//! nowhere else. So a goroutine that uses no key pays nothing.
//!
//! **Nothing is inherited.** A goroutine that is started inside a scope runs outside it. Wrap its
//! future as well: `spawn(KEY.scope(KEY.get(), work()))`.
//!
//! A value that many functions need is often better passed as an argument, where the reader sees
//! it. Keys are for values that have to pass through the code of others.
//!
//! Go counterpart: the values of a `context.Context`, which Go passes explicitly.

#![forbid(unsafe_code)]

mod key;
mod scope;

pub use key::{AccessError, LocalKey};
pub use scope::Scope;
