//@ edition: 2021

include!("ok_without_warnings.rs");
