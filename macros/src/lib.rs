//! The attributes `#[gorun::main]` and `#[gorun::test]`. gorun exports and documents them.
//!
//! An attribute reads the function (`function.rs`) and its settings (`settings.rs`), and writes a
//! function without `async` that runs the original one. The compiler reports mistakes at the
//! tokens that the user wrote, because all of these keep their spans.

#![forbid(unsafe_code)]

mod error;
mod function;
mod settings;

use proc_macro::TokenStream;

use error::Error;
use function::Function;
use settings::Settings;

/// Documented in gorun.
#[proc_macro_attribute]
pub fn main(settings: TokenStream, item: TokenStream) -> TokenStream {
    expand("main", TokenStream::new(), settings, item)
}

/// Documented in gorun.
#[proc_macro_attribute]
pub fn test(settings: TokenStream, item: TokenStream) -> TokenStream {
    expand("test", settings::code("#[::core::prelude::v1::test]"), settings, item)
}

fn expand(
    attribute: &str,
    added: TokenStream,
    settings: TokenStream,
    item: TokenStream,
) -> TokenStream {
    let function = Function::parse(attribute, item.clone());
    let settings = Settings::parse(attribute, settings);
    match function.and_then(|function| Ok((function, settings?))) {
        Ok((function, settings)) => {
            let mut expanded = added;
            expanded.extend(function.run_by(&settings));
            expanded
        }
        // A function of that name stays, so that the compiler does not miss it as well. The
        // original one would not do: no `main` may be `async`.
        Err(error) => {
            let mut report = error.into_tokens();
            report.extend(function::placeholder(item));
            report
        }
    }
}
