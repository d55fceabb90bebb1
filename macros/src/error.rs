//! A mistake of the user's, reported at the token where it is.

use proc_macro::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

pub(crate) struct Error {
    at: Span,
    message: String,
}

impl Error {
    pub(crate) fn new(at: Span, message: impl Into<String>) -> Self {
        Error { at, message: message.into() }
    }

    /// `::core::compile_error! { "message" }`
    pub(crate) fn into_tokens(self) -> TokenStream {
        let mut message = TokenTree::from(Literal::string(&self.message));
        message.set_span(self.at);
        let colon = |spacing| TokenTree::from(Punct::new(':', spacing));
        let tokens = [
            colon(Spacing::Joint),
            colon(Spacing::Alone),
            Ident::new("core", self.at).into(),
            colon(Spacing::Joint),
            colon(Spacing::Alone),
            Ident::new("compile_error", self.at).into(),
            Punct::new('!', Spacing::Alone).into(),
            Group::new(Delimiter::Brace, message.into()).into(),
        ];
        let at_mistake = |mut token: TokenTree| {
            token.set_span(self.at);
            token
        };
        tokens.into_iter().map(at_mistake).collect()
    }
}
