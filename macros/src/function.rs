//! The function that an attribute stands on.

use std::iter;

use proc_macro::{Delimiter, Group, Ident, Literal, Span, TokenStream, TokenTree};

use crate::Error;
use crate::settings::{Settings, call, code};

/// `#[..] pub async fn name() -> Output { .. }`
pub(crate) struct Function {
    /// Attributes and visibility.
    before: Vec<TokenTree>,
    /// The token `async`.
    is_async: TokenTree,
    /// From `fn` up to the body.
    signature: Vec<TokenTree>,
    name: Ident,
    body: Group,
}

impl Function {
    pub(crate) fn parse(attribute: &str, item: TokenStream) -> Result<Self, Error> {
        let whole = format!("#[gorun::{attribute}] stands on an `async fn` without arguments");
        let mut tokens: Vec<_> = item.into_iter().collect();
        let end = tokens.last().map_or_else(Span::call_site, TokenTree::span);
        let body = tokens.pop().and_then(|last| block(&last)).ok_or(Error::new(end, &whole))?;
        let is_fn = |token: &TokenTree| is_word(token, "fn");
        let at_fn = tokens.iter().position(is_fn).ok_or(Error::new(end, &whole))?;
        let signature = tokens.split_off(at_fn);
        let at = signature[0].span();
        let unexpected = tokens
            .iter()
            .find(|token| ["unsafe", "const", "extern"].iter().any(|word| is_word(token, word)));
        if let Some(unexpected) = unexpected {
            return Err(Error::new(unexpected.span(), format!("{whole}, and not `{unexpected}`")));
        }
        let Some(is_async) = tokens.pop_if(|last| is_word(last, "async")) else {
            return Err(Error::new(at, format!("{whole}: this one is not `async`")));
        };
        let Some(TokenTree::Ident(name)) = signature.get(1) else {
            return Err(Error::new(at, whole));
        };
        match signature.get(2) {
            Some(TokenTree::Group(arguments))
                if arguments.delimiter() == Delimiter::Parenthesis =>
            {
                if let Some(first) = arguments.stream().into_iter().next() {
                    let message = format!("{whole}: there is nobody to pass this one");
                    return Err(Error::new(first.span(), message));
                }
            }
            other => {
                let at = other.map_or(at, TokenTree::span);
                return Err(Error::new(at, format!("{whole}, and not a generic one")));
            }
        }
        Ok(Function { before: tokens, is_async, name: name.clone(), signature, body })
    }

    /// A function of the same name and type that runs this one in a runtime.
    pub(crate) fn run_by(self, settings: &Settings) -> TokenStream {
        let Function { before, is_async, signature, name, body } = self;
        // The future of an `async fn`, and not an `async` block: its output has a type, which `?`
        // and literals need.
        let inner = iter::once(is_async).chain(signature.clone()).chain([body.clone().into()]);
        let mut run: TokenStream = inner.collect();
        let mut arguments = settings.builder();
        arguments.extend(code(","));
        arguments.extend(settings.timeout());
        arguments.extend(code(","));
        arguments.extend([TokenTree::from(Literal::string(&name.to_string()))]);
        arguments.extend(code(","));
        arguments.extend(call([name.into()], TokenStream::new()));
        arguments.extend(code(","));
        arguments.extend(judge(settings, "__gorun_is_failure"));
        let once = call(settings.path("__run"), arguments);
        run.extend(match settings.schedules() {
            None => once,
            Some(mut arguments) => {
                arguments.extend(code(", ||"));
                arguments.extend(once);
                arguments.extend(code(","));
                arguments.extend(judge(settings, "__gorun_error"));
                call(settings.path("__simulate"), arguments)
            }
        });
        let mut run = Group::new(Delimiter::Brace, run);
        run.set_span(body.span());
        before.into_iter().chain(signature).chain([run.into()]).collect()
    }
}

/// Whether what main has returned is an `Err`, or which. The implementation that fits by fewer references says so.
fn judge(settings: &Settings, method: &str) -> TokenStream {
    let [outcome, described, returned] =
        ["__Outcome", "__Described", "__Returned"].map(|name| settings.path(name));
    code(&format!(
        "|returned| {{
            #[allow(unused_imports)]
            use {{{outcome} as _, {described} as _}};
            (&{returned}(returned)).{method}()
        }}"
    ))
}

/// `fn name() {}`, if the item has a name.
pub(crate) fn placeholder(item: TokenStream) -> TokenStream {
    let mut from_fn = item.into_iter().skip_while(|token| !is_word(token, "fn"));
    match (from_fn.next(), from_fn.next()) {
        (Some(word), Some(TokenTree::Ident(name))) => {
            let rest = [Delimiter::Parenthesis, Delimiter::Brace];
            let rest = rest.map(|delimiter| Group::new(delimiter, TokenStream::new()).into());
            [word, name.into()].into_iter().chain(rest).collect()
        }
        _ => TokenStream::new(),
    }
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident.to_string() == word)
}

/// A `$body:block` of a macro is a group without delimiters around the block.
fn block(token: &TokenTree) -> Option<Group> {
    let TokenTree::Group(group) = token else { return None };
    match group.delimiter() {
        Delimiter::Brace => Some(group.clone()),
        Delimiter::None => block(&group.stream().into_iter().next()?),
        _ => None,
    }
}
