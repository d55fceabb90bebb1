//! What stands in the attribute: `worker_threads = 4, timeout = Duration::from_secs(5)`.

use proc_macro::{Delimiter, Group, Ident, TokenStream, TokenTree};

use crate::Error;

/// Settings that are methods of `gorun::Builder`.
const OF_BUILDER: [&str; 11] = [
    "worker_threads",
    "thread_name",
    "thread_stack_size",
    "exit_grace",
    "report_left_behind",
    "unhandled_panic",
    "max_threads",
    "on_blocked",
    "on_deadlock",
    "tokio_runtime",
    "tokio",
];

const TIMEOUT: &str = "timeout";

/// Whether a test may leave goroutines.
const LEAKS: &str = "leaks";

/// How often a test is simulated, and with how many changes of priorities.
const SCHEDULES: &str = "schedules";
const PCT: &str = "pct";

/// Settings of tests alone.
const OF_TEST: [&str; 3] = [LEAKS, SCHEDULES, PCT];

/// The path of gorun, for those who have renamed it.
const CRATE: &str = "crate";

pub(crate) struct Settings {
    all: Vec<Setting>,
    is_of_test: bool,
}

struct Setting {
    name: Ident,
    value: Vec<TokenTree>,
}

impl Settings {
    pub(crate) fn parse(attribute: &str, tokens: TokenStream) -> Result<Self, Error> {
        let mut all: Vec<Setting> = Vec::new();
        let mut tokens = tokens.into_iter().peekable();
        while let Some(first) = tokens.next() {
            let TokenTree::Ident(name) = first else {
                return Err(Error::new(first.span(), "here stands the name of a setting"));
            };
            let text = name.to_string();
            let is_of_test = attribute == "test";
            let of_all = [TIMEOUT, CRATE].contains(&&*text) || OF_BUILDER.contains(&&*text);
            if !(of_all || is_of_test && OF_TEST.contains(&&*text)) {
                let known = OF_BUILDER.join(", ");
                let of_test = if is_of_test {
                    OF_TEST.map(|name| [", ", name].concat()).concat()
                } else {
                    String::new()
                };
                let message =
                    format!("no setting `{text}`: there are {known}, timeout{of_test}, crate");
                return Err(Error::new(name.span(), message));
            }
            if all.iter().any(|setting| setting.name.to_string() == text) {
                return Err(Error::new(name.span(), format!("`{text}` is set twice")));
            }
            let missing = Error::new(name.span(), format!("a value is missing: `{text} = ..`"));
            if !tokens.next().is_some_and(|token| is_punct(&token, '=')) {
                return Err(missing);
            }
            let value: Vec<_> =
                std::iter::from_fn(|| tokens.next_if(|token| !is_punct(token, ','))).collect();
            if value.is_empty() {
                return Err(missing);
            }
            tokens.next();
            if let (CRATE, [TokenTree::Literal(literal)]) = (&*text, &value[..]) {
                let message = format!("a path, without quotation marks: `crate = {literal}`");
                return Err(Error::new(literal.span(), message.replace('"', "")));
            }
            let is_allow = || value.len() == 1 && value[0].to_string() == "\"allow\"";
            if text == LEAKS && !is_allow() {
                return Err(Error::new(value[0].span(), "`leaks = \"allow\"`, or nothing"));
            }
            all.push(Setting { name, value });
        }
        let pct = all.iter().find(|setting| setting.name.to_string() == PCT);
        if let Some(pct) = pct
            && !all.iter().any(|setting| setting.name.to_string() == SCHEDULES)
        {
            let message = "`pct` is how schedules are chosen: add `schedules = ..`";
            return Err(Error::new(pct.name.span(), message));
        }
        Ok(Settings { all, is_of_test: attribute == "test" })
    }

    /// `::gorun::Builder::new().worker_threads(4)`
    pub(crate) fn builder(&self) -> TokenStream {
        let mut builder = call(self.path("Builder::new"), TokenStream::new());
        for setting in &self.all {
            if OF_BUILDER.contains(&&*setting.name.to_string()) {
                builder.extend(code("."));
                let value = setting.value.iter().cloned().collect();
                builder.extend(call([setting.name.clone().into()], value));
            }
        }
        if self.value_of(LEAKS).is_some() {
            builder.extend(code(".__fail_on_leaks(false)"));
        }
        if self.is_of_test {
            builder.extend(code(".__for_test()"));
        }
        builder
    }

    /// `::core::option::Option::Some(limit)`
    pub(crate) fn timeout(&self) -> TokenStream {
        match self.value_of(TIMEOUT) {
            Some(limit) => call(code("::core::option::Option::Some"), limit),
            None => code("::core::option::Option::None"),
        }
    }

    /// How many schedules a test wants, and an `Option` of how many changes of priorities.
    pub(crate) fn schedules(&self) -> Option<TokenStream> {
        let mut schedules = self.value_of(SCHEDULES)?;
        let pct = match self.value_of(PCT) {
            Some(changes) => call(code("::core::option::Option::Some"), changes),
            None => code("::core::option::Option::None"),
        };
        schedules.extend(code(","));
        schedules.extend(pct);
        Some(schedules)
    }

    /// `::gorun::what`
    pub(crate) fn path(&self, what: &str) -> TokenStream {
        let mut path = self.value_of(CRATE).unwrap_or_else(|| code("::gorun"));
        path.extend(code(&format!("::{what}")));
        path
    }

    fn value_of(&self, name: &str) -> Option<TokenStream> {
        let setting = self.all.iter().find(|setting| setting.name.to_string() == name)?;
        Some(setting.value.iter().cloned().collect())
    }
}

fn is_punct(token: &TokenTree, char: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == char)
}

/// Tokens that the user did not write.
pub(crate) fn code(text: &str) -> TokenStream {
    text.parse().expect("tokens")
}

/// `function(arguments)`
pub(crate) fn call(
    function: impl IntoIterator<Item = TokenTree>,
    arguments: TokenStream,
) -> TokenStream {
    let arguments = Group::new(Delimiter::Parenthesis, arguments);
    function.into_iter().chain([arguments.into()]).collect()
}
