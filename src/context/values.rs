//! The values of a context: a list that contexts share.

#![forbid(unsafe_code)]

use std::any::Any;
use std::sync::Arc;

/// A value, and those that were there before it.
pub(super) struct Values {
    value: Box<dyn Any + Send + Sync>,
    rest: Option<Arc<Values>>,
}

impl Values {
    pub(super) fn new(value: Box<dyn Any + Send + Sync>, rest: Option<Arc<Values>>) -> Arc<Self> {
        Arc::new(Values { value, rest })
    }

    /// The latest value of the type.
    pub(super) fn find<T: Any>(&self) -> Option<&T> {
        let mut next = Some(self);
        while let Some(values) = next {
            if let Some(value) = values.value.downcast_ref() {
                return Some(value);
            }
            next = values.rest.as_deref();
        }
        None
    }
}

impl Drop for Values {
    /// Drops values one after the other: a long list must not need a deep stack.
    fn drop(&mut self) {
        let mut next = self.rest.take();
        while let Some(mut values) = next.and_then(Arc::into_inner) {
            next = values.rest.take();
        }
    }
}
